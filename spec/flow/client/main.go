// The specs' gRPC client and HTTP origin, on grpc-go, so that what Perigee says is
// understood by an implementation that shares no code with gRPC's C core.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
)

// verbs maps the first argument to what it does with the rest.
var verbs = map[string]func(args []string) error{
	"call":   call,
	"health": health,
	"origin": origin,
	"storm":  storm,
}

// target holds the flags every client verb takes.
type target struct {
	address string
	timeout string
}

func (t *target) flags(set *flag.FlagSet) {
	set.StringVar(&t.address, "target", "127.0.0.1:7400", "address to dial: host:port or unix:PATH, several with commas")
	set.StringVar(&t.timeout, "timeout", "10s", "deadline of each call")
}

func (t *target) addresses() []string {
	return strings.Split(t.address, ",")
}

func show(value interface{}) error {
	return json.NewEncoder(os.Stdout).Encode(value)
}

func main() {
	if len(os.Args) < 2 || verbs[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: client call|health|origin|storm [flags]")
		os.Exit(2)
	}
	if err := verbs[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
