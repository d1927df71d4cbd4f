--- Peers for specs of what picks among them.
local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "model/peers.h" })

--- @param addresses string[]
--- @param weights? number[]  all 1 when not given
return function(addresses, weights)
  local inits = ffi.new("struct peri_endpoint_init[?]", #addresses + 1)
  for i, address in ipairs(addresses) do
    inits[i - 1].address = cffi.slice(address)
    inits[i - 1].weight = weights and weights[i] or 1
  end
  local out = ffi.new("struct peri_peers *[1]")
  assert(C.peri_peers_new("GroupCache", inits, #addresses, cffi.slice(""), out, nil) == 0)
  return ffi.gc(out[0], C.peri_peers_unref)
end
