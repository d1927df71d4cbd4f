// A small Go groupcache server, the yardstick for local hits: one group whose
// value has a given size, served over groupcache's own HTTP pool.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"

	"github.com/golang/groupcache"
)

func main() {
	size := flag.Int("size", 1024, "bytes of the value")
	flag.Parse()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	self := "http://" + listener.Addr().String()
	pool := groupcache.NewHTTPPoolOpts(self, nil)
	pool.Set(self)
	value := make([]byte, *size)
	groupcache.NewGroup("bench", 64<<20, groupcache.GetterFunc(
		func(_ context.Context, _ string, dest groupcache.Sink) error {
			return dest.SetBytes(value)
		}))
	fmt.Printf("groupcache ready %s\n", listener.Addr())
	panic(http.Serve(listener, pool))
}
