local codec = require("spec.core.cli.codec")

describe("JSON becomes a message", function()
  it("by either name of a field", function()
    assert.equal("\24\5", codec.encode('{"anInt32":5}'))
    assert.equal("\24\5", codec.encode('{"an_int32":5}'))
    assert.equal("\250\1\1r", codec.encode('{"otherName":"r"}'))
    assert.equal("\250\1\1r", codec.encode('{"renamed":"r"}'))
    assert.equal("", codec.encode("{}"))
    assert.equal("", codec.encode('{"anInt32":null,"numbers":null,"inner":null}'))
  end)

  it("with nested, repeated and mapped fields", function()
    assert.equal("\138\1\7\10\1a\18\2\10\0", codec.encode('{"inner":{"name":"a","next":{"name":""}}}'))
    assert.equal("\146\1\3\1\2\3", codec.encode('{"numbers":[1,2,3]}'))
    assert.equal("", codec.encode('{"numbers":[]}'))
    assert.equal("\154\1\1a\154\1\0", codec.encode('{"words":["a",""]}'))
    assert.equal("\170\1\5\10\1k\16\7", codec.encode('{"counts":{"k":"7"}}'))
    assert.equal("\178\1\6\8\7\18\2\10\0", codec.encode('{"byNumber":{"7":{"name":""}}}'))
  end)

  it("with well-known types in their own forms", function()
    assert.equal("\202\1\4\8\1\16\0", codec.encode('{"at":"1970-01-01T00:00:01Z"}'))
    assert.equal("\210\1\4\8\2\16\0", codec.encode('{"lasting":"2s"}'))
    assert.equal("\218\1\2\10\0", codec.encode('{"maybe":""}'))
    assert.equal("\226\1\2\8\7", codec.encode('{"maybeNumber":"7"}'))
    assert.equal("\8\0", codec.encode("null", ".google.protobuf.Value"))
    assert.equal("\32\1", codec.encode("true", ".google.protobuf.Value"))
    assert.equal("\10\2\32\0\10\2\8\0", codec.encode("[false,null]", ".google.protobuf.ListValue"))
  end)

  it("or is refused with the field's name", function()
    for text, words in pairs({
      ['{"anInt32":"x"}'] = "an_int32 wants a whole number",
      ['{"words":"x"}'] = "words wants an array",
      ['{"counts":[]}'] = "counts wants an object",
      ['{"counts":{"a":"b"}}'] = "value wants",
      ['{"aString":1}'] = "a_string wants a string",
      ['{"inner":1}'] = "Inner wants an object",
      ['{"words":[null]}'] = "words wants a string",
      ['{"inner":{"nam":"x"}}'] = "did you mean name?",
      ['{"zzzzzzzzzzzz":1}'] = "no field zzzzzzzzzzzz",
      ['{"at":"x"}'] = "write a time",
      ['{"lasting":1}'] = "write a duration",
      ["[]"] = "wants an object",
    }) do
      local bytes, why, rc = codec.encode(text)
      assert.is_nil(bytes, text)
      assert.truthy(why:find(words, 1, true), why)
      assert.equal(-10002, rc)
    end
    assert.truthy(select(2, codec.encode("{}", ".nope.Nope")):find("does not describe .nope.Nope", 1, true))
  end)
end)
