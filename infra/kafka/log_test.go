package kafka_test

import (
	"log/slog"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"

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
	l, err := tryOpen(t, o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func tryOpen(t testing.TB, o kafka.Options) (*kafka.Log, error) {
	o.Logger = quiet()
	l, err := kafka.Open(t.Context(), o)
	if err == nil {
		t.Cleanup(func() { l.Close() })
	}
	return l, err
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
		Open: func(t *testing.T, name string) (events.AsyncLog, error) {
			b := openBroker(t, root+"/"+name)
			l, err := tryOpen(t, kafka.Options{Embedded: b})
			return embedded{l, b}, err
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
		Alter: func(t *testing.T, l events.AsyncLog, topic events.Topic, setting, value string) {
			e := l.(embedded)
			user, password := e.broker.Credentials()
			alter(t, []string{e.broker.Addr()}, plain.Mechanism{Username: user, Password: password}, topic.Name(), setting, value)
			if e.Log == nil { // it was not opened
				if err := e.broker.Close(); err != nil {
					t.Error(err)
				}
			}
		},
	})
}

// clusterBackend is the back end of logs on a cluster, by addresses.
func clusterBackend(restart func(*testing.T), o kafka.Options) logtest.Backend {
	type named struct {
		*kafka.Log
		prefix string
	}
	return logtest.Backend{
		Open: func(t *testing.T, name string) (events.AsyncLog, error) {
			o := o
			o.TopicPrefix = name + "."
			l, err := tryOpen(t, o)
			return named{l, o.TopicPrefix}, err
		},
		Close: func(t *testing.T, l events.AsyncLog) {
			if err := l.(named).Log.Close(); err != nil {
				t.Error(err)
			}
		},
		Alter: func(t *testing.T, l events.AsyncLog, topic events.Topic, setting, value string) {
			alter(t, o.Brokers, nil, l.(named).prefix+topic.Name(), setting, value)
		},
		Restart: restart,
	}
}

// client speaks to a cluster beside the log.
func client(t testing.TB, brokers []string, auth sasl.Mechanism) *kafkago.Client {
	tr := &kafkago.Transport{SASL: auth, MetadataTTL: 200 * time.Millisecond}
	t.Cleanup(tr.CloseIdleConnections)
	return &kafkago.Client{Addr: kafkago.TCP(brokers...), Transport: tr, Timeout: 10 * time.Second}
}

// alter sets a topic's setting, as kafka-configs.sh does.
func alter(t testing.TB, brokers []string, auth sasl.Mechanism, topic, setting, value string) {
	t.Helper()
	c := client(t, brokers, auth)
	res, err := c.IncrementalAlterConfigs(t.Context(), &kafkago.IncrementalAlterConfigsRequest{
		Resources: []kafkago.IncrementalAlterConfigsRequestResource{{
			ResourceType: kafkago.ResourceTypeTopic, ResourceName: topic,
			Configs: []kafkago.IncrementalAlterConfigsRequestConfig{{Name: setting, Value: value, ConfigOperation: kafkago.ConfigOperationSet}},
		}},
	})
	if err == nil {
		err = res.Resources[0].Error
	}
	if err != nil {
		t.Fatal(err)
	}
	// Brokers hear of it one after the other.
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s does not become %s", setting, value)
		}
		heard := 0
		for _, b := range brokers {
			res, err := c.DescribeConfigs(t.Context(), &kafkago.DescribeConfigsRequest{
				Addr:      kafkago.TCP(b),
				Resources: []kafkago.DescribeConfigRequestResource{{ResourceType: kafkago.ResourceTypeTopic, ResourceName: topic, ConfigNames: []string{setting}}},
			})
			if err == nil && len(res.Resources) == 1 && len(res.Resources[0].ConfigEntries) == 1 && res.Resources[0].ConfigEntries[0].ConfigValue == value {
				heard++
			}
		}
		if heard == len(brokers) {
			return
		}
	}
}
