--- Balancers under test: endpoints with loads that a spec sets as it likes.
local s = require("spec.core.script.support")
local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "model/load.h", "model/peers.h", "script/balancer_shim.h" })

local M = { s = s }

local Balancer = {}
Balancer.__index = Balancer

--- @param script table of spec.core.script.support
--- @param options? string JSON
function M.make(script, name, options)
  local ret = ffi.new("struct peri_balancer *[1]")
  local problem = ffi.new("struct peri_problem")
  local code = C.balancer_shim_make(script.shim, name, options, ret, problem)
  if code < 0 then
    return nil, code, ffi.string(problem.text)
  end
  local self = setmetatable({ script = script, balancer = ret[0], known = {}, open = nil }, Balancer)
  self.request = ffi.new("struct peri_pick_request")
  self.headers = ffi.new("struct balancer_shim_headers")
  C.balancer_shim_request(self.request, self.headers)
  self.request.service = cffi.slice("orders.v1.Orders")
  self.request.method = cffi.slice("Place")
  self.request.attempt = 1
  script.pickers[#script.pickers + 1] = self
  return self
end

--- A snapshot of endpoints: addresses, or { address, weight =, zone =, suspect =, metadata = JSON }.
local function snapshot(list)
  local inits = ffi.new("struct peri_endpoint_init[?]", #list + 1)
  local held = {}
  for i, each in ipairs(list) do
    each = type(each) == "string" and { each } or each
    inits[i - 1].address = cffi.slice(each[1])
    inits[i - 1].zone = cffi.slice(each.zone or "")
    inits[i - 1].weight = each.weight or 1
    inits[i - 1].suspect = each.suspect or false
    if each.metadata then
      local json = ffi.new("struct peri_json *[1]")
      assert(s.C.peri_json_parse(cffi.slice(each.metadata), json, nil) == 0)
      inits[i - 1].metadata = json[0]
      held[#held + 1] = json[0]
    end
  end
  local out = ffi.new("struct peri_peers *[1]")
  assert(C.peri_peers_new("orders", inits, #list, cffi.slice(""), out, nil) == 0)
  for _, json in ipairs(held) do
    s.C.peri_json_unref(json)
  end
  return ffi.gc(out[0], C.peri_peers_unref)
end

--- New endpoints. Loads stay with their addresses.
function Balancer:update(list)
  local peers = snapshot(list)
  local count = tonumber(C.peri_peers_count(peers))
  local loads, lent = ffi.new("struct peri_load *[?]", count + 1), ffi.new("struct peri_load *[?]", count + 1)
  self.addresses, self.index, self.open = {}, {}, nil
  for i = 1, count do
    local address = ffi.string(C.peri_peers_at(peers, i - 1).address)
    self.known[address] = self.known[address] or ffi.new("struct peri_load")
    self.addresses[i], self.index[address] = address, i - 1
    loads[i - 1] = self.known[address]
  end
  ffi.copy(lent, loads, ffi.sizeof(loads))
  local code = self.balancer.update(self.balancer, peers, lent)
  ffi.fill(lent, ffi.sizeof(lent)) -- The array is not kept, the loads are.
  self.peers, self.loads, self.count = peers, loads, count
  return code
end

--- The load of an address.
function Balancer:load(address)
  return self.known[address]
end

--- Lets the next picks choose among these addresses only; all without them.
function Balancer:only(addresses)
  self.open = nil
  if addresses then
    local list = {}
    for i, address in ipairs(addresses) do
      list[i] = self.index[address]
    end
    table.sort(list)
    self.open, self.open_count = ffi.new("uint32_t[?]", #list + 1, list), #list
  end
end

function Balancer:header(name, value)
  self.header_name, self.header_value = name, value
  self.headers.names[0], self.headers.values[0] = name, value
end

function Balancer:body(text)
  self.body_text = text
  self.request.body = cffi.slice(text)
end

--- @return string? address
--- @return string|integer reason or code
function Balancer:pick()
  local choice = ffi.new("struct peri_choice")
  local code = self.balancer.pick(self.balancer, self.request, self.open, self.open and self.open_count or 0, choice)
  local words = ffi.string(choice.reason.ptr, choice.reason.len)
  self.choice = choice
  if code < 0 then
    return nil, code, words
  end
  self.version = choice.version
  return self.addresses[tonumber(choice.index) + 1], words
end

--- Picks `count` times. With `hold`, calls stay under way.
--- @return table<string, integer> shares
function Balancer:shares(count, hold)
  local shares = {}
  for _ = 1, count do
    local address = assert(self:pick())
    shares[address] = (shares[address] or 0) + 1
    if hold then
      self.known[address].inflight = self.known[address].inflight + 1
    end
  end
  return shares
end

function Balancer:wants_done()
  return self.balancer.done ~= nil
end

--- Tells the version of the last pick, or the given one, how the call ended.
--- @param outcome? table
function Balancer:done(address, outcome, version)
  outcome = outcome or {}
  self.request.version = version or self.version or 1
  local given = ffi.new("struct peri_outcome", outcome.status or 0, outcome.failed or false, outcome.latency_ns or 0, outcome.bytes or 0)
  self.balancer.done(self.balancer, self.request, address, given)
  self.request.version = 0
end

function Balancer:pick_ns(rounds)
  return C.balancer_shim_pick_ns(self.balancer, self.request, self.loads, self.count, rounds)
end

function Balancer:free()
  if self.balancer then
    self.balancer.free(self.balancer)
    self.balancer = nil
  end
end

--- Frees all balancers of a script, and the script.
function M.close(script)
  for _, balancer in ipairs(script.pickers) do
    balancer:free()
  end
  script.pickers = {}
  script:close()
end

return M
