local cffi = require("spec.support.ffi")
local support = require("spec.core.app.roster_support")
local C, ffi = cffi.load({ "app/policies.h", "app/edits.h", "base/log.h", "base/metrics.h", "cli/policy_table.h" })

local ABOVE_ERROR = 4

describe("what is told of policies", function()
  local metrics, edits

  before_each(function()
    C.peri_log_setup(ABOVE_ERROR, C.PERI_LOG_TEXT)
    metrics = C.peri_metrics_new()
    local got = ffi.new("struct peri_edits *[1]")
    assert.equal(0, C.peri_edits_new(metrics, got))
    edits = got[0]
  end)

  after_each(function()
    C.peri_edits_free(edits)
    C.peri_metrics_free(metrics)
    C.peri_log_setup(C.PERI_LOG_INFO, C.PERI_LOG_TEXT)
  end)

  local function text(fill)
    local buffer = ffi.new("struct peri_buffer")
    fill(buffer)
    local got = buffer.len > 0 and ffi.string(buffer.ptr, buffer.len) or ""
    C.peri_buffer_done(buffer)
    return got
  end

  --- What the command line makes of a packed answer.
  local function shown(bytes, name)
    return text(function(buffer)
      if name == "table" then
        assert.equal(0, C.peri_cli_policy_table(cffi.slice(bytes), buffer))
      else
        assert.equal(0, C.peri_cli_policy_changes(cffi.slice(bytes), buffer, ffi.new("bool[1]")))
      end
    end)
  end

  it("is every policy, or one, with why its edit was refused", function()
    local roster = support.roster({
      { kind = "balancer", name = "a", path = "/a.lua", version = 3, calls = 7, bytes = 2048 },
      { kind = "picker", name = "b", path = "/b.lua" },
    }, true)
    C.peri_edits_take(edits, nil, support.failures({ { "balancer", "a", "a.lua:1: wrong" } }))
    C.peri_edits_config(edits, "no")
    local function pack(only)
      return shown(text(function(buffer)
        assert.equal(0, C.peri_policies_pack(roster, only, edits, buffer))
      end), "table")
    end
    local all = pack(nil)
    assert.truthy(all:find("\nbalancer  a     3        edit refused  7      0       2KiB    /a.lua\n", 1, true), all)
    assert.truthy(all:find("\npicker    b ", 1, true), all)
    assert.truthy(all:find("\nbalancer a: the last edit is refused, version 3 stays: a.lua:1: wrong\n", 1, true), all)
    assert.truthy(all:find("\nthe configuration's last edit is refused: no\n", 1, true), all)
    local one = pack(C.peri_roster_of(roster, "picker", "b"))
    assert.is_nil(one:find("balancer", 1, true), one)
  end)

  it("is what became of them", function()
    local function pack(before, after, refused)
      return shown(text(function(buffer)
        assert.equal(0, C.peri_policies_pack_changes(before, after, refused, buffer))
      end))
    end
    local function runs(a, b)
      return support.roster({ { kind = "picker", name = "a", version = a }, { kind = "picker", name = "b", version = b } }, true)
    end
    assert.equal("nothing has changed\n", pack(runs(1, 1), runs(1, 1), nil))
    assert.equal("nothing has changed\n", pack(nil, nil, nil))
    assert.equal(
      "picker a: version 2 runs, before it 1\npicker b: refused, version 4 stays: words\n",
      pack(runs(1, 4), runs(2, 4), support.failures({ { "picker", "b", "words" } }))
    )
  end)

  it("is asked for by name", function()
    local name = ffi.new("char[8]")
    local function read(bytes)
      local rc = C.peri_policies_name(cffi.slice(bytes), name, 8)
      return rc == 0 and ffi.string(name) or rc
    end
    assert.equal("", read(""))
    assert.equal("cheap", read("\10\5cheap"))
    assert.equal("seven77", read("\10\7seven77"))
    assert.equal(C.PERI_EINVAL, read("\10\8eight888"))
    assert.equal(C.PERI_EINVAL, read("\255"))
  end)
end)
