// The instances of the shop, the origin of its prices, and a client. None knows of sidecars.
//
//	shop serve ORIGIN NAME=ADDRESS …   answers; PUT ORIGIN/stop/NAME and /start/NAME end an instance
//	                                   and start it again, /stop/origin lets the prices fail
//	shop ask ADDRESS METHOD [FLAGS]    calls, and says who answered
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"sort"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"perigee/example"
)

type instance struct {
	name, address string
	server        *grpc.Server
}

func (i *instance) answer(ctx context.Context, question *example.Question) (*example.Answer, error) {
	select {
	case <-ctx.Done():
	case <-time.After(time.Duration(question.HoldMs) * time.Millisecond):
	}
	return &example.Answer{From: i.name}, nil
}

func (i *instance) Find(ctx context.Context, q *example.Question) (*example.Answer, error) {
	return i.answer(ctx, q)
}

func (i *instance) Pay(ctx context.Context, q *example.Question) (*example.Answer, error) {
	return i.answer(ctx, q)
}

func (i *instance) Make(ctx context.Context, q *example.Question) (*example.Answer, error) {
	return i.answer(ctx, q)
}

func (i *instance) start() error {
	at, err := net.Listen("tcp", i.address)
	if err != nil {
		return err
	}
	i.server = grpc.NewServer()
	example.RegisterCatalogServer(i.server, i)
	example.RegisterCheckoutServer(i.server, i)
	example.RegisterReportsServer(i.server, i)
	go i.server.Serve(at)
	return nil
}

// What the origin of the prices answers, and who it lets come and go.
type origin struct {
	lock      sync.Mutex
	down      bool
	prices    int
	instances map[string]*instance
}

func (o *origin) control(verb, name string) error {
	if name == "origin" {
		o.down = verb == "stop"
		return nil
	}
	i := o.instances[name]
	if i == nil {
		return fmt.Errorf("there is no %s", name)
	}
	if verb == "start" {
		return i.start()
	}
	i.server.GracefulStop() // When it returns, who was connected has heard of it.
	return nil
}

func (o *origin) ServeHTTP(reply http.ResponseWriter, request *http.Request) {
	o.lock.Lock()
	defer o.lock.Unlock()
	parts := strings.Split(strings.Trim(request.URL.Path, "/"), "/")
	if request.Method == "PUT" && len(parts) == 2 {
		if err := o.control(parts[0], parts[1]); err != nil {
			http.Error(reply, err.Error(), 500)
		}
	} else if o.down {
		http.Error(reply, "out of order", 503)
	} else {
		o.prices++
		fmt.Fprintf(reply, "price list %d", o.prices)
	}
}

func serve(address string, named []string) error {
	o := &origin{instances: map[string]*instance{}}
	for _, each := range named {
		parts := strings.SplitN(each, "=", 2)
		i := &instance{name: parts[0], address: parts[1]}
		if err := i.start(); err != nil {
			return err
		}
		o.instances[i.name] = i
	}
	at, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	return http.Serve(at, o)
}

// Calls made at a time take turns at these.
type asking struct {
	conn    *grpc.ClientConn
	method  string
	headers []string
	users   int
	hold    int
	lock    sync.Mutex
	made    int
	by      map[string]int
	failed  map[string]int
}

func (a *asking) once(n int) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for _, header := range a.headers {
		parts := strings.SplitN(header, "=", 2)
		ctx = metadata.AppendToOutgoingContext(ctx, parts[0], parts[1])
	}
	if a.users > 0 {
		ctx = metadata.AppendToOutgoingContext(ctx, "x-user", fmt.Sprintf("user-%d", n%a.users))
	}
	answer := &example.Answer{}
	err := a.conn.Invoke(ctx, "/"+a.method, &example.Question{HoldMs: uint32(a.hold)}, answer)
	a.lock.Lock()
	defer a.lock.Unlock()
	if err != nil {
		a.failed[fmt.Sprintf("%s: %s", status.Code(err), status.Convert(err).Message())]++
	} else {
		a.by[answer.From]++
	}
}

func (a *asking) next(most int, file string) (int, bool) {
	a.lock.Lock()
	defer a.lock.Unlock()
	if a.made == most && file == "" {
		return 0, false
	}
	if _, err := os.Stat(file); file != "" && err != nil {
		return 0, false
	}
	a.made++
	return a.made, true
}

func listed(counts map[string]int) string {
	words := []string{}
	for name, count := range counts {
		words = append(words, fmt.Sprintf("%s %d", name, count))
	}
	sort.Strings(words)
	return strings.Join(words, ", ")
}

func ask(address, method string, flags []string) error {
	set := flag.NewFlagSet("ask", flag.ExitOnError)
	count := set.Int("n", 1, "calls")
	file := set.String("while", "", "instead of -n: call while this file is there")
	atOnce := set.Int("at-once", 1, "calls at a time")
	headers := set.String("headers", "", "NAME=VALUE,…")
	a := &asking{method: method, by: map[string]int{}, failed: map[string]int{}}
	set.IntVar(&a.users, "users", 0, "users who take turns, in x-user")
	set.IntVar(&a.hold, "hold", 0, "how many milliseconds an answer takes")
	set.Parse(flags)
	if *headers != "" {
		a.headers = strings.Split(*headers, ",")
	}
	conn, err := grpc.Dial(address, grpc.WithInsecure())
	if err != nil {
		return err
	}
	a.conn = conn
	var all sync.WaitGroup
	for i := 0; i < *atOnce; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for n, more := a.next(*count, *file); more; n, more = a.next(*count, *file) {
				a.once(n)
			}
		}()
	}
	all.Wait()
	failed := 0
	for _, count := range a.failed {
		failed += count
	}
	fmt.Printf("    %d calls, failed: %d; answered by %s\n", a.made, failed, listed(a.by))
	for why, count := range a.failed {
		fmt.Printf("    %d failed with %s\n", count, why)
	}
	return nil
}

func main() {
	err := fmt.Errorf("usage: shop serve ORIGIN NAME=ADDRESS … | shop ask ADDRESS METHOD [FLAGS]")
	if len(os.Args) > 2 && os.Args[1] == "serve" {
		err = serve(os.Args[2], os.Args[3:])
	} else if len(os.Args) > 3 && os.Args[1] == "ask" {
		err = ask(os.Args[2], os.Args[3], os.Args[4:])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
