package app

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"

	"lishi/events"
	"lishi/events/merkle"
	"lishi/infra/kafka"
	"lishi/infra/kafka/logtest"
)

// lishi runs a command, and gives its output and exit status.
func lishi(t *testing.T, args ...string) (out, errs string, status int) {
	t.Helper()
	var o, e bytes.Buffer
	status = Main(args, os.Stdin, &o, &e)
	return o.String(), e.String(), status
}

func succeed(t *testing.T, args ...string) string {
	t.Helper()
	out, errs, status := lishi(t, args...)
	if status != done {
		t.Fatalf("lishi %s: status %d: %s%s", strings.Join(args, " "), status, out, errs)
	}
	return out
}

func seed(b byte) string {
	return base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte{b}, 32))
}

// original is a log on a broker, with checkpoints of one of its partitions that
// were kept elsewhere: one for every fourth record.
type original struct {
	cluster     *kfake.Cluster
	brokers     string
	partition   events.Partition
	records     []events.Record
	checkpoints []string // files
	dir         string
}

func newOriginal(t *testing.T) *original {
	t.Helper()
	t.Setenv("LISHI_REPLICAS", "1") // it has one broker
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	o := &original{cluster: c, brokers: c.ListenAddrs()[0], dir: t.TempDir()}
	options := kafka.Options{Brokers: c.ListenAddrs(), Layout: events.Layout{Conversations: 1, Users: 1}, Replication: 1}
	l, err := kafka.Open(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 30 {
		if _, err := l.Append(t.Context(), logtest.Message(events.GroupStream("g"), i)); err != nil {
			t.Fatal(err)
		}
	}
	o.partition = events.Partition{Topic: events.Conversations}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	a, err := kafka.OpenArchive(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	key, _ := merkle.NewKey(bytes.Repeat([]byte{1}, 32))
	var tree merkle.Tree
	err = a.Read(t.Context(), o.partition, 0, a.Records[o.partition], func(offset int64, r events.Record) error {
		b := events.AppendRecord(nil, r) // the record is ours for the call alone
		r, _ = events.ParseRecord(b)
		o.records = append(o.records, r)
		tree.Append(nil, events.LeafHash(r))
		if tree.Size()%4 == 0 {
			signed, err := merkle.Sign(merkle.Checkpoint{Origin: merkle.Origin(a.LogID, o.partition), Size: tree.Size(), Root: tree.Root()}, key)
			if err != nil {
				return err
			}
			path := filepath.Join(o.dir, fmt.Sprintf("%d.checkpoint", tree.Size()))
			o.checkpoints = append(o.checkpoints, path)
			return os.WriteFile(path, signed, 0o644)
		}
		return nil
	})
	if err != nil || len(o.records) != 31 || len(o.checkpoints) != 7 {
		t.Fatalf("%d records, %d checkpoints, %v", len(o.records), len(o.checkpoints), err)
	}
	return o
}

// rewrite makes another log of records, as somebody would who can write to the
// broker's disk.
func (o *original) rewrite(t *testing.T, prefix string, records []events.Record) {
	t.Helper()
	for _, topic := range events.Topics {
		if err := o.cluster.CreateTopic(prefix+topic.Name(), 1, map[string]string{"retention.ms": "-1", "retention.bytes": "-1"}); err != nil {
			t.Fatal(err)
		}
	}
	o.produce(t, prefix+events.Conversations.Name(), records)
	// The users' topic begins as the original's does.
	a, err := kafka.OpenArchive(t.Context(), kafka.Options{Brokers: o.cluster.ListenAddrs()})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	err = a.Read(t.Context(), events.Partition{Topic: events.Users}, 0, 1, func(_ int64, r events.Record) error {
		o.produce(t, prefix+events.Users.Name(), []events.Record{r})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (o *original) produce(t *testing.T, topic string, records []events.Record) {
	t.Helper()
	var rs []kafkago.Record
	for _, r := range records {
		k := kafkago.Record{Key: kafkago.NewBytes(r.Key), Value: kafkago.NewBytes(r.Value)}
		for _, h := range r.Headers {
			k.Headers = append(k.Headers, kafkago.Header{Key: h.Key, Value: h.Value})
		}
		rs = append(rs, k)
	}
	client := &kafkago.Client{Addr: kafkago.TCP(o.brokers), Transport: &kafkago.Transport{}} // one that knows the new topics
	res, err := client.Produce(t.Context(), &kafkago.ProduceRequest{Topic: topic, RequiredAcks: kafkago.RequireAll, Records: kafkago.NewRecordReader(rs...)})
	if err == nil {
		err = res.Error
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (o *original) verify(t *testing.T, prefix string, more ...string) (out, errs string, status int) {
	t.Helper()
	args := append([]string{"audit", "verify", "--log", "--kafka-brokers", o.brokers, "--topic-prefix", prefix, "--audit-key", seed(1)}, more...)
	return lishi(t, append(args, o.checkpoints...)...)
}

// Whatever is done to the log behind the checkpoints is found, and where.
func TestAnAlteredLogIsFound(t *testing.T) {
	o := newOriginal(t)
	if out, errs, status := o.verify(t, ""); status != done || !strings.Contains(out, "c0 holds: 31 records, of which checkpoints vouch for the first 28") {
		t.Fatalf("status %d: %s%s", status, out, errs)
	}
	altered := func(at int, change func(r *events.Record)) []events.Record {
		rs := slices.Clone(o.records)
		r, _ := events.ParseRecord(events.AppendRecord(nil, rs[at]))
		change(&r)
		rs[at] = r
		return rs
	}
	swapped := slices.Clone(o.records)
	swapped[17], swapped[18] = swapped[18], swapped[17]
	for name, tc := range map[string]struct {
		records []events.Record
		found   string // in the finding; empty if nothing is to be found
	}{
		"same":                {o.records, ""},
		"longer":              {append(slices.Clone(o.records), o.records[5]), ""},
		"bit of a value":      {altered(9, func(r *events.Record) { r.Value[3] ^= 1 }), "offsets from 8 to 11"},
		"bit of a key":        {altered(12, func(r *events.Record) { r.Key[0] ^= 1 }), "offsets from 12 to 15"},
		"bit of a header":     {altered(15, func(r *events.Record) { r.Headers[4].Value[0] ^= 1 }), "offsets from 12 to 15"},
		"header more":         {altered(16, func(r *events.Record) { r.Headers = append(r.Headers, events.Header{Key: "x"}) }), "offsets from 16 to 19"},
		"headers swapped":     {altered(20, func(r *events.Record) { r.Headers[0], r.Headers[1] = r.Headers[1], r.Headers[0] }), "offsets from 20 to 23"},
		"removed":             {slices.Delete(slices.Clone(o.records), 6, 7), "offsets from 4 to 7"},
		"removed the last":    {slices.Delete(slices.Clone(o.records), 27, 31), "has 27 records"},
		"inserted":            {slices.Insert(slices.Clone(o.records), 6, o.records[5]), "offsets from 4 to 7"},
		"swapped":             {swapped, "offsets from 16 to 19"},
		"rolled back":         {o.records[:10], "has 10 records"},
		"after the last mark": {altered(30, func(r *events.Record) { r.Value[3] ^= 1 }), ""}, // nobody vouches for it yet
	} {
		t.Run(name, func(t *testing.T) {
			prefix := strings.ReplaceAll(name, " ", "-") + "."
			o.rewrite(t, prefix, tc.records)
			out, errs, status := o.verify(t, prefix)
			if tc.found == "" && status != done || tc.found != "" && (status != finding || !strings.Contains(errs, tc.found)) {
				t.Errorf("status %d: %s%s", status, out, errs)
			}
		})
	}
}

// A log can't be told from its forgery by the forger's own checkpoints.
func TestOnlyTrustedKeysVouch(t *testing.T) {
	o := newOriginal(t)
	forged := slices.Clone(o.records)
	forged[9] = forged[8]
	o.rewrite(t, "forged.", forged)
	dir := t.TempDir()
	at := []string{"--kafka-brokers", o.brokers, "--topic-prefix", "forged."}
	succeed(t, append([]string{"audit", "checkpoint", "c0", "--out", dir, "--audit-key", seed(2)}, at...)...)
	resigned := filepath.Join(dir, "c0-31.checkpoint")
	own := strings.TrimSpace(succeed(t, "audit", "key", "--audit-key", seed(1)))
	forgers := strings.TrimSpace(succeed(t, "audit", "key", "--audit-key", seed(2)))

	out, errs, status := lishi(t, append([]string{"audit", "verify", "--log", resigned, "--key", own}, at...)...)
	if status != finding || !strings.Contains(errs, "no verifiable signatures") {
		t.Errorf("status %d: %s%s", status, out, errs)
	}
	if _, errs, status := lishi(t, append([]string{"audit", "verify", "--log", resigned, "--key", own, "--key", forgers}, at...)...); status != done {
		t.Errorf("with the forger's key trusted: status %d: %s", status, errs)
	}
	// The honest checkpoints, and a consistency proof from one of them, fail.
	if _, errs, status := o.verify(t, "forged."); status != finding || !strings.Contains(errs, "offsets from 8 to 11") {
		t.Errorf("status %d: %s", status, errs)
	}
	_, errs, status = lishi(t, append([]string{"audit", "consistency", o.checkpoints[2], "--audit-key", seed(1)}, at...)...)
	if status != finding || !strings.Contains(errs, "are not what they were") {
		t.Errorf("status %d: %s", status, errs)
	}
	// A checkpoint directory tells a fork at once.
	if err := os.Rename(resigned, filepath.Join(dir, "kept")); err != nil {
		t.Fatal(err)
	}
	succeed(t, "audit", "checkpoint", "c0", "--out", dir, "--audit-key", seed(1), "--kafka-brokers", o.brokers)
	_, errs, status = lishi(t, append([]string{"audit", "checkpoint", "c0", "--out", dir, "--audit-key", seed(1)}, at...)...)
	if status != finding || !strings.Contains(errs, "says something else of the same size") {
		t.Errorf("status %d: %s", status, errs)
	}
}

func TestProofsStandAlone(t *testing.T) {
	o := newOriginal(t)
	dir := t.TempDir()
	proof, cont := filepath.Join(dir, "p.tlog-proof"), filepath.Join(dir, "c.proof")
	at := []string{"--kafka-brokers", o.brokers, "--audit-key", seed(1)}
	succeed(t, append([]string{"audit", "prove", "c0-12", "--out", proof}, at...)...)
	succeed(t, append([]string{"audit", "consistency", o.checkpoints[3], "--out", cont}, at...)...)
	between := filepath.Join(dir, "b.proof")
	succeed(t, append([]string{"audit", "consistency", o.checkpoints[1], o.checkpoints[4], "--out", between}, at...)...)
	if _, errs, status := lishi(t, append([]string{"audit", "consistency", o.checkpoints[4], o.checkpoints[1]}, at...)...); status != misuse || !strings.Contains(errs, "is the older one") {
		t.Errorf("status %d: %s", status, errs)
	}
	own := strings.TrimSpace(succeed(t, "audit", "key", "--audit-key", seed(1)))
	o.cluster.Close() // nobody is asked
	succeed(t, "audit", "verify", between, "--old", o.checkpoints[1], "--key", own)

	var v verifiedEvent
	if err := json.Unmarshal([]byte(succeed(t, "audit", "verify", proof, "--key", own, "--json")), &v); err != nil || v.Position != "c0-12" || v.Size != 31 || v.Type != "message.sent" || v.Value != string(o.records[12].Value) {
		t.Errorf("%+v %v", v, err)
	}
	succeed(t, "audit", "verify", o.checkpoints[3], "--key", own)
	succeed(t, "audit", "verify", cont, "--old", o.checkpoints[3], "--key", own)
	if _, errs, status := lishi(t, "audit", "verify", cont, "--old", o.checkpoints[2], "--key", own); status != finding || !strings.Contains(errs, "it begins at size 16, not 12") {
		t.Errorf("status %d: %s", status, errs)
	}
	if _, errs, status := lishi(t, "audit", "verify", cont, "--key", own); status != misuse || !strings.Contains(errs, "--old") {
		t.Errorf("status %d: %s", status, errs)
	}
	text, _ := os.ReadFile(proof)
	for i := range text { // one bit, anywhere
		b := bytes.Clone(text)
		b[i] ^= 1
		if err := os.WriteFile(proof, b, 0o644); err != nil {
			t.Fatal(err)
		}
		if out, _, status := lishi(t, "audit", "verify", proof, "--key", own); status != finding {
			t.Fatalf("with byte %d altered: status %d: %s", i, status, out)
		}
	}
}

func TestAuditRefusesWhatItCantUse(t *testing.T) {
	o := newOriginal(t)
	at := []string{"--kafka-brokers", o.brokers, "--audit-key", seed(1)}
	for _, tc := range []struct {
		args   []string
		status int
		says   string
	}{
		{[]string{"prove", "c0-31"}, failed, "is not in the log"},
		{[]string{"prove", "c7-0"}, failed, "no partition c7"},
		{[]string{"prove", "12"}, misuse, "not a position"},
		{[]string{"checkpoint", "c9"}, misuse, `no partition "c9"`},
		{[]string{"verify", "nowhere"}, failed, "nowhere"},
		{[]string{"verify", o.checkpoints[0], "--key", "AAAA"}, misuse, "not a public key"},
		{[]string{"verify"}, misuse, "at least 1"},
		{[]string{"checkpoint", "--audit-key", "short"}, misuse, "32 bytes"},
		{[]string{"checkpoint", "--audit-key", ""}, misuse, "must be given with Kafka"},
	} {
		out, errs, status := lishi(t, append(append([]string{"audit"}, at...), tc.args...)...)
		_ = out
		if status != tc.status || !strings.Contains(errs, tc.says) {
			t.Errorf("audit %s: status %d: %s", strings.Join(tc.args, " "), status, errs)
		}
	}
}
