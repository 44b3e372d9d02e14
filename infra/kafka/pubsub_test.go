package kafka_test

import (
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"

	"lishi/infra/kafka"
)

// TestPubSub runs Watermill's universal suite.
func TestPubSub(t *testing.T) {
	testPubSub(t, openLog(t, kafka.Options{Embedded: openBroker(t, t.TempDir())}))
}

func testPubSub(t *testing.T, l *kafka.Log) {
	tests.TestPubSub(t,
		tests.Features{
			ConsumerGroups:  true,
			GuaranteedOrder: true,
			Persistent:      true,
		},
		func(t *testing.T) (message.Publisher, message.Subscriber) { return pubSub(t, l, t.Name()) },
		func(t *testing.T, group string) (message.Publisher, message.Subscriber) { return pubSub(t, l, group) },
	)
	t.Run("without a group", func(t *testing.T) {
		t.Parallel()
		tests.TestNewSubscriberReceivesOldMessages(t,
			tests.TestContext{TestID: tests.NewTestID(), Features: tests.Features{NewSubscriberReceivesOldMessages: true, Persistent: true}},
			func(t *testing.T) (message.Publisher, message.Subscriber) { return pubSub(t, l, "") })
	})
}

func pubSub(t *testing.T, l *kafka.Log, group string) (message.Publisher, message.Subscriber) {
	// The suite's test of order tells the sequences apart by payload.
	p := l.NewPublisher(func(_ string, m *message.Message) string { return string(m.Payload) })
	s := l.NewSubscriber(group)
	t.Cleanup(func() { s.Close() })
	return p, s
}
