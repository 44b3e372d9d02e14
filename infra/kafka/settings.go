package kafka

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/segmentio/kafka-go"

	"lishi/events"
)

// requirement is a setting that a topic of the log must have, since it would lose
// what was acknowledged without it.
type requirement struct {
	setting string
	value   string // what new topics get, and the repair sets
	holds   func(value string) bool
	reason  string // what happens else
}

const (
	forgets     = "it would forget records"
	losesOne    = "acknowledged records would be lost with one broker"
	losesBehind = "a replica that is behind could become leader, and acknowledged records be lost"
	tooShort    = "it does not take the longest message"
)

// standardMessageBytes is Kafka's own default of max.message.bytes.
const standardMessageBytes = 1048588

// requirements are those of topics with so many replicas (the cluster's own choice
// if 0), whose events may be so long.
func requirements(replicas, eventBytes int) []requirement {
	is := func(want string) func(string) bool { return func(v string) bool { return v == want } }
	least := func(n int) func(string) bool {
		return func(v string) bool { have, err := strconv.Atoi(v); return err != nil || have >= n }
	}
	shortest := batchHeader + recordOverhead + eventBytes
	rs := []requirement{
		{"cleanup.policy", "delete", is("delete"), forgets}, // with no retention to delete by; compact would drop records
		{"retention.ms", "-1", is("-1"), forgets},
		{"retention.bytes", "-1", is("-1"), forgets},
		{"max.message.bytes", strconv.Itoa(max(shortest, standardMessageBytes)), least(shortest), tooShort},
	}
	if replicas >= 2 {
		rs = append(rs,
			requirement{"min.insync.replicas", "2", least(2), losesOne},
			requirement{"unclean.leader.election.enable", "false", func(v string) bool { return v != "true" }, losesBehind})
	}
	return rs
}

// topicConfig is how a topic of the log is made.
func (l *Log) topicConfig(name string, partitions, replicas int) kafka.TopicConfig {
	c := kafka.TopicConfig{Topic: name, NumPartitions: partitions, ReplicationFactor: -1}
	if replicas > 0 {
		c.ReplicationFactor = replicas
	}
	for _, r := range requirements(replicas, l.eventBytes) {
		c.ConfigEntries = append(c.ConfigEntries, kafka.ConfigEntry{ConfigName: r.setting, ConfigValue: r.value})
	}
	if replicas == 1 { // a cluster's default may be more than there are replicas
		c.ConfigEntries = append(c.ConfigEntries, kafka.ConfigEntry{ConfigName: "min.insync.replicas", ConfigValue: "1"})
	}
	return c
}

// checkTopics refuses topics that could lose what was acknowledged, and answers
// with the longest batch they take.
func (l *Log) checkTopics(ctx context.Context, topics []string) (limit int, err error) {
	copies, err := l.checkReplicas(ctx, topics)
	if err != nil {
		return 0, err
	}
	settings, err := l.settings(ctx, topics)
	if err != nil {
		return 0, err
	}
	limit = 1 << 30
	l.inSync = map[string]int{}
	for _, topic := range topics {
		have := settings[topic]
		var wrong, reasons, repair []string
		refuse := func(r requirement) {
			wrong = append(wrong, r.setting+"="+have[r.setting])
			repair = append(repair, r.setting+"="+r.value)
			if len(reasons) == 0 || reasons[len(reasons)-1] != r.reason {
				reasons = append(reasons, r.reason)
			}
		}
		for _, r := range requirements(l.replicas, l.eventBytes) {
			if !r.holds(have[r.setting]) {
				refuse(r)
			}
		}
		inSync, err := strconv.Atoi(have["min.insync.replicas"])
		if err != nil {
			inSync = 1
		}
		if n := copies[topic]; inSync > n {
			refuse(requirement{"min.insync.replicas", strconv.Itoa(max(1, n-1)), nil, fmt.Sprintf("with %d replicas it takes no records", n)})
		}
		if wrong != nil {
			return 0, &TopicError{
				Topic:  topic,
				Reason: strings.Join(reasons, "; ") + ": " + strings.Join(wrong, ", "),
				Repair: fmt.Sprintf("kafka-configs.sh --bootstrap-server %s --alter --entity-type topics --entity-name %s --add-config %s",
					l.conn.brokers[0], topic, strings.Join(repair, ",")),
			}
		}
		l.inSync[topic] = inSync
		if n, err := strconv.Atoi(have["max.message.bytes"]); err == nil && n > 0 {
			limit = min(limit, n)
		}
	}
	return limit, nil
}

// settings are the topics' settings that matter, by topic and name.
func (l *Log) settings(ctx context.Context, topics []string) (map[string]map[string]string, error) {
	var keys []string
	for _, r := range requirements(2, 0) { // all there are
		keys = append(keys, r.setting)
	}
	req := &kafka.DescribeConfigsRequest{}
	for _, name := range topics {
		req.Resources = append(req.Resources, kafka.DescribeConfigRequestResource{
			ResourceType: kafka.ResourceTypeTopic, ResourceName: name, ConfigNames: keys,
		})
	}
	res, err := l.conn.client.DescribeConfigs(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("%w: asking for the topics' settings: %w", events.ErrUnavailable, err)
	}
	settings := map[string]map[string]string{}
	for _, r := range res.Resources {
		if r.Error != nil {
			return nil, fmt.Errorf("topic %s: %w", r.ResourceName, r.Error)
		}
		settings[r.ResourceName] = map[string]string{}
		for _, e := range r.ConfigEntries {
			settings[r.ResourceName][e.ConfigName] = e.ConfigValue
		}
	}
	return settings, nil
}

// checkReplicas refuses topics with fewer replicas than wanted, and answers with
// how many each has.
func (l *Log) checkReplicas(ctx context.Context, topics []string) (map[string]int, error) {
	found, err := l.conn.metadata(ctx, topics)
	if err != nil {
		return nil, err
	}
	copies := map[string]int{}
	for _, t := range found.Topics {
		for i, p := range t.Partitions {
			if n := len(p.ReplicaNodes); i == 0 || n < copies[t.Name] {
				copies[t.Name] = n
			}
		}
		if n := copies[t.Name]; n < l.replicas {
			return nil, &TopicError{t.Name, fmt.Sprintf("it has %d replicas, and %d are wanted (replicas)", n, l.replicas),
				fmt.Sprintf("give it more by kafka-reassign-partitions.sh, or set LISHI_REPLICAS=%d if that is enough for you", n)}
		}
	}
	return copies, nil
}

// checkBrokers refuses to make topics with more replicas than there are brokers.
func (l *Log) checkBrokers(ctx context.Context, topic string, replicas int) error {
	found, err := l.conn.metadata(ctx, l.topics())
	if err != nil {
		return err
	}
	if n := len(found.Brokers); n < replicas {
		return &TopicError{topic, fmt.Sprintf("it is to be made with %d replicas (replicas), and the cluster has %d brokers", replicas, n),
			fmt.Sprintf("start the other brokers, or set LISHI_REPLICAS=%d; a log with one replica is lost with its broker", n)}
	}
	return nil
}

// TopicError says why a topic can't be the log, and what to do about it.
type TopicError struct {
	Topic  string
	Reason string
	Repair string // a command, or what else helps
}

func (e *TopicError) Error() string {
	return fmt.Sprintf("topic %s is refused: %s. To repair it: %s", e.Topic, e.Reason, e.Repair)
}
