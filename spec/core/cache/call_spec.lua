local support = require("spec.core.cache.mesh_support")
local S = support.status

describe("what every method asks of a call", function()
  local mesh
  setup(function()
    mesh = support.mesh({ peers = false })
  end)
  teardown(function()
    mesh:free()
  end)

  local function refused(method, message, status, words)
    local answer = mesh:call(method, message)
    assert.equal(status, answer.status, method)
    assert.equal(words, answer.text)
  end

  it("is a group and a key", function()
    for _, method in ipairs({ "Get", "Peek", "Set", "Remove" }) do
      for _, message in ipairs({ "", support.field(1, "scores"), support.field(2, "Tom"), support.request("", "Tom") }) do
        refused(method, message, S.PERI_STATUS_INVALID_ARGUMENT, "key and group are required")
      end
    end
    refused("BatchGet", support.field(2, "Tom"), S.PERI_STATUS_INVALID_ARGUMENT, "key and group are required")
    refused("RemoveKeys", support.field(2, "Tom"), S.PERI_STATUS_INVALID_ARGUMENT, "key and group are required")
  end)

  it("is a known group", function()
    for _, method in ipairs({ "Get", "Peek", "Set", "Remove", "RemoveKeys", "BatchGet" }) do
      refused(method, support.request("nope", "Tom"), S.PERI_STATUS_NOT_FOUND, "group nope not found")
    end
    local long = mesh:call("Get", support.request(("g"):rep(5000), "Tom"))
    assert.equal("group " .. ("g"):rep(256) .. " not found", long.text)
  end)

  it("is UTF-8", function()
    refused("Get", support.request("scores", "\255"), S.PERI_STATUS_INVALID_ARGUMENT, "key and group must be UTF-8")
    refused("Get", support.request("\192\128", "Tom"), S.PERI_STATUS_INVALID_ARGUMENT, "key and group must be UTF-8")
    refused("RemoveKeys", support.request("scores", { "a", "\255" }), S.PERI_STATUS_INVALID_ARGUMENT, "keys must be UTF-8 and not empty")
  end)

  it("is a message that can be parsed", function()
    for _, method in ipairs({ "Get", "Peek", "Set", "Remove", "RemoveKeys", "BatchGet" }) do
      refused(method, "\10\255garbage", S.PERI_STATUS_INTERNAL, "the request message could not be parsed")
    end
  end)

  it("is at most 1000 keys", function()
    local keys = {}
    for i = 1, 1001 do
      keys[i] = "k" .. i
    end
    for _, method in ipairs({ "RemoveKeys", "BatchGet" }) do
      refused(method, support.request("scores", keys), S.PERI_STATUS_INVALID_ARGUMENT, "too many keys in one call; the most is 1000")
    end
  end)
end)
