package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"lishi/events"
	"lishi/infra/kafka"
	"lishi/infra/kafka/logtest"
)

func produceRaw(t *testing.T, c *kfake.Cluster, topic string, partition int, rs ...kafkago.Record) {
	t.Helper()
	produceCompressed(t, c, topic, partition, 0, rs...)
}

func produceCompressed(t *testing.T, c *kfake.Cluster, topic string, partition int, compression kafkago.Compression, rs ...kafkago.Record) {
	t.Helper()
	res, err := client(t, c.ListenAddrs(), nil).Produce(t.Context(), &kafkago.ProduceRequest{
		Topic: topic, Partition: partition, RequiredAcks: kafkago.RequireAll,
		Records: kafkago.NewRecordReader(rs...), Compression: compression,
	})
	if err == nil {
		err = res.Error
	}
	if err != nil {
		t.Fatal(err)
	}
}

// fetchRaw reads a partition with the client's own decoding.
func fetchRaw(t *testing.T, c *kfake.Cluster, topic string, partition int) []kafkago.Record {
	t.Helper()
	res, err := client(t, c.ListenAddrs(), nil).Fetch(t.Context(), &kafkago.FetchRequest{Topic: topic, Partition: partition, MinBytes: 1, MaxBytes: 1 << 20, MaxWait: time.Second})
	if err == nil {
		err = res.Error
	}
	if err != nil {
		t.Fatal(err)
	}
	var rs []kafkago.Record
	for {
		r, err := res.Records.ReadRecord()
		if errors.Is(err, io.EOF) {
			return rs
		}
		if err != nil {
			t.Fatal(err)
		}
		key, _ := kafkago.ReadAll(r.Key)
		value, _ := kafkago.ReadAll(r.Value)
		rs = append(rs, kafkago.Record{Key: kafkago.NewBytes(key), Value: kafkago.NewBytes(value), Headers: r.Headers, Time: r.Time})
	}
}

// Any Kafka client reads what the appender wrote: CloudEvents in headers.
func TestOtherClientsReadTheLog(t *testing.T) {
	c := cluster(t, 1)
	l := openCluster(t, c, kafka.Options{})
	ps, err := l.Append(t.Context(), logtest.Message(stream, 1), logtest.Message(stream, 2))
	if err != nil {
		t.Fatal(err)
	}
	rs := fetchRaw(t, c, "lishi.conversations", int(ps[0].Number))
	if len(rs) != 3 {
		t.Fatalf("%d records", len(rs))
	}
	for i, r := range rs[1:] {
		key, _ := kafkago.ReadAll(r.Key)
		headers := map[string]string{}
		for _, h := range r.Headers {
			headers[h.Key] = string(h.Value)
		}
		if string(key) != stream.Key() || headers["ce_type"] != "lishi.message.sent.v1" || headers["ce_request"] != fmt.Sprint(i+1) ||
			headers[events.HeaderRecordedTime] != fmt.Sprint(r.Time.UnixMilli()) {
			t.Errorf("%s: %v", key, headers)
		}
	}
}

// Records that are not lishi's come as foreign, each at its offset, whatever
// their compression; so do those of transactions, committed or not.
func TestForeignRecords(t *testing.T) {
	c := cluster(t, 1)
	l := openCluster(t, c, kafka.Options{})
	p := l.Layout().Partition(stream)
	if _, err := l.Append(t.Context(), logtest.Message(stream, 1)); err != nil {
		t.Fatal(err)
	}
	want := []string{"message.sent"}
	for _, compression := range []kafkago.Compression{0, kafkago.Gzip, kafkago.Snappy, kafkago.Lz4, kafkago.Zstd} {
		produceCompressed(t, c, "lishi.conversations", int(p.Number), compression,
			kafkago.Record{Value: kafkago.NewBytes([]byte("hello"))},
			kafkago.Record{Key: kafkago.NewBytes([]byte("k")), Headers: []kafkago.Header{{Key: "ce_type", Value: []byte("com.example.thing")}}})
		want = append(want, "foreign", "foreign")
	}
	transact(t, c, p.Number, true)
	transact(t, c, p.Number, false)
	want = append(want, "foreign", "foreign", "foreign", "foreign") // two records, two control records
	ps, err := l.Append(t.Context(), logtest.Message(stream, 2))
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, "message.sent")
	rs := readAll(t, l)
	var got []string
	for i, r := range rs {
		if r.Position.Offset != int64(i)+1 {
			t.Errorf("%s is number %d", r.Position, i)
		}
		got = append(got, r.Body.Type())
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if r, err := l.At(t.Context(), ps[0]); err != nil || r.Request != "2" {
		t.Error(r, err)
	}
	if r, err := l.At(t.Context(), events.Position{Partition: p, Offset: 2}); err != nil || r.Body.Type() != "foreign" {
		t.Error(r, err)
	}
}

// transact writes a record of the log's own form in a transaction.
func transact(t *testing.T, c *kfake.Cluster, partition int32, commit bool) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.TransactionalID(fmt.Sprint(commit)), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	r := &kgo.Record{Topic: "lishi.conversations", Partition: partition, Headers: []kgo.RecordHeader{{Key: "ce_type", Value: []byte("lishi.message.sent.v1")}}}
	if err := cl.ProduceSync(t.Context(), r).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := cl.EndTransaction(t.Context(), kgo.TransactionEndTry(commit)); err != nil {
		t.Fatal(err)
	}
}

// A record of lishi that can't be decoded stops its partition, at its position
// and not before.
func TestUndecodableRecordStopsItsPartition(t *testing.T) {
	c := cluster(t, 1)
	l := openCluster(t, c, kafka.Options{})
	p := l.Layout().Partition(stream)
	if _, err := l.Append(t.Context(), logtest.Message(stream, 1)); err != nil {
		t.Fatal(err)
	}
	produceRaw(t, c, "lishi.conversations", int(p.Number),
		kafkago.Record{Value: kafkago.NewBytes([]byte("foreign"))},
		kafkago.Record{Headers: []kafkago.Header{{Key: "ce_type", Value: []byte("lishi.message.sent.v1")}}, Value: kafkago.NewBytes([]byte("{"))})
	if _, err := l.Append(t.Context(), logtest.Message(stream, 2)); err != nil {
		t.Fatal(err)
	}
	var got []events.Position
	err := l.Read(t.Context(), events.Cursor{p: events.Start}, func(_ events.Partition, rs []events.Recorded) error {
		for _, r := range rs {
			got = append(got, r.Position)
		}
		return nil
	})
	bad := events.Position{Partition: p, Offset: 3}
	if !errors.Is(err, events.ErrDamaged) || !strings.Contains(err.Error(), bad.String()) {
		t.Error(err)
	}
	if len(got) != 3 {
		t.Errorf("read %v before it", got)
	}
	if _, err := l.At(t.Context(), bad); !errors.Is(err, events.ErrDamaged) {
		t.Error(err)
	}
}

// A log that begins later than the cursor has forgotten something.
func TestForgottenRecordsAreDamage(t *testing.T) {
	c := cluster(t, 1)
	l := openCluster(t, c, kafka.Options{})
	p := l.Layout().Partition(stream)
	for i := range 5 {
		if _, err := l.Append(t.Context(), logtest.Message(stream, i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.DeleteRecords("lishi.conversations", p.Number, 3); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	err := l.Read(ctx, events.Cursor{p: 0}, func(events.Partition, []events.Recorded) error { return nil })
	if !errors.Is(err, events.ErrDamaged) || !strings.Contains(err.Error(), p.String()+"-1 is gone") {
		t.Error(err)
	}
}

// Readers of the embedded broker see nothing that is not durable.
func TestReadersWaitForDurability(t *testing.T) {
	b := openBroker(t, t.TempDir())
	g := &gate{Broker: b}
	l := openLog(t, kafka.Options{Embedded: g})
	p := l.Layout().Partition(stream)
	hold := make(chan struct{})
	release := sync.OnceFunc(func() { close(hold) })
	defer release()
	g.setHold(hold)
	read := make(chan events.Recorded, 10)
	go l.Read(t.Context(), events.Cursor{p: 0}, func(_ events.Partition, rs []events.Recorded) error {
		for _, r := range rs {
			read <- r
		}
		return nil
	})
	done := make(chan error, 1)
	l.AppendAsync(logtest.Message(stream, 1), func(_ events.Position, err error) { done <- err })
	await(t, func() bool { n, err := b.Written("lishi.conversations", p.Number); return err == nil && n == 2 })
	select {
	case r := <-read:
		t.Fatalf("%s was read, though it is not durable", r.Position)
	case err := <-done:
		t.Fatalf("acknowledged, though it is not durable: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	if end, err := l.End(t.Context()); err != nil || end[p] != 0 {
		t.Error(end, err)
	}
	if _, err := l.At(t.Context(), events.Position{Partition: p, Offset: 1}); !errors.Is(err, kafka.ErrNotThere) {
		t.Error(err)
	}
	release()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if r := <-read; r.Position.Offset != 1 {
		t.Error(r.Position)
	}
}
