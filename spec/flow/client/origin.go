package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// origin serves HTTP for http_origin until it is killed. What it answers is in the
// path: /value/KEY, /slow/MS/KEY, /status/CODE, /size/BYTES/KEY, /count/KEY (the number of times KEY was
// asked for), /_counts (all counts as JSON), /hang (never answers), /cut (closes in the middle).
func origin(args []string) error {
	set := flag.NewFlagSet("origin", flag.ExitOnError)
	listen := set.String("listen", "127.0.0.1:0", "address")
	set.Parse(args)
	var lock sync.Mutex
	counts := map[string]int{}
	conns := map[string]bool{}
	mux := http.NewServeMux()
	mux.HandleFunc("/_counts", func(w http.ResponseWriter, r *http.Request) {
		lock.Lock()
		defer lock.Unlock()
		json.NewEncoder(w).Encode(map[string]interface{}{"paths": counts, "conns": len(conns)})
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		lock.Lock()
		counts[r.URL.Path]++
		count := counts[r.URL.Path]
		conns[r.RemoteAddr] = true
		lock.Unlock()
		reply(w, r, strings.Split(strings.TrimPrefix(r.URL.Path, "/"), "/"), count)
	})
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	fmt.Printf("origin ready %s\n", listener.Addr())
	return http.Serve(listener, mux)
}

func reply(w http.ResponseWriter, r *http.Request, words []string, count int) {
	number := 0
	if len(words) > 1 {
		number, _ = strconv.Atoi(words[1])
	}
	switch words[0] {
	case "value":
		fmt.Fprintf(w, "value of %s", strings.Join(words[1:], "/"))
	case "slow":
		time.Sleep(time.Duration(number) * time.Millisecond)
		fmt.Fprintf(w, "slow %s", strings.Join(words[2:], "/"))
	case "status":
		w.WriteHeader(number)
	case "size":
		w.Write(make([]byte, number))
	case "count":
		fmt.Fprintf(w, "%d", count)
	case "slowcount":
		time.Sleep(time.Duration(number) * time.Millisecond)
		fmt.Fprintf(w, "%d", count)
	case "hang":
		<-r.Context().Done()
	case "cut":
		w.Header().Set("Content-Length", "100")
		w.Write([]byte("short"))
		panic(http.ErrAbortHandler)
	default:
		w.WriteHeader(404)
	}
}
