local proc = require("spec.support.proc")
local sidecar = require("spec.support.sidecar")

-- gRPC's own interoperability server and client, as Debian's ruby-grpc ships them.
local PATHS = [[
  ruby = File.join(Gem::Specification.find_by_name("grpc").full_gem_path, "src/ruby")
  require File.join(ruby, "lib/grpc")
  $stdout.sync = true
]]

-- The server would listen on all interfaces only, and does not say when it is ready.
local SERVER = PATHS .. [[
  GRPC::RpcServer.prepend(Module.new do
    def add_http2_port(_, credentials)
      port = super(ENV["ADDRESS"], credentials)
      @address = ENV["ADDRESS"].sub(/:0$/, ":#{port}")
    end
    def run_till_terminated
      Thread.new { wait_till_running; puts "ready #{@address}" }
      super
    end
  end)
  load File.join(ruby, "pb/test/server.rb")
]]

-- Runs cases, each ARGV's "CASE" or "CASE*TIMES", in one process and says how each ended.
local CLIENT = PATHS .. [[
  host, port = ARGV.shift(2)
  load File.join(ruby, "pb/test/client.rb")
  cases = ARGV[0] == "all" ? NamedTests.instance_methods(false).map(&:to_s) - ["all"] : ARGV
  cases.grep_v(/creds|token|^assert/).each do |text|
    name, times = text.split("*")
    args = Args.new
    args.server_host, args.server_port, args.test_case, args.secure = host, port, name, false
    stub = create_stub(args)
    begin
      (times || 1).to_i.times { NamedTests.new(stub, args).method(name).call }
      puts "CASE #{name} passed"
    rescue Exception => e
      puts "CASE #{name} failed #{e.class} #{e.message.lines.first}"
    end
  end
  puts "DONE"
]]

local CANCELS = { "cancel_after_begin*200", "cancel_after_first_response*200" }

local function serve(address)
  local process = proc.start("/usr/bin/ruby", { "-e", SERVER, "--", "--port", "0" }, { env = { ADDRESS = address } })
  return process, process:await_out("ready (%S+)", 30000)
end

--- How each case ended, by its name.
local function play(address, ...)
  local host, port = address:match("^(.*):([^:]+)$")
  local process = proc.run("/usr/bin/ruby", { "-e", CLIENT, host, port, ... }, { limit_ms = 120000 })
  assert(process.out:find("DONE\n", 1, true), process.out .. process.err)
  local ends = {}
  for name, how in process.out:gmatch("CASE (%S+) ([^\n]+)\n") do
    ends[name] = how
  end
  return ends
end

describe("gRPC's interoperability cases", function()
  setup(sidecar.setup)
  teardown(sidecar.teardown)

  for _, kind in ipairs({ "TCP", "unix:" }) do
    describe("over " .. kind, function()
      local address, one, inner, outer, direct, folder

      --- An address to listen on.
      local function listen(name)
        return kind == "TCP" and "127.0.0.1:0" or ("unix:%s/%s.sock"):format(folder, name)
      end

      setup(function()
        folder = proc.folder()
        local _
        _, address = serve(listen("server"))
        one = sidecar.start(([[return {
          listen = { app = %q, admin = "127.0.0.1:0" },
          routes = { { match = { service = "grpc.testing.*" }, to = { address = %q } } },
        }]]):format(listen("one"), address))
        local mesh = kind == "TCP" and "127.0.0.1:" .. proc.free_port() or listen("mesh")
        inner = sidecar.start(([[return {
          listen = { app = %q, mesh = %q, admin = "127.0.0.1:0" },
          provides = { { service = "interop", address = %q, health = "none" } },
        }]]):format(listen("inner"), mesh, address))
        outer = sidecar.start(([[return {
          listen = { app = %q, admin = "127.0.0.1:0" },
          registry = { kind = "static", services = { interop = { { address = %q, protocol = "perigee" } } } },
          routes = { { match = { service = "grpc.testing.*" }, to = "interop" } },
        }]]):format(listen("outer"), inner.mesh))
        direct = play(address, "all")
      end)
      teardown(function()
        outer:stop()
        inner:stop()
        one:stop()
        proc.destroy_all()
        proc.remove(folder)
      end)

      it("pass directly, but for those that the server does not know", function()
        local passed = 0
        for name, how in pairs(direct) do
          passed = passed + (how == "passed" and 1 or 0)
          assert.truthy(how == "passed" or name:find("^client_compressed_"), name .. " " .. how)
        end
        assert.is_true(passed >= 13)
      end)

      it("end through one sidecar as they do directly", function()
        assert.same(direct, play(one.app, "all"))
      end)

      it("end through two sidecars as they do directly", function()
        assert.same(direct, play(outer.app, "all"))
      end)

      it("are cancelled through one sidecar time and again", function()
        assert.same({ cancel_after_begin = "passed", cancel_after_first_response = "passed" }, play(one.app, unpack(CANCELS)))
      end)

      it("are cancelled through two sidecars time and again", function()
        assert.same({ cancel_after_begin = "passed", cancel_after_first_response = "passed" }, play(outer.app, unpack(CANCELS)))
      end)

      it("went through the sidecars", function()
        assert.is_true(one:metric("perigee_proxy_calls_total", 'code="OK"') > 0)
        assert.is_true(outer:metric("perigee_proxy_calls_total", 'code="OK"') > 0)
        assert.is_true(inner:metric("perigee_proxy_inbound_calls_total", 'code="OK"') > 0)
      end)
    end)
  end
end)
