package app

import (
	"context"
	"log/slog"
	"net"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"lishi/events"
	"lishi/infra/kafka"
)

// warned is a log handler that tells of the first record.
type warned struct {
	slog.Handler
	first chan struct{}
}

func (warned) Enabled(context.Context, slog.Level) bool { return true }

func (w warned) Handle(context.Context, slog.Record) error {
	select {
	case w.first <- struct{}{}:
	default:
	}
	return nil
}

// A node that starts before its Kafka, or while a broker is gone, waits for it.
func TestAStartWaitsForKafka(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().(*net.TCPAddr)
	l.Close()
	w := warned{slog.DiscardHandler, make(chan struct{}, 1)}
	tried := slog.New(w)
	type opened struct {
		log *kafka.Log
		err error
	}
	done := make(chan opened, 1)
	go func() {
		log, err := reach(t.Context(), kafka.Options{
			Brokers: []string{addr.String()}, Layout: events.Layout{Conversations: 1, Users: 1}, Replication: 1, Logger: slog.New(slog.DiscardHandler),
		}, tried)
		done <- opened{log, err}
	}()
	select {
	case <-w.first:
	case o := <-done:
		t.Fatalf("it did not wait: %v", o.err)
	}
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(addr.Port))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	o := <-done
	if o.err != nil {
		t.Fatal(o.err)
	}
	o.log.Close()
}
