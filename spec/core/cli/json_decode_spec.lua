local codec = require("spec.core.cli.codec")

describe("a message becomes JSON", function()
  it("and the same again", function()
    for _, text in ipairs({
      "{}",
      '{"aDouble":1.5,"anInt32":-3,"anInt64":"-9223372036854775808","aUint64":"18446744073709551615"}',
      '{"aSint32":-7,"aSint64":"-8","aFixed32":4294967295,"aFixed64":"5","aSfixed32":-6,"aSfixed64":"-7"}',
      '{"aBool":true,"aString":"h\195\169","someBytes":"AAEC","colour":"BLUE"}',
      '{"inner":{"name":"a","next":{"name":"b"}},"numbers":[1,-2,3],"words":["x",""],"inners":[{},{"name":"q"}]}',
      '{"counts":{"a":"1","b":"2"},"byNumber":{"-5":{"name":"m"}},"thatOne":0}',
      '{"at":"2026-01-31T11:00:00.500Z","lasting":"-1.500s","maybe":"","maybeNumber":"7"}',
      '{"anything":{"x":[1.0,null,"s",{"y":true}],"z":{}},"colours":["RED","BLUE",7],"otherName":"r"}',
    }) do
      assert.equal(text, codec.decode(codec.encode(text)))
    end
  end)

  it("with what is not there by its default, where a value stands alone", function()
    assert.equal('{"counts":{"":"0"}}', codec.decode("\170\1\0"))
    assert.equal('{"byNumber":{"0":{}}}', codec.decode("\178\1\0"))
    assert.equal('{"maybe":"","maybeNumber":"0","anything":{}}', codec.decode("\218\1\0\226\1\0\234\1\0"))
    assert.equal("[]", codec.decode("", ".google.protobuf.ListValue"))
    assert.equal("null", codec.decode("", ".google.protobuf.Value"))
  end)

  it("whether numbers are packed or not, and without fields that are unknown", function()
    assert.equal('{"numbers":[1,2,3]}', codec.decode("\144\1\1\146\1\2\2\3"))
    assert.equal('{"anInt32":1}', codec.decode("\24\1\194\62\1x\200\62\5"))
  end)

  it("or is refused", function()
    for _, bytes in ipairs({ "\255", "\24", "\26\1x", "\114\1\255", "\138\1\2\10", "\146\1\1\128", "\202\1\11\8\255\255\255\255\255\255\255\255\127\16" }) do
      local text, words = codec.decode(bytes)
      assert.is_nil(text, bytes)
      assert.truthy(#words > 5)
    end
    local deep = ""
    for _ = 1, 60 do
      deep = #deep < 126 and ("\18" .. string.char(#deep) .. deep) or deep
    end
    assert.truthy(codec.decode(deep, ".kitchen.v1.Everything.Inner"))
  end)
end)
