//go:build kafka

package system

import (
	"reflect"
	"strings"
	"testing"

	"lishi/infra/kafka/kafkatest"
)

// What was said on the embedded broker is there on a real Kafka of three brokers,
// on another of one, and after the way back.
func TestLogCopyOverKafka(t *testing.T) {
	three, one := strings.Join(kafkatest.Shared(t, 3).Brokers, ","), kafkatest.Shared(t, 1).Brokers[0]
	home, back := t.TempDir(), t.TempDir()
	s := serve(t, home)
	before := talk(s)
	s.terminate()

	there := copyLog(t, "--data", home, "--to-kafka-brokers", three, "--to-topic-prefix", "copied.")
	node := serve(t, t.TempDir(), "--kafka-brokers", three, "--topic-prefix", "copied.")
	if after := node.history("bob", "ann"); !reflect.DeepEqual(before, after) {
		t.Fatalf("history was\n%v\nand is\n%v", before, after)
	}
	node.terminate()

	on := copyLog(t, "--kafka-brokers", three, "--topic-prefix", "copied.", "--to-kafka-brokers", one, "--to-replicas", "1")
	copyLog(t, "--kafka-brokers", one, "--to-data", back)
	same := 0
	for i, p := range on.Partitions {
		if was := there.Partitions[i]; p.Records == was.Records { // the node may have written meanwhile
			same++
			if p.Source != was.Source {
				t.Errorf("%s has another root", p.Partition)
			}
		}
	}
	if same == 0 {
		t.Error("no partition is as it was")
	}
	if after := serve(t, back).history("bob", "ann"); !reflect.DeepEqual(before, after) {
		t.Fatalf("history was\n%v\nand is\n%v", before, after)
	}
}
