package app

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lishi/events"
	"lishi/events/merkle"
	"lishi/infra/kafka"
	"lishi/infra/seals"
)

// sealed signs the original as a running lishi does, in two rounds, and gives its
// data directory.
func (o *original) sealed(t *testing.T, key byte) (data string) {
	t.Helper()
	data = t.TempDir()
	l, err := kafka.Open(t.Context(), kafka.Options{Brokers: o.cluster.ListenAddrs(), Replication: 1, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	k, _ := merkle.NewKey(bytes.Repeat([]byte{key}, 32))
	s, err := seals.Open(l, seals.Options{Dir: data, Key: &k, Alone: true, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.Last(t.Context())
	if st := s.Status(); st.Error != "" || len(st.Wrong) > 0 || st.Partitions[0].Size != 31 {
		t.Fatalf("%+v", st)
	}
	return data
}

// copySeals gives a rewritten log the topics beside the chat, with what was signed
// of the original changed.
func (o *original) copySeals(t *testing.T, prefix string, change func([]events.Record) []events.Record) {
	t.Helper()
	a, err := kafka.OpenArchive(t.Context(), kafka.Options{Brokers: o.cluster.ListenAddrs()})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	for _, topic := range events.Beside {
		if err := o.cluster.CreateTopic(prefix+topic.Name(), 1, map[string]string{"retention.ms": "-1", "retention.bytes": "-1"}); err != nil {
			t.Fatal(err)
		}
		var rs []events.Record
		p := events.Partition{Topic: topic}
		err := a.Read(t.Context(), p, 0, a.Records[p], func(_ int64, r events.Record) error {
			r, err := events.ParseRecord(events.AppendRecord(nil, r))
			rs = append(rs, r)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if change != nil && topic == events.Seals {
			rs = change(rs)
		}
		o.produce(t, prefix+topic.Name(), rs)
	}
}

// With what was stored when the records were sealed, the first wrong record is
// named, and what was done to it.
func TestTheFirstWrongRecordIsNamed(t *testing.T) {
	o := newOriginal(t)
	data := o.sealed(t, 1)
	verify := func(prefix string, more ...string) (string, string, int) {
		return lishi(t, append([]string{"audit", "verify", "--log", "--kafka-brokers", o.brokers, "--topic-prefix", prefix, "--data", data, "--audit-key", seed(1)}, more...)...)
	}
	if out, errs, status := verify(""); status != done || !strings.Contains(out, "c0 holds: 31 records, of which checkpoints vouch for the first 31") {
		t.Fatalf("status %d: %s%s", status, out, errs)
	}
	empty := filepath.Join(t.TempDir(), "kept.checkpoint") // what was kept is gone
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, errs, status := verify("", empty); status != finding || !strings.Contains(errs, "kept.checkpoint is empty") {
		t.Errorf("status %d: %s%s", status, out, errs)
	}
	altered := slices.Clone(o.records)
	altered[9], _ = events.ParseRecord(events.AppendRecord(nil, o.records[9]))
	altered[9].Value[3] ^= 1
	swapped := slices.Clone(o.records)
	swapped[17], swapped[18] = swapped[18], swapped[17]
	last := slices.Clone(o.records)
	last[30] = o.records[7]
	cut := func(rs []events.Record) []events.Record { return rs[:1] }
	for name, tc := range map[string]struct {
		records []events.Record
		seals   func([]events.Record) []events.Record
		found   string
	}{
		"same":                             {o.records, nil, ""},
		"altered":                          {altered, nil, "c0-9 is the first wrong record: it is another than the one that was sealed"},
		"removed":                          {slices.Delete(slices.Clone(o.records), 6, 7), nil, "c0-6 is the first wrong record: the record that stood there is gone"},
		"inserted":                         {slices.Insert(slices.Clone(o.records), 6, o.records[2]), nil, "c0-6 is the first wrong record: it was put in"},
		"swapped":                          {swapped, nil, "c0-17 is the first wrong record: it was swapped with the next"},
		"the last":                         {last, nil, "c0-30 is the first wrong record"},
		"cut":                              {o.records[:27], nil, "the records from offset 27 on are gone"},
		"rolled back with its checkpoints": {o.records[:20], cut, "c0 has 20 records"},
		"checkpoints removed":              {o.records, cut, "it was rolled back"},
		"a checkpoint altered": {o.records, func(rs []events.Record) []events.Record {
			rs[1].Value = bytes.Replace(rs[1].Value, []byte(`\n31\n`), []byte(`\n30\n`), 1)
			return rs
		}, "s0-1: merkle: not signed by a key that may"},
	} {
		t.Run(name, func(t *testing.T) {
			prefix := strings.ReplaceAll(name, " ", "-") + "."
			o.rewrite(t, prefix, tc.records)
			o.copySeals(t, prefix, tc.seals)
			out, errs, status := verify(prefix)
			if tc.found == "" && status != done || tc.found != "" && (status != finding || !strings.Contains(errs, tc.found)) {
				t.Errorf("status %d: %s%s", status, out, errs)
			}
		})
	}
	// The stored tree counts only as far as a checkpoint vouches for it: who
	// changes it with the log gains nothing.
	file := filepath.Join(filepath.Dir(seals.CheckpointsFile(seals.Directory(data, logID(t, o)), o.partition)), "c0.hashes")
	tree, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i := range tree {
		tree[i] ^= 1
	}
	if err := os.WriteFile(file, tree, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, errs, status := verify("altered."); status != finding || !strings.Contains(errs, "one of the offsets from 0 to 30") {
		t.Errorf("status %d: %s", status, errs)
	}
	if _, errs, status := verify("altered.", o.checkpoints...); status != finding || !strings.Contains(errs, "one of the offsets from 8 to 11") {
		t.Errorf("status %d: %s", status, errs)
	}
	if _, errs, status := verify(""); status != done {
		t.Errorf("status %d: %s", status, errs)
	}
	// A log that was signed anew by somebody else.
	own := strings.TrimSpace(succeed(t, "audit", "key", "--audit-key", seed(2)))
	if _, errs, status := verify("", "--key", own); status != finding || !strings.Contains(errs, "not signed by a key that may") {
		t.Errorf("another key: status %d: %s", status, errs)
	}
}

func logID(t *testing.T, o *original) string {
	t.Helper()
	a, err := kafka.OpenArchive(t.Context(), kafka.Options{Brokers: o.cluster.ListenAddrs()})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	return a.LogID
}
