package main

import (
	"context"
	"encoding/base64"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	pb "perigee/groupcachepb"

	"google.golang.org/grpc"
	_ "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// answer is what a call printed as JSON.
type answer struct {
	Code    string              `json:"code"`
	Message string              `json:"message,omitempty"`
	Value   string              `json:"value"`
	Base64  string              `json:"base64"`
	Expire  int64               `json:"expire"`
	Removed bool                `json:"removed"`
	Failed  []string            `json:"failed,omitempty"`
	Items   []item              `json:"items,omitempty"`
	Header  map[string][]string `json:"header"`
	Trailer map[string][]string `json:"trailer"`
	Millis  int64               `json:"millis"`
}

type item struct {
	Key   string `json:"key"`
	Value string `json:"value"`
	Code  int32  `json:"code"`
}

func dial(address string, size int) (*grpc.ClientConn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return grpc.DialContext(ctx, address, grpc.WithInsecure(), grpc.WithBlock(),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(size), grpc.MaxCallSendMsgSize(size)))
}

// raw is a codec that passes bytes as they are.
type raw struct{}

func (raw) Marshal(v interface{}) ([]byte, error) { return *(v.(*[]byte)), nil }
func (raw) Unmarshal(data []byte, v interface{}) error {
	*(v.(*[]byte)) = append([]byte(nil), data...)
	return nil
}
func (raw) Name() string { return "proto" }

type request struct {
	verb, group, key, value, path, body string
	ttl                                 time.Duration
	options                             []grpc.CallOption
}

func (r *request) keys() [][]byte {
	keys := [][]byte{}
	for _, key := range strings.Split(r.key, ",") {
		keys = append(keys, []byte(key))
	}
	return keys
}

func (r *request) send(ctx context.Context, conn *grpc.ClientConn, ret *answer) error {
	client := pb.NewGroupCacheClient(conn)
	group, key := []byte(r.group), []byte(r.key)
	switch r.verb {
	case "get", "peek":
		ask := client.Get
		if r.verb == "peek" {
			ask = client.Peek
		}
		got, err := ask(ctx, &pb.GetRequest{Group: group, Key: key}, r.options...)
		ret.bytes(got.GetValue())
		ret.Expire = got.GetExpire()
		return err
	case "set":
		message := &pb.SetRequest{Group: group, Key: key, Value: []byte(r.value)}
		if r.ttl != 0 {
			message.Expire = time.Now().Add(r.ttl).UnixNano()
		}
		_, err := client.Set(ctx, message, r.options...)
		return err
	case "remove":
		got, err := client.Remove(ctx, &pb.RemoveRequest{Group: group, Key: key}, r.options...)
		ret.Removed = got.GetRemoved()
		return err
	case "removekeys":
		got, err := client.RemoveKeys(ctx, &pb.RemoveKeysRequest{Group: group, Keys: r.keys()}, r.options...)
		for _, failed := range got.GetFailedKeys() {
			ret.Failed = append(ret.Failed, string(failed))
		}
		return err
	case "batch":
		got, err := client.BatchGet(ctx, &pb.BatchGetRequest{Group: group, Keys: r.keys()}, r.options...)
		for _, one := range got.GetItems() {
			ret.Items = append(ret.Items, item{string(one.Key), string(one.Value), one.Code})
		}
		return err
	case "raw":
		body, err := base64.StdEncoding.DecodeString(r.body)
		if err != nil {
			return err
		}
		var got []byte
		err = conn.Invoke(ctx, r.path, &body, &got, append(r.options, grpc.ForceCodec(raw{}))...)
		ret.bytes(got)
		return err
	}
	return fmt.Errorf("no such call: %s", r.verb)
}

func (a *answer) bytes(value []byte) {
	a.Value = string(value)
	a.Base64 = base64.StdEncoding.EncodeToString(value)
}

// call makes one call and prints its answer.
func call(args []string) error {
	var to target
	var r request
	var meta, compressor, file string
	set := flag.NewFlagSet("call", flag.ExitOnError)
	to.flags(set)
	set.StringVar(&r.verb, "verb", "get", "get, peek, set, remove, removekeys, batch or raw")
	set.StringVar(&r.group, "group", "", "group")
	set.StringVar(&r.key, "key", "", "key, or several with commas")
	set.StringVar(&r.value, "value", "", "value for set")
	set.DurationVar(&r.ttl, "ttl", 0, "time to live for set")
	set.StringVar(&r.path, "path", "", "full method for raw")
	set.StringVar(&r.body, "body", "", "message for raw, base64")
	set.StringVar(&file, "body-file", "", "instead: a file with the bytes of the message")
	set.StringVar(&meta, "metadata", "", "name=value, several with commas")
	set.StringVar(&compressor, "compressor", "", "gzip")
	set.Parse(args)
	timeout, err := time.ParseDuration(to.timeout)
	if err != nil {
		return err
	}
	if file != "" {
		bytes, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		r.body = base64.StdEncoding.EncodeToString(bytes)
	}
	conn, err := dial(to.addresses()[0], 64<<20)
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	for _, pair := range strings.Split(meta, ",") {
		if at := strings.IndexByte(pair, '='); at > 0 {
			ctx = metadata.AppendToOutgoingContext(ctx, pair[:at], pair[at+1:])
		}
	}
	var header, trailer metadata.MD
	r.options = []grpc.CallOption{grpc.Header(&header), grpc.Trailer(&trailer)}
	if compressor != "" {
		r.options = append(r.options, grpc.UseCompressor(compressor))
	}
	var got answer
	started := time.Now()
	err = r.send(ctx, conn, &got)
	got.Millis = time.Since(started).Milliseconds()
	got.Code = status.Code(err).String()
	if err != nil {
		got.Message = status.Convert(err).Message()
	}
	got.Header, got.Trailer = header, trailer
	return show(got)
}
