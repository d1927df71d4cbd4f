// A gRPC server with reflection, and a client of reflection, for the specs.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/golang/protobuf/proto"
	dpb "github.com/golang/protobuf/protoc-gen-go/descriptor"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection"
	rpb "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/grpc/status"

	pb "perigee/kitchenpb"
)

type kitchen struct{}

func (kitchen) Echo(ctx context.Context, in *pb.Everything) (*pb.Everything, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	if said := md.Get("x-say"); len(said) > 0 {
		in.AString = strings.Join(said, ",")
	}
	return in, nil
}

func (kitchen) Fail(ctx context.Context, in *pb.Everything) (*pb.Everything, error) {
	return nil, status.Error(codes.Code(in.AnInt32), in.AString)
}

func (kitchen) Split(in *pb.Everything, out pb.Kitchen_SplitServer) error {
	for _, number := range in.Numbers {
		if err := out.Send(&pb.Everything{AnInt32: number}); err != nil {
			return err
		}
	}
	if in.AString != "" {
		return status.Error(codes.Aborted, in.AString)
	}
	return nil
}

func (kitchen) Collect(in pb.Kitchen_CollectServer) error {
	sum := &pb.Everything{}
	for {
		one, err := in.Recv()
		if err == io.EOF {
			return in.SendAndClose(sum)
		} else if err != nil {
			return err
		}
		sum.Words = append(sum.Words, one.AString)
	}
}

func (kitchen) Chat(stream pb.Kitchen_ChatServer) error {
	for {
		one, err := stream.Recv()
		if err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if err := stream.Send(one); err != nil {
			return err
		}
	}
}

func serve(args []string) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	pb.RegisterKitchenServer(server, kitchen{})
	if len(args) == 0 {
		reflection.Register(server)
	}
	fmt.Printf("kitchen ready %s\n", listener.Addr())
	return server.Serve(listener)
}

func show(answer *rpb.ServerReflectionResponse) {
	if list := answer.GetListServicesResponse(); list != nil {
		for _, one := range list.Service {
			fmt.Println("service", one.Name)
		}
	}
	if files := answer.GetFileDescriptorResponse(); files != nil {
		for _, bytes := range files.FileDescriptorProto {
			file := &dpb.FileDescriptorProto{}
			if err := proto.Unmarshal(bytes, file); err != nil {
				fmt.Println("unreadable", err)
			}
			fmt.Println("file", file.GetName(), file.GetPackage())
		}
	}
	if numbers := answer.GetAllExtensionNumbersResponse(); numbers != nil {
		fmt.Println("extensions", numbers.BaseTypeName, len(numbers.ExtensionNumber))
	}
	if fault := answer.GetErrorResponse(); fault != nil {
		fmt.Println("error", codes.Code(fault.ErrorCode), fault.ErrorMessage)
	}
	fmt.Println("asked", answer.OriginalRequest.Host)
}

func request(word string) *rpb.ServerReflectionRequest {
	cut := strings.IndexByte(word, '=')
	name := word[cut+1:]
	out := &rpb.ServerReflectionRequest{Host: word}
	switch word[:cut] {
	case "list":
		out.MessageRequest = &rpb.ServerReflectionRequest_ListServices{ListServices: name}
	case "symbol":
		out.MessageRequest = &rpb.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: name}
	case "file":
		out.MessageRequest = &rpb.ServerReflectionRequest_FileByFilename{FileByFilename: name}
	case "extension":
		out.MessageRequest = &rpb.ServerReflectionRequest_FileContainingExtension{
			FileContainingExtension: &rpb.ExtensionRequest{ContainingType: name, ExtensionNumber: 1}}
	case "extensions":
		out.MessageRequest = &rpb.ServerReflectionRequest_AllExtensionNumbersOfType{AllExtensionNumbersOfType: name}
	}
	return out
}

// ask VERSION ADDRESS WORD...: one call, all requests first; `hold` keeps it open.
func ask(args []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	conn, err := grpc.DialContext(ctx, args[1], grpc.WithInsecure())
	if err != nil {
		return err
	}
	defer conn.Close()
	desc := &grpc.StreamDesc{StreamName: "ServerReflectionInfo", ServerStreams: true, ClientStreams: true}
	stream, err := conn.NewStream(ctx, desc, "/grpc.reflection."+args[0]+".ServerReflection/ServerReflectionInfo")
	if err != nil {
		return err
	}
	hold := false
	for _, word := range args[2:] {
		if word == "hold" {
			hold = true
		} else if err := stream.SendMsg(request(word)); err == io.EOF {
			break // the call has ended already; why is read below
		} else if err != nil {
			return err
		}
	}
	if !hold {
		stream.CloseSend()
	}
	for {
		answer := &rpb.ServerReflectionResponse{}
		err := stream.RecvMsg(answer)
		if err == io.EOF {
			fmt.Println("end OK")
			return nil
		} else if err != nil {
			fmt.Println("end", status.Code(err), status.Convert(err).Message())
			return nil
		}
		show(answer)
	}
}

func main() {
	run := serve
	if os.Args[1] == "ask" {
		run = ask
	}
	if err := run(os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
