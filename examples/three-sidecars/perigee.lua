-- One of three sidecars that share a cache; SIDECAR says which: 1, 2 or 3.
local number = tonumber(env("SIDECAR", "1"))
local base = tonumber(env("PERIGEE_BASE_PORT", "17400"))

local function address(offset, sidecar)
  return ("127.0.0.1:%d"):format(base + 10 * sidecar + offset)
end

local peers = {}
for sidecar = 1, 3 do
  peers[sidecar] = { address = address(2, sidecar) }
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
  registry = { kind = "static", services = { GroupCache = peers } },
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
