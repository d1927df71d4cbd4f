package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"sort"
	"strings"
	"sync"
	"time"

	"go.etcd.io/etcd/clientv3"
	"go.etcd.io/etcd/clientv3/naming/endpoints"
	"go.etcd.io/etcd/clientv3/naming/resolver"
	gresolver "google.golang.org/grpc/resolver"
	"google.golang.org/grpc/serviceconfig"
)

func dial(list string) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{Endpoints: strings.Split(list, ","), DialTimeout: 10 * time.Second})
}

// listener is told by the resolver what grpc-go would dial.
type listener struct{}

func (listener) UpdateState(state gresolver.State) {
	list := []map[string]interface{}{}
	for _, address := range state.Addresses {
		list = append(list, map[string]interface{}{"address": address.Addr, "metadata": address.Metadata})
	}
	sort.Slice(list, func(i, j int) bool { return list[i]["address"].(string) < list[j]["address"].(string) })
	say(map[string]interface{}{"addresses": list})
}
func (listener) ReportError(err error) { say(map[string]string{"error": err.Error()}) }
func (l listener) NewAddress(list []gresolver.Address) {
	l.UpdateState(gresolver.State{Addresses: list})
}
func (listener) NewServiceConfig(string) {}
func (listener) ParseServiceConfig(string) *serviceconfig.ParseResult {
	return &serviceconfig.ParseResult{}
}

// resolve prints a service's addresses as etcd's own gRPC resolver sees them, on every change.
func resolve(args []string) error {
	set := flag.NewFlagSet("resolve", flag.ContinueOnError)
	list := set.String("endpoints", "", "etcd endpoints, with commas")
	service := set.String("service", "", "name")
	if err := set.Parse(args); err != nil {
		return err
	}
	client, err := dial(*list)
	if err != nil {
		return err
	}
	builder, err := resolver.NewBuilder(client)
	if err != nil {
		return err
	}
	if _, err := builder.Build(gresolver.Target{Endpoint: *service}, listener{}, gresolver.BuildOptions{}); err != nil {
		return err
	}
	return obey(func([]byte) (interface{}, error) { return nil, fmt.Errorf("nothing to be told") })
}

// register puts an endpoint with etcd's naming package under a lease that is kept
// alive until the end of standard input, then deletes it.
func register(args []string) error {
	set := flag.NewFlagSet("register", flag.ContinueOnError)
	list := set.String("endpoints", "", "etcd endpoints, with commas")
	service := set.String("service", "", "name")
	address := set.String("address", "", "host:port")
	metadata := set.String("metadata", "null", "JSON")
	ttl := set.Int64("ttl", 10, "seconds")
	if err := set.Parse(args); err != nil {
		return err
	}
	var value interface{}
	if err := json.Unmarshal([]byte(*metadata), &value); err != nil {
		return err
	}
	client, err := dial(*list)
	if err != nil {
		return err
	}
	ctx := context.Background()
	manager, err := endpoints.NewManager(client, *service)
	if err != nil {
		return err
	}
	lease, err := client.Grant(ctx, *ttl)
	if err != nil {
		return err
	}
	alive, err := client.KeepAlive(ctx, lease.ID)
	if err != nil {
		return err
	}
	go func() {
		for range alive {
		}
	}()
	key := *service + "/" + *address
	if err := manager.AddEndpoint(ctx, key, endpoints.Endpoint{Addr: *address, Metadata: value}, clientv3.WithLease(lease.ID)); err != nil {
		return err
	}
	say(map[string]string{"registered": key})
	_ = obey(func([]byte) (interface{}, error) { return nil, fmt.Errorf("nothing to be told") })
	return manager.DeleteEndpoint(ctx, key)
}

func record(address string) string {
	return fmt.Sprintf(`{"Op":0,"Addr":%q,"Metadata":{"weight":1,"protocol":"grpc"}}`, address)
}

// fill puts many endpoints of one service, 100 in a transaction, without a lease.
func fill(args []string) error {
	set := flag.NewFlagSet("fill", flag.ContinueOnError)
	list := set.String("endpoints", "", "etcd endpoints, with commas")
	service := set.String("service", "", "name, with its prefix")
	count := set.Int("count", 10000, "endpoints")
	parallel := set.Int("parallel", 8, "transactions at once")
	if err := set.Parse(args); err != nil {
		return err
	}
	client, err := dial(*list)
	if err != nil {
		return err
	}
	var wait sync.WaitGroup
	failures := make(chan error, *parallel)
	for p := 0; p < *parallel; p++ {
		wait.Add(1)
		go func(p int) {
			defer wait.Done()
			for at := p * 100; at < *count; at += *parallel * 100 {
				var ops []clientv3.Op
				for i := at; i < at+100 && i < *count; i++ {
					address := fmt.Sprintf("10.%d.%d.%d:50051", i/62500, i/250%250, i%250+1)
					ops = append(ops, clientv3.OpPut(*service+"/"+address, record(address)))
				}
				if _, err := client.Txn(context.Background()).Then(ops...).Commit(); err != nil {
					failures <- err
					return
				}
			}
		}(p)
	}
	wait.Wait()
	select {
	case err := <-failures:
		return err
	default:
		say(map[string]int{"filled": *count})
		return nil
	}
}

// churn puts and deletes one endpoint whenever a line asks for it, and says when
// the server had confirmed it: {"put":true,"sent_us":…,"done_us":…} (real time).
func churn(args []string) error {
	set := flag.NewFlagSet("churn", flag.ContinueOnError)
	list := set.String("endpoints", "", "etcd endpoints, with commas")
	service := set.String("service", "", "name, with its prefix")
	if err := set.Parse(args); err != nil {
		return err
	}
	client, err := dial(*list)
	if err != nil {
		return err
	}
	say(map[string]bool{"ready": true})
	return obey(func(line []byte) (interface{}, error) {
		var ask struct{ Put, Delete string }
		if err := json.Unmarshal(line, &ask); err != nil {
			return nil, err
		}
		sent := time.Now().UnixNano() / 1000
		if ask.Put != "" {
			_, err = client.Put(context.Background(), *service+"/"+ask.Put, record(ask.Put))
		} else {
			_, err = client.Delete(context.Background(), *service+"/"+ask.Delete)
		}
		return map[string]int64{"sent_us": sent, "done_us": time.Now().UnixNano() / 1000}, err
	})
}
