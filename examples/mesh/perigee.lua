-- One of five sidecars: 1 to 4 stand beside an instance of the greeter each, 5 beside its client.
-- SIDECAR says which; PERIGEE_ETCD where etcd is.
local number = tonumber(env("SIDECAR", "5"))
local base = tonumber(env("PERIGEE_BASE_PORT", "17500"))

local function address(offset)
  return ("127.0.0.1:%d"):format(base + 10 * number + offset)
end

return {
  workers = 1,
  node = { address = address(2) },
  listen = {
    app = address(0),
    admin = address(1),
    mesh = address(2),
  },
  registry = {
    kind = "etcd",
    endpoints = { env("PERIGEE_ETCD", "http://127.0.0.1:2379") },
    prefix = "mesh/",
    ttl = "5s",
  },
  provides = number < 5 and {
    { service = "greeter", address = address(3), health = "grpc" },
  } or nil,
  routes = {
    { match = { service = "example.Greeter" }, to = "greeter", balancer = { "round_robin" } },
  },
  drain = "3s",
}
