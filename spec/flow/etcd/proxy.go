package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// order is what a line of standard input asks of the proxy.
type order struct {
	// pass, delay, blackhole (nothing moves, connections stay), halfopen (the
	// server's side is closed, the client is not told), truncate (after so many
	// more bytes from the server every connection ends), refuse, reset.
	Mode  string `json:"mode"`
	MS    int    `json:"ms"`
	Bytes int    `json:"bytes"`
}

// relay is the proxy; the mode holds for all connections alike.
type relay struct {
	lock   sync.Mutex
	moved  *sync.Cond // the mode changed, or a connection ended
	target string
	listen net.Listener
	at     string
	mode   order
	left   int // bytes until the end, when truncating
	pairs  map[*pair]bool
	came   int // connections accepted in all
}

// pair is one connection of a client, and what it leads to.
type pair struct {
	client, server net.Conn
	dead           bool // the client is never told anything any more
}

// abort ends a connection with RST.
func abort(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	if conn != nil {
		_ = conn.Close()
	}
}

func (r *relay) open() error {
	listen, err := net.Listen("tcp", r.at)
	if err != nil {
		return err
	}
	r.listen, r.at = listen, listen.Addr().String()
	go func() {
		for {
			conn, err := listen.Accept()
			if err != nil {
				return
			}
			go r.serve(conn)
		}
	}()
	return nil
}

// waitOpen blocks while nothing may move; false when the pair is dead.
func (r *relay) waitOpen(p *pair) bool {
	r.lock.Lock()
	defer r.lock.Unlock()
	for r.mode.Mode == "blackhole" && !p.dead {
		r.moved.Wait()
	}
	return !p.dead
}

func (r *relay) serve(client net.Conn) {
	p := &pair{client: client}
	r.lock.Lock()
	r.pairs[p] = true
	r.came++
	r.lock.Unlock()
	if !r.waitOpen(p) {
		return
	}
	server, err := net.Dial("tcp", r.target)
	if err != nil {
		r.drop(p)
		return
	}
	r.lock.Lock()
	p.server = server
	gone := !r.pairs[p]
	r.lock.Unlock()
	if gone {
		abort(server)
		return
	}
	go r.pump(p, server, client, true)
	r.pump(p, client, server, false)
}

// drop ends both sides, unless the client is to be left in the dark.
func (r *relay) drop(p *pair) {
	r.lock.Lock()
	dead := p.dead
	if !dead {
		delete(r.pairs, p)
	}
	r.lock.Unlock()
	if p.server != nil {
		_ = p.server.Close()
	}
	if !dead {
		_ = p.client.Close()
	}
}

type chunk struct {
	data []byte
	due  time.Time
}

// pump moves bytes from one side to the other; a chunk waits its delay without
// holding up the ones behind it.
func (r *relay) pump(p *pair, from, to net.Conn, down bool) {
	chunks := make(chan chunk, 1024)
	go func() {
		defer close(chunks)
		for {
			buf := make([]byte, 16384)
			n, err := from.Read(buf)
			if n > 0 {
				r.lock.Lock()
				due := time.Now()
				if r.mode.Mode == "delay" {
					due = due.Add(time.Duration(r.mode.MS) * time.Millisecond)
				}
				r.lock.Unlock()
				chunks <- chunk{buf[:n], due}
			}
			if err != nil {
				return
			}
		}
	}()
	for each := range chunks {
		time.Sleep(time.Until(each.due))
		if !r.waitOpen(p) {
			continue // into the dark
		}
		data, last := r.cut(each.data, down)
		if _, err := to.Write(data); err != nil && err != io.EOF {
			break
		}
		if last {
			break
		}
	}
	r.drop(p)
	for range chunks {
	}
}

// cut says how much of the data still passes, and whether it is the last.
func (r *relay) cut(data []byte, down bool) ([]byte, bool) {
	r.lock.Lock()
	defer r.lock.Unlock()
	if r.mode.Mode != "truncate" || !down {
		return data, false
	}
	if len(data) > r.left {
		data = data[:r.left]
	}
	r.left -= len(data)
	return data, r.left == 0
}

func (r *relay) dropAll() {
	r.lock.Lock()
	pairs := r.pairs
	r.pairs = map[*pair]bool{}
	r.lock.Unlock()
	for p := range pairs {
		abort(p.client)
		if p.server != nil {
			abort(p.server)
		}
	}
}

func (r *relay) obey(line []byte) (interface{}, error) {
	var o order
	if err := json.Unmarshal(line, &o); err != nil {
		return nil, err
	}
	r.lock.Lock()
	was := r.mode.Mode
	r.mode, r.left = o, o.Bytes
	if o.Mode == "halfopen" {
		for p := range r.pairs {
			p.dead = true
			if p.server != nil {
				abort(p.server)
			}
		}
		r.mode.Mode = "blackhole"
	}
	conns, came := len(r.pairs), r.came
	r.moved.Broadcast()
	r.lock.Unlock()
	switch o.Mode {
	case "refuse":
		_ = r.listen.Close()
		r.dropAll()
	case "reset":
		r.dropAll()
	case "pass", "delay", "blackhole", "halfopen", "truncate":
	default:
		return nil, fmt.Errorf("no mode %q", o.Mode)
	}
	if was == "refuse" && o.Mode != "refuse" {
		if err := r.open(); err != nil {
			return nil, err
		}
	}
	return map[string]interface{}{"mode": o.Mode, "conns": conns, "came": came}, nil
}

// proxy stands in front of a server and does to its connections what networks do.
func proxy(args []string) error {
	set := flag.NewFlagSet("proxy", flag.ContinueOnError)
	target := set.String("target", "", "host:port of the server")
	if err := set.Parse(args); err != nil {
		return err
	}
	r := &relay{target: *target, at: "127.0.0.1:0", mode: order{Mode: "pass"}, pairs: map[*pair]bool{}}
	r.moved = sync.NewCond(&r.lock)
	if err := r.open(); err != nil {
		return err
	}
	say(map[string]string{"address": r.at})
	return obey(r.obey)
}
