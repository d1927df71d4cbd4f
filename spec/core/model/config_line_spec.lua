local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "model/config_line.h" })

local function line(text, ...)
  local keys = { ... }
  local steps = ffi.new("struct peri_config_step[?]", #keys)
  for i, key in ipairs(keys) do
    if type(key) == "number" then
      steps[i - 1].index = key
    else
      steps[i - 1].key = key
    end
  end
  return tonumber(C.peri_config_line(cffi.slice(text), steps, #keys))
end

local text = [==[
-- return { workers = 1 }
local groups = { ttl = "1s" }
return {
  workers = 2, --[[ ttl =
  ]] cluster = "ttl = 1",
  groups = {
    [ [[odd]] ] = {},
    scores = {
      ["ttl"] = "60s",
      fallback = { "http_origin",
        url = "x",
      },
    },
  },
  make = function(a)
    files = a
    if a then return { drain = 1 } end
  end,
  files = {
    "/a", { 1, 2 },
    "/b",
  };
  drain = "5s",
}
]==]

describe("the line of a key", function()
  it("is found at every depth", function()
    assert.equal(4, line(text, "workers"))
    assert.equal(5, line(text, "cluster"))
    assert.equal(8, line(text, "groups", "scores"))
    assert.equal(9, line(text, "groups", "scores", "ttl"))
    assert.equal(10, line(text, "groups", "scores", "fallback", 1))
    assert.equal(11, line(text, "groups", "scores", "fallback", "url"))
    assert.equal(23, line(text, "drain"))
  end)

  it("is found for list elements", function()
    assert.equal(20, line(text, "files", 1))
    assert.equal(20, line(text, "files", 2))
    assert.equal(21, line(text, "files", 3))
  end)

  it("does not look into functions, comments and strings", function()
    assert.equal(19, line(text, "files"))
    assert.equal(0, line(text, "ttl"))
  end)

  it("falls back to the deepest entry that is there", function()
    assert.equal(8, line(text, "groups", "scores", "bytes"))
    assert.equal(4, line(text, "workers", "deeper"))
    assert.equal(0, line(text, "nowhere", "at", "all"))
  end)

  it("is 0 where nothing can be found", function()
    assert.equal(0, line("", "a"))
    assert.equal(0, line("local t = { a = 1 } return t", "a"))
    assert.equal(0, line("return {", "a"))
    assert.equal(0, line('return { "', "a"))
    assert.equal(0, line("return { [[", "a"))
    assert.equal(0, line("return { a == 1 }", "a"))
    assert.equal(1, line("return { a = '\\", "a"))
  end)
end)
