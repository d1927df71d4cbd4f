--- Decisions for specs, and what they say.
local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "base/buffer.h", "model/decision.h", "model/decisions.h" })

local M = { C = C, ffi = ffi, slice = cffi.slice }

--- A decision with some fields; texts are copied into it.
function M.new(kind, fields)
  local decision = C.peri_decision_new(kind == "key" and C.PERI_DECISION_KEY or C.PERI_DECISION_CALL)
  assert(decision ~= nil)
  for name, value in pairs(fields or {}) do
    decision[name] = type(value) == "string" and C.peri_decision_text(decision, cffi.slice(value)) or value
  end
  return ffi.gc(decision, C.peri_decision_unref)
end

--- Gives it candidates.
function M.candidates(decision, list)
  local room = tonumber(C.peri_decision_room(decision, #list))
  for i = 1, room do
    local candidate = decision.candidates[i - 1]
    for name, value in pairs(list[i]) do
      candidate[name] = type(value) == "string" and C.peri_decision_text(decision, cffi.slice(value)) or value
    end
  end
  return room
end

--- What a function writes into a buffer.
function M.written(write)
  local text = ffi.new("struct peri_buffer")
  assert(write(text) == 0)
  local words = text.len > 0 and ffi.string(text.ptr, text.len) or ""
  C.peri_buffer_done(text)
  return words
end

function M.words(decision, most)
  return M.written(function(text)
    return C.peri_decision_words(decision, most or 16, text)
  end)
end

return M
