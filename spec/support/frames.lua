--- Writes and reads raw HTTP/2 frames (RFC 9113), so that specs can send what no
--- proper library would.
local M = {}

M.DATA, M.HEADERS, M.PRIORITY, M.RST_STREAM, M.SETTINGS = 0, 1, 2, 3, 4
M.PUSH_PROMISE, M.PING, M.GOAWAY, M.WINDOW_UPDATE, M.CONTINUATION = 5, 6, 7, 8, 9

M.END_STREAM, M.ACK, M.END_HEADERS, M.PADDED = 1, 1, 4, 8

M.preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

---@param value integer
function M.u32(value)
  return string.char(math.floor(value / 16777216) % 256, math.floor(value / 65536) % 256, math.floor(value / 256) % 256, value % 256)
end

--- One frame; `length` overrides the true one.
function M.frame(kind, flags, stream, payload, length)
  return M.u32(length or #payload):sub(2) .. string.char(kind, flags) .. M.u32(stream) .. payload
end

--- A header block without compression: literal fields, never indexed, or those with a third
--- member `true` merely not indexed.
---@param fields string[][] name and value pairs
function M.block(fields)
  local parts = {}
  for _, field in ipairs(fields) do
    local lengths = {}
    for i = 1, 2 do
      local n = #field[i]
      if n < 127 then
        lengths[i] = string.char(n)
      else
        local rest, bytes = n - 127, { string.char(127) }
        while rest >= 128 do
          bytes[#bytes + 1] = string.char(rest % 128 + 128)
          rest = math.floor(rest / 128)
        end
        bytes[#bytes + 1] = string.char(rest)
        lengths[i] = table.concat(bytes)
      end
    end
    parts[#parts + 1] = (field[3] and "\0" or "\16") .. lengths[1] .. field[1] .. lengths[2] .. field[2]
  end
  return table.concat(parts)
end

--- Request fields of a gRPC call; `extra` fields are appended, or replace those of the same name
--- (an empty replacement drops it).
function M.request(path, extra)
  local fields = {
    { ":method", "POST" },
    { ":scheme", "http" },
    { ":path", path },
    { ":authority", "localhost" },
    { "content-type", "application/grpc" },
    { "te", "trailers" },
  }
  for _, field in ipairs(extra or {}) do
    local replaced = false
    for i, known in ipairs(fields) do
      if known[1] == field[1] then
        fields[i], replaced = field, true
      end
    end
    if not replaced then
      fields[#fields + 1] = field
    end
  end
  local kept = {}
  for _, field in ipairs(fields) do
    if field[2] ~= "" then
      kept[#kept + 1] = field
    end
  end
  return M.block(kept)
end

--- A gRPC message with its five bytes in front.
function M.message(bytes, flag)
  return string.char(flag or 0) .. M.u32(#bytes) .. bytes
end

--- The whole frames in `bytes`, as { kind, flags, stream, payload }.
function M.parse(bytes)
  local frames, at = {}, 1
  while at + 8 <= #bytes do
    local a, b, c, kind, flags, s1, s2, s3, s4 = bytes:byte(at, at + 8)
    local length = a * 65536 + b * 256 + c
    if at + 8 + length > #bytes then
      break
    end
    frames[#frames + 1] = {
      kind = kind,
      flags = flags,
      stream = (s1 % 128) * 16777216 + s2 * 65536 + s3 * 256 + s4,
      payload = bytes:sub(at + 9, at + 8 + length),
    }
    at = at + 9 + length
  end
  return frames
end

--- Whether such a frame has come.
function M.seen(bytes, kind, stream)
  for _, frame in ipairs(M.parse(bytes)) do
    if frame.kind == kind and (not stream or frame.stream == stream) then
      return frame
    end
  end
end

return M
