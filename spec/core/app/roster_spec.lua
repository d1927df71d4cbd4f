local cffi = require("spec.support.ffi")
local support = require("spec.core.app.roster_support")
local C, ffi = cffi.load({ "app/roster.h" })

describe("a roster", function()
  local function names(roster)
    local list = {}
    for i = 0, tonumber(C.peri_roster_count(roster)) - 1 do
      local each = C.peri_roster_at(roster, i)
      list[i + 1] = ffi.string(each.kind) .. "/" .. ffi.string(each.name)
    end
    return list
  end

  local function find(roster, name)
    local got, problem = ffi.new("const struct peri_roster_entry *[1]"), ffi.new("struct peri_problem")
    local rc = C.peri_roster_find(roster, cffi.slice(name), got, problem)
    return rc == 0 and ffi.string(got[0].kind) .. "/" .. ffi.string(got[0].name) or rc, ffi.string(problem.text)
  end

  it("is in order", function()
    local list = {}
    for i = 40, 1, -1 do
      list[#list + 1] = { kind = "picker", name = ("p%02d"):format(i) }
    end
    list[#list + 1] = { kind = "balancer", name = "z" }
    local got = names(support.roster(list, true))
    assert.equal(41, #got)
    assert.equal("balancer/z", got[1])
    assert.equal("picker/p01", got[2])
    assert.equal("picker/p40", got[41])
  end)

  it("adds up what workers say", function()
    local one = support.roster({
      { kind = "picker", name = "a", path = "/a.lua", version = 3, previous = 2, calls = 5, errors = 1, bytes = 100, seats = 2 },
    }, true)
    local two = support.roster({
      { kind = "picker", name = "a", version = 3, previous = 2, calls = 7, errors = 2, bytes = 50, seats = 1, off = true,
        off_ms = 900, last_error = "words" },
      { kind = "picker", name = "b", off_ms = 77 },
    }, true)
    assert.equal(0, C.peri_roster_add(one, two))
    local got = C.peri_roster_of(one, "picker", "a")
    assert.same(
      { "/a.lua", 3, 2, 12, 3, 150, 3, 2, 1, 900, "words" },
      {
        ffi.string(got.path), got.version, got.previous, tonumber(got.calls), tonumber(got.errors), tonumber(got.bytes),
        got.seats, got.workers, got.off, tonumber(got.off_ms), ffi.string(got.last_error),
      }
    )
    assert.equal(0, tonumber(C.peri_roster_of(one, "picker", "b").off_ms), "it is not off")
    assert.is_true(C.peri_roster_of(one, "picker", "c") == nil)
  end)

  it("finds what somebody means", function()
    local roster = support.roster({
      { kind = "balancer", name = "cheap" }, { kind = "balancer", name = "pin" }, { kind = "picker", name = "pin" },
    }, true)
    assert.equal("balancer/cheap", find(roster, "cheap"))
    assert.equal("balancer/cheap", find(roster, "balancer/cheap"))
    assert.equal("picker/pin", find(roster, "picker/pin"))
    local rc, words = find(roster, "pin")
    assert.equal(C.PERI_EINVAL, rc)
    assert.truthy(words:find("balancer/pin and picker/pin", 1, true), words)
    for _, name in ipairs({ "none", "picker/cheap", "picker/", "", "picker", "/cheap" }) do
      rc, words = find(roster, name)
      assert.equal(C.PERI_ENOTFOUND, rc)
      assert.truthy(words:find("no policy " .. name, 1, true), words)
    end
    C.peri_roster_free(nil)
  end)
end)
