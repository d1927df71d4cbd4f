package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	pb "perigee/meshtest"
)

// plan is what a client is told to do.
type plan struct {
	target, authority, method, fields string
	timeout                           time.Duration
	bytes, asks                       int
	ask                               pb.Ask
}

func (p *plan) flags(set *flag.FlagSet) func() {
	set.StringVar(&p.target, "target", "", "host:port or unix:PATH")
	set.StringVar(&p.authority, "authority", "", "instead of the target's")
	set.StringVar(&p.method, "method", "One", "One, Up, Down or Both")
	set.StringVar(&p.fields, "header", "", "NAME=VALUE, several with commas")
	set.DurationVar(&p.timeout, "timeout", 20*time.Second, "deadline; 0: none")
	set.IntVar(&p.bytes, "bytes", 3, "of each ask's body")
	set.IntVar(&p.asks, "asks", 1, "how many, of Up and Both")
	count := set.Uint("count", 1, "replies of Down")
	size := set.Uint("size", 0, "bytes of each reply's body")
	delay := set.Uint("delay", 0, "milliseconds before each reply")
	code := set.Uint("code", 0, "status to ask for")
	set.StringVar(&p.ask.Message, "message", "", "of that status")
	set.StringVar(&p.ask.Act, "act", "", "die or hang")
	return func() {
		p.ask.Count, p.ask.Size, p.ask.DelayMs, p.ask.Code = uint32(*count), uint32(*size), uint32(*delay), uint32(*code)
		p.ask.Body = []byte(strings.Repeat("x", p.bytes))
	}
}

func (p *plan) dial() (*grpc.ClientConn, error) {
	options := []grpc.DialOption{grpc.WithInsecure(),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(biggest), grpc.MaxCallSendMsgSize(biggest))}
	if p.authority != "" {
		options = append(options, grpc.WithAuthority(p.authority))
	}
	return grpc.Dial(p.target, options...)
}

// seen is what a client saw of a call.
type seen struct {
	Code     string            `json:"code"`
	Message  string            `json:"message"`
	Millis   int64             `json:"millis"`
	Name     string            `json:"name"`
	Names    map[string]int    `json:"names"`
	Replies  int               `json:"replies"`
	Bytes    int               `json:"bytes"`
	Count    uint32            `json:"count"`
	Received uint64            `json:"received"`
	LeftMs   int64             `json:"left_ms"`
	Asked    map[string]string `json:"asked"`
	Header   map[string]string `json:"header"`
	Trailer  map[string]string `json:"trailer"`
}

func (s *seen) take(reply *pb.Reply) {
	s.Replies++
	s.Bytes += len(reply.Body)
	s.Name, s.Count, s.Received, s.LeftMs, s.Asked = reply.Name, reply.Count, reply.Bytes, reply.LeftMs, reply.Header
}

func flat(fields metadata.MD) map[string]string {
	text := map[string]string{}
	for name, values := range fields {
		text[name] = strings.Join(values, "|")
		if strings.HasSuffix(name, "-bin") {
			text[name] = fmt.Sprintf("%x", text[name])
		}
	}
	return text
}

// drain takes replies until the end.
func drain(s *seen, next func() (*pb.Reply, error)) error {
	for {
		reply, err := next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		s.take(reply)
	}
}

func both(ctx context.Context, p *plan, client pb.EchoClient, s *seen, options []grpc.CallOption) error {
	stream, err := client.Both(ctx, options...)
	if err != nil {
		return err
	}
	for i := 0; i < p.asks; i++ {
		if err := stream.Send(&p.ask); err != nil && err != io.EOF {
			return err
		}
		reply, err := stream.Recv()
		if err != nil {
			return err
		}
		s.take(reply)
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	return drain(s, stream.Recv)
}

func up(ctx context.Context, p *plan, client pb.EchoClient, s *seen, options []grpc.CallOption) error {
	stream, err := client.Up(ctx, options...)
	if err != nil {
		return err
	}
	for i := 0; i < p.asks; i++ {
		if err := stream.Send(&p.ask); err == io.EOF {
			break
		} else if err != nil {
			return err
		}
	}
	reply, err := stream.CloseAndRecv()
	if err == nil {
		s.take(reply)
	}
	return err
}

func down(ctx context.Context, p *plan, client pb.EchoClient, s *seen, options []grpc.CallOption) error {
	stream, err := client.Down(ctx, &p.ask, options...)
	if err != nil {
		return err
	}
	return drain(s, stream.Recv)
}

// once makes one call.
func once(ctx context.Context, p *plan, client pb.EchoClient) *seen {
	if p.timeout > 0 {
		limited, cancel := context.WithTimeout(ctx, p.timeout)
		defer cancel()
		ctx = limited
	}
	for _, pair := range strings.Split(p.fields, ",") {
		if parts := strings.SplitN(pair, "=", 2); len(parts) == 2 {
			ctx = metadata.AppendToOutgoingContext(ctx, parts[0], parts[1])
		}
	}
	var header, trailer metadata.MD
	options := []grpc.CallOption{grpc.Header(&header), grpc.Trailer(&trailer)}
	s, begun := &seen{}, time.Now()
	var err error
	switch p.method {
	case "Up":
		err = up(ctx, p, client, s, options)
	case "Down":
		err = down(ctx, p, client, s, options)
	case "Both":
		err = both(ctx, p, client, s, options)
	default:
		var reply *pb.Reply
		if reply, err = client.One(ctx, &p.ask, options...); err == nil {
			s.take(reply)
		}
	}
	s.Code, s.Message, s.Millis = status.Code(err).String(), status.Convert(err).Message(), time.Since(begun).Milliseconds()
	s.Header, s.Trailer = flat(header), flat(trailer)
	return s
}

// hear calls back for every line of standard input, and at its end.
func hear(heard func(line string, over bool)) {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		heard(lines.Text(), false)
	}
	heard("", true)
}

// call makes one call (or -times), prints what it saw of each, and cancels when it reads a line.
func call(args []string) error {
	p := &plan{}
	set := flag.NewFlagSet("call", flag.ContinueOnError)
	ready := p.flags(set)
	times := set.Int("times", 1, "how many calls, one after another")
	if err := set.Parse(args); err != nil {
		return err
	}
	ready()
	conn, err := p.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go hear(func(_ string, over bool) {
		if !over {
			cancel()
		}
	})
	all := &seen{Names: map[string]int{}}
	for i := 0; i < *times; i++ {
		names := all.Names
		all = once(ctx, p, pb.NewEchoClient(conn))
		names[all.Name+":"+all.Code]++
		all.Names = names
	}
	say(all)
	return nil
}

// storm keeps calling until its standard input ends, and says what came of it.
func storm(args []string) error {
	p := &plan{}
	set := flag.NewFlagSet("storm", flag.ContinueOnError)
	ready := p.flags(set)
	workers := set.Int("workers", 4, "calls at a time")
	pause := set.Duration("pause", 0, "between the calls of a worker")
	if err := set.Parse(args); err != nil {
		return err
	}
	ready()
	conn, err := p.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	over := make(chan struct{})
	go hear(func(_ string, ended bool) {
		if ended {
			close(over)
		}
	})
	var lock sync.Mutex
	codes, names, messages := map[string]int{}, map[string]int{}, map[string]int{}
	calls, slowest := 0, int64(0)
	var all sync.WaitGroup
	work := func() {
		defer all.Done()
		for {
			select {
			case <-over:
				return
			case <-time.After(*pause):
			}
			s := once(context.Background(), p, pb.NewEchoClient(conn))
			lock.Lock()
			calls++
			codes[s.Code]++
			if s.Code == "OK" {
				names[s.Name]++
			} else {
				messages[s.Message]++
			}
			if s.Millis > slowest {
				slowest = s.Millis
			}
			if names[s.Name] == 1 && s.Code == "OK" || codes[s.Code] == 1 && s.Code != "OK" {
				say(map[string]string{"now": s.Name + ":" + s.Code})
			}
			lock.Unlock()
		}
	}
	for i := 0; i < *workers; i++ {
		all.Add(1)
		go work()
	}
	all.Wait()
	say(map[string]interface{}{"calls": calls, "codes": codes, "names": names, "messages": messages, "slowest": slowest})
	return nil
}
