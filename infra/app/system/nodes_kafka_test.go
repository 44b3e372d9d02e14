//go:build kafka

package system

import (
	"strings"
	"testing"

	"lishi/infra/kafka/kafkatest"
)

// Three nodes on a real Kafka of three brokers, and of one.
func TestNodesOverKafka(t *testing.T) {
	t.Run("three brokers", func(t *testing.T) {
		testNodes(t, strings.Join(kafkatest.Shared(t, 3).Brokers, ","), "--topic-prefix", "nodes.")
	})
	t.Run("one broker", func(t *testing.T) {
		testNodes(t, kafkatest.Shared(t, 1).Brokers[0], "--topic-prefix", "nodes.", "--replicas", "1", "--conversation-partitions", "6", "--user-partitions", "3")
	})
}
