package main

import (
	"context"
	"flag"
	"io"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	pb "perigee/meshtest"
)

const biggest = 64 << 20

// echo is one application.
type echo struct{ name string }

// obey does what an ask says beside being answered; what it returns ends the call.
func (e *echo) obey(ctx context.Context, ask *pb.Ask) error {
	say(map[string]interface{}{"got": ask.Act, "bytes": len(ask.Body)})
	switch ask.Act {
	case "die":
		os.Exit(3)
	case "hang":
		say(map[string]string{"hangs": e.name})
		<-ctx.Done()
		say(map[string]string{"cancelled": ctx.Err().Error()})
		return status.FromContextError(ctx.Err()).Err()
	}
	select {
	case <-ctx.Done():
		say(map[string]string{"cancelled": ctx.Err().Error()})
		return status.FromContextError(ctx.Err()).Err()
	case <-time.After(time.Duration(ask.DelayMs) * time.Millisecond):
	}
	if ask.Code != 0 {
		return status.Error(codes.Code(ask.Code), ask.Message)
	}
	return nil
}

func (e *echo) reply(ctx context.Context, ask *pb.Ask) *pb.Reply {
	reply := &pb.Reply{Name: e.name, Count: 1, Bytes: uint64(len(ask.Body)), LeftMs: -1, Header: map[string]string{}}
	if at, ok := ctx.Deadline(); ok {
		reply.LeftMs = time.Until(at).Milliseconds()
	}
	if fields, ok := metadata.FromIncomingContext(ctx); ok {
		for name, values := range fields {
			reply.Header[name] = strings.ToValidUTF8(strings.Join(values, "|"), "?")
		}
	}
	reply.Body = ask.Body
	if ask.Size > 0 {
		reply.Body = make([]byte, ask.Size)
	}
	return reply
}

// mark gives the answer a header and a trailer.
func (e *echo) mark(ctx context.Context) {
	_ = grpc.SetHeader(ctx, metadata.Pairs("who", e.name, "twice", "1", "twice", "2", "raw-bin", "\x00\xff"))
	_ = grpc.SetTrailer(ctx, metadata.Pairs("end", e.name, "end-bin", "\x01\xfe"))
}

func (e *echo) One(ctx context.Context, ask *pb.Ask) (*pb.Reply, error) {
	reply := e.reply(ctx, ask)
	e.mark(ctx)
	if err := e.obey(ctx, ask); err != nil {
		return nil, err
	}
	return reply, nil
}

func (e *echo) Up(stream pb.Echo_UpServer) error {
	e.mark(stream.Context())
	sum := &pb.Reply{}
	for {
		ask, err := stream.Recv()
		if err == io.EOF {
			return stream.SendAndClose(sum)
		}
		if err != nil {
			return err
		}
		reply := e.reply(stream.Context(), &pb.Ask{})
		reply.Count, reply.Bytes = sum.Count+1, sum.Bytes+uint64(len(ask.Body))
		sum = reply
		if err := e.obey(stream.Context(), ask); err != nil {
			return err
		}
	}
}

func (e *echo) Down(ask *pb.Ask, stream pb.Echo_DownServer) error {
	e.mark(stream.Context())
	for i := uint32(0); i < ask.Count; i++ {
		if err := stream.Send(e.reply(stream.Context(), ask)); err != nil {
			return err
		}
		if err := e.obey(stream.Context(), &pb.Ask{DelayMs: ask.DelayMs}); err != nil {
			return err
		}
	}
	return e.obey(stream.Context(), ask)
}

func (e *echo) Both(stream pb.Echo_BothServer) error {
	e.mark(stream.Context())
	for {
		ask, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := e.obey(stream.Context(), ask); err != nil {
			return err
		}
		if err := stream.Send(e.reply(stream.Context(), ask)); err != nil {
			return err
		}
	}
}

func listen(address string) (net.Listener, error) {
	if path := strings.TrimPrefix(address, "unix:"); path != address {
		return net.Listen("unix", path)
	}
	return net.Listen("tcp", address)
}

// serve answers until SIGTERM, then ends what is under way and stops.
func serve(args []string) error {
	set := flag.NewFlagSet("serve", flag.ContinueOnError)
	address := set.String("listen", "127.0.0.1:0", "host:port or unix:PATH")
	name := set.String("name", "app", "what it calls itself")
	if err := set.Parse(args); err != nil {
		return err
	}
	at, err := listen(*address)
	if err != nil {
		return err
	}
	server := grpc.NewServer(grpc.MaxRecvMsgSize(biggest), grpc.MaxSendMsgSize(biggest))
	pb.RegisterEchoServer(server, &echo{name: *name})
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM)
	go func() {
		<-ended
		server.GracefulStop()
	}()
	say(map[string]string{"address": at.Addr().String()})
	return server.Serve(at)
}
