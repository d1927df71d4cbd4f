local s = require("spec.core.script.support")

describe("a schema", function()
  after_each(s.clean)

  -- Makes a policy with this schema and shows the options that new() got.
  local function try(schema, options)
    local script = s.script({
      ["fallback/p.lua"] = ([[
        return require("perigee.policy").fallback({
          name = "p",
          schema = %s,
          new = function(options) return options end,
          fetch = function(self)
            local parts = {}
            for name, value in pairs(self) do
              if type(value) == "table" then value = "{" .. table.concat(value, ",") .. "}" end
              parts[#parts + 1] = name .. "=" .. tostring(value)
            end
            table.sort(parts)
            return table.concat(parts, " ")
          end,
        })]]):format(schema),
    })
    local fallback, code, text = script:fallback("p", options)
    local value
    if fallback then
      value = script:fetch(fallback).value
    end
    script:close()
    return value, code, text
  end

  local function accepts(expected, schema, options)
    assert.equal(expected, (try(schema, options)), schema)
  end
  local function refuses(words, schema, options)
    local value, code, text = try(schema, options)
    assert.is_nil(value)
    assert.equal(s.ECONFIG, code)
    assert.equal("fallback p: " .. words, text)
  end
  local function malformed(words, schema)
    local value, code, text = try(schema, "{}")
    assert.is_nil(value)
    assert.equal(s.ESCRIPT, code)
    assert.truthy(text:find(words, 1, true), text)
    assert.truthy(text:find("p.lua:%d+: "), text)
  end

  it("converts every type", function()
    accepts("a=text", "{ a = { type = 'string' } }", '{"a":"text"}')
    accepts("a=1.5", "{ a = { type = 'number' } }", '{"a":1.5}')
    accepts("a=3", "{ a = { type = 'integer' } }", '{"a":3}')
    accepts("a=false", "{ a = { type = 'boolean' } }", '{"a":false}')
    accepts("a=2000 b=0.25 c=300", "{ a = { type = 'duration' }, b = { type = 'duration' }, c = { type = 'duration' } }", '{"a":"2s","b":"250us","c":300}')
    accepts("a=65536 b=12", "{ a = { type = 'size' }, b = { type = 'size' } }", '{"a":"64KiB","b":12}')
    accepts("a={1,2}", "{ a = { type = 'list' } }", '{"a":[1,2]}')
    accepts("a={}", "{ a = { type = 'list' } }", '{"a":[]}')
    accepts("a={}", "{ a = { type = 'list' } }", '{"a":{}}')
    accepts("a={1000,2000}", "{ a = { type = 'list', items = 'duration' } }", '{"a":["1s","2s"]}')
    accepts("a={}", "{ a = { type = 'table' } }", '{"a":{"x":1}}')
    accepts("a=x", "{ a = {} }", '{"a":"x"}')
    accepts("a=x", "{ a = { type = 'any', help = 'words' } }", '{"a":"x"}')
  end)

  it("fills in defaults", function()
    accepts("a=2000 b=1", "{ a = { type = 'duration', default = '2s' }, b = { type = 'integer', default = 1 } }", nil)
    accepts("a=5", "{ a = { type = 'integer', default = 1 } }", '{"a":5}')
    accepts("a=false", "{ a = { type = 'boolean', default = false } }", "{}")
    accepts("", "{ a = { type = 'string' } }", "{}")
  end)

  it("refuses what is of another type", function()
    refuses('option "a" must be text, not a number', "{ a = { type = 'string' } }", '{"a":1}')
    refuses('option "a" must be a number, not a string', "{ a = { type = 'number' } }", '{"a":"1"}')
    refuses('option "a" must be a whole number, not a number', "{ a = { type = 'integer' } }", '{"a":1.5}')
    refuses('option "a" must be true or false, not a string', "{ a = { type = 'boolean' } }", '{"a":"yes"}')
    refuses('option "a" must be a duration such as "250ms" or a number of milliseconds, not a string', "{ a = { type = 'duration' } }", '{"a":"2 parsecs"}')
    refuses('option "a" must be a duration such as "250ms" or a number of milliseconds, not a number', "{ a = { type = 'duration' } }", '{"a":-1}')
    refuses('option "a" must be a size such as "64KiB" or a number of bytes, not a string', "{ a = { type = 'size' } }", '{"a":"big"}')
    refuses('option "a" must be a list, not a table', "{ a = { type = 'list' } }", '{"a":{"x":1}}')
    refuses('option "a" must be a table, not a string', "{ a = { type = 'table' } }", '{"a":"x"}')
    refuses('every element of option "a" must be text', "{ a = { type = 'list', items = 'string' } }", '{"a":["x",1]}')
  end)

  it("refuses what is out of bounds", function()
    refuses('option "a": must be at least 1', "{ a = { type = 'integer', min = 1 } }", '{"a":0}')
    refuses('option "a": must be at most 10', "{ a = { type = 'integer', max = 10 } }", '{"a":11}')
    refuses('option "a": must be at least 1ms', "{ a = { type = 'duration', min = '1ms' } }", '{"a":"10us"}')
    refuses('option "a": must be at most 1MiB', "{ a = { type = 'size', max = '1MiB' } }", '{"a":"2MiB"}')
    refuses('option "a": its length must be at least 1', "{ a = { type = 'string', min = 1 } }", '{"a":""}')
    refuses('option "a": its length must be at most 1', "{ a = { type = 'list', max = 1 } }", '{"a":[1,2]}')
    refuses('option "a" must be one of "fast", "safe"', "{ a = { type = 'string', values = { 'fast', 'safe' } } }", '{"a":"fsat"}')
    accepts("a=fast", "{ a = { type = 'string', values = { 'fast', 'safe' } } }", '{"a":"fast"}')
    accepts("a=10", "{ a = { type = 'integer', min = 1, max = 10 } }", '{"a":10}')
  end)

  it("refuses missing and unknown options", function()
    refuses('option "url" is required', "{ url = { type = 'string', required = true } }", "{}")
    refuses('unknown option "ulr"; did you mean "url"?', "{ url = { type = 'string' } }", '{"ulr":"x"}')
    refuses('unknown option "completely"', "{ url = { type = 'string' } }", '{"completely":"x"}')
    refuses('unknown option "a"', "nil", '{"a":1}')
    refuses('unknown option "1"', "{}", '["x"]')
  end)

  it("is checked itself", function()
    malformed("schema must be a table, not a string", "'x'")
    malformed("schema: every option is NAME = { type", "{ a = 'string' }")
    malformed("schema: every option is NAME = { type", "{ { type = 'string' } }")
    malformed("schema.a: a type is one of string, number", "{ a = { type = 'text' } }")
    malformed("schema.a: a type is one of string, number", "{ a = { type = 'list', items = 5 } }")
    malformed('schema.a: unknown key "typ"', "{ a = { typ = 'string' } }")
    malformed("schema.a: its default does not fit", "{ a = { type = 'integer', default = 'x' } }")
  end)

  it("looks no further than the first gap of a list of values", function()
    local text = [[(function() local list = {} for i = 0, 29 do list[2 ^ i] = "v" .. i end
      return { a = { type = "string", values = list } } end)()]]
    assert.equal("a=v1", (try(text, '{"a":"v1"}')))
    local _, _, words = try(text, '{"a":"v29"}')
    assert.equal('fallback p: option "a" must be one of "v0", "v1"', words)
  end)
end)
