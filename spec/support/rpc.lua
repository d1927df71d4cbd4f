--- Channels and requests of core/rpc for specs.
local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "rpc/call.h", "rpc/channel.h", "rpc/client_shim.h" })

local M = {}

local channels = {}

--- @return ffi.cdata*? channel, integer code, string words
function M.open(target, tls, more)
  local got, problem = ffi.new("struct peri_rpc_channel *[1]"), ffi.new("struct peri_problem")
  local options = ffi.new("struct peri_rpc_channel_options", more or {})
  options.target = cffi.slice(target)
  local security
  if tls then
    security = ffi.new("struct peri_rpc_tls")
    for name, text in pairs(tls) do
      security[name] = cffi.slice(text)
    end
    options.tls = security
  end
  local code = C.peri_rpc_channel_new(options, got, problem)
  if code == 0 then
    channels[#channels + 1] = got[0]
  end
  return code == 0 and got[0] or nil, code, ffi.string(problem.text)
end

function M.close_all()
  for _, channel in ipairs(channels) do
    C.peri_rpc_channel_free(channel)
  end
  channels = {}
end

--- @return ffi.cdata* request, table anchors what must stay alive with it
function M.request(path, message, timeout_ms, metadata)
  message = message or ""
  local fields = ffi.new("struct peri_rpc_field[40]")
  for i, field in ipairs(metadata or {}) do
    fields[i - 1].name, fields[i - 1].value = cffi.slice(field[1]), cffi.slice(field[2])
  end
  local request = ffi.new("struct peri_rpc_request", {
    path = path,
    metadata = fields,
    metadata_count = #(metadata or {}),
    message = cffi.slice(message),
    timeout_ms = timeout_ms or 0,
  })
  return request, { path, fields, message, metadata }
end

--- A blocking call. @return code, status, message, text
function M.call(channel, path, message, timeout_ms, metadata)
  local request, anchors = M.request(path, message, timeout_ms, metadata)
  local result = ffi.new("struct peri_rpc_result")
  local code = C.peri_rpc_call(channel, request, result)
  local status, text = result.status, ffi.string(result.text)
  local bytes = result.message.len > 0 and ffi.string(result.message.ptr, result.message.len) or ""
  C.peri_rpc_result_done(result)
  assert(anchors)
  return code, status, bytes, text
end

function M.probe()
  local probe = ffi.new("struct rpc_probe *[1]")
  assert(C.rpc_probe_new(probe) == 0)
  return probe[0]
end

M.health = "/grpc.health.v1.Health/Check"
M.watch = "/etcdserverpb.Watch/Watch"
--- A WatchRequest that creates a watch on all keys.
M.watch_all = "\10\6\10\1\0\18\1\0"

return M
