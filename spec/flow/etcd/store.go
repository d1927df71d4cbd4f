package main

import (
	"bytes"
	"sort"

	"go.etcd.io/etcd/mvcc/mvccpb"
)

type keyValue = mvccpb.KeyValue

// store is what etcd keeps, without its history.
type store struct {
	revision int64
	keys     map[string]*keyValue
	leases   map[int64]int64 // ID to TTL; leases end only when the script says so
}

func newStore() *store {
	return &store{revision: 1, keys: map[string]*keyValue{}, leases: map[int64]int64{}}
}

// inRange is etcd's meaning of key and range_end.
func inRange(key, from, end []byte) bool {
	if len(end) == 0 {
		return bytes.Equal(key, from)
	}
	if bytes.Compare(key, from) < 0 {
		return false
	}
	return bytes.Equal(end, []byte{0}) || bytes.Compare(key, end) < 0
}

func (s *store) find(from, end []byte) []*keyValue {
	var list []*keyValue
	for _, kv := range s.keys {
		if inRange(kv.Key, from, end) {
			copied := *kv
			list = append(list, &copied)
		}
	}
	sort.Slice(list, func(i, j int) bool { return bytes.Compare(list[i].Key, list[j].Key) < 0 })
	return list
}

func (s *store) put(key, value []byte, lease int64) []*mvccpb.Event {
	s.revision++
	kv := &keyValue{Key: key, Value: value, Lease: lease, CreateRevision: s.revision, ModRevision: s.revision, Version: 1}
	if old := s.keys[string(key)]; old != nil {
		kv.CreateRevision, kv.Version = old.CreateRevision, old.Version+1
	}
	s.keys[string(key)] = kv
	copied := *kv
	return []*mvccpb.Event{{Type: mvccpb.PUT, Kv: &copied}}
}

func (s *store) drop(which func(kv *keyValue) bool) []*mvccpb.Event {
	var events []*mvccpb.Event
	for key, kv := range s.keys {
		if which(kv) {
			delete(s.keys, key)
			events = append(events, &mvccpb.Event{Type: mvccpb.DELETE, Kv: &keyValue{Key: kv.Key}})
		}
	}
	if len(events) > 0 {
		s.revision++
		for _, event := range events {
			event.Kv.ModRevision = s.revision
		}
	}
	return events
}
