package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	kafkago "github.com/segmentio/kafka-go"

	"lishi/events"
	"lishi/infra/kafka"
	"lishi/infra/kafka/logtest"
)

// filled is a log with some history in every partition.
func filled(t *testing.T, l *kafka.Log, n int) *kafka.Log {
	t.Helper()
	for i := range n {
		es := []events.Event{
			logtest.Message(events.GroupStream(fmt.Sprint("g", i%7)), i),
			registered(i),
		}
		if i%10 == 0 { // some in batches of their own, some together
			es = append(es, logtest.Message(stream, i), logtest.Message(stream, i+1_000_000))
		}
		if _, err := l.Append(t.Context(), es...); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

func registered(n int) events.Event {
	e := logtest.Message(events.UserStream(fmt.Sprint("u", n)), n)
	e.Basis, e.Revision, e.Body = 0, 1, events.UserRegistered{NickName: fmt.Sprint("昵称", n)}
	return e
}

// sameHistory reads both logs from the first event and compares all of them.
func sameHistory(t *testing.T, a, b *kafka.Log) {
	t.Helper()
	if a.ID() != b.ID() || a.Layout() != b.Layout() {
		t.Fatalf("%s %v, %s %v", a.ID(), a.Layout(), b.ID(), b.Layout())
	}
	endA, err := a.End(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	endB, err := b.End(t.Context())
	if err != nil || endA.String() != endB.String() {
		t.Fatalf("%s, %s, %v", endA, endB, err)
	}
	ra, err := logtest.Read(t.Context(), a, logtest.Beginning(a.Layout()), endA)
	if err != nil {
		t.Fatal(err)
	}
	rb, err := logtest.Read(t.Context(), b, logtest.Beginning(b.Layout()), endB)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(ra, rb) {
		t.Fatal("the histories differ")
	}
}

func TestCopyFromEmbeddedToKafkaAndBack(t *testing.T) {
	t.Parallel()
	b := openBroker(t, t.TempDir())
	first := filled(t, openLog(t, kafka.Options{Embedded: b, Layout: events.Layout{Conversations: 3, Users: 2}}), 300)
	c := cluster(t, 3)
	least := func(p events.Partition) int64 { // those beside the chat are opened, no more
		if first.Layout().Count(p.Topic) == 0 {
			return 1
		}
		return 2
	}
	copyOf := func(from, to kafka.Options) kafka.CopyResult {
		t.Helper()
		from.Logger, to.Logger = quiet(), quiet()
		res, err := kafka.Copy(t.Context(), kafka.CopyOptions{From: from, To: to})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range res.Partitions {
			if p.Source != p.Target || len(p.Source) != 64 || p.Records < least(p.Partition) {
				t.Errorf("%+v", p)
			}
		}
		if res.LogID != first.ID() || len(res.Partitions) != 7 {
			t.Errorf("%+v", res)
		}
		return res
	}
	onKafka := kafka.Options{Brokers: c.ListenAddrs(), TopicPrefix: "moved.", Replication: 3}
	there := copyOf(kafka.Options{Embedded: b}, onKafka)
	sameHistory(t, first, openLog(t, onKafka))

	// On a whole target the same command only compares.
	if again := copyOf(kafka.Options{Embedded: b}, onKafka); again.Partitions[0].There != again.Partitions[0].Records || again.Partitions[0].Source != there.Partitions[0].Source {
		t.Errorf("%+v", again)
	}
	other := openBroker(t, t.TempDir())
	back := copyOf(onKafka, kafka.Options{Embedded: other})
	if back.Partitions[4].Source != there.Partitions[4].Source {
		t.Error("the same records have another root")
	}
	moved := openLog(t, kafka.Options{Embedded: other})
	sameHistory(t, first, moved)
	if _, err := moved.Append(t.Context(), logtest.Message(stream, 9_999)); err != nil { // and it goes on
		t.Fatal(err)
	}
}

// A copy that is interrupted makes a target that is refused until the same
// command has finished it.
func TestAnInterruptedCopyIsContinued(t *testing.T) {
	t.Parallel()
	from, to := openBroker(t, t.TempDir()), openBroker(t, t.TempDir())
	first := filled(t, openLog(t, kafka.Options{Embedded: from}), 500)
	o := kafka.CopyOptions{
		From: kafka.Options{Embedded: from, Logger: quiet()},
		To:   kafka.Options{Embedded: to, Logger: quiet(), BatchBytes: 5_000},
	}
	for _, phase := range []string{"checking", "copying", "verifying"} {
		ctx, cancel := context.WithCancel(t.Context())
		o.Progress = func(p kafka.CopyProgress) {
			if p.Phase == phase && p.Done > 0 || phase == "checking" && p.Phase == phase {
				cancel()
			}
		}
		if _, err := kafka.Copy(ctx, o); !errors.Is(err, context.Canceled) {
			t.Fatalf("%s: %v", phase, err)
		}
		if phase == "checking" {
			continue // nothing was begun
		}
		_, err := kafka.Open(t.Context(), kafka.Options{Embedded: to, Logger: quiet()})
		var te *kafka.TopicError
		if !errors.As(err, &te) || te.Topic != "lishi.copying" || !strings.Contains(te.Repair, "lishi log copy") {
			t.Fatalf("after %s a half copy was opened: %v", phase, err)
		}
		if _, err := kafka.Copy(t.Context(), kafka.CopyOptions{From: o.To, To: o.From}); !errors.As(err, &te) || te.Topic != "lishi.copying" {
			t.Fatalf("after %s a half copy was copied: %v", phase, err)
		}
	}
	o.Progress = nil
	res, err := kafka.Copy(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	there := int64(0)
	for _, p := range res.Partitions {
		there += p.There
	}
	if there == 0 {
		t.Error("nothing of the earlier runs was of use")
	}
	sameHistory(t, first, openLog(t, kafka.Options{Embedded: to}))
}

func TestCopiesThatAreRefused(t *testing.T) {
	t.Parallel()
	source := cluster(t, 1)
	from := kafka.Options{Brokers: source.ListenAddrs(), Logger: quiet()}
	filled(t, openCluster(t, source, kafka.Options{}), 20)
	keeping := map[string]string{"retention.ms": "-1", "retention.bytes": "-1"}

	refused := func(name string, to kafka.Options, topic string, texts ...string) {
		t.Helper()
		to.Logger = quiet()
		_, err := kafka.Copy(t.Context(), kafka.CopyOptions{From: from, To: to})
		var te *kafka.TopicError
		var de *kafka.DiffersError
		if topic == "" && !errors.As(err, &de) || topic != "" && (!errors.As(err, &te) || te.Topic != topic) {
			t.Errorf("%s: %v", name, err)
		}
		for _, text := range texts {
			if err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("%s: %v\nlacks %q", name, err, text)
			}
		}
	}
	refused("itself", from, "lishi.conversations", "is the source itself")

	c := cluster(t, 1)
	to := kafka.Options{Brokers: c.ListenAddrs(), Replication: 1}
	if err := c.CreateTopic("a.lishi.conversations", 3, keeping); err != nil {
		t.Fatal(err)
	}
	to.TopicPrefix = "a."
	refused("other partitions", to, "a.lishi.conversations", "3 partitions, the source has 2")

	if err := c.CreateTopic("b.lishi.users", 1, map[string]string{"retention.ms": "1000"}); err != nil {
		t.Fatal(err)
	}
	to.TopicPrefix = "b."
	refused("would forget", to, "b.lishi.users", "forget", "kafka-configs.sh")

	openCluster(t, c, kafka.Options{TopicPrefix: "c."}).Close()
	to.TopicPrefix = "c."
	refused("another log", to, "", "belongs to log", "another topic prefix")

	// A record more than the source has, and another record than it has.
	to.TopicPrefix = "d."
	if _, err := kafka.Copy(t.Context(), kafka.CopyOptions{From: from, To: to}); err != nil {
		t.Fatal(err)
	}
	produceRaw(t, c, "d.lishi.users", 0, fetchRaw(t, source, "lishi.users", 0)...)
	refused("longer", to, "", "u0", "the source", "Delete the topics d.lishi.conversations, d.lishi.users, d.lishi.audit, d.lishi.seals, d.lishi.copying")

	to.TopicPrefix = "e."
	for topic, n := range map[string]int32{"e.lishi.conversations": 2, "e.lishi.users": 1} {
		if err := c.CreateTopic(topic, n, keeping); err != nil {
			t.Fatal(err)
		}
	}
	begin := fetchRaw(t, source, "lishi.users", 0)
	begin[1].Value = kafkago.NewBytes([]byte(`{"content":{"plain":"forged"}}`))
	produceRaw(t, c, "e.lishi.users", 0, begin[:2]...)
	refused("forged", to, "", "the root of its 2 records")

	// Nothing that was refused was written to.
	if got := len(fetchRaw(t, c, "e.lishi.users", 0)); got != 2 {
		t.Errorf("%d records", got)
	}
	empty := kafka.CopyOptions{From: kafka.Options{Brokers: c.ListenAddrs(), TopicPrefix: "none.", Logger: quiet()}, To: to}
	if _, err := kafka.Copy(t.Context(), empty); err == nil || !strings.Contains(err.Error(), "is not there") {
		t.Errorf("copied nothing: %v", err)
	}
}

// What others wrote is copied too, byte for byte; but not what transactions
// wrote, since it would be judged differently.
func TestCopyOfForeignRecords(t *testing.T) {
	t.Parallel()
	source, target := cluster(t, 1), cluster(t, 1)
	from := filled(t, openCluster(t, source, kafka.Options{}), 20)
	for _, compression := range []kafkago.Compression{0, kafkago.Gzip, kafkago.Zstd} {
		produceCompressed(t, source, "lishi.conversations", 0, compression,
			kafkago.Record{Key: nil, Value: kafkago.NewBytes([]byte(strings.Repeat("x", 5_000)))},
			kafkago.Record{Key: kafkago.NewBytes([]byte("k")), Value: nil, Headers: []kafkago.Header{{Key: "a", Value: nil}, {Key: "a", Value: []byte{0, 1}}}})
	}
	o := kafka.CopyOptions{
		From: kafka.Options{Brokers: source.ListenAddrs(), Logger: quiet()},
		To:   kafka.Options{Brokers: target.ListenAddrs(), Replication: 1, Logger: quiet()},
	}
	if _, err := kafka.Copy(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	sameHistory(t, from, openLog(t, kafka.Options{Brokers: target.ListenAddrs()}))

	transact(t, source, 1, true)
	if _, err := kafka.Copy(t.Context(), o); err == nil || !strings.Contains(err.Error(), "was written in a transaction") {
		t.Fatal(err)
	}
}

// A source that grows meanwhile is not called equal; the next run takes the rest.
func TestCopyOfAGrowingLog(t *testing.T) {
	t.Parallel()
	source, target := cluster(t, 1), cluster(t, 1)
	from := filled(t, openCluster(t, source, kafka.Options{}), 20)
	o := kafka.CopyOptions{
		From: kafka.Options{Brokers: source.ListenAddrs(), Logger: quiet()},
		To:   kafka.Options{Brokers: target.ListenAddrs(), Replication: 1, Logger: quiet()},
	}
	grown := false
	o.Progress = func(p kafka.CopyProgress) {
		if p.Phase == "verifying" && !grown {
			grown = true
			if _, err := from.Append(t.Context(), logtest.Message(stream, 777)); err != nil {
				t.Error(err)
			}
		}
	}
	if _, err := kafka.Copy(t.Context(), o); err == nil || !strings.Contains(err.Error(), "Stop all nodes") {
		t.Fatalf("a copy of a part was called whole: %v", err)
	}
	if _, err := kafka.Copy(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	sameHistory(t, from, openLog(t, kafka.Options{Brokers: target.ListenAddrs()}))
}
