package main

import (
	"context"
	"flag"
	"time"

	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// health checks or watches grpc.health.v1 and prints each status as a line.
func health(args []string) error {
	var to target
	var service string
	var watch bool
	set := flag.NewFlagSet("health", flag.ExitOnError)
	to.flags(set)
	set.StringVar(&service, "service", "", "service asked for")
	set.BoolVar(&watch, "watch", false, "watch instead of one check")
	set.Parse(args)
	timeout, err := time.ParseDuration(to.timeout)
	if err != nil {
		return err
	}
	conn, err := dial(to.addresses()[0], 4<<20)
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	client := grpc_health_v1.NewHealthClient(conn)
	ask := &grpc_health_v1.HealthCheckRequest{Service: service}
	if !watch {
		got, err := client.Check(ctx, ask)
		return show(map[string]string{"status": got.GetStatus().String(), "code": status.Code(err).String()})
	}
	stream, err := client.Watch(ctx, ask)
	if err != nil {
		return err
	}
	for {
		got, err := stream.Recv()
		if err != nil {
			return show(map[string]string{"status": "ended", "code": status.Code(err).String()})
		}
		if err := show(map[string]string{"status": got.GetStatus().String(), "code": "OK"}); err != nil {
			return err
		}
	}
}
