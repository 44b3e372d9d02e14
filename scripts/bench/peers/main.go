// Command peers puts the same loads on lishi and on servers that do a part of
// what it does, in turns, and prints what each reached and the ratios:
//
//   - a chat on the library centrifuge with its memory broker, which keeps 1000
//     messages of a channel for five minutes in memory and checks nothing;
//   - the same with its Redis broker, on a Redis server that syncs its file before
//     it answers (appendfsync always);
//   - a relay on plain gobwas/ws that keeps nothing: the floor.
//
// It is a module of its own, so that what it needs is no part of lishi.
//
//	go run . compare --lishi ../../../bin/lishi --rounds 5 --seconds 5
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("usage: peers compare [flags] | peers serve memory|redis|relay --listen ADDRESS [--redis ADDRESS]")
	}
	switch args[0] {
	case "compare":
		return compare(ctx, args[1:])
	case "serve":
		return serve(ctx, args[1:])
	}
	return fmt.Errorf("there is no %q", args[0])
}

func serve(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("serve what? memory, redis or relay")
	}
	flags := flag.NewFlagSet("serve", flag.ExitOnError)
	listen := flags.String("listen", "127.0.0.1:0", "address")
	redis := flags.String("redis", "", "address of a Redis server")
	flags.Parse(args[1:])
	mux := http.NewServeMux()
	mux.HandleFunc("/readyz", func(http.ResponseWriter, *http.Request) {})
	switch args[0] {
	case "relay":
		mux.Handle("/ws", &relay{people: map[string]*relayed{}})
	case "memory":
		*redis = ""
		fallthrough
	case "redis":
		if args[0] == "redis" && *redis == "" {
			return fmt.Errorf("serve redis needs --redis ADDRESS")
		}
		if err := serveCentrifuge(ctx, mux, *redis); err != nil {
			return err
		}
	default:
		return fmt.Errorf("there is no %q to serve", args[0])
	}
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: mux}
	context.AfterFunc(ctx, func() { server.Close() })
	if err := server.Serve(l); err != http.ErrServerClosed {
		return err
	}
	return nil
}
