package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"sort"
	"sync"
	"time"

	"go.etcd.io/etcd/clientv3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health/grpc_health_v1"
	pb "perigee/perigeepb"
)

// mesh is a connection to a sidecar's app listener, and so to one of its workers.
func mesh(target string) (*grpc.ClientConn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return grpc.DialContext(ctx, target, grpc.WithInsecure(), grpc.WithBlock(),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20)))
}

func micros(at time.Time) int64 { return at.UnixNano() / 1000 }

// spread sorts what was measured and says how it is spread, in µs.
func spread(list []int64) object {
	sort.Slice(list, func(i, j int) bool { return list[i] < list[j] })
	at := func(part float64) int64 {
		if len(list) == 0 {
			return 0
		}
		return list[int(part*float64(len(list)-1)+0.5)]
	}
	return object{"count": len(list), "p50_us": at(0.5), "p99_us": at(0.99), "max_us": at(1)}
}

func holds(ctx context.Context, client pb.MeshClient, service, address string) (bool, error) {
	got, err := client.Peers(ctx, &pb.PeersRequest{Service: []byte(service)})
	if err != nil {
		return false, err
	}
	for _, each := range got.Services {
		for _, peer := range each.Peers {
			if string(peer.Address) == address {
				return true, nil
			}
		}
	}
	return false, nil
}

// await asks without a pause until an endpoint is there, or gone.
func await(client pb.MeshClient, service, address string, there bool, limit time.Duration) (time.Time, error) {
	end := time.Now().Add(limit)
	for time.Now().Before(end) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		found, err := holds(ctx, client, service, address)
		cancel()
		if err == nil && found == there {
			return time.Now(), nil
		}
		time.Sleep(200 * time.Microsecond)
	}
	return time.Time{}, fmt.Errorf("%s of %s was not seen in %v", address, service, limit)
}

// visible measures how long a change in etcd takes to a worker's snapshot, from the
// moment that the writer asked for it.
func visible(args []string) error {
	set := flag.NewFlagSet("visible", flag.ContinueOnError)
	list := set.String("endpoints", "", "etcd endpoints, with commas")
	service := set.String("service", "", "name")
	target := set.String("target", "", "a sidecar's app listener")
	count := set.Int("n", 500, "changes")
	if err := set.Parse(args); err != nil {
		return err
	}
	etcd, err := dial(*list)
	if err != nil {
		return err
	}
	conn, err := mesh(*target)
	if err != nil {
		return err
	}
	client := pb.NewMeshClient(conn)
	var whole, after []int64
	for i := 0; i < *count; i++ {
		address := fmt.Sprintf("10.99.%d.%d:1", i/250, i%250+1)
		there := i%2 == 0
		if !there {
			address = fmt.Sprintf("10.99.%d.%d:1", (i-1)/250, (i-1)%250+1)
		}
		sent := time.Now()
		if there {
			_, err = etcd.Put(context.Background(), *service+"/"+address, record(address))
		} else {
			_, err = etcd.Delete(context.Background(), *service+"/"+address)
		}
		if err != nil {
			return err
		}
		done := time.Now()
		seen, err := await(client, *service, address, there, 5*time.Second)
		if err != nil {
			return err
		}
		whole = append(whole, micros(seen)-micros(sent))
		after = append(after, micros(seen)-micros(done))
		time.Sleep(2 * time.Millisecond)
	}
	say(object{"from_request": spread(whole), "from_answer": spread(after)})
	return nil
}

// see waits, when told so by a line, until an endpoint is in a sidecar's snapshot or a
// service has so many endpoints, and says when that was (real time).
func see(args []string) error {
	set := flag.NewFlagSet("see", flag.ContinueOnError)
	target := set.String("target", "", "a sidecar's app listener")
	if err := set.Parse(args); err != nil {
		return err
	}
	conn, err := mesh(*target)
	if err != nil {
		return err
	}
	client := pb.NewMeshClient(conn)
	say(object{"ready": true})
	return obey(func(line []byte) (interface{}, error) {
		var ask struct {
			Service, Address string
			Gone             bool
			Endpoints        uint32
		}
		if err := json.Unmarshal(line, &ask); err != nil {
			return nil, err
		}
		began := time.Now()
		if ask.Address != "" {
			at, err := await(client, ask.Service, ask.Address, !ask.Gone, time.Minute)
			return object{"began_us": micros(began), "seen_us": micros(at)}, err
		}
		for time.Since(began) < time.Minute {
			got, err := client.Services(context.Background(), &pb.ServicesRequest{Name: []byte(ask.Service)})
			if err != nil {
				return nil, err
			}
			for _, each := range got.Services {
				if string(each.Name) == ask.Service && each.Endpoints >= ask.Endpoints {
					return object{"began_us": micros(began), "seen_us": micros(time.Now())}, nil
				}
			}
			time.Sleep(time.Millisecond)
		}
		return nil, fmt.Errorf("%d endpoints were not seen", ask.Endpoints)
	})
}

// pulse calls every worker again and again; a line resets what it measured and says it.
func pulse(args []string) error {
	set := flag.NewFlagSet("pulse", flag.ContinueOnError)
	target := set.String("target", "", "a sidecar's app listener")
	conns := set.Int("conns", 2, "connections: as many as workers")
	if err := set.Parse(args); err != nil {
		return err
	}
	var lock sync.Mutex
	var took []int64
	for i := 0; i < *conns; i++ {
		conn, err := mesh(*target)
		if err != nil {
			return err
		}
		client := grpc_health_v1.NewHealthClient(conn)
		go func() {
			for {
				began := time.Now()
				_, err := client.Check(context.Background(), &grpc_health_v1.HealthCheckRequest{})
				spent := time.Since(began)
				lock.Lock()
				if err == nil {
					took = append(took, int64(spent/time.Microsecond))
				}
				lock.Unlock()
				time.Sleep(500 * time.Microsecond)
			}
		}()
	}
	say(object{"ready": true})
	return obey(func([]byte) (interface{}, error) {
		lock.Lock()
		defer lock.Unlock()
		measured := spread(took)
		took = nil
		return measured, nil
	})
}

// flood changes endpoints of a service, so many a second, until the end of standard input.
func flood(args []string) error {
	set := flag.NewFlagSet("flood", flag.ContinueOnError)
	list := set.String("endpoints", "", "etcd endpoints, with commas")
	service := set.String("service", "", "name, with its prefix")
	rate := set.Int("rate", 100, "changes a second")
	if err := set.Parse(args); err != nil {
		return err
	}
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{*list}, DialTimeout: 5 * time.Second})
	if err != nil {
		return err
	}
	say(object{"ready": true})
	go func() {
		for i := 0; ; i++ {
			address := fmt.Sprintf("10.98.%d.%d:1", i/250%250, i%250+1)
			_, _ = client.Put(context.Background(), *service+"/"+address, record(address))
			time.Sleep(time.Second / time.Duration(*rate))
		}
	}()
	return obey(func([]byte) (interface{}, error) { return object{}, nil })
}
