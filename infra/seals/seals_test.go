package seals

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"os"
	"testing"
	"time"

	"filippo.io/torchwood"
	"github.com/twmb/franz-go/pkg/kfake"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"lishi/events"
	"lishi/events/merkle"
	"lishi/infra/kafka"
	"lishi/infra/kafka/logtest"
)

var (
	c0    = events.Partition{Topic: events.Conversations}
	quiet = slog.New(slog.DiscardHandler)
)

func key(b byte) *merkle.Key {
	k, err := merkle.NewKey(bytes.Repeat([]byte{b}, ed25519.SeedSize))
	if err != nil {
		panic(err)
	}
	return &k
}

// world is a cluster with a log on it.
type world struct {
	t       *testing.T
	cluster *kfake.Cluster
	log     *kafka.Log
	said    int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return &world{t: t, cluster: c, log: openLog(t, c, "")}
}

func openLog(t *testing.T, c *kfake.Cluster, prefix string) *kafka.Log {
	t.Helper()
	l, err := kafka.Open(t.Context(), kafka.Options{
		Brokers: c.ListenAddrs(), TopicPrefix: prefix, Layout: events.Layout{Conversations: 1, Users: 1}, Replication: 1, Logger: quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func (w *world) say(n int) {
	w.t.Helper()
	es := make([]events.Event, n)
	for i := range es {
		es[i] = logtest.Message(events.GroupStream("g"), w.said)
		w.said++
	}
	if _, err := w.log.Append(w.t.Context(), es...); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) sealer(dir string, change ...func(*Options)) *Sealer {
	return openSealer(w.t, w.log, dir, change...)
}

func openSealer(t *testing.T, log Log, dir string, change ...func(*Options)) *Sealer {
	t.Helper()
	o := Options{Dir: dir, Key: key(1), Alone: true, Logger: quiet}
	for _, f := range change {
		f(&o)
	}
	s, err := Open(log, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// seal makes a round that seals everything, and wants it to do so.
func seal(t *testing.T, s *Sealer) {
	t.Helper()
	s.Last(t.Context())
	if st := s.Status(); st.Error != "" || len(st.Wrong) > 0 {
		t.Fatalf("%+v", st)
	}
}

func sizeOf(s *Sealer, p events.Partition) int64 { return s.parts[p].chain.last.Size }

func trust(ks ...*merkle.Key) (keys []ed25519.PublicKey) {
	for _, k := range ks {
		keys = append(keys, k.Public())
	}
	return keys
}

// What was sealed is proved without reading the log again, by the files and by
// what stands in lishi.seals, also for other people's tools.
func TestSealedRecordsAreProved(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	s := w.sealer(dir)
	for range 5 {
		w.say(40)
		seal(t, s)
	}
	if n := sizeOf(s, c0); n != 201 {
		t.Fatalf("%d records are sealed", n)
	}
	v := verifierOf(t, s, c0)
	for _, offset := range []int64{0, 1, 40, 41, 127, 128, 200} {
		in, err := s.Prove(t.Context(), events.Position{Partition: c0, Offset: offset})
		if err != nil {
			t.Fatal(err)
		}
		text, err := in.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		policy := torchwood.ThresholdPolicy(2, torchwood.OriginPolicy(v.Name()), torchwood.SingleVerifierPolicy(v))
		if err := torchwood.VerifyProof(policy, tlog.RecordHash(in.Record), text); err != nil {
			t.Errorf("torchwood, offset %d: %v", offset, err)
		}
	}
	if _, err := s.Prove(t.Context(), events.Position{Partition: c0, Offset: 201}); !errors.Is(err, ErrNotSealed) {
		t.Errorf("%v", err)
	}
	if _, err := s.Prove(t.Context(), events.Position{Partition: sealsPartition}); !errors.Is(err, ErrNoPartition) {
		t.Errorf("%v", err)
	}
	// Each published checkpoint continues the one before, by golang.org/x/mod.
	var last *torchwood.Checkpoint
	n := 0
	end, err := w.log.Ends(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	err = w.log.Records(t.Context(), sealsPartition, 0, end[sealsPartition]+1, func(offset int64, r events.Record) error {
		e, err := events.Decode(events.Position{Partition: sealsPartition, Offset: offset}, r)
		b, ok := e.Body.(events.CheckpointSigned)
		if err != nil || !ok || e.Stream.ID != "c0" {
			return err
		}
		if _, err := note.Open([]byte(b.Checkpoint), note.VerifierList(v)); err != nil {
			t.Fatal(err)
		}
		cp, _, err := torchwood.VerifyCheckpoint([]byte(b.Checkpoint), torchwood.ThresholdPolicy(2, torchwood.OriginPolicy(v.Name()), torchwood.SingleVerifierPolicy(v)))
		if err != nil {
			t.Fatal(err)
		}
		if n++; last != nil {
			var proof tlog.TreeProof
			for _, text := range b.Proof {
				h, err := tlog.ParseHash(text)
				if err != nil {
					t.Fatal(err)
				}
				proof = append(proof, h)
			}
			if err := tlog.CheckTree(proof, cp.N, cp.Hash, last.N, last.Hash); err != nil || b.Old != last.N {
				t.Errorf("from %d to %d: %v", b.Old, cp.N, err)
			}
		}
		last = &cp
		return nil
	})
	if err != nil || n != 5 {
		t.Errorf("%d checkpoints: %v", n, err)
	}
	all, err := s.Checkpoints(c0, 10, 0)
	if err != nil || len(all) != 5 || all[0].Size != 201 || all[4].Size != 41 {
		t.Fatalf("%v %v", all, err)
	}
	for _, old := range all {
		co, err := s.Consistency(c0, old.Size, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := co.Verify(old.Checkpoint, all[0].Checkpoint); err != nil {
			t.Error(err)
		}
	}
	if co, err := s.Consistency(c0, 41, 80); err != nil || !bytes.Equal(co.Checkpoint, all[3].Signed) {
		t.Errorf("%v", err)
	}
}

func verifierOf(t *testing.T, s *Sealer, p events.Partition) note.Verifier {
	t.Helper()
	text, err := merkle.VerifierKey(s.parts[p].origin, key(1).Public())
	if err != nil {
		t.Fatal(err)
	}
	v, err := note.NewVerifier(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Due are records that have waited, or so many that they need not.
func TestWhenACheckpointIsMade(t *testing.T) {
	w := newWorld(t)
	s := w.sealer(t.TempDir(), func(o *Options) { o.Interval, o.Events = time.Hour, 50 })
	s.round(t.Context(), false)
	w.say(10)
	s.round(t.Context(), false)
	if n := sizeOf(s, c0); n != 0 {
		t.Errorf("%d sealed too early", n)
	}
	w.say(45)
	s.round(t.Context(), false)
	if n := sizeOf(s, c0); n != 56 {
		t.Errorf("%d sealed where 50 are enough", n)
	}
	s.o.Interval = time.Nanosecond
	w.say(1)
	s.round(t.Context(), false)
	s.round(t.Context(), false)
	if n := sizeOf(s, c0); n != 57 {
		t.Errorf("%d sealed, and one waits", n)
	}
	end, _ := w.log.Ends(t.Context())
	for range 3 {
		s.round(t.Context(), false)
	}
	if again, _ := w.log.Ends(t.Context()); again[sealsPartition] != end[sealsPartition] {
		t.Error("a checkpoint is made where nothing is new")
	}
}

// A restart goes on where it stood; files that a crash left half written, or that
// somebody removed, are made again from the log, with the same roots.
func TestFilesAfterACrash(t *testing.T) {
	for name, harm := range map[string]func(dir string) error{
		"nothing":              func(string) error { return nil },
		"tree removed":         func(d string) error { return os.Remove(hashesFile(d, c0)) },
		"tree cut":             func(d string) error { return os.Truncate(hashesFile(d, c0), 32*77+5) },
		"tree's end not there": func(d string) error { return zero(hashesFile(d, c0), 32*150) },
		"tree longer":          func(d string) error { return grow(hashesFile(d, c0), make([]byte, 999)) },
		"half a checkpoint":    func(d string) error { return grow(CheckpointsFile(d, c0), []byte("lishi.log/x/c0\n12")) },
		"no checkpoints":       func(d string) error { return os.Remove(CheckpointsFile(d, c0)) },
		"followed too little":  func(d string) error { return os.WriteFile(d+"/followed", []byte("2\n"), 0o600) },
		"followed unreadable":  func(d string) error { return os.WriteFile(d+"/followed", nil, 0o600) },
		"all removed":          os.RemoveAll,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			dir := t.TempDir()
			s := w.sealer(dir)
			for range 4 {
				w.say(30)
				seal(t, s)
			}
			last := s.parts[c0].chain.last
			s.Close()
			if err := harm(Directory(dir, w.log.ID())); err != nil {
				t.Fatal(err)
			}
			s = w.sealer(dir)
			w.say(3)
			seal(t, s)
			if n := sizeOf(s, c0); n != 124 {
				t.Fatalf("%d are sealed", n)
			}
			co, err := s.Consistency(c0, last.Size, 0)
			if err != nil {
				t.Fatal(err)
			}
			if err := co.Verify(last.Checkpoint, s.parts[c0].chain.last.Checkpoint); err != nil {
				t.Error(err)
			}
			if all, err := s.Checkpoints(c0, 100, 0); err != nil || len(all) < 1 || name != "no checkpoints" && len(all) != 5 {
				t.Errorf("%d checkpoints, %v", len(all), err)
			}
		})
	}
}

func zero(path string, from int64) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	return errors.Join(os.Truncate(path, from), os.Truncate(path, info.Size()))
}

func grow(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Close())
}

// Nodes check what others sign. While they read one log, all is well.
func TestNodesAgree(t *testing.T) {
	w := newWorld(t)
	a := w.sealer(t.TempDir())
	b := w.sealer(t.TempDir(), func(o *Options) { o.Alone = false })
	none := w.sealer(t.TempDir(), func(o *Options) { o.Key, o.Trusted = nil, trust(key(1)) })
	for i := range 3 {
		w.say(25)
		seal(t, a)
		seal(t, b)
		seal(t, none)
		if i == 1 { // they are shared out anew
			a.Mine(nil)
			b.Mine([]events.Partition{c0, {Topic: events.Users}})
			w.say(1)
			seal(t, b)
			seal(t, a)
			seal(t, none)
		}
		for _, s := range []*Sealer{a, b, none} {
			if n, m := sizeOf(s, c0), sizeOf(a, c0); n != m || n == 0 {
				t.Fatalf("round %d: %d and %d", i, n, m)
			}
		}
		if i == 1 {
			b.Mine(nil)
			a.Mine([]events.Partition{c0, {Topic: events.Users}})
		}
	}
}
