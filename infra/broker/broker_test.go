package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl/plain"
	"go.uber.org/goleak"
)

const topic = "t.est" // a name that kfake would not escape, and one would confuse with a suffix

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func open(t testing.TB, dir string) *Broker {
	t.Helper()
	b, err := Open(t.Context(), Options{Dir: dir, Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func client(t testing.TB, b *Broker) *kafka.Client {
	t.Helper()
	user, password := b.Credentials()
	tr := &kafka.Transport{SASL: plain.Mechanism{Username: user, Password: password}}
	t.Cleanup(tr.CloseIdleConnections)
	return &kafka.Client{Addr: kafka.TCP(b.Addr()), Transport: tr, Timeout: 10 * time.Second}
}

func createTopic(t testing.TB, c *kafka.Client, partitions int) {
	t.Helper()
	res, err := c.CreateTopics(t.Context(), &kafka.CreateTopicsRequest{
		Topics: []kafka.TopicConfig{{Topic: topic, NumPartitions: partitions, ReplicationFactor: 1}},
	})
	if err == nil {
		err = res.Errors[topic]
	}
	if err != nil {
		t.Fatal(err)
	}
}

// produce appends a batch and answers with its end.
func produce(ctx context.Context, c *kafka.Client, partition int, values ...string) (int64, error) {
	records := make([]kafka.Record, len(values))
	for i, v := range values {
		records[i].Value = kafka.NewBytes([]byte(v))
	}
	res, err := c.Produce(ctx, &kafka.ProduceRequest{
		Topic: topic, Partition: partition, RequiredAcks: kafka.RequireAll,
		Records: kafka.NewRecordReader(records...),
	})
	if err != nil {
		return 0, err
	}
	return res.BaseOffset + int64(len(values)), res.Error
}

func mustProduce(t testing.TB, b *Broker, c *kafka.Client, partition int, values ...string) int64 {
	t.Helper()
	end, err := produce(t.Context(), c, partition, values...)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Sync(t.Context(), topic, int32(partition), end); err != nil {
		t.Fatal(err)
	}
	return end
}

// consume reads all values of a partition.
func consume(t testing.TB, c *kafka.Client, partition int, from, to int64) []string {
	t.Helper()
	var values []string
	for next := from; next < to; {
		res, err := c.Fetch(t.Context(), &kafka.FetchRequest{Topic: topic, Partition: partition, Offset: next, MinBytes: 1, MaxBytes: 1 << 20, MaxWait: time.Second})
		if err == nil {
			err = res.Error
		}
		if err != nil {
			t.Fatal(err)
		}
		before := next
		for {
			r, err := res.Records.ReadRecord()
			if err != nil {
				break
			}
			if r.Offset < next {
				continue
			}
			if r.Offset != next {
				t.Fatalf("offset %d follows %d", r.Offset, next-1)
			}
			v, _ := kafka.ReadAll(r.Value)
			values = append(values, string(v))
			next++
		}
		if next == before {
			t.Fatalf("nothing at offset %d", next)
		}
	}
	return values
}

func TestRecordsSurviveRestart(t *testing.T) {
	dir := t.TempDir()
	var want []string
	for round := range 4 {
		b := open(t, dir)
		c := client(t, b)
		if round == 0 {
			createTopic(t, c, 2)
		}
		if got := b.Synced(topic, 1); got != int64(len(want)) {
			t.Fatalf("round %d: synced %d; want %d", round, got, len(want))
		}
		for i := range 3 {
			v := fmt.Sprintf("%d-%d", round, i)
			want = append(want, v, v+"b")
			end := mustProduce(t, b, c, 1, v, v+"b")
			if synced := b.Synced(topic, 1); synced != end || end != int64(len(want)) {
				t.Fatalf("synced %d, end %d, want %d", synced, end, len(want))
			}
		}
		if got := consume(t, c, 1, 0, int64(len(want))); strings.Join(got, " ") != strings.Join(want, " ") {
			t.Fatalf("got %q\nwant %q", got, want)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSegmentsRoll(t *testing.T) {
	dir := t.TempDir()
	o := Options{Dir: dir, Logger: quiet(), SegmentBytes: 4 << 10}
	b, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	c := client(t, b)
	createTopic(t, c, 1)
	var want []string
	for i := range 60 {
		want = append(want, fmt.Sprint(i, strings.Repeat("x", 700)))
		mustProduce(t, b, c, 0, want[i])
	}
	b.Close()
	segments, err := listSegments(filepath.Join(dir, "kafka", "partitions", topic+"-0"))
	if err != nil || len(segments) < 5 {
		t.Fatalf("%d segments, %v", len(segments), err)
	}
	b, err = Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	c = client(t, b)
	want = append(want, "after")
	end := mustProduce(t, b, c, 0, "after")
	if got := consume(t, c, 0, 0, end); strings.Join(got, " ") != strings.Join(want, " ") {
		t.Fatalf("got %d values, want %d", len(got), len(want))
	}
}

func TestDirectoryIsLocked(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir)
	_, err := Open(t.Context(), Options{Dir: dir, Logger: quiet()})
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("in use by process %d", os.Getpid())) {
		t.Fatal(err)
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Fatal(info.Mode(), err)
	}
	b.Close()
	open(t, dir)
}

func TestFormat(t *testing.T) {
	for _, tc := range []struct{ format, want string }{
		{"lishi log 2\n", "newer lishi"},
		{"something else\n", "does not say"},
		{"", "does not say"},
	} {
		dir := t.TempDir()
		open(t, dir).Close()
		if err := os.WriteFile(filepath.Join(dir, "format"), []byte(tc.format), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), Options{Dir: dir, Logger: quiet()}); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("format %q: %v", tc.format, err)
		}
	}
}

func TestStrangersAreRefused(t *testing.T) {
	b := open(t, t.TempDir())
	for name, mechanism := range map[string]*plain.Mechanism{
		"no credentials": nil,
		"wrong password": {Username: user, Password: "wrong"},
	} {
		tr := &kafka.Transport{DialTimeout: 2 * time.Second}
		if mechanism != nil {
			tr.SASL = *mechanism
		}
		c := &kafka.Client{Addr: kafka.TCP(b.Addr()), Transport: tr, Timeout: 2 * time.Second}
		if _, err := c.Metadata(t.Context(), &kafka.MetadataRequest{}); err == nil {
			t.Errorf("%s: let in", name)
		}
		tr.CloseIdleConnections()
	}
}

// What any program on the machine may send to the port ends its own connection
// and nothing else.
func TestNonsenseEndsOnlyItsConnection(t *testing.T) {
	b := open(t, t.TempDir())
	c := client(t, b)
	createTopic(t, c, 1)
	for name, sent := range map[string]string{
		"HTTP":              "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"a huge length":     "\xff\xff\xff\xff\x00\x12\x00\x00",
		"a negative length": "\x00\x00\x00\x00\x00\x12\x00\x00",
		"an unknown kind":   "\x00\x00\x00\x0a\x7f\xff\x00\x00\x00\x00\x00\x00\xff\xff",
		"no credentials":    "\x00\x00\x00\x0a\x00\x03\x00\x00\x00\x00\x00\x00\xff\xff",
	} {
		conn, err := net.Dial("tcp", b.Addr())
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		for i := range sent { // byte by byte, so that no request arrives in one piece
			if _, err := conn.Write([]byte{sent[i]}); err != nil {
				break
			}
		}
		if n, err := conn.Read(make([]byte, 1)); n > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: %d, %v", name, n, err)
		}
		conn.Close()
	}
	mustProduce(t, b, c, 0, "still there")
}
