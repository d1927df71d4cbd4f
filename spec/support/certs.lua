--- Certificates for specs, made by openssl in a folder.
local proc = require("spec.support.proc")

local M = {}

local function openssl(...)
  local run = proc.run("/usr/bin/openssl", { ... })
  assert(run.code == 0, run.err)
end

local function new_key(path)
  openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path)
end

--- An authority: `NAME.pem`, `NAME.key` in `folder`.
---@return table authority
function M.authority(folder, name)
  local authority = { cert = ("%s/%s.pem"):format(folder, name), key = ("%s/%s.key"):format(folder, name) }
  new_key(authority.key)
  openssl("req", "-x509", "-new", "-key", authority.key, "-subj", "/CN=" .. name, "-days", "2", "-out", authority.cert)
  return authority
end

--- A certificate for 127.0.0.1 that an authority signed. `options`: expired, name (of the subject),
--- alt (the names it is for).
---@return table with cert and key, paths
function M.issue(authority, folder, name, options)
  options = options or {}
  local made = { cert = ("%s/%s.pem"):format(folder, name), key = ("%s/%s.key"):format(folder, name) }
  new_key(made.key)
  local request = ("%s/%s.csr"):format(folder, name)
  local extensions = ("%s/%s.ext"):format(folder, name)
  local alt = options.alt or "IP:127.0.0.1,DNS:localhost"
  proc.write(extensions, ("subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\n"):format(alt))
  openssl("req", "-new", "-key", made.key, "-subj", "/CN=" .. (options.name or name), "-out", request)
  local times = { "-days", "2" }
  if options.expired then
    -- x509 knows only days from now on; ca knows dates.
    local base = ("%s/%s.ca"):format(folder, name)
    assert(os.execute(("mkdir -p %q && touch %q"):format(base, base .. "/index.txt")))
    proc.write(base .. "/conf", ([[
[ca]
default_ca = it
[it]
database = %s/index.txt
new_certs_dir = %s
rand_serial = yes
default_md = sha256
policy = any
[any]
commonName = supplied
]]):format(base, base))
    openssl("ca", "-batch", "-config", base .. "/conf", "-cert", authority.cert, "-keyfile", authority.key,
      "-startdate", "20200101000000Z", "-enddate", "20200201000000Z", "-extfile", extensions,
      "-in", request, "-out", made.cert, "-notext")
    return made
  end
  openssl("x509", "-req", "-in", request, "-CA", authority.cert, "-CAkey", authority.key, "-CAcreateserial",
    "-extfile", extensions, "-out", made.cert, unpack(times))
  return made
end

return M
