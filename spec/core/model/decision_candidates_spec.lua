local support = require("spec.core.model.decision_support")
local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "model/decision.h", "model/peers.h", "base/json.h" })

--- Peers of endpoints { address, zone, weight, suspect, metadata (JSON) }.
local function peers_of(list, self)
  local inits, json = ffi.new("struct peri_endpoint_init[?]", #list), {}
  for i, each in ipairs(list) do
    inits[i - 1].address, inits[i - 1].zone = cffi.slice(each.address), cffi.slice(each.zone or "")
    inits[i - 1].weight, inits[i - 1].suspect = each.weight or 1, each.suspect or false
    if each.metadata then
      json[i] = ffi.new("struct peri_json *[1]")
      assert(C.peri_json_parse(cffi.slice(each.metadata), json[i], nil) == 0)
      inits[i - 1].metadata = json[i][0]
    end
  end
  local peers = ffi.new("struct peri_peers *[1]")
  assert(C.peri_peers_new("orders", inits, #list, cffi.slice(self or ""), peers, nil) == 0)
  for _, each in pairs(json) do
    C.peri_json_unref(each[0])
  end
  return ffi.gc(peers[0], C.peri_peers_unref)
end

local function considered(list, chosen, self)
  local decision = support.new("call")
  local peers = peers_of(list, self)
  C.peri_decision_consider(decision, peers, chosen or ffi.cast("size_t", -1))
  return decision
end

describe("model/decision_candidates", function()
  it("are the endpoints, with what every policy sees of them", function()
    local decision = considered({
      { address = "h:1", zone = "a", weight = 3 },
      { address = "h:2", suspect = true, metadata = '{"version":"2.0","zone":"x","weight":1,"protocol":"perigee","team":7}' },
    }, 1, "h:1")
    local one, two = decision.candidates[0], decision.candidates[1]
    assert.same({ "h:1", "a", 3, true, false, false, "" }, { ffi.string(one.address), ffi.string(one.zone), one.weight, one.self, one.suspect, one.chosen, ffi.string(one.metadata) })
    assert.same({ "h:2", "", 1, false, true, true }, { ffi.string(two.address), ffi.string(two.zone), two.weight, two.self, two.suspect, two.chosen })
    assert.equal('{"version":"2.0","team":7}', ffi.string(two.metadata))
    assert.equal("h:2", ffi.string(decision.chosen))
  end)

  it("show nothing that sounds secret, is long or is no plain value", function()
    local function metadata(json)
      return ffi.string(considered({ { address = "h:1", metadata = json } }).candidates[0].metadata)
    end
    assert.equal("", metadata('{"apiKey":"x","db_password":"y","nested":{"a":1},"list":[1]}'))
    assert.equal('{"a":1,"b":null}', metadata(('{"a":1,"long":"%s","b":null}'):format(("x"):rep(200))))
    assert.equal("", metadata("[1,2]"))
    assert.equal('{"a":"\\u001B[31m?31m"}', metadata('{"a":"\\u001b[31m\\u009b31m"}'))
    local many = {}
    for i = 1, 50 do
      many[i] = ('"key%02d":%d'):format(i, i)
    end
    assert.is_true(#metadata("{" .. table.concat(many, ",") .. "}") <= 128)
  end)

  it("have the chosen one among them, however many there are", function()
    local list = {}
    for i = 1, 100 do
      list[i] = { address = ("h:%d"):format(1000 + i) }
    end
    local decision = considered(list, 90)
    assert.equal(64, tonumber(decision.candidate_count))
    assert.equal(36, tonumber(decision.candidate_more))
    local last = decision.candidates[63]
    assert.same({ 90, "h:1091", true }, { tonumber(last.index), ffi.string(last.address), last.chosen })
    decision = considered(list)
    assert.equal("", ffi.string(decision.chosen))
    assert.equal(63, tonumber(decision.candidates[63].index))
  end)
end)
