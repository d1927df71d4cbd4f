local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "registry/record.h", "base/json.h", "base/error.h" })

local function json(text)
  local out = ffi.new("struct peri_json *[1]")
  assert.equal(0, C.peri_json_parse(cffi.slice(text), out, nil))
  return ffi.gc(out[0], C.peri_json_unref)
end

local function buffer()
  return ffi.gc(ffi.new("struct peri_buffer"), C.peri_buffer_done)
end

local function text_of(bytes)
  return ffi.string(bytes.ptr, bytes.len)
end

local function key(prefix, service, address)
  local out = buffer()
  local rc = C.peri_record_key(cffi.slice(prefix), cffi.slice(service), cffi.slice(address), out)
  if rc < 0 then
    assert.equal(0, tonumber(out.len))
    return nil, rc
  end
  return text_of(out)
end

local function write(fields)
  local record = ffi.new("struct peri_record")
  local metadata = fields.metadata and json(fields.metadata)
  record.address = cffi.slice(fields.address or "10.0.0.1:80")
  record.zone = cffi.slice(fields.zone or "")
  record.version = cffi.slice(fields.version or "")
  record.protocol = cffi.slice(fields.protocol or "")
  record.weight = fields.weight or 0
  record.metadata = metadata
  local out = buffer()
  local rc = C.peri_record_write(record, out)
  if rc < 0 then
    assert.equal(0, tonumber(out.len))
    return nil, rc
  end
  return text_of(out)
end

local function read(value)
  local out, problem = ffi.new("struct peri_record_read"), ffi.new("struct peri_problem")
  local rc = C.peri_record_read(cffi.slice(value), out, problem)
  if rc < 0 then
    assert.is_true(out.json == nil)
    return nil, rc, ffi.string(problem.text)
  end
  local record = out.record
  local dumped
  if record.metadata ~= nil then
    local bytes = buffer()
    assert.equal(0, C.peri_json_dump(record.metadata, false, bytes))
    dumped = text_of(bytes)
  end
  local result = {
    address = cffi.string(record.address),
    zone = cffi.string(record.zone),
    version = cffi.string(record.version),
    protocol = cffi.string(record.protocol),
    weight = record.weight,
    metadata = dumped,
  }
  C.peri_record_done(out)
  assert.is_true(out.json == nil)
  return result
end

describe("peri_record_key", function()
  it("is prefix, service and address", function()
    assert.equal("/perigee/services/shop/10.0.0.1:80", key("/perigee/services/", "shop", "10.0.0.1:80"))
    assert.equal("shop/[::1]:80", key("", "shop", "[::1]:80"))
    assert.equal("p/team/shop/host.example:80", key("p/", "team/shop", "host.example:80"))
    assert.equal("p/shop/unix:/run/shop.sock", key("p/", "shop", "unix:/run/shop.sock"))
  end)

  it("may be very long", function()
    local service = ("s"):rep(4096)
    assert.equal("p/" .. service .. "/h:1", key("p/", service, "h:1"))
  end)

  it("never leaves its prefix", function()
    for _, service in ipairs({ "", "/", "/shop", "shop/", "a//b", "a\0b", "a\nb", "\127" }) do
      assert.same({ nil, C.PERI_EINVAL }, { key("p/", service, "10.0.0.1:80") }, service)
    end
    for _, address in ipairs({ "", "10.0.0.1", "10.0.0.1:0", "a/b:1", "../x:1", "unix:", "unix:/a\nb", "h:1\0" }) do
      assert.same({ nil, C.PERI_EINVAL }, { key("p/", "shop", address) }, address)
    end
  end)
end)

describe("peri_record_write", function()
  it("writes what etcd's naming package writes", function()
    assert.equal('{"Op":0,"Addr":"10.0.0.1:80","Metadata":null}', write({}))
  end)

  it("says what is known in Metadata", function()
    assert.equal(
      '{"Op":0,"Addr":"10.0.0.1:80","Metadata":{"weight":3,"zone":"a","version":"1.2","protocol":"perigee"}}',
      write({ weight = 3, zone = "a", version = "1.2", protocol = "perigee" })
    )
    assert.equal('{"Op":0,"Addr":"[::1]:80","Metadata":{"zone":"a\\"ä"}}', write({ address = "[::1]:80", zone = 'a"ä' }))
  end)

  it("adds the other members, never a second truth", function()
    assert.equal(
      '{"Op":0,"Addr":"10.0.0.1:80","Metadata":{"weight":1,"rack":[1,null],"team":"x"}}',
      write({ weight = 1, metadata = '{"rack":[1,null],"weight":"heavy","zone":7,"team":"x","protocol":1,"version":1}' })
    )
    assert.equal('{"Op":0,"Addr":"10.0.0.1:80","Metadata":null}', write({ metadata = "{}" }))
  end)

  it("refuses what no reader would take", function()
    local bad = {
      { address = "nowhere" },
      { address = "10.0.0.1:0" },
      { weight = 65536 },
      { zone = "\255" },
      { zone = "a\0b" },
      { version = "\255" },
      { protocol = "\255" },
      { metadata = '{"a":"' .. ("x"):rep(65536) .. '"}' },
    }
    for i, fields in ipairs(bad) do
      assert.same({ nil, C.PERI_EINVAL }, { write(fields) }, i)
    end
  end)

  it("is read back as it was", function()
    local fields = { address = "h:1", weight = 65535, zone = "z", version = "v", protocol = "p" }
    local back = assert(read(write(fields)))
    assert.equal('{"weight":65535,"zone":"z","version":"v","protocol":"p"}', back.metadata)
    back.metadata = nil
    assert.same(fields, back)
  end)
end)

describe("peri_record_read", function()
  local function record(metadata)
    return read('{"Op":0,"Addr":"10.0.0.1:80","Metadata":' .. metadata .. "}")
  end

  local plain = { address = "10.0.0.1:80", zone = "", version = "", protocol = "grpc", weight = 1 }

  it("takes what etcd's naming package writes", function()
    assert.same(plain, record("null"))
    assert.same(plain, read('{"Addr":"10.0.0.1:80"}'))
    assert.same(plain, read(' { "Metadata" : null , "Addr" : "10.0.0.1:80", "Op" : null, "More": {} }\n'))
  end)

  it("takes an object", function()
    local got = assert(record('{"weight":7,"zone":"a","version":"1","protocol":"http","x":[{}]}'))
    assert.equal(7, got.weight)
    assert.equal("a", got.zone)
    assert.equal("1", got.version)
    assert.equal("http", got.protocol)
    assert.equal('{"weight":7,"zone":"a","version":"1","protocol":"http","x":[{}]}', got.metadata)
  end)

  it("takes JSON in a string, as etcd's grpc-proxy writes it", function()
    local got = assert(record('"{\\"name\\":\\"proxy-1\\",\\"weight\\":\\"5\\",\\"zone\\":\\"b\\"}"'))
    assert.equal(5, got.weight)
    assert.equal("b", got.zone)
    assert.equal('{"name":"proxy-1","weight":"5","zone":"b"}', got.metadata)
  end)

  it("keeps any other Metadata as it is", function()
    for _, metadata in ipairs({ '"plain words"', '"[1]"', '""', "[1,2]", "true", "1.5", '"{"' }) do
      local got = assert(record(metadata))
      assert.equal(metadata, got.metadata)
      assert.equal(1, got.weight)
    end
  end)

  it("takes weights as number or digits", function()
    for _, case in ipairs({
      { "1", 1 },
      { "65535", 65535 },
      { "10.0", 10 },
      { '"1"', 1 },
      { '"00065535"', 65535 },
      { "null", 1 },
    }) do
      assert.equal(case[2], assert(record('{"weight":' .. case[1] .. "}")).weight)
    end
    for _, weight in ipairs({
      "0",
      "-1",
      "65536",
      "9223372036854775807",
      "1.5",
      "0.5",
      "1e300",
      '"0"',
      '"65536"',
      '"99999999999999999999999"',
      '"-1"',
      '"1 "',
      '""',
      '"x"',
      "true",
      "[1]",
      "{}",
    }) do
      local got, rc, words = record('{"weight":' .. weight .. "}")
      assert.is_nil(got, weight)
      assert.equal(C.PERI_EINVAL, rc)
      assert.matches("weight", words, 1, true)
    end
  end)

  it("does not fall over names of another type", function()
    local got = assert(record('{"zone":1,"version":2.5,"protocol":null}'))
    assert.equal("", got.zone)
    assert.equal("", got.version)
    assert.equal("grpc", got.protocol)
  end)

  it("refuses deletions and operations it does not know", function()
    for op, word in pairs({ ["1"] = "deletion", ["2"] = "unknown", ["-1"] = "unknown", ['"0"'] = "unknown", ["{}"] = "unknown" }) do
      local got, rc, words = read('{"Op":' .. op .. ',"Addr":"10.0.0.1:80"}')
      assert.is_nil(got)
      assert.equal(C.PERI_EINVAL, rc)
      assert.matches(word, words, 1, true)
    end
  end)

  it("refuses everything malformed with words", function()
    local deep = ("["):rep(65) .. ("]"):rep(65)
    for _, value in ipairs({
      "",
      " ",
      "\0",
      "x",
      "10.0.0.1:80",
      "{",
      "null",
      "[]",
      '"10.0.0.1:80"',
      "{}",
      '{"addr":"10.0.0.1:80"}',
      '{"Addr":null}',
      '{"Addr":""}',
      '{"Addr":7}',
      '{"Addr":["10.0.0.1:80"]}',
      '{"Addr":"10.0.0.1"}',
      '{"Addr":"10.0.0.1:0"}',
      '{"Addr":"10.0.0.1:65536"}',
      '{"Addr":"10.0.0.300:80"}',
      '{"Addr":":80"}',
      '{"Addr":"a b:80"}',
      '{"Addr":"a\\u0000b:80"}',
      '{"Addr":"http://10.0.0.1:80"}',
      '{"Addr":"10.0.0.1:80"} x',
      '{"Addr":"10.0.0.1:80",}',
      '{"Addr":"10.0.0.1:80","Metadata":{"zone":"a\\u0000b"}}',
      '{"Addr":"10.0.0.1:80","Metadata":{"version":"\\u0000"}}',
      '{"Addr":"10.0.0.1:80","Metadata":{"protocol":"\\u0000"}}',
      '{"Addr":"10.0.0.1:80","Metadata":"\255"}',
      '{"Addr":"10.0.0.1:80","Metadata":' .. deep .. "}",
    }) do
      local got, rc, words = read(value)
      assert.is_nil(got, value)
      assert.equal(C.PERI_EINVAL, rc)
      assert.is_true(#words > 0)
    end
  end)

  it("takes 64 KiB and no more", function()
    local head, tail = '{"Addr":"10.0.0.1:80","Metadata":"', '"}'
    local most = 65536 - #head - #tail
    assert.is_truthy(read(head .. ("x"):rep(most) .. tail))
    local got, rc, words = read(head .. ("x"):rep(most + 1) .. tail)
    assert.is_nil(got)
    assert.equal(C.PERI_EINVAL, rc)
    assert.matches("65536", words, 1, true)
  end)

  it("never falls over random changes", function()
    local value = '{"Op":0,"Addr":"10.0.0.1:80","Metadata":{"weight":3,"zone":"a","n":"{\\"a\\":1}"}}'
    math.randomseed(7)
    for _ = 1, 3000 do
      local at = math.random(#value)
      local changed = value:sub(1, at - 1) .. string.char(math.random(0, 255)) .. value:sub(at + math.random(0, 3))
      local got, rc, words = read(changed)
      assert.is_true(got ~= nil or (rc == C.PERI_EINVAL and #words > 0), changed)
    end
  end)

  it("may be given back twice, and never have been", function()
    local empty = ffi.new("struct peri_record_read")
    C.peri_record_done(empty)
    C.peri_record_done(nil)
  end)
end)
