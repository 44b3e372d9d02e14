package kafka_test

import (
	"log/slog"
	"testing"

	"lishi/events"
	"lishi/infra/broker"
	"lishi/infra/kafka"
	"lishi/infra/kafka/logtest"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func openBroker(t testing.TB, dir string) *broker.Broker {
	t.Helper()
	b, err := broker.Open(t.Context(), broker.Options{Dir: dir, Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func openLog(t testing.TB, o kafka.Options) *kafka.Log {
	t.Helper()
	o.Logger = quiet()
	l, err := kafka.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// embedded is a log with its broker, which restart together.
type embedded struct {
	*kafka.Log
	broker *broker.Broker
}

func TestEmbedded(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	logtest.Run(t, logtest.Backend{
		Open: func(t *testing.T, name string) events.AsyncLog {
			b := openBroker(t, root+"/"+name)
			return embedded{openLog(t, kafka.Options{Embedded: b}), b}
		},
		Close: func(t *testing.T, l events.AsyncLog) {
			e := l.(embedded)
			if err := e.Log.Close(); err != nil {
				t.Error(err)
			}
			if err := e.broker.Close(); err != nil {
				t.Error(err)
			}
		},
	})
}
