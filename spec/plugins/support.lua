--- The shipped policies, loaded as a worker loads them.
local s = require("spec.core.script.support")
local origins = require("spec.core.script.origin")
local peers = require("spec.core.script.peers_support")

local M = { s = s, peers = peers, origins = origins }

--- A script that finds the shipped plugins; `config` adds JSON members.
function M.script(config)
  local path = ('"policies":{"path":["%s/plugins"]}'):format(os.getenv("PERI_ROOT"))
  return s.script({}, "{" .. path .. (config and "," .. config or "") .. "}")
end

--- Makes picker `name`, gives it `addresses`, and returns a function from key to
--- the owner's address.
function M.picker(script, name, options, addresses, weights)
  local picker = assert(script:picker(name, options))
  local list = peers(addresses, weights)
  assert(s.C.script_shim_update(picker, list) == 0)
  return function(key)
    local code, index = script:pick(picker, key)
    assert(code == 0, select(2, script:notices()))
    return s.ffi.string(s.C.peri_peers_at(list, index).address)
  end
end

--- How many of `count` keys each address owns.
function M.shares(owner, count)
  local shares = {}
  for i = 1, count do
    local address = owner("key-" .. i .. " and more")
    shares[address] = (shares[address] or 0) + 1
  end
  return shares
end

return M
