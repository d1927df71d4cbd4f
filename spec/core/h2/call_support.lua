--- A server whose calls go through h2/call, for the specs of its files.
local cffi = require("spec.support.ffi")
local frames = require("spec.support.frames")
local C, ffi = cffi.load({ "base/error.h", "base/status.h", "h2/framing_shim.h", "h2/call_shim.h" })

local M = { C = C, ffi = ffi, frames = frames }

local Rig = {}
Rig.__index = Rig

---@param mode string? "ECHO", "HOLD", "WATCH" or "REFUSE"
---@param message_bytes integer?
function M.rig(mode, message_bytes)
  local rig = C.shim_call_rig_new(message_bytes or 100000, C["SHIM_CALL_" .. (mode or "ECHO")])
  return setmetatable({ rig = rig }, Rig)
end

local function request(extra)
  local fields = {
    { ":method", "POST" },
    { ":scheme", "http" },
    { ":path", "/a.B/C" },
    { ":authority", "here" },
    { "content-type", "application/grpc" },
    { "te", "trailers" },
  }
  for name, value in pairs(extra or {}) do
    local known = false
    for _, field in ipairs(fields) do
      if field[1] == name then
        field[2], known = value, true
      end
    end
    if not known then
      fields[#fields + 1] = { name, value }
    end
  end
  local lines = {}
  for _, field in ipairs(fields) do
    if field[2] ~= false then
      lines[#lines + 1] = field[1] .. ": " .. field[2]
    end
  end
  return table.concat(lines, "\n")
end

--- Opens a stream with the usual headers, changed by `extra`.
function Rig:open(extra, ended)
  return C.shim_call_request(self.rig, request(extra), ended or false)
end

function Rig:body(id, bytes, ended)
  C.shim_call_body(self.rig, id, cffi.slice(bytes), ended or false)
end

function Rig:run(ms)
  C.shim_call_run(self.rig, ms or 0)
end

function Rig:log(id)
  return cffi.string(C.shim_call_log(self.rig, id))
end

--- A whole call with `body` as it is; returns what the client saw.
function Rig:call(body, extra, ms)
  local id = self:open(extra)
  self:body(id, body, true)
  self:run(ms)
  return self:log(id), id
end

function Rig:messages()
  return cffi.string(C.shim_call_messages(self.rig))
end

function Rig:held()
  local call = C.shim_call_held(self.rig)
  return call ~= nil and call or nil
end

function Rig:free()
  C.shim_call_rig_free(self.rig)
end

--- The gRPC status in what the client saw, and its words.
function M.status(log)
  return tonumber(log:match("grpc%-status=(%d+)")), log:match("grpc%-message=([^\n]*)")
end

M.head = "headers :status=200 content-type=application/grpc grpc-accept-encoding=identity,deflate,gzip"

return M
