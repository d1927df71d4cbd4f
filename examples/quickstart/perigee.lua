-- One sidecar, two groups, nothing else needed. `make run` starts it.
return {
  listen = {
    app = env("PERIGEE_APP", "127.0.0.1:7400"),
    admin = env("PERIGEE_ADMIN", "127.0.0.1:7401"),
  },
  -- The folders that policies may read.
  files = { "/usr/share/iso-codes" },
  groups = {
    -- The ISO 3166 countries of Debian's iso-codes package, by either code.
    countries = {
      bytes = "16MiB",
      ttl = "1h",
      fallback = {
        "json_file",
        path = "/usr/share/iso-codes/json/iso_3166-1.json",
        rows = "3166-1",
        key = { "alpha_2", "alpha_3" },
      },
    },
    -- Pages of an HTTP server: start one with `python3 -m http.server 8080`.
    pages = {
      bytes = "64MiB",
      ttl = "30s",
      negative_ttl = "1s",
      fallback = {
        "http_origin",
        url = env("PERIGEE_ORIGIN", "http://127.0.0.1:8080/{key}"),
        timeout = "2s",
      },
    },
  },
}
