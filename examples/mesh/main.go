// The greeter in Go, and its client. Neither knows anything of sidecars.
//
//	mesh greet ADDRESS NAME   answers
//	mesh ask ADDRESS          asks 20 times a second until it is told to stop
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"sort"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"perigee/example"
)

type greeter struct{ name string }

func (g *greeter) Greet(_ context.Context, hello *example.Hello) (*example.Greeting, error) {
	return &example.Greeting{Text: "Hello " + hello.Name, From: g.name}, nil
}

func told() chan os.Signal {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, os.Interrupt)
	return stop
}

func greet(address, name string) error {
	at, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	example.RegisterGreeterServer(server, &greeter{name})
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	stop := told()
	go func() {
		<-stop
		server.GracefulStop()
	}()
	return server.Serve(at)
}

func ask(address string) error {
	conn, err := grpc.Dial(address, grpc.WithInsecure())
	if err != nil {
		return err
	}
	defer conn.Close()
	client, stop := example.NewGreeterClient(conn), told()
	calls, failed, by, line := 0, 0, map[string]int{}, []string{}
	for tick := time.NewTicker(50 * time.Millisecond); ; {
		select {
		case <-stop:
			names := []string{}
			for name := range by {
				names = append(names, fmt.Sprintf("%s %d", name, by[name]))
			}
			sort.Strings(names)
			fmt.Printf("    %s\n\n%d calls, failed: %d; answered by %s\n", strings.Join(line, " "), calls, failed, strings.Join(names, ", "))
			return nil
		case <-tick.C:
		}
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		greeting, err := client.Greet(ctx, &example.Hello{Name: "mesh"})
		cancel()
		calls++
		if err != nil {
			failed++
			line = append(line, fmt.Sprintf("(%s: %s)", status.Code(err), status.Convert(err).Message()))
		} else {
			by[greeting.From]++
			line = append(line, greeting.From)
		}
		if len(line) == 12 {
			fmt.Printf("    %s\n", strings.Join(line, " "))
			line = line[:0]
		}
	}
}

func main() {
	err := fmt.Errorf("usage: mesh greet ADDRESS NAME | mesh ask ADDRESS")
	if len(os.Args) == 4 && os.Args[1] == "greet" {
		err = greet(os.Args[2], os.Args[3])
	} else if len(os.Args) == 3 && os.Args[1] == "ask" {
		err = ask(os.Args[2])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
