-- One of three sidecars that find one another on etcd and share a cache.
-- SIDECAR says which: 1, 2 or 3; PERIGEE_ETCD where etcd is.
local number = tonumber(env("SIDECAR", "1"))
local base = tonumber(env("PERIGEE_BASE_PORT", "17400"))

local function address(offset, sidecar)
  return ("127.0.0.1:%d"):format(base + 10 * sidecar + offset)
end

return {
  workers = 1,
  node = { address = address(2, number) },
  listen = {
    app = address(0, number),
    admin = address(1, number),
    mesh = address(2, number),
  },
  cluster = "GroupCache",
  registry = {
    kind = "etcd",
    endpoints = { env("PERIGEE_ETCD", "http://127.0.0.1:2379") },
    prefix = "three-sidecars/",
    ttl = "5s",
  },
  files = { "/usr/share/iso-codes" },
  groups = {
    countries = {
      bytes = "16MiB",
      ttl = "1h",
      picker = "ring_crc32",
      fallback = {
        "json_file",
        path = "/usr/share/iso-codes/json/iso_3166-1.json",
        rows = "3166-1",
        key = "alpha_2",
      },
    },
  },
}
