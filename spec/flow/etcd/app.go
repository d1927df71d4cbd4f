package main

import (
	"encoding/json"
	"flag"
	"net"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// app is an application whose health is what the lines of standard input say:
// {"service":"","serving":true}.
func app(args []string) error {
	set := flag.NewFlagSet("app", flag.ContinueOnError)
	listen := set.String("listen", "127.0.0.1:0", "address")
	if err := set.Parse(args); err != nil {
		return err
	}
	at, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	state := health.NewServer()
	server := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(server, state)
	say(map[string]string{"address": at.Addr().String()})
	go func() {
		_ = obey(func(line []byte) (interface{}, error) {
			var ask struct {
				Service string
				Serving bool
			}
			if err := json.Unmarshal(line, &ask); err != nil {
				return nil, err
			}
			now := grpc_health_v1.HealthCheckResponse_NOT_SERVING
			if ask.Serving {
				now = grpc_health_v1.HealthCheckResponse_SERVING
			}
			state.SetServingStatus(ask.Service, now)
			return now.String(), nil
		})
		os.Exit(0)
	}()
	return server.Serve(at)
}
