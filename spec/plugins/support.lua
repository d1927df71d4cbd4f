--- The shipped policies, loaded as a worker loads them.
local s = require("spec.core.script.support")
local origins = require("spec.core.script.origin")
local peers = require("spec.core.script.peers_support")
local balancers = require("spec.core.script.balancer_support")

local M = { s = s, peers = peers, origins = origins, balancers = balancers }

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

--- What every picker is asked for: the same owners whatever the order of peers, and picking
--- again after all peers had left.
function M.check_picker(script, name)
  local one = M.picker(script, name, "{}", { "10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1" })
  local other = M.picker(script, name, "{}", { "10.0.0.3:1", "10.0.0.1:1", "10.0.0.2:1" })
  for i = 1, 500 do
    assert(one("key-" .. i) == other("key-" .. i), "the owner depends on the order of peers")
  end
  local picker = assert(script:picker(name, "{}"))
  assert(s.C.script_shim_update(picker, peers({})) == 0)
  assert(script:pick(picker, "Tom") == s.ESCRIPT)
  assert(s.C.script_shim_update(picker, peers({ "10.0.0.1:1" })) == 0)
  local code, index = script:pick(picker, "Tom")
  assert(code == 0 and index == 0)
end

--- Makes balancer `name` with `list` as its endpoints (balancer_support.lua).
function M.balancer(script, name, options, list)
  local balancer = assert(balancers.make(script, name, options))
  assert(balancer:update(list) == 0, select(2, script:notices()))
  return balancer
end

--- Endpoints 10.0.0.1 … 10.0.0.`count`; `each(i)` may add fields.
function M.endpoints(count, each)
  local list = {}
  for i = 1, count do
    local endpoint = each and each(i) or {}
    endpoint[1] = ("10.0.%d.%d:1"):format(math.floor(i / 250), i % 250)
    list[i] = endpoint
  end
  return list
end

--- Where `count` keys go, in `header`.
--- @return table<string, string> address by key
function M.owners(balancer, header, count)
  local owners = {}
  for i = 1, count do
    local key = "key-" .. i .. " and more"
    balancer:header(header, key)
    owners[key] = assert(balancer:pick())
  end
  return owners
end

--- How many keys have another owner now, and how many of these had one that
--- `is_gone(address)`.
function M.moved(before, after, is_gone)
  local moved, forced = 0, 0
  for key, address in pairs(before) do
    moved = moved + (after[key] ~= address and 1 or 0)
    forced = forced + (is_gone and is_gone(address) and 1 or 0)
  end
  return moved, forced
end

return M
