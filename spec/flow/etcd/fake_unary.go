package main

import (
	"bytes"
	"context"
	"io"
	"sort"
	"strconv"
	"time"

	pb "go.etcd.io/etcd/etcdserver/etcdserverpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// answer is what one request gets instead of what the store would say.
type answer struct {
	Code     int    `json:"code"` // a gRPC status, with Message
	Message  string `json:"message"`
	Hang     bool   `json:"hang"`     // never answered
	DelayMS  int    `json:"delay_ms"` // answered late
	After    bool   `json:"after"`    // done, and the failure comes only then
	Revision int64  `json:"revision"` // of the header
	TTL      *int64 `json:"ttl"`      // of KeepAlive, LeaseGrant and LeaseTimeToLive
	NoHeader bool   `json:"no_header"`
	Stuck    bool   `json:"stuck"`    // of Range: all there is below the range's end, and more
	Keep     bool   `json:"for_ever"` // stays for all requests to come
}

type object = map[string]interface{}

func id(value int64) string { return strconv.FormatInt(value, 10) }

// heard reports a request, and takes the answer that is due to it.
func (s *server) heard(ctx context.Context, method string, what object) answer {
	what["method"] = method
	if md, ok := metadata.FromIncomingContext(ctx); ok {
		for _, name := range []string{"hasleader", "token"} {
			if values := md[name]; len(values) > 0 {
				what[name] = values[0]
			}
		}
	}
	s.lock.Lock()
	var due answer
	if list := s.answers[method]; len(list) > 0 {
		due = list[0]
		if !due.Keep {
			s.answers[method] = list[1:]
		}
	}
	s.lock.Unlock()
	say(object{"request": what})
	return due
}

// failing waits and fails as the answer says; `after` tells whether the work is done by now.
func (a answer) failing(ctx context.Context, after bool) error {
	if a.After != after {
		return nil
	}
	time.Sleep(time.Duration(a.DelayMS) * time.Millisecond)
	if a.Hang {
		<-ctx.Done()
		return ctx.Err()
	}
	if a.Code != 0 {
		return status.Error(codes.Code(a.Code), a.Message)
	}
	return nil
}

func (s *server) head(a answer) *pb.ResponseHeader {
	if a.NoHeader {
		return nil
	}
	if a.Revision != 0 {
		return s.header(a.Revision)
	}
	return s.header(s.store.revision)
}

// serve answers a unary call: heard, perhaps failed, done, perhaps failed.
func (s *server) serve(ctx context.Context, method string, what object, do func(a answer) error) error {
	a := s.heard(ctx, method, what)
	if err := a.failing(ctx, false); err != nil {
		return err
	}
	s.lock.Lock()
	err := do(a)
	s.lock.Unlock()
	if err != nil {
		return err
	}
	return a.failing(ctx, true)
}

type kvServer server

func rangeOf(r *pb.RangeRequest) object {
	return object{"key": string(r.Key), "range_end": string(r.RangeEnd), "limit": r.Limit, "revision": r.Revision,
		"serializable": r.Serializable, "keys_only": r.KeysOnly, "count_only": r.CountOnly,
		"sort_order": r.SortOrder.String(), "sort_target": r.SortTarget.String()}
}

func (s *server) doRange(a answer, r *pb.RangeRequest) *pb.RangeResponse {
	if a.Stuck {
		r.Key = []byte{0}
	}
	found := s.store.find(r.Key, r.RangeEnd)
	answer := &pb.RangeResponse{Header: s.head(a), Count: int64(len(found))}
	if r.SortTarget == pb.RangeRequest_MOD {
		sort.Slice(found, func(i, j int) bool { return found[i].ModRevision < found[j].ModRevision })
	}
	if r.SortOrder == pb.RangeRequest_DESCEND {
		for i, j := 0, len(found)-1; i < j; i, j = i+1, j-1 {
			found[i], found[j] = found[j], found[i]
		}
	}
	if r.Limit > 0 && int64(len(found)) > r.Limit {
		found, answer.More = found[:r.Limit], true
	}
	for _, kv := range found {
		if r.KeysOnly {
			kv.Value = nil
		}
	}
	if !r.CountOnly {
		answer.Kvs = found
	}
	answer.More = answer.More || a.Stuck
	return answer
}

func (s *server) doPut(a answer, r *pb.PutRequest) (*pb.PutResponse, error) {
	if _, ok := s.store.leases[r.Lease]; r.Lease != 0 && !ok {
		return nil, status.Error(codes.NotFound, "etcdserver: requested lease not found")
	}
	s.changed(s.store.put(r.Key, r.Value, r.Lease))
	return &pb.PutResponse{Header: s.head(a)}, nil
}

func (s *server) doDelete(a answer, r *pb.DeleteRangeRequest) *pb.DeleteRangeResponse {
	events := s.store.drop(func(kv *keyValue) bool { return inRange(kv.Key, r.Key, r.RangeEnd) })
	s.changed(events)
	return &pb.DeleteRangeResponse{Header: s.head(a), Deleted: int64(len(events))}
}

func (k *kvServer) Range(ctx context.Context, r *pb.RangeRequest) (response *pb.RangeResponse, err error) {
	s := (*server)(k)
	err = s.serve(ctx, "Range", rangeOf(r), func(a answer) error {
		response = s.doRange(a, r)
		return nil
	})
	return
}

func putOf(r *pb.PutRequest) object {
	return object{"key": string(r.Key), "value": string(r.Value), "lease": id(r.Lease)}
}

func (k *kvServer) Put(ctx context.Context, r *pb.PutRequest) (response *pb.PutResponse, err error) {
	s := (*server)(k)
	err = s.serve(ctx, "Put", putOf(r), func(a answer) (failure error) {
		response, failure = s.doPut(a, r)
		return
	})
	return
}

func (k *kvServer) DeleteRange(ctx context.Context, r *pb.DeleteRangeRequest) (response *pb.DeleteRangeResponse, err error) {
	s := (*server)(k)
	err = s.serve(ctx, "DeleteRange", object{"key": string(r.Key), "range_end": string(r.RangeEnd)}, func(a answer) error {
		response = s.doDelete(a, r)
		return nil
	})
	return
}

// holds evaluates one comparison of a transaction.
func (s *server) holds(c *pb.Compare) bool {
	kv := s.store.keys[string(c.Key)]
	if kv == nil {
		if c.Target == pb.Compare_VALUE {
			return false
		}
		kv = &keyValue{}
	}
	order := 0
	number := func(have, want int64) {
		if have < want {
			order = -1
		} else if have > want {
			order = 1
		}
	}
	switch c.Target {
	case pb.Compare_VERSION:
		number(kv.Version, c.GetVersion())
	case pb.Compare_CREATE:
		number(kv.CreateRevision, c.GetCreateRevision())
	case pb.Compare_MOD:
		number(kv.ModRevision, c.GetModRevision())
	case pb.Compare_LEASE:
		number(kv.Lease, c.GetLease())
	case pb.Compare_VALUE:
		order = bytes.Compare(kv.Value, c.GetValue())
	}
	switch c.Result {
	case pb.Compare_EQUAL:
		return order == 0
	case pb.Compare_GREATER:
		return order > 0
	case pb.Compare_LESS:
		return order < 0
	}
	return order != 0
}

func opOf(op *pb.RequestOp) object {
	if r := op.GetRequestRange(); r != nil {
		return object{"range": rangeOf(r)}
	}
	if r := op.GetRequestPut(); r != nil {
		return object{"put": putOf(r)}
	}
	return object{"delete": string(op.GetRequestDeleteRange().GetKey())}
}

func txnOf(r *pb.TxnRequest) object {
	var compare, success, failure []object
	for _, c := range r.Compare {
		compare = append(compare, object{"key": string(c.Key), "target": c.Target.String(), "result": c.Result.String(),
			"lease": id(c.GetLease()), "mod_revision": c.GetModRevision(), "create_revision": c.GetCreateRevision(),
			"version": c.GetVersion(), "value": string(c.GetValue())})
	}
	for _, op := range r.Success {
		success = append(success, opOf(op))
	}
	for _, op := range r.Failure {
		failure = append(failure, opOf(op))
	}
	return object{"compare": compare, "success": success, "failure": failure}
}

func (s *server) doOp(a answer, op *pb.RequestOp) (*pb.ResponseOp, error) {
	if r := op.GetRequestRange(); r != nil {
		return &pb.ResponseOp{Response: &pb.ResponseOp_ResponseRange{ResponseRange: s.doRange(a, r)}}, nil
	}
	if r := op.GetRequestPut(); r != nil {
		put, err := s.doPut(a, r)
		return &pb.ResponseOp{Response: &pb.ResponseOp_ResponsePut{ResponsePut: put}}, err
	}
	deleted := s.doDelete(a, op.GetRequestDeleteRange())
	return &pb.ResponseOp{Response: &pb.ResponseOp_ResponseDeleteRange{ResponseDeleteRange: deleted}}, nil
}

func (k *kvServer) Txn(ctx context.Context, r *pb.TxnRequest) (response *pb.TxnResponse, err error) {
	s := (*server)(k)
	err = s.serve(ctx, "Txn", txnOf(r), func(a answer) error {
		response = &pb.TxnResponse{Succeeded: true}
		for _, c := range r.Compare {
			response.Succeeded = response.Succeeded && s.holds(c)
		}
		ops := r.Success
		if !response.Succeeded {
			ops = r.Failure
		}
		for _, op := range ops {
			done, err := s.doOp(a, op)
			if err != nil {
				return err
			}
			response.Responses = append(response.Responses, done)
		}
		response.Header = s.head(a)
		return nil
	})
	return
}

func (k *kvServer) Compact(ctx context.Context, r *pb.CompactionRequest) (*pb.CompactionResponse, error) {
	return nil, status.Error(codes.Unimplemented, "a fake")
}

type leaseServer server

func (l *leaseServer) LeaseGrant(ctx context.Context, r *pb.LeaseGrantRequest) (response *pb.LeaseGrantResponse, err error) {
	s := (*server)(l)
	err = s.serve(ctx, "LeaseGrant", object{"id": id(r.ID), "ttl": r.TTL}, func(a answer) error {
		if _, ok := s.store.leases[r.ID]; ok {
			return status.Error(codes.FailedPrecondition, "etcdserver: lease already exists")
		}
		if r.ID == 0 {
			r.ID = int64(len(s.store.leases) + 1000)
		}
		s.store.leases[r.ID] = r.TTL
		response = &pb.LeaseGrantResponse{Header: s.head(a), ID: r.ID, TTL: r.TTL}
		if a.TTL != nil {
			response.TTL = *a.TTL
		}
		return nil
	})
	return
}

func (l *leaseServer) LeaseRevoke(ctx context.Context, r *pb.LeaseRevokeRequest) (response *pb.LeaseRevokeResponse, err error) {
	s := (*server)(l)
	err = s.serve(ctx, "LeaseRevoke", object{"id": id(r.ID)}, func(a answer) error {
		if _, ok := s.store.leases[r.ID]; !ok {
			return status.Error(codes.NotFound, "etcdserver: requested lease not found")
		}
		delete(s.store.leases, r.ID)
		s.changed(s.store.drop(func(kv *keyValue) bool { return kv.Lease == r.ID }))
		response = &pb.LeaseRevokeResponse{Header: s.head(a)}
		return nil
	})
	return
}

func (l *leaseServer) LeaseTimeToLive(ctx context.Context, r *pb.LeaseTimeToLiveRequest) (response *pb.LeaseTimeToLiveResponse, err error) {
	s := (*server)(l)
	err = s.serve(ctx, "LeaseTimeToLive", object{"id": id(r.ID), "keys": r.Keys}, func(a answer) error {
		ttl, ok := s.store.leases[r.ID]
		response = &pb.LeaseTimeToLiveResponse{Header: s.head(a), ID: r.ID, TTL: ttl, GrantedTTL: ttl}
		if !ok {
			response.TTL = -1
		}
		if a.TTL != nil {
			response.TTL = *a.TTL
		}
		return nil
	})
	return
}

func (l *leaseServer) LeaseLeases(ctx context.Context, r *pb.LeaseLeasesRequest) (*pb.LeaseLeasesResponse, error) {
	s := (*server)(l)
	s.lock.Lock()
	defer s.lock.Unlock()
	response := &pb.LeaseLeasesResponse{Header: s.header(s.store.revision)}
	for each := range s.store.leases {
		response.Leases = append(response.Leases, &pb.LeaseStatus{ID: each})
	}
	return response, nil
}

func (l *leaseServer) LeaseKeepAlive(stream pb.Lease_LeaseKeepAliveServer) error {
	s := (*server)(l)
	for {
		r, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		a := s.heard(stream.Context(), "KeepAlive", object{"id": id(r.ID)})
		if a.Hang {
			continue // the stream lives on, only this one is never answered
		}
		if err := a.failing(stream.Context(), a.After); err != nil {
			return err
		}
		s.lock.Lock()
		response := &pb.LeaseKeepAliveResponse{Header: s.head(a), ID: r.ID, TTL: s.store.leases[r.ID]}
		s.lock.Unlock()
		if a.TTL != nil {
			response.TTL = *a.TTL
		}
		if err := stream.Send(response); err != nil {
			return err
		}
	}
}

type authServer struct {
	pb.AuthServer // every other method is absent
	s             *server
}

func (f *authServer) Authenticate(ctx context.Context, r *pb.AuthenticateRequest) (response *pb.AuthenticateResponse, err error) {
	err = f.s.serve(ctx, "Authenticate", object{"name": r.Name}, func(a answer) error {
		response = &pb.AuthenticateResponse{Header: f.s.head(a), Token: "token-of-" + r.Name}
		return nil
	})
	return
}

type maintenanceServer struct {
	pb.MaintenanceServer
	s *server
}

func (f *maintenanceServer) Status(ctx context.Context, r *pb.StatusRequest) (response *pb.StatusResponse, err error) {
	err = f.s.serve(ctx, "Status", object{}, func(a answer) error {
		response = &pb.StatusResponse{Header: f.s.head(a), Version: "3.4.0-fake", Leader: f.s.memberID}
		return nil
	})
	return
}
