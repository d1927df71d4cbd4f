local s = require("spec.core.script.support")

describe("perigee.cache_control", function()
  local vm
  before_each(function()
    vm = s.vm(nil, os.getenv("PERI_ROOT") .. "/lua")
  end)

  local function ttl(control, age)
    local text = ("return require('perigee.cache_control').ttl_ms({ ['cache-control'] = %s, age = %s })"):format(
      control and ("%q"):format(control) or "nil",
      age and ("%q"):format(age) or "nil"
    )
    local code, result = s.eval(vm, text, nil, nil, true)
    assert.equal(0, code, result)
    return result
  end

  it("takes the shared age first, and what has passed off it", function()
    assert.equal("60000", ttl("max-age=60"))
    assert.equal("60000", ttl('public, Max-Age="60"'))
    assert.equal("5000", ttl("max-age=60, s-maxage=5"))
    assert.equal("50000", ttl("max-age=60", "10"))
  end)

  it("lets go at once of what may not be kept", function()
    for _, control in ipairs({ "no-store", "private, max-age=60", "no-cache", "max-age=0" }) do
      assert.equal("1", ttl(control), control)
    end
    assert.equal("1", ttl("max-age=60", "100"))
  end)

  it("says nothing when the response does not", function()
    assert.equal("nil", ttl(nil))
    assert.equal("nil", ttl("public"))
    assert.equal("nil", ttl("max-age=soon"))
    assert.equal("nil", ttl(""))
  end)
end)
