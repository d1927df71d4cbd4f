package main

import (
	"context"
	"flag"
	"fmt"
	"sync"
	"time"

	pb "perigee/groupcachepb"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
)

// result counts what many calls gave.
type result struct {
	Codes    map[string]int `json:"codes"`
	Messages map[string]int `json:"messages"`
	Values   map[string]int `json:"values"`
	Calls    int            `json:"calls"`
}

// storm sends many gets at once, or for a while, and prints what came back.
func storm(args []string) error {
	var to target
	var group, key string
	var calls, conns, keys, workers int
	var lasting time.Duration
	set := flag.NewFlagSet("storm", flag.ExitOnError)
	to.flags(set)
	set.StringVar(&group, "group", "", "group")
	set.StringVar(&key, "key", "", "key; with -keys a number is added to it")
	set.IntVar(&keys, "keys", 0, "how many different keys")
	set.IntVar(&calls, "n", 100, "how many calls, all at once")
	set.IntVar(&conns, "conns", 1, "connections to each target")
	set.IntVar(&workers, "workers", 16, "with -for: calls under way at a time")
	set.DurationVar(&lasting, "for", 0, "instead of -n: keep calling for so long")
	set.Parse(args)
	timeout, err := time.ParseDuration(to.timeout)
	if err != nil {
		return err
	}
	var clients []pb.GroupCacheClient
	for _, address := range to.addresses() {
		for i := 0; i < conns; i++ {
			conn, err := dial(address, 64<<20)
			if err != nil {
				return fmt.Errorf("%s: %v", address, err)
			}
			defer conn.Close()
			clients = append(clients, pb.NewGroupCacheClient(conn))
		}
	}
	total := result{map[string]int{}, map[string]int{}, map[string]int{}, 0}
	var lock sync.Mutex
	one := func(i int) {
		name := key
		if keys > 0 {
			name = fmt.Sprintf("%s%d", key, i%keys)
		}
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		got, err := clients[i%len(clients)].Get(ctx, &pb.GetRequest{Group: []byte(group), Key: []byte(name)}, grpc.WaitForReady(false))
		lock.Lock()
		defer lock.Unlock()
		total.Calls++
		total.Codes[status.Code(err).String()]++
		if err != nil {
			total.Messages[status.Convert(err).Message()]++
		} else if len(total.Values) < 20 {
			total.Values[string(got.Value)]++
		}
	}
	var all sync.WaitGroup
	if lasting > 0 {
		end := time.Now().Add(lasting)
		for w := 0; w < workers; w++ {
			all.Add(1)
			go func(w int) {
				defer all.Done()
				for i := w; time.Now().Before(end); i += workers {
					one(i)
				}
			}(w)
		}
	} else {
		for i := 0; i < calls; i++ {
			all.Add(1)
			go func(i int) {
				defer all.Done()
				one(i)
			}(i)
		}
	}
	all.Wait()
	return show(total)
}
