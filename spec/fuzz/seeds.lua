--- Writes a first corpus for every fuzzer: luajit spec/fuzz/seeds.lua FOLDER
local f = require("spec.support.frames")

local folder = assert(arg[1], "usage: luajit spec/fuzz/seeds.lua FOLDER")

local function write(target, seeds)
  local path = folder .. "/" .. target
  assert(os.execute("mkdir -p '" .. path .. "'") == 0)
  for i, bytes in ipairs(seeds) do
    local file = assert(io.open(("%s/seed-%02d"):format(path, i), "wb"))
    file:write(bytes)
    file:close()
  end
end

write("fuzz_text", {
  "250ms", "1.5s", "3d", "0", "64MiB", "10KB", "4096", "10.0.0.7:7402", "[::1]:7402", "host.example:7402", "unix:/tmp/x.sock",
  "50%25 of %C3%BCnits", "ünits 50%\n", '{"a":[1,2.5,"x\\u0000",null,true],"b":{}}', "[[[[]]]]", "1e999", '"\\ud800"',
})

local gzip = "\31\139\8\0\0\0\0\0\2\3\203\72\205\201\201\7\0\134\166\16\54\5\0\0\0"
write("fuzz_framing", {
  "\0" .. f.message("hello"),
  "\3" .. f.message("hello") .. f.message("", 1) .. f.message(("x"):rep(300)),
  "\1" .. f.message(gzip, 1),
  "\255" .. gzip,
  "\0\0\255\255\255\255",
  "\0" .. "100m",
  "\0" .. "99999999H",
})

write("fuzz_message", {
  "\10\1g\18\1k",
  "\10\1g\18\1k\26\5value\32\128\200\175\160\37",
  "\10\1g\18\1a\18\1b\18\0",
  "\10\5value\17\0\0\0\0\0\0\240\63\24\255\255\255\255\255\255\255\255\255\1",
  "\8\1",
  "\10\0\99\100",
  "\10\255\255\255\255\15",
})

local path = "/groupcachepb.GroupCache/Get"
local get = f.message("\10\1g\18\1k")
local settings = f.frame(f.SETTINGS, 0, 0, "")

local function call(stream, extra, body)
  return f.frame(f.HEADERS, f.END_HEADERS, stream, f.request(path, extra)) .. f.frame(f.DATA, f.END_STREAM, stream, body or get)
end

local requests = {
  call(1),
  call(1) .. call(3) .. call(5),
  call(1, { { "grpc-timeout", "1m" } }),
  call(1, { { "grpc-encoding", "gzip" } }, f.message(gzip, 1)),
  call(1, { { "grpc-encoding", "snappy" } }),
  call(1, { { "content-type", "text/plain" } }),
  call(1, { { ":method", "GET" } }),
  call(1, { { ":path", "/x" } }),
  f.frame(f.HEADERS, f.END_HEADERS + f.END_STREAM, 1, f.request(path)),
  f.frame(f.HEADERS, 0, 1, f.request(path):sub(1, 20)) .. f.frame(f.CONTINUATION, f.END_HEADERS, 1, f.request(path):sub(21)),
  f.frame(f.HEADERS, f.END_HEADERS, 1, f.request(path)) .. f.frame(f.DATA, 0, 1, get:sub(1, 4)) .. f.frame(f.DATA, f.END_STREAM, 1, get:sub(5)),
  f.frame(f.HEADERS, f.END_HEADERS, 1, f.request(path)) .. f.frame(f.DATA, f.END_STREAM + f.PADDED, 1, "\3" .. get .. "\0\0\0"),
  f.frame(f.HEADERS, f.END_HEADERS, 1, f.request(path)) .. f.frame(f.DATA, 0, 1, get) .. f.frame(f.HEADERS, f.END_HEADERS + f.END_STREAM, 1, f.block({ { "x", "y" } })),
  f.frame(f.HEADERS, f.END_HEADERS, 1, f.request(path)) .. f.frame(f.RST_STREAM, 0, 1, f.u32(8)),
  call(1) .. f.frame(f.RST_STREAM, 0, 1, f.u32(0)) .. f.frame(f.WINDOW_UPDATE, 0, 1, f.u32(5)),
  f.frame(f.SETTINGS, 0, 0, "\0\4\0\0\0\0") .. call(1) .. f.frame(f.WINDOW_UPDATE, 0, 1, f.u32(7)) .. f.frame(f.WINDOW_UPDATE, 0, 1, f.u32(100)),
  f.frame(f.SETTINGS, 0, 0, "\0\1\0\0\0\0\0\5\0\0\64\0") .. call(1),
  f.frame(f.PING, 0, 0, "12345678") .. f.frame(f.PRIORITY, 0, 1, "\0\0\0\0\16") .. call(1),
  call(1) .. f.frame(f.GOAWAY, 0, 0, f.u32(0) .. f.u32(0)),
  settings:rep(40),
  f.frame(f.PUSH_PROMISE, f.END_HEADERS, 1, f.u32(2)),
  f.frame(f.DATA, 0, 0, "x"),
}
local server = {}
for i, bytes in ipairs(requests) do
  server[#server + 1] = "\0" .. bytes
  -- Other modes of the fuzzer: pieces of 9 bytes, streaming, held, not reading.
  server[#server + 1] = string.char(4 + 16 * (i % 8)) .. bytes
end
server[#server + 1] = "\1" .. f.preface .. settings .. call(1)
server[#server + 1] = "\1GET / HTTP/1.1\r\n\r\n"
write("fuzz_h2", server)

local head = f.block({ { ":status", "200" }, { "content-type", "application/grpc" } })
local function trailers(code, text)
  return f.block({ { "grpc-status", code }, text and { "grpc-message", text } })
end
local function answer(stream, body, code, text)
  return f.frame(f.HEADERS, f.END_HEADERS, stream, head)
    .. f.frame(f.DATA, 0, stream, body)
    .. f.frame(f.HEADERS, f.END_HEADERS + f.END_STREAM, stream, trailers(code, text))
end
local function only(stream, fields)
  return f.frame(f.HEADERS, f.END_HEADERS + f.END_STREAM, stream, f.block(fields))
end
local answers = {
  answer(1, get, "0") .. answer(3, get, "0") .. answer(5, get, "0"),
  answer(1, get, "5", "no%20such"),
  answer(1, get .. get, "0"),
  answer(1, "\0\255\255\255\255", "0"),
  only(1, { { ":status", "200" }, { "content-type", "application/grpc" }, { "grpc-status", "14" } }),
  only(1, { { ":status", "503" } }),
  f.frame(f.HEADERS, f.END_HEADERS, 1, f.block({ { ":status", "100" } })) .. answer(1, get, "0"),
  f.frame(f.RST_STREAM, 0, 1, f.u32(7)) .. f.frame(f.RST_STREAM, 0, 3, f.u32(8)),
  f.frame(f.GOAWAY, 0, 0, f.u32(1) .. f.u32(0)) .. answer(1, get, "0"),
  f.frame(f.SETTINGS, 0, 0, "\0\3\0\0\0\1") .. answer(1, get, "0"),
  f.frame(f.SETTINGS, 0, 0, "\0\4\0\0\0\2") .. f.frame(f.WINDOW_UPDATE, 0, 1, f.u32(100)) .. answer(1, get, "0"),
  f.frame(f.HEADERS, f.END_HEADERS, 1, head) .. f.frame(f.DATA, f.END_STREAM, 1, get),
  f.frame(f.PUSH_PROMISE, f.END_HEADERS, 1, f.u32(2)),
}
local client = {}
for i, bytes in ipairs(answers) do
  client[#client + 1] = "\0" .. bytes
  client[#client + 1] = string.char(4 + 8 * (i % 2)) .. bytes
end
write("fuzz_unary", client)

local function put(key, value)
  return "\2" .. string.char(key, #value) .. value
end
local records = {}
for i, metadata in ipairs({ "null", '{"weight":7,"zone":"a"}', '{"weight":"7","x":[1]}', '"{\\"name\\":\\"h\\"}"', "[1]", "7" }) do
  local value = ('{"Op":0,"Addr":"10.0.0.%d:1","Metadata":%s}'):format(i, metadata)
  records[i] = put(0, value) .. put(1, value:gsub("10%.0%.0", "unix")) .. "\240\0\0" .. "\1\0\0" .. put(2, value) .. "\0\0\0"
end
write("fuzz_record", records)

local fields = {}
for i, message in ipairs({ "\10\3tom\18\2\8\42", "\18\10\8\150\1\18\5hello", "\29\1\0\0\0\33\2\0\0\0\0\0\0\0", "\8\255\255\255\255\255\255\255\255\255\1" }) do
  for j, field in ipairs({ "1     ", "2.1   ", "2.2   ", "536870" }) do
    fields[(i - 1) * 4 + j] = field .. "\0\0\0\0" .. string.char(#message) .. message
  end
end
write("fuzz_field", fields)

local patterns = {}
for i, pattern in ipairs({ "^(%a+)-(%d*)$", "[^%s%-]+", "%b()", "%f[%w]x", "(.)(.-)%1%2", "()a?b*c+", "[]a]", "[^]]$", "%", "(", "[a", "%9" }) do
  patterns[i] = string.char(#pattern) .. pattern .. "abc-123 (x(y)z) aXaX ]"
end
write("fuzz_pattern", patterns)

write("fuzz_config", {
  '{"workers":2,"node":{"address":"10.0.0.7:7402","zone":"a","weight":10},"listen":{"app":"127.0.0.1:0","mesh":"unix:/x"},"drain":"5s"}',
  '{"registry":{"kind":"etcd","endpoints":["http://127.0.0.1:2379"],"ttl":"10s","prefix":""},"cluster":"c","files":["/x"]}',
  '{"registry":{"kind":"static","services":{"orders":[{"address":"10.0.0.9:1","weight":10,"zone":"a","metadata":{"x":1}}]}}}',
  '{"groups":{"g":{"bytes":"64MiB","ttl":"60s","negative_ttl":"1s","picker":"ring_crc32","peer_timeout":"1s","fallback":{"1":"http_origin","url":"u"}}}}',
  '{"provides":[{"service":"o","address":"127.0.0.1:1","weight":1,"health":"grpc"}],"balancer":{"1":"p2c"},"explain":{"app":true}}',
  '{"routes":[{"match":{"service":"a.*","header":{"x":{"prefix":"p"},"y":{"pattern":"^a"}}},"to":{"a":1,"b":2},"timeout":"2s"}]}',
  '{"policies":{"path":["p"],"limits":{"pick":"1ms","memory":"1MiB"}},"limits":{"streams_per_conn":10,"idle":"5m"}}',
  '{"a":{"b":[{"a":"x","id":1},{"a":2.5},{"id":null}]}}', '[{"id":"1"},{"a":"2","id":3}]', '{"1":{"a":1},"b":[]}',
})

--- A field of a message: a number as varint, or bytes behind their length.
local function field(number, value)
  if type(value) == "number" then
    return string.char(number * 8, value)
  end
  return string.char(number * 8 + 2, #value) .. value
end
local header = field(1, field(1, 7) .. field(3, 9) .. field(4, 2))
local function event(kind, key, revision)
  return field(11, (kind > 0 and field(1, kind) or "") .. field(2, field(1, key) .. field(2, 3) .. field(3, revision) .. field(5, "v")))
end
local function watch(...)
  local bytes = { "\1" }
  for _, message in ipairs({ ... }) do
    bytes[#bytes + 1] = string.char(#message) .. message
  end
  return table.concat(bytes)
end
write("fuzz_etcd", {
  watch(header .. field(2, 1) .. field(3, 1)),
  watch(header .. field(2, 1) .. event(0, "k", 9) .. event(1, "l", 9)),
  watch(header .. field(2, 1) .. field(7, 1) .. event(0, "k", 9), header .. field(2, 1) .. event(0, "k", 9) .. event(0, "j", 8)),
  watch(header .. field(2, 1) .. field(4, 1) .. field(6, "rpc error: code = PermissionDenied desc = etcdserver: permission denied")),
  "rpc error: code = OutOfRange desc = has been compacted",
  header .. field(2, field(1, "k") .. field(5, "v")) .. field(4, 1),
  header .. field(2, 1) .. field(3, field(1, header .. field(2, field(1, "k")))),
})

local function described(kind, more)
  local one = field(1, "value") .. field(3, 1) .. field(4, 1) .. field(5, kind) .. field(10, "value") .. (more or "")
  local message = field(1, "M") .. field(2, one)
  local file = field(1, "m.proto") .. field(2, "p") .. field(4, message) .. field(5, field(1, "E") .. field(2, field(1, "A") .. field(2, 1)))
  return string.char(0, #file) .. file
end
local calls = {}
for kind = 1, 18 do
  calls[#calls + 1] = described(kind) .. "\8\150\1\18\2hi"
  calls[#calls + 1] = described(kind, kind == 11 and field(6, ".p.M") or kind == 14 and field(6, ".p.E") or "") .. "\10\4\10\2\8\1\8\1"
end
calls[#calls + 1] = described(9) .. '{"value":"x"}'
write("fuzz_call", calls)
