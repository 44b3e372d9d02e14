//go:build kafka

package kafka_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	kafkago "github.com/segmentio/kafka-go"

	"lishi/infra/kafka"
	"lishi/infra/kafka/kafkatest"
)

// Topics that would lose what was acknowledged are refused, and the command that
// the error names makes them right.
func TestKafkaSettings(t *testing.T) {
	c := kafkatest.Shared(t, 3)
	o := kafka.Options{Brokers: c.Brokers, Layout: small, Replication: 3, TopicPrefix: "settings.", EventBytes: 100_000}
	openLog(t, o).Close()
	made := topicSettings(t, c, "settings.lishi.users")
	for name, want := range map[string]string{
		"min.insync.replicas": "2", "unclean.leader.election.enable": "false", "cleanup.policy": "delete",
		"retention.ms": "-1", "retention.bytes": "-1", "max.message.bytes": "1048588",
	} {
		if made[name] != want {
			t.Errorf("made with %s=%s", name, made[name])
		}
	}
	for _, wrong := range []struct{ setting, value, reason string }{
		{"min.insync.replicas", "1", "lost with one broker"},
		{"min.insync.replicas", "4", "it takes no records"},
		{"unclean.leader.election.enable", "true", "a replica that is behind could become leader"},
		{"max.message.bytes", "90000", "does not take the longest message"},
		{"retention.ms", "1000", "forget records"},
	} {
		alter(t, c.Brokers, nil, "settings.lishi.users", wrong.setting, wrong.value)
		_, err := tryOpen(t, o)
		var te *kafka.TopicError
		if !errors.As(err, &te) || te.Topic != "settings.lishi.users" || !strings.Contains(te.Reason, wrong.reason) ||
			!strings.Contains(te.Reason, wrong.setting+"="+wrong.value) {
			t.Errorf("%s=%s: %v", wrong.setting, wrong.value, err)
			continue
		}
		repair := regexp.MustCompile(`^kafka-configs.sh --bootstrap-server \S+ --alter --entity-type topics --entity-name settings.lishi.users --add-config ([^=]+)=(\S+)$`).FindStringSubmatch(te.Repair)
		if repair == nil {
			t.Fatal(te.Repair)
		}
		alter(t, c.Brokers, nil, "settings.lishi.users", repair[1], repair[2])
		if l, err := tryOpen(t, o); err != nil {
			t.Errorf("after %s: %v", te.Repair, err)
		} else {
			l.Close()
		}
	}

	// One replica is enough for who says so, and for nobody else.
	o.TopicPrefix, o.Replication = "single.", 1
	l := openLog(t, o)
	appends(t, l, 1)
	l.Close()
	if got := topicSettings(t, c, "single.lishi.users")["min.insync.replicas"]; got != "1" {
		t.Errorf("made with min.insync.replicas=%s", got)
	}
	o.Replication = 3
	var te *kafka.TopicError
	if _, err := tryOpen(t, o); !errors.As(err, &te) || !strings.Contains(te.Reason, "it has 1 replicas, and 3 are wanted") || !strings.Contains(te.Repair, "LISHI_REPLICAS=1") {
		t.Error(err)
	}
	one := kafka.Options{Brokers: kafkatest.Shared(t, 1).Brokers, Layout: small, Replication: 3}
	if _, err := tryOpen(t, one); !errors.As(err, &te) || !strings.Contains(te.Reason, "the cluster has 1 brokers") || !strings.Contains(te.Repair, "LISHI_REPLICAS=1") {
		t.Error(err)
	}
}

func topicSettings(t *testing.T, c *kafkatest.Cluster, topic string) map[string]string {
	t.Helper()
	res, err := client(t, c.Brokers, nil).DescribeConfigs(t.Context(), &kafkago.DescribeConfigsRequest{
		Resources: []kafkago.DescribeConfigRequestResource{{ResourceType: kafkago.ResourceTypeTopic, ResourceName: topic}},
	})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, e := range res.Resources[0].ConfigEntries {
		got[e.ConfigName] = fmt.Sprint(e.ConfigValue)
	}
	return got
}
