// What specs of discovery need beside a real etcd: a scripted server for what no
// etcd of this version does, a TCP proxy that misbehaves, and etcd's own client
// and naming package on the other side of a record.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"sync"
)

// verbs maps the first argument to what it does with the rest.
var verbs = map[string]func(args []string) error{
	"fake":     fake,
	"proxy":    proxy,
	"resolve":  resolve,
	"register": register,
	"app":      app,
	"fill":     fill,
	"churn":    churn,
	"visible":  visible,
	"see":      see,
	"pulse":    pulse,
	"flood":    flood,
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

// obey hands every line of standard input to handle and prints its answer; ends
// with the input, so that no program outlives its spec.
func obey(handle func(line []byte) (interface{}, error)) error {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return nil
		}
		answer, err := handle(line)
		if err != nil {
			answer = map[string]string{"error": err.Error()}
		}
		say(map[string]interface{}{"ack": answer})
	}
}

func main() {
	if len(os.Args) < 2 || verbs[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: flow-etcd VERB [flags]")
		os.Exit(2)
	}
	if err := verbs[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
