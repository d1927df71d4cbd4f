local cffi = require("spec.support.ffi")
local setups = require("spec.core.app.setup_support")
local C, ffi = cffi.load({ "app/diff.h" })

describe("the difference of two configurations", function()
  local function diff(before, after)
    local a, b = setups.read(before), setups.read(after)
    local got = ffi.new("struct peri_diff")
    assert.equal(0, C.peri_diff_make(a, b, got))
    local result = {
      count = tonumber(got.count),
      lines = got.lines.len > 0 and ffi.string(got.lines.ptr, got.lines.len) or "",
      restart = ffi.string(got.restart),
      policies = got.policies,
    }
    C.peri_diff_done(got)
    assert.is_true(got.lines.ptr == nil)
    return result
  end

  local function lines(before, after)
    return diff("return { " .. before .. " }", "return { " .. after .. " }").lines
  end

  it("is nothing for the same in another order, or written otherwise", function()
    local got = diff(
      'return { groups = { a = { ttl = "1s", bytes = "1MiB" } }, drain = "1s" }',
      'local t = "1s" return { drain = t, groups = { a = { bytes = "1MiB", ttl = t } } }'
    )
    assert.same({ count = 0, lines = "", restart = "", policies = false }, got)
    assert.equal("", lines("groups = {}", "groups = { }"))
  end)

  it("names the path, what was and what is", function()
    assert.equal('groups.a.ttl: "1s" -> "2s"\n', lines('groups = { a = { ttl = "1s" } }', 'groups = { a = { ttl = "2s" } }'))
    assert.equal("groups.a.shards: 4 -> 8\n", lines("groups = { a = { shards = 4 } }", "groups = { a = { shards = 8 } }"))
    assert.equal('groups["a b"].ttl: added, "2s"\n', lines('groups = { ["a b"] = {} }', 'groups = { ["a b"] = { ttl = "2s" } }'))
    assert.equal('drain: removed, was "2s"\n', lines('drain = "2s"', ""))
    assert.equal("groups.b: added\n", lines("groups = { a = {} }", "groups = { a = {}, b = {} }"))
    assert.equal('balancer[1]: "p2c" -> "pin"\n', lines('balancer = { "p2c" }', 'balancer = { "pin" }'))
    assert.equal('balancer: "p2c" -> {…}\n', lines('balancer = "p2c"', 'balancer = { "pin" }'))
  end)

  it("compares a list with what has names, too, by what stands in both", function()
    local list, named = 'balancer = { "p2c" }', 'balancer = { "pin", by = "x" }'
    assert.equal('balancer[1]: "p2c" -> "pin"\nbalancer.by: added, "x"\n', lines(list, named))
    assert.equal('balancer[1]: "pin" -> "p2c"\nbalancer.by: removed, was "x"\n', lines(named, list))
    assert.equal('balancer.by: added, "x"\n', lines('balancer = { "pin" }', named))
    assert.equal('balancer[1]: "pin" -> "a"\nbalancer[2]: added, "b"\nbalancer.by: removed, was "x"\n', lines(named, 'balancer = { "a", "b" }'))
  end)

  it("goes as deep as a configuration may", function()
    local function deep(word)
      return 'balancer = { "pin", x = ' .. ("{ a = "):rep(62) .. '"' .. word .. '"' .. ("}"):rep(63)
    end
    assert.equal("balancer.x" .. (".a"):rep(62) .. ': "b" -> "c"\n', lines(deep("b"), deep("c")))
  end)

  it("is in the order of the keys", function()
    assert.equal(
      'drain: "1s" -> "2s"\ngroups.a.bytes: "1MiB" -> "2MiB"\ngroups.a.ttl: "1s" -> "2s"\n',
      lines('groups = { a = { ttl = "1s", bytes = "1MiB" } }, drain = "1s"', 'drain = "2s", groups = { a = { ttl = "2s", bytes = "2MiB" } }')
    )
  end)

  it("shows one more or less in a list as that", function()
    local routes = {}
    for i = 1, 3 do
      routes[i] = ('{ match = { service = "s%d" }, to = "x" },'):format(i)
    end
    local function list(text)
      return "routes = { " .. text .. " }"
    end
    local all = table.concat(routes)
    assert.equal("routes[1]: removed\n", lines(list(all), list(routes[2] .. routes[3])))
    assert.equal("routes[2]: added\n", lines(list(routes[1] .. routes[3]), list(all)))
    assert.equal("routes[3]: removed\n", lines(list(all), list(routes[1] .. routes[2])))
    assert.equal('routes[2].match.service: "s2" -> "s9"\n', lines(list(all), list((all:gsub("s2", "s9")))))
  end)

  it("shows no secrets", function()
    local function with(text)
      return ('groups = { a = { fallback = { "http_origin", url = "http://h/{key}", headers = { %s } } } }'):format(text)
    end
    local at = "groups.a.fallback.headers"
    assert.equal(
      at .. ".Authorization: (not shown) -> (not shown)\n",
      lines(with('Authorization = "old"'), with('Authorization = "new"'))
    )
    assert.equal(at .. '["x-api-token"]: added, (not shown)\n', lines(with(""), with('["x-api-token"] = "new"')))
    -- What does not stand in the file came from the environment or another file.
    assert.equal(at .. '.x: "a" -> (not shown)\n', lines(with('x = "a"'), with('x = env("HOME")')))
    assert.equal(at .. ".x: removed, was (not shown)\n", lines(with('x = "b" .. "c"'), with("")))
    assert.equal(at .. ".x: \"a\" -> \"b\"\n", lines(with("x = [[a]]"), with("x = 'b'")))
  end)

  it("cuts what is long", function()
    local long = ("x"):rep(200)
    local got = lines('node = { zone = "a" }', ('node = { zone = "%s" }'):format(long))
    assert.equal(('node.zone: "a" -> "%s…"\n'):format(long:sub(1, 80)), got)
    local many = {}
    for i = 1, 100 do
      many[i] = ("g%d = {},"):format(i)
    end
    local all = diff("return { groups = { z = {} } }", "return { groups = { z = {}, " .. table.concat(many) .. "} }")
    assert.equal(100, all.count)
    assert.truthy(all.lines:find("\nand 36 more\n$"), all.lines)
  end)

  it("says what needs a restart, and whether every policy is made anew", function()
    local got = diff("return {}", 'return { workers = 2, listen = { app = "127.0.0.1:1" }, drain = "1s" }')
    assert.equal("workers, listen.app", got.restart)
    assert.is_false(got.policies)
    assert.is_true(diff("return {}", 'return { policies = { path = { "p" } } }').policies)
    assert.is_true(diff('return { files = { "a" } }', 'return { files = { "b" } }').policies)
  end)
end)
