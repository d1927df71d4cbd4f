package main

import (
	"io"
	"sync"
	"time"

	pb "go.etcd.io/etcd/etcdserver/etcdserverpb"
	"go.etcd.io/etcd/mvcc/mvccpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

type event struct {
	Delete bool   `json:"delete"`
	Key    string `json:"key"`
	Value  string `json:"value"`
	Mod    int64  `json:"mod"`
	Create int64  `json:"create"`
	Lease  int64  `json:"lease,string"`
}

// step is one thing that a watch stream does: it says what it holds, then waits.
type step struct {
	Created  bool    `json:"created"`
	Canceled bool    `json:"canceled"`
	Reason   string  `json:"reason"`
	Compact  int64   `json:"compact_revision"`
	Revision int64   `json:"revision"` // of the header; 0 is the store's
	NoHeader bool    `json:"no_header"`
	Term     uint64  `json:"term"`
	Member   uint64  `json:"member"`
	Cluster  uint64  `json:"cluster"`
	WatchID  *int64  `json:"watch_id"` // the watch's own by default
	Fragment bool    `json:"fragment"`
	Events   []event `json:"events"`
	Follow   bool    `json:"follow"`  // from here on it is told what changes
	WaitMS   int     `json:"wait_ms"` // nothing is said
	EndCode  *int    `json:"end_code"`
	EndText  string  `json:"end_message"`
}

type watched struct {
	id       int64
	from     []byte
	end      []byte
	follow   bool
	canceled bool
}

type stream struct {
	s       *server
	pb      pb.Watch_WatchServer
	sending sync.Mutex // keeps the steps of one script together
	writing sync.Mutex
	watches []*watched
	next    int64
	ended   chan error
}

type watchServer server

func (w *watchServer) Watch(raw pb.Watch_WatchServer) error {
	s := (*server)(w)
	t := &stream{s: s, pb: raw, ended: make(chan error, 16)}
	s.lock.Lock()
	s.streams[t] = true
	s.lock.Unlock()
	defer func() {
		s.lock.Lock()
		delete(s.streams, t)
		s.lock.Unlock()
	}()
	say(object{"stream": "opened"})
	go t.listen()
	err := <-t.ended
	say(object{"stream": "closed"})
	return err
}

func (t *stream) end(err error) {
	select {
	case t.ended <- err:
	default:
	}
}

func (t *stream) send(r *pb.WatchResponse) error {
	t.writing.Lock()
	defer t.writing.Unlock()
	return t.pb.Send(r)
}

func (t *stream) listen() {
	for {
		r, err := t.pb.Recv()
		if err == io.EOF {
			err = nil
		}
		if r == nil {
			t.end(err)
			return
		}
		switch {
		case r.GetCreateRequest() != nil:
			t.create(r.GetCreateRequest())
		case r.GetCancelRequest() != nil:
			t.cancel(r.GetCancelRequest().WatchId)
		default:
			t.progress()
		}
	}
}

func (t *stream) create(r *pb.WatchCreateRequest) {
	a := t.s.heard(t.pb.Context(), "WatchCreate", object{"key": string(r.Key), "range_end": string(r.RangeEnd),
		"start_revision": r.StartRevision, "progress_notify": r.ProgressNotify, "watch_id": r.WatchId,
		"fragment": r.Fragment, "prev_kv": r.PrevKv})
	if a.Hang {
		return
	}
	if err := a.failing(t.pb.Context(), a.After); err != nil {
		t.end(err)
		return
	}
	t.s.lock.Lock()
	script := []step{{Created: true, Follow: true}}
	if len(t.s.creates) > 0 {
		script, t.s.creates = t.s.creates[0], t.s.creates[1:]
	} else if t.s.forever != nil {
		script = t.s.forever
	}
	w := &watched{id: r.WatchId, from: r.Key, end: r.RangeEnd}
	if w.id == 0 {
		w.id = t.next
		t.next++
	}
	t.watches = append(t.watches, w)
	t.s.lock.Unlock()
	t.play(w, script)
}

func (t *stream) cancel(watch int64) {
	t.s.heard(t.pb.Context(), "WatchCancel", object{"watch_id": watch})
	t.s.lock.Lock()
	var found *watched
	for _, w := range t.watches {
		if w.id == watch && !w.canceled {
			w.canceled, found = true, w
		}
	}
	t.s.lock.Unlock()
	if found != nil {
		t.play(found, []step{{Canceled: true}})
	}
}

func (t *stream) progress() {
	a := t.s.heard(t.pb.Context(), "WatchProgress", object{})
	t.s.lock.Lock()
	script, none := []step{{}}, int64(-1)
	if t.s.scripted {
		script = t.s.progress
	}
	t.s.lock.Unlock()
	if !a.Hang {
		t.play(&watched{id: none}, script)
	}
}

func (t *stream) response(w *watched, p step) *pb.WatchResponse {
	r := &pb.WatchResponse{WatchId: w.id, Created: p.Created, Canceled: p.Canceled, CancelReason: p.Reason,
		CompactRevision: p.Compact, Fragment: p.Fragment}
	if p.WatchID != nil {
		r.WatchId = *p.WatchID
	}
	if !p.NoHeader {
		t.s.lock.Lock()
		r.Header = t.s.head(answer{Revision: p.Revision})
		t.s.lock.Unlock()
		if p.Term != 0 {
			r.Header.RaftTerm = p.Term
		}
		if p.Member != 0 {
			r.Header.MemberId = p.Member
		}
		if p.Cluster != 0 {
			r.Header.ClusterId = p.Cluster
		}
	}
	for _, e := range p.Events {
		kv := &keyValue{Key: []byte(e.Key), ModRevision: e.Mod}
		kind := mvccpb.DELETE
		if !e.Delete {
			kind = mvccpb.PUT
			kv.Value, kv.CreateRevision, kv.Version, kv.Lease = []byte(e.Value), e.Create, 1, e.Lease
			if e.Create == 0 {
				kv.CreateRevision = e.Mod
			}
		}
		r.Events = append(r.Events, &mvccpb.Event{Type: kind, Kv: kv})
	}
	return r
}

// play does what a script says, step by step, on one watch.
func (t *stream) play(w *watched, script []step) {
	t.sending.Lock()
	defer t.sending.Unlock()
	for _, p := range script {
		switch {
		case p.WaitMS > 0:
			time.Sleep(time.Duration(p.WaitMS) * time.Millisecond)
		case p.EndCode != nil:
			t.end(status.Error(codes.Code(*p.EndCode), p.EndText))
		default:
			if err := t.send(t.response(w, p)); err != nil {
				return
			}
		}
		if p.Follow {
			t.s.lock.Lock()
			w.follow = true
			t.s.lock.Unlock()
		}
	}
}

// changed tells the watches that follow; the lock is held.
func (s *server) changed(events []*mvccpb.Event) {
	if s.mute || len(events) == 0 {
		return
	}
	for t := range s.streams {
		for _, w := range t.watches {
			var seen []*mvccpb.Event
			for _, e := range events {
				if inRange(e.Kv.Key, w.from, w.end) {
					seen = append(seen, e)
				}
			}
			if w.follow && !w.canceled && len(seen) > 0 {
				r := &pb.WatchResponse{Header: s.header(s.store.revision), WatchId: w.id, Events: seen}
				if t.send(r) != nil {
					break
				}
			}
		}
	}
}

func (s *server) obeyWatch(c *command) {
	s.lock.Lock()
	if c.Watch.OnCreate != nil {
		if c.Watch.EveryOther {
			s.forever = c.Watch.OnCreate
		} else {
			s.creates = append(s.creates, c.Watch.OnCreate)
		}
	}
	if c.Watch.OnProgress != nil {
		s.progress, s.scripted = c.Watch.OnProgress, true
	}
	if c.Watch.Mute != nil {
		s.mute = *c.Watch.Mute
	}
	type target struct {
		t *stream
		w *watched
	}
	var targets []target
	for t := range s.streams {
		for _, w := range t.watches {
			if !w.canceled && len(c.Watch.Send) > 0 {
				targets = append(targets, target{t, w})
			}
		}
	}
	s.lock.Unlock()
	for _, each := range targets {
		each.t.play(each.w, c.Watch.Send)
	}
}
