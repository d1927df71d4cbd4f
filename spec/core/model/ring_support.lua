--- Builds rings over plain names and counts who owns what.
local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "model/ring.h", "model/ring_shim.h" })

local M = { C = C, ffi = ffi }

---@param names string[]
---@param weights? number[]
---@return ffi.cdata* nodes
function M.nodes(names, weights)
  local nodes = ffi.new("struct peri_ring_node[?]", #names)
  for i, name in ipairs(names) do
    nodes[i - 1].address = cffi.slice(name)
    nodes[i - 1].weight = weights and weights[i] or 1
  end
  return nodes
end

--- A function from key to owning name.
function M.owner(ring, names)
  ring = ffi.gc(ring, C.peri_ring_free)
  return function(key)
    return names[tonumber(C.peri_ring_owner(ring, cffi.slice(key))) + 1]
  end
end

---@return fun(key: string): string
function M.ring(kind, replicas, names, weights)
  local out = ffi.new("struct peri_ring *[1]")
  local rc = C.peri_ring_new(kind, replicas, M.nodes(names, weights), #names, out)
  assert(rc == 0, "peri_ring_new: " .. rc)
  return M.owner(out[0], names)
end

--- As ring(), of points with hashes of one's own.
function M.points(point, key, replicas, names)
  local hash = ffi.new("struct peri_ring_hash", { point, key })
  local out = ffi.new("struct peri_ring *[1]")
  local rc = C.peri_ring_points_new(hash, replicas, M.nodes(names), #names, out)
  assert(rc == 0, "peri_ring_points_new: " .. rc)
  return M.owner(out[0], names)
end

--- How many of `count` keys each name owns.
function M.shares(owner, count)
  local shares = {}
  for i = 1, count do
    local name = owner("key-" .. i)
    shares[name] = (shares[name] or 0) + 1
  end
  return shares
end

--- How many of `count` keys have another owner, and how many of those moved
--- between two names other than `gone`.
function M.moved(before, after, count, gone)
  local moved, needless = 0, 0
  for i = 1, count do
    local old, new = before("key-" .. i), after("key-" .. i)
    if old ~= new then
      moved = moved + 1
      if old ~= gone and new ~= gone then
        needless = needless + 1
      end
    end
  end
  return moved, needless
end

return M
