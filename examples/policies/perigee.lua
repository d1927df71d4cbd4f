-- The sidecar of a shop's front end, which stands in zone a. PERIGEE_BASE_PORT moves the ports;
-- PERIGEE_POLICIES names the folder of the policies, which is this one.
local base = tonumber(env("PERIGEE_BASE_PORT", "17600"))

local function endpoint(number, zone, version)
  return {
    address = ("127.0.0.1:%d"):format(base + 10 + number),
    zone = zone,
    metadata = version and { version = version } or nil,
  }
end

local reports = {}
for number = 1, 10 do
  reports[number] = endpoint(8 + number)
end

return {
  workers = 1,
  listen = {
    app = ("127.0.0.1:%d"):format(base),
    admin = ("127.0.0.1:%d"):format(base + 1),
  },
  registry = {
    kind = "static",
    services = {
      catalog = { endpoint(1, "a"), endpoint(2, "a"), endpoint(3, "b"), endpoint(4, "b"), endpoint(5, "c") },
      checkout = { endpoint(6, "a", "1.9"), endpoint(7, "a", "1.9"), endpoint(8, "a", "2.0") },
      reports = reports,
    },
  },
  routes = {
    {
      match = { service = "example.Catalog" },
      to = "catalog",
      balancer = { "cheap_zones", zone = "a", room = 4, costs = { a = { b = 1, c = 4 }, b = { c = 4 } } },
    },
    {
      match = { service = "example.Checkout" },
      to = "checkout",
      balancer = { "canary", version = "2.0", header = "x-canary", percent = 5, by = "x-user" },
    },
    {
      match = { service = "example.Reports" },
      to = "reports",
      balancer = { "tenant_shards", header = "x-tenant", size = 2, spill = 1 },
    },
  },
  groups = {
    prices = {
      bytes = "1MiB",
      ttl = "300ms",
      fallback = {
        "stale_on_failure",
        ttl = "300ms",
        fallback = { "http_origin", url = ("http://127.0.0.1:%d/{key}"):format(base + 10), timeout = "1s" },
      },
    },
  },
  policies = { path = { env("PERIGEE_POLICIES", ".") } },
  drain = "3s",
}
