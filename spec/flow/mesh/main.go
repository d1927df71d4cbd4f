// The applications of the specs that forward calls, on grpc-go: a server that
// says who answered and does as it is told, and clients that say what they saw.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"sync"
)

// verbs maps the first argument to what it does with the rest.
var verbs = map[string]func(args []string) error{
	"call":  call,
	"serve": serve,
	"storm": storm,
}

var printing sync.Mutex

// say prints one JSON line on standard output.
func say(value interface{}) {
	printing.Lock()
	defer printing.Unlock()
	if json.NewEncoder(os.Stdout).Encode(value) != nil {
		os.Exit(1) // whoever listened is gone
	}
}

func main() {
	if len(os.Args) < 2 || verbs[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: flow-mesh call|serve|storm [flags]")
		os.Exit(2)
	}
	if err := verbs[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
