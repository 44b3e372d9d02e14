package kafka_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"lishi/events"
	"lishi/infra/kafka"
	"lishi/infra/kafka/logtest"
)

func openError(t *testing.T, c *kfake.Cluster, o kafka.Options) error {
	t.Helper()
	o.Brokers, o.Logger = c.ListenAddrs(), quiet()
	l, err := kafka.Open(t.Context(), o)
	if err == nil {
		l.Close()
	}
	return err
}

// refusedTopic expects Open to name the topic, the reason and the repair.
func refusedTopic(t *testing.T, c *kfake.Cluster, topic, reason, repair string) {
	t.Helper()
	err := openError(t, c, kafka.Options{})
	var te *kafka.TopicError
	if !errors.As(err, &te) || te.Topic != topic || !strings.Contains(te.Reason, reason) || !strings.Contains(te.Repair, repair) {
		t.Errorf("got %v\nwant %s: %s; %s", err, topic, reason, repair)
	}
}

func TestAnotherPartitionCountIsRefused(t *testing.T) {
	c := cluster(t, 1)
	openCluster(t, c, kafka.Options{}).Close()
	res, err := client(t, c.ListenAddrs(), nil).CreatePartitions(t.Context(), &kafkago.CreatePartitionsRequest{
		Topics: []kafkago.TopicPartitionsConfig{{Name: "lishi.conversations", Count: 3}},
	})
	if err != nil || res.Errors["lishi.conversations"] != nil {
		t.Fatal(err, res)
	}
	refusedTopic(t, c, "lishi.conversations", "3 partitions but was made with 2", "copy the log")
}

func TestForeignTopicIsRefused(t *testing.T) {
	c := cluster(t, 1)
	if err := c.CreateTopic("lishi.conversations", 2, map[string]string{"retention.ms": "-1", "retention.bytes": "-1"}); err != nil {
		t.Fatal(err)
	}
	produceRaw(t, c, "lishi.conversations", 1, kafkago.Record{Value: kafkago.NewBytes([]byte("hello"))})
	refusedTopic(t, c, "lishi.conversations", "c1 does not begin with log.opened", "prefix")
}

func TestTwoLogsInOneAreRefused(t *testing.T) {
	c := cluster(t, 1)
	openCluster(t, c, kafka.Options{}).Close()
	if err := c.DeleteTopic("lishi.users"); err != nil {
		t.Fatal(err)
	}
	openCluster(t, c, kafka.Options{TopicPrefix: "other."}).Close()
	if err := c.CreateTopic("lishi.users", 1, map[string]string{"retention.ms": "-1", "retention.bytes": "-1"}); err != nil {
		t.Fatal(err)
	}
	// The first record of the other log's users comes into this one's.
	raw := fetchRaw(t, c, "other.lishi.users", 0)
	produceRaw(t, c, "lishi.users", 0, raw...)
	refusedTopic(t, c, "lishi.users", "u0 belongs to log", "prefix")
}

// Nodes that start at once on an empty cluster agree on one log.
func TestNodesThatStartAtOnceAgree(t *testing.T) {
	c := cluster(t, 3)
	ids := make([]string, 4)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			l, err := kafka.Open(t.Context(), kafka.Options{Brokers: c.ListenAddrs(), Layout: events.Layout{Conversations: 4, Users: 2}, Logger: quiet()})
			if err != nil {
				t.Error(err)
				return
			}
			defer l.Close()
			ids[i] = l.ID()
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id == "" || id != ids[0] {
			t.Fatal(ids)
		}
	}
}

func TestDefaultLayouts(t *testing.T) {
	if got := openLog(t, kafka.Options{Brokers: cluster(t, 1).ListenAddrs()}).Layout(); got != (events.Layout{Conversations: 16, Users: 4}) {
		t.Error(got)
	}
	if got := openLog(t, kafka.Options{Embedded: openBroker(t, t.TempDir())}).Layout(); got != (events.Layout{Conversations: 4, Users: 1}) {
		t.Error(got)
	}
}

// A topic that takes less than a batch's size gets smaller batches.
func TestSmallerBatchesForSmallerTopics(t *testing.T) {
	c := cluster(t, 1)
	for _, topic := range []string{"lishi.conversations", "lishi.users"} {
		if err := c.CreateTopic(topic, 2, map[string]string{"retention.ms": "-1", "retention.bytes": "-1", "max.message.bytes": "3000"}); err != nil {
			t.Fatal(err)
		}
	}
	l := openLog(t, kafka.Options{Brokers: c.ListenAddrs()})
	var es []events.Event
	for i := range 100 {
		es = append(es, logtest.Message(stream, i))
	}
	if _, err := l.Append(t.Context(), es...); err != nil {
		t.Fatal(err)
	}
	big := logtest.Message(stream, 100)
	big.Body = events.MessageSent{Content: events.Content{Plain: strings.Repeat("x", 3000)}}
	if _, err := l.Append(t.Context(), big); !errors.Is(err, kafka.ErrTooLarge) || !errors.Is(err, events.ErrUnavailable) {
		t.Error(err)
	}
}

func TestTooFewBrokers(t *testing.T) {
	err := openError(t, cluster(t, 1), kafka.Options{Replication: 3})
	var te *kafka.TopicError
	if !errors.As(err, &te) || !strings.Contains(te.Reason, "3 replicas (replicas), and the cluster has 1 brokers") || !strings.Contains(te.Repair, "LISHI_REPLICAS=1") {
		t.Error(err)
	}
}

func TestNobodyThere(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err := kafka.Open(ctx, kafka.Options{Brokers: []string{"127.0.0.1:1"}, RequestTimeout: time.Second, Logger: quiet()})
	if !errors.Is(err, events.ErrUnavailable) || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Error(err)
	}
	if _, err := kafka.Open(ctx, kafka.Options{}); err == nil {
		t.Error("opened nothing")
	}
}

// A broker that has yet to hear of a new topic says that there is none: that is
// no reason to give a start up.
func TestABrokerThatHasNotHeardOfTheTopic(t *testing.T) {
	c := cluster(t, 1)
	c.ControlKey(int16(kmsg.DescribeConfigs), func(r kmsg.Request) (kmsg.Response, error, bool) {
		res := r.ResponseKind().(*kmsg.DescribeConfigsResponse)
		for _, asked := range r.(*kmsg.DescribeConfigsRequest).Resources {
			one := kmsg.NewDescribeConfigsResponseResource()
			one.ErrorCode, one.ResourceType, one.ResourceName = kerr.UnknownTopicOrPartition.Code, asked.ResourceType, asked.ResourceName
			res.Resources = append(res.Resources, one)
		}
		return res, nil, true
	})
	l, err := kafka.Open(t.Context(), kafka.Options{Brokers: c.ListenAddrs(), Layout: events.Layout{Conversations: 1, Users: 1}, Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}
