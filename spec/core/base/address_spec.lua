local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "base/address.h", "base/error.h" })

local function parse(text)
  local address = ffi.new("struct peri_address")
  local rc = C.peri_address_parse(cffi.slice(text), address)
  return rc, address
end

describe("base/address", function()
  it("reads the four kinds and writes them back", function()
    local cases = {
      { "10.0.0.7:7402", C.PERI_ADDRESS_IPV4, "10.0.0.7", 7402 },
      { "[::1]:7402", C.PERI_ADDRESS_IPV6, "::1", 7402 },
      { "[2001:db8::7]:0", C.PERI_ADDRESS_IPV6, "2001:db8::7", 0 },
      { "host.example:65535", C.PERI_ADDRESS_NAME, "host.example", 65535 },
      { "localhost:80", C.PERI_ADDRESS_NAME, "localhost", 80 },
      { "my_host-1:1", C.PERI_ADDRESS_NAME, "my_host-1", 1 },
      { "unix:/run/perigee/a.sock", C.PERI_ADDRESS_UNIX, "/run/perigee/a.sock", 0 },
      { "unix:relative:7", C.PERI_ADDRESS_UNIX, "relative:7", 0 },
    }
    for _, case in ipairs(cases) do
      local rc, address = parse(case[1])
      assert.equal(0, rc, case[1])
      assert.equal(case[2], address.kind)
      assert.equal(case[3], ffi.string(address.host))
      assert.equal(case[4], address.port)
      local text = ffi.new("char[300]")
      assert.equal(#case[1], tonumber(C.peri_address_format(address, text, 300)))
      assert.equal(case[1], ffi.string(text))
    end
  end)

  it("refuses what is no address, and leaves the output alone", function()
    for _, text in ipairs({
      "",
      ":",
      "host",
      "host:",
      ":80",
      "host:port",
      "host:+80",
      "host:65536",
      "host:123456",
      "host:-1",
      "300.1.1.1:80",
      "1.2.3:80",
      "1.2.3.4.5:80",
      "::1:80",
      "[::1]",
      "[::1]80",
      "[::1]:",
      "[]:80",
      "[1.2.3.4]:80",
      "[::g]:80",
      "[::1:80",
      "ho st:80",
      "höst:80",
      "a..b:80",
      ".a:80",
      "-a:80",
      "ho\0st:80",
      "1.2.3.4\0x:80",
      "unix:",
      "unix:/a\0b",
      "unix:/" .. ("x"):rep(107),
      ("x"):rep(254) .. ":80",
      ("x"):rep(300) .. ":80",
    }) do
      local rc, address = parse(text)
      assert.equal(C.PERI_EINVAL, rc, text)
      assert.equal(0, address.kind)
    end
    assert.equal(0, (parse("unix:/" .. ("x"):rep(106))))
    assert.equal(0, (parse(("x"):rep(253) .. ":80")))
  end)

  it("cuts a format that has no room", function()
    local _, address = parse("10.0.0.7:7402")
    local text = ffi.new("char[8]")
    assert.equal(4, tonumber(C.peri_address_format(address, text, 5)))
    assert.equal("10.0", ffi.string(text))
    assert.equal(0, tonumber(C.peri_address_format(address, text, 0)))
  end)

  it("fills socket addresses", function()
    local storage = ffi.new("unsigned char[128]")
    local target = ffi.cast("struct sockaddr *", storage)
    local _, address = parse("1.2.3.4:258")
    assert.equal(16, C.peri_address_sockaddr(address, target))
    assert.equal("\1\2\1\2\3\4", ffi.string(storage + 2, 6))
    _, address = parse("[::1]:258")
    assert.equal(28, C.peri_address_sockaddr(address, target))
    assert.equal("\1\2", ffi.string(storage + 2, 2))
    assert.equal(1, storage[23])
    _, address = parse("unix:/a")
    assert.equal(5, C.peri_address_sockaddr(address, target))
    assert.equal("/a", ffi.string(storage + 2))
    _, address = parse("host:1")
    assert.equal(C.PERI_EINVAL, C.peri_address_sockaddr(address, target))
  end)
end)
