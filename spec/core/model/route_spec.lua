local cffi = require("spec.support.ffi")
local support = require("spec.core.model.config_support")
local C, ffi = cffi.load({ "model/config.h", "model/route.h", "model/route_shim.h" })

local slice = cffi.slice

local function split(path)
  local service, method = ffi.new("struct peri_slice"), ffi.new("struct peri_slice")
  if C.peri_route_split(slice(path), service, method) then
    return cffi.string(service), cffi.string(method)
  end
end

local function finder(text)
  local config = support.build("return { routes = { " .. text .. " } }")
  return function(path, authority, name, value)
    return tonumber(C.peri_shim_route_find(config, slice(path), slice(authority or ""), name, slice(value or "")))
  end, config
end

describe("peri_route_split", function()
  it("takes a path of gRPC apart", function()
    assert.same({ "orders.v1.Orders", "Get" }, { split("/orders.v1.Orders/Get") })
    assert.same({ "a", "b" }, { split("/a/b") })
    for _, path in ipairs({ "", "/", "//", "/a", "/a/", "//b", "a/b", "/a/b/", "/a/b/c", "*", "/ab" }) do
      assert.is_nil((split(path)), path)
    end
  end)
end)

describe("peri_route_find", function()
  it("takes the first route that matches", function()
    local find = finder([[
      { match = { service = "orders.v1.Orders", method = "Get*" }, to = "a" },
      { match = { service = "orders.v1.Orders" }, to = "b" },
      { match = { service = "orders.*", method = "List" }, to = "c" },
      { match = { service = "pay*" }, to = "d" }]])
    assert.equal(1, find("/orders.v1.Orders/Get"))
    assert.equal(1, find("/orders.v1.Orders/GetAll"))
    assert.equal(2, find("/orders.v1.Orders/Ge"))
    assert.equal(2, find("/orders.v1.Orders/List"))
    assert.equal(3, find("/orders.v2.Orders/List"))
    assert.equal(0, find("/orders.v2.Orders/Lists"))
    assert.equal(0, find("/orders.v1.OrdersX/Get"))
    assert.equal(0, find("/orders.v1.Order/Get"))
    assert.equal(4, find("/pay/X"))
    assert.equal(4, find("/pay*x/X"))
    assert.equal(0, find("/pa/X"))
  end)

  it("matches everything with nothing", function()
    local find = finder([[{ match = {}, to = "a" }]])
    assert.equal(1, find("/a/b"))
  end)

  it("matches authorities, whatever their case", function()
    local find = finder([[
      { match = { authority = "orders.local" }, to = "a" },
      { match = { authority = "Pay.*" }, to = "b" }]])
    assert.equal(1, find("/a/b", "orders.local"))
    assert.equal(1, find("/a/b", "Orders.LOCAL"))
    assert.equal(0, find("/a/b", "orders.local:80"))
    assert.equal(2, find("/a/b", "pay.local:80"))
    assert.equal(0, find("/a/b", ""))
  end)

  it("matches headers", function()
    local find = finder([[
      { match = { header = { ["x-env"] = "canary" } }, to = "a" },
      { match = { header = { ["x-env"] = { prefix = "can" } } }, to = "b" },
      { match = { header = { ["x-env"] = { pattern = "nan" } } }, to = "c" },
      { match = { header = { ["x-env"] = { present = true } } }, to = "d" },
      { match = { header = { a = { present = true }, b = { present = true } } }, to = "e" }]])
    assert.equal(1, find("/a/b", "", "x-env", "canary"))
    assert.equal(2, find("/a/b", "", "x-env", "canaries"))
    assert.equal(3, find("/a/b", "", "x-env", "banana"))
    assert.equal(4, find("/a/b", "", "x-env", ""))
    assert.equal(0, find("/a/b", "", "a", "x"))
    assert.equal(0, find("/a/b"))
  end)

  it("costs little among many", function()
    local list = {}
    for i = 1, 50 do
      list[i] = ('{ match = { service = "shop.v1.Service%02d" }, to = "s" }'):format(i)
    end
    local _, config = finder(table.concat(list, ", "))
    local cost = C.peri_shim_route_cost(config, slice("/shop.v1.Service50/Get"), 20000)
    assert.is_true(cost > 0 and cost < 20000, ("%.0f ns"):format(cost))
  end)
end)

describe("peri_route_choose", function()
  it("follows the weights", function()
    local config = support.build([[return { routes = { { match = {}, to = {
      { service = "a", weight = 7 }, { service = "b", weight = 2 }, "c" } } } }]])
    local counts = { a = 0, b = 0, c = 0 }
    for random = 0, 999 do
      local name = ffi.string(C.peri_route_choose(config.routes[0], random).service)
      counts[name] = counts[name] + 1
    end
    assert.same({ a = 700, b = 200, c = 100 }, counts)
  end)

  it("has no choice with one", function()
    local config = support.build([[return { routes = { { match = {}, to = "a" } } }]])
    assert.equal("a", ffi.string(C.peri_route_choose(config.routes[0], 2 ^ 53).service))
  end)
end)
