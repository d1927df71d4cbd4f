# The greeter in Ruby: greeter.rb ADDRESS NAME. It knows nothing of sidecars.
require "grpc"
require "grpc/health/checker"
require "greeter_pb"

class Greeter
  include GRPC::GenericService

  self.marshal_class_method = :encode
  self.unmarshal_class_method = :decode
  self.service_name = "example.Greeter"
  rpc :Greet, Example::Hello, Example::Greeting

  def initialize(name)
    @name = name
  end

  def greet(hello, _call)
    Example::Greeting.new(text: "Hello #{hello.name}", from: @name)
  end
end

address, name = ARGV
health = Grpc::Health::Checker.new
health.add_status("", Grpc::Health::V1::HealthCheckResponse::ServingStatus::SERVING)
server = GRPC::RpcServer.new(pool_size: 4)
server.add_http2_port(address, :this_port_is_insecure)
server.handle(Greeter.new(name))
server.handle(health)
server.run_till_terminated_or_interrupted(%w[TERM INT])
