local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "app/reflect.h" })

--- A field of text on the wire.
local function text(number, value)
  return string.char(number * 8 + 2, #value) .. value
end

local function answer(request)
  local buffer = ffi.new("struct peri_buffer")
  local rc = C.peri_reflect_answer(cffi.slice(request), buffer)
  local got = ffi.string(buffer.ptr, buffer.len)
  C.peri_buffer_done(buffer)
  return rc, got
end

describe("an answer about the sidecar's own services", function()
  it("lists them, with the request it answers", function()
    local rc, got = answer(text(1, "host") .. text(7, ""))
    assert.equal(0, rc)
    assert.equal(text(1, "host"), got:sub(1, 6))
    for _, name in ipairs({
      "groupcachepb.GroupCache", "grpc.health.v1.Health", "perigee.v1.Mesh",
      "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection",
    }) do
      assert.truthy(got:find(text(1, name), 1, true), name)
    end
  end)

  it("finds a file by any symbol in it", function()
    for symbol, file in pairs({
      ["perigee.v1.Mesh"] = "perigee/v1/perigee.proto",
      ["perigee.v1.Mesh.Peers"] = "perigee/v1/perigee.proto",
      ["perigee.v1.Peer.address"] = "perigee/v1/perigee.proto",
      ["grpc.health.v1.HealthCheckResponse.ServingStatus"] = "grpc/health/v1/health.proto",
      ["groupcachepb.GetRequest"] = "groupcache/groupcache.proto",
    }) do
      local rc, got = answer(text(4, symbol))
      assert.equal(0, rc)
      assert.truthy(got:find(text(1, file), 1, true), symbol)
    end
  end)

  it("describes text as strings and values as bytes", function()
    local _, got = answer(text(3, "groupcache/groupcache.proto"))
    -- name, number, label and type of a field, as protoc writes them
    assert.truthy(got:find("\10\3key\24\2\32\1\40\9", 1, true))
    assert.truthy(got:find("\10\5value\24\1\32\1\40\12", 1, true))
  end)

  it("says NOT_FOUND for what is not here", function()
    for _, request in ipairs({
      text(4, "perigee.v1.Mes"), text(4, "perigee.v1.Mesh."), text(4, "perigee.v1"), text(4, "perigee.v1.Mesh.Peers.x"), text(4, ""),
      text(3, "nope.proto"), text(6, "perigee.v1.Mesh"), text(5, text(1, "perigee.v1.Peer") .. "\16\1"), text(4, "\255\254"),
    }) do
      local rc, got = answer(request)
      assert.equal(0, rc)
      assert.truthy(got:find("\8\5\18", 1, true), request)
    end
  end)

  it("refuses what asks for nothing, and what is no request", function()
    local rc, got = answer("")
    assert.equal(0, rc)
    assert.truthy(got:find("\8\3\18", 1, true))
    assert.equal(tonumber(C.PERI_EPROTO), (answer("\255\255\255")))
  end)
end)
