package main

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"sync"

	pb "go.etcd.io/etcd/etcdserver/etcdserverpb"
	"google.golang.org/grpc"
)

// command is one line of standard input; every member that is there is done.
// See spec/support/etcdfake.lua for the words.
type command struct {
	// Answers to come, by method (Range, Put, DeleteRange, Txn, LeaseGrant,
	// LeaseRevoke, LeaseTimeToLive, KeepAlive, Authenticate, Status).
	Answers map[string][]answer `json:"answers"`
	Watch   *struct {
		OnCreate   []step `json:"on_create"`   // the script of one creation to come
		EveryOther bool   `json:"for_ever"`    // of all creations to come
		OnProgress []step `json:"on_progress"` // of every progress request; [] is silence
		Send       []step `json:"send"`        // to all watches there are, now
		Mute       *bool  `json:"mute"`        // changes of the store are not told
	} `json:"watch"`
	Put      map[string]string `json:"put"`
	Delete   []string          `json:"delete"`
	Lease    int64             `json:"lease,string"` // of what is put
	Expire   []string          `json:"expire"`       // leases, decimal
	Revision int64             `json:"revision"`     // the store's, from now on
	Wipe     bool              `json:"wipe"`
	Goaway   *struct {
		Code  uint32 `json:"code"`
		Debug string `json:"debug"`
		Close bool   `json:"close"`
	} `json:"goaway"`
	Raw     string `json:"raw"`     // hexadecimal, into every connection
	Garbage *bool  `json:"garbage"` // new connections hear nothing but garbage
	Silent  *bool  `json:"silent"`  // nothing is read or written any more
	Reset   bool   `json:"reset"`
}

// server is the fake: a small store that behaves, until the script says otherwise.
type server struct {
	lock      sync.Mutex
	store     *store
	answers   map[string][]answer
	creates   [][]step
	forever   []step
	progress  []step
	scripted  bool // progress is
	mute      bool
	streams   map[*stream]bool
	conns     map[*wire]bool
	quiet     *sync.Cond
	silent    bool
	garbage   bool
	memberID  uint64
	clusterID uint64
}

func (s *server) header(revision int64) *pb.ResponseHeader {
	return &pb.ResponseHeader{ClusterId: s.clusterID, MemberId: s.memberID, Revision: revision, RaftTerm: 2}
}

// wire is a connection into which other bytes can be put between gRPC's own.
type wire struct {
	net.Conn
	s    *server
	lock sync.Mutex
}

func (w *wire) hush() {
	w.s.lock.Lock()
	defer w.s.lock.Unlock()
	for w.s.silent {
		w.s.quiet.Wait()
	}
}

func (w *wire) Read(p []byte) (int, error) {
	w.hush()
	n, err := w.Conn.Read(p)
	w.hush() // what came while it was silent is not heard either, before it speaks again
	return n, err
}

func (w *wire) Write(p []byte) (int, error) {
	w.hush()
	w.lock.Lock()
	defer w.lock.Unlock()
	return w.Conn.Write(p)
}

func (w *wire) inject(p []byte) {
	w.lock.Lock()
	defer w.lock.Unlock()
	_, _ = w.Conn.Write(p)
}

func (w *wire) Close() error {
	w.s.lock.Lock()
	delete(w.s.conns, w)
	w.s.lock.Unlock()
	return w.Conn.Close()
}

type door struct {
	net.Listener
	s *server
}

func (d *door) Accept() (net.Conn, error) {
	for {
		conn, err := d.Listener.Accept()
		if err != nil {
			return nil, err
		}
		w := &wire{Conn: conn, s: d.s}
		d.s.lock.Lock()
		garbage := d.s.garbage
		d.s.conns[w] = true
		d.s.lock.Unlock()
		say(map[string]interface{}{"conn": conn.RemoteAddr().String()})
		if !garbage {
			return w, nil
		}
		go func() {
			buf := make([]byte, 4096)
			for {
				if _, err := conn.Read(buf); err != nil {
					_ = w.Close()
					return
				}
				w.inject([]byte("\x00\xff\x13garbage that is no HTTP/2 at all\r\n\r\n\x00\x00\xff"))
			}
		}()
	}
}

func goaway(code uint32, debug string) []byte {
	size := 8 + len(debug)
	frame := []byte{byte(size >> 16), byte(size >> 8), byte(size), 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff,
		byte(code >> 24), byte(code >> 16), byte(code >> 8), byte(code)}
	return append(frame, debug...)
}

func (s *server) wires() []*wire {
	s.lock.Lock()
	defer s.lock.Unlock()
	var list []*wire
	for w := range s.conns {
		list = append(list, w)
	}
	return list
}

func (s *server) obeyConns(c *command) error {
	raw, err := hex.DecodeString(c.Raw)
	if err != nil {
		return err
	}
	for _, w := range s.wires() {
		if c.Goaway != nil {
			w.inject(goaway(c.Goaway.Code, c.Goaway.Debug))
			if c.Goaway.Close {
				_ = w.Close()
			}
		}
		if len(raw) > 0 {
			w.inject(raw)
		}
		if c.Reset {
			abort(w.Conn)
		}
	}
	return nil
}

func (s *server) obeyStore(c *command) error {
	s.lock.Lock()
	defer s.lock.Unlock()
	if c.Wipe {
		s.store = newStore()
	}
	if c.Revision > 0 {
		s.store.revision = c.Revision
	}
	for key, value := range c.Put {
		s.changed(s.store.put([]byte(key), []byte(value), c.Lease))
	}
	for _, key := range c.Delete {
		s.changed(s.store.drop(func(kv *keyValue) bool { return string(kv.Key) == key }))
	}
	for _, text := range c.Expire {
		var id int64
		if _, err := fmt.Sscan(text, &id); err != nil {
			return err
		}
		delete(s.store.leases, id)
		s.changed(s.store.drop(func(kv *keyValue) bool { return kv.Lease == id }))
	}
	return nil
}

func (s *server) obey(line []byte) (interface{}, error) {
	c := &command{}
	if err := json.Unmarshal(line, c); err != nil {
		return nil, err
	}
	s.lock.Lock()
	for method, list := range c.Answers {
		s.answers[method] = append(s.answers[method], list...)
	}
	if c.Silent != nil {
		s.silent = *c.Silent
		s.quiet.Broadcast()
	}
	if c.Garbage != nil {
		s.garbage = *c.Garbage
	}
	s.lock.Unlock()
	if c.Watch != nil {
		s.obeyWatch(c)
	}
	if err := s.obeyStore(c); err != nil {
		return nil, err
	}
	if err := s.obeyConns(c); err != nil {
		return nil, err
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	return map[string]int64{"revision": s.store.revision, "streams": int64(len(s.streams)), "conns": int64(len(s.conns))}, nil
}

// fake serves etcd's API as the lines of standard input say.
func fake(args []string) error {
	set := flag.NewFlagSet("fake", flag.ContinueOnError)
	listen := set.String("listen", "127.0.0.1:0", "address")
	if err := set.Parse(args); err != nil {
		return err
	}
	s := &server{store: newStore(), answers: map[string][]answer{}, streams: map[*stream]bool{},
		conns: map[*wire]bool{}, clusterID: 7, memberID: uint64(os.Getpid())}
	s.quiet = sync.NewCond(&s.lock)
	at, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	g := grpc.NewServer(grpc.MaxRecvMsgSize(64<<20), grpc.MaxSendMsgSize(64<<20))
	pb.RegisterKVServer(g, (*kvServer)(s))
	pb.RegisterLeaseServer(g, (*leaseServer)(s))
	pb.RegisterWatchServer(g, (*watchServer)(s))
	pb.RegisterAuthServer(g, &authServer{s: s})
	pb.RegisterMaintenanceServer(g, &maintenanceServer{s: s})
	say(map[string]string{"address": at.Addr().String()})
	go func() {
		_ = obey(s.obey)
		os.Exit(0)
	}()
	return g.Serve(&door{at, s})
}
