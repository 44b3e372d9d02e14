//go:build kafka

package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"

	"lishi/events"
	"lishi/infra/kafka"
	"lishi/infra/kafka/kafkatest"
	"lishi/infra/kafka/logtest"
)

// small is the layout of logs whose number of partitions does not matter.
var small = events.Layout{Conversations: 4, Users: 1}

// TestKafka runs the suite of every log on a real broker, and on three.
func TestKafka(t *testing.T) {
	for _, brokers := range []int{1, 3} {
		t.Run(fmt.Sprint(brokers), func(t *testing.T) {
			c := kafkatest.Start(t, brokers)
			logtest.Run(t, clusterBackend(
				func(t *testing.T) {
					c.RestartAll(t)
					c.Restart(t, 1)
				},
				// So patient that a slow machine makes nothing doubtful, which would be sent again.
				kafka.Options{Brokers: c.Brokers, Layout: small, Replication: brokers, RequestTimeout: 30 * time.Second}))
		})
	}
}

// A broker whose disk is full ends itself. What it acknowledged is there when it
// has room again. The kernel plays the full disk: it lets files grow so far only.
func TestKafkaFullDisk(t *testing.T) {
	c := kafkatest.Start(t, 1, "--file-limit", "20000")
	l := openLog(t, kafka.Options{Brokers: c.Brokers, Layout: small, Replication: 1, Patience: 2 * time.Second})
	logtest.FullDisk(t, l, func() events.AsyncLog {
		c.Restart(t, 1)
		return l
	})
}

// TestKafkaPubSub runs Watermill's universal suite on a real broker, and on three;
// its test of reconnecting kills one twice and starts it again.
func TestKafkaPubSub(t *testing.T) {
	for _, brokers := range []int{1, 3} {
		t.Run(fmt.Sprint(brokers), func(t *testing.T) {
			c := kafkatest.Start(t, brokers)
			l := openLog(t, kafka.Options{Brokers: c.Brokers, Layout: small, Replication: brokers})
			t.Run("Universal", func(t *testing.T) { testPubSub(t, l) })
			t.Run("Reconnect", func(t *testing.T) {
				features := tests.Features{ConsumerGroups: true, Persistent: true, RestartServiceCommand: c.Command("kill 1", "restart 1")}
				tests.TestReconnect(t, tests.TestContext{TestID: tests.NewTestID(), Features: features},
					func(t *testing.T) (message.Publisher, message.Subscriber) {
						p, s := pubSub(t, l, t.Name())
						h := &holdBack{Publisher: p, Subscriber: s}
						return h, h
					})
			})
		})
	}
}

// holdBack delivers a message only a moment after Publish returned: with a broker
// dead it may be read long before, and the suite takes it for one too many then.
type holdBack struct {
	message.Publisher
	message.Subscriber
	published sync.Map
}

func (h *holdBack) Publish(topic string, ms ...*message.Message) error {
	err := h.Publisher.Publish(topic, ms...)
	for _, m := range ms {
		if err == nil {
			h.published.Store(m.UUID, time.Now())
		}
	}
	return err
}

func (h *holdBack) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	in, err := h.Subscriber.Subscribe(ctx, topic)
	out := make(chan *message.Message)
	go func() {
		defer close(out)
		for m := range in {
			if h.await(m) {
				select {
				case out <- m:
				case <-m.Context().Done(): // its partition went to another; it comes again
				}
			}
		}
	}()
	return out, err
}

// await waits until a message's Publish has returned; false if the message was
// taken back before.
func (h *holdBack) await(m *message.Message) bool {
	for {
		if at, ok := h.published.Load(m.UUID); ok && time.Since(at.(time.Time)) > 300*time.Millisecond {
			return true
		}
		select {
		case <-m.Context().Done():
			return false
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (h *holdBack) Close() error { return errors.Join(h.Publisher.Close(), h.Subscriber.Close()) }

func (h *holdBack) SubscribeInitialize(topic string) error {
	return h.Subscriber.(message.SubscribeInitializer).SubscribeInitialize(topic)
}
