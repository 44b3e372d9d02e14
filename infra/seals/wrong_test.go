package seals

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"lishi/events"
	"lishi/events/merkle"
)

// liar is a log that shows another history than it has: what a node reads from a
// forked cluster, or from a disk that somebody wrote to.
type liar struct {
	Log
	alter int64 // offset of c0 whose record is another; 0: none
	ends  int64 // records that c0 has; 0: the true number
}

func (l *liar) Records(ctx context.Context, p events.Partition, from, end int64, each func(int64, events.Record) error) error {
	return l.Log.Records(ctx, p, from, end, func(offset int64, r events.Record) error {
		if l.alter > 0 && p == c0 && offset == l.alter {
			r.Value = append([]byte(" "), r.Value...)
		}
		return each(offset, r)
	})
}

func (l *liar) Ends(ctx context.Context) (events.Cursor, error) {
	c, err := l.Log.Ends(ctx)
	if l.ends > 0 && err == nil {
		c[c0] = l.ends - 1
	}
	return c, err
}

func wrongOf(s *Sealer) string {
	b, _ := json.Marshal(s.Status().Wrong)
	return string(b)
}

// contradicts makes a round and wants that contradiction, and that nothing more is
// signed of c0.
func contradicts(t *testing.T, s *Sealer, problem string) {
	t.Helper()
	before := sizeOf(s, c0)
	s.Last(t.Context())
	s.Last(t.Context())
	if got := wrongOf(s); !strings.Contains(got, problem) {
		t.Fatalf("found: %s; %s", got, s.Status().Error)
	}
	if sizeOf(s, c0) != before {
		t.Error("it is signed all the same")
	}
}

func TestNodesThatReadDifferentLogs(t *testing.T) {
	w := newWorld(t)
	a := w.sealer(t.TempDir())
	lie := &liar{Log: w.log, alter: 9}
	b := openSealer(t, lie, t.TempDir(), func(o *Options) { o.Alone = false })
	w.say(30)
	seal(t, a)
	contradicts(t, b, "another root of the first 31 records than this node's tree: the log was forked")
	b.Mine([]events.Partition{c0})
	w.say(5)
	contradicts(t, b, "forked")
	seal(t, a) // the others go on
	if n := sizeOf(a, c0); n != 36 {
		t.Errorf("%d", n)
	}
}

func TestALogThatIsRolledBack(t *testing.T) {
	w := newWorld(t)
	lie := &liar{Log: w.log}
	dir := t.TempDir()
	s := openSealer(t, lie, dir)
	w.say(30)
	seal(t, s)
	lie.ends = 20
	contradicts(t, s, "vouches for 31 records, and the log has 20: it was rolled back")
	s.Close()
	s = openSealer(t, lie, dir) // a restart finds it too
	contradicts(t, s, "it was rolled back")
}

// Somebody rewrote the log while the node was away, and removed the tree, so that
// it is made again from what they wrote.
func TestALogThatWasRewritten(t *testing.T) {
	for name, removed := range map[string]func(dir string) []string{
		"tree":                 func(d string) []string { return []string{hashesFile(d, c0)} },
		"tree and checkpoints": func(d string) []string { return []string{hashesFile(d, c0), CheckpointsFile(d, c0), d + "/followed"} },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			lie := &liar{Log: w.log}
			dir := t.TempDir()
			s := openSealer(t, lie, dir)
			w.say(30)
			seal(t, s)
			s.Close()
			for _, path := range removed(Directory(dir, w.log.ID())) {
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			}
			lie.alter = 9
			s = openSealer(t, lie, dir)
			w.say(3)
			s.Last(t.Context())
			if got := wrongOf(s); !strings.Contains(got, "not those of the checkpoint that was signed") && !strings.Contains(got, "forked") {
				t.Fatalf("found: %s", got)
			}
			if sizeOf(s, c0) > 31 {
				t.Error("it is signed all the same")
			}
		})
	}
}

// A tree that rots on disk is made again: it is no contradiction.
func TestATreeThatRots(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	s := w.sealer(dir)
	w.say(100)
	seal(t, s)
	b, err := os.ReadFile(hashesFile(s.dir, c0))
	if err != nil {
		t.Fatal(err)
	}
	for i := range b {
		b[i] ^= 0x10
	}
	if err := os.WriteFile(hashesFile(s.dir, c0), b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Prove(t.Context(), events.Position{Partition: c0, Offset: 5}); err == nil {
		t.Error("a proof of a rotten tree is given out")
	}
	w.say(7)
	s.Last(t.Context())
	seal(t, s)
	if n := sizeOf(s, c0); n != 108 {
		t.Errorf("%d are sealed", n)
	}
	if _, err := s.Prove(t.Context(), events.Position{Partition: c0, Offset: 5}); err != nil {
		t.Error(err)
	}
}

// What stands in lishi.seals and was not signed by a key that may is found.
func TestForeignCheckpoints(t *testing.T) {
	for name, tc := range map[string]struct {
		sign  func(w *world, cp merkle.Checkpoint) []byte
		found string
	}{
		"wrong key": {func(w *world, cp merkle.Checkpoint) []byte {
			b, _ := merkle.Sign(cp, *key(9))
			return b
		}, "not signed by a key that may"},
		"another log": {func(w *world, cp merkle.Checkpoint) []byte {
			cp.Origin = merkle.Origin("elsewhere", c0)
			b, _ := merkle.Sign(cp, *key(1))
			return b
		}, "no partition of this log"},
		"more than there is": {func(w *world, cp merkle.Checkpoint) []byte {
			cp.Size += 1000
			b, _ := merkle.Sign(cp, *key(1))
			return b
		}, "it was rolled back"},
		"another root": {func(w *world, cp merkle.Checkpoint) []byte {
			cp.Root[0] ^= 1
			b, _ := merkle.Sign(cp, *key(1))
			return b
		}, "forked"},
		"nothing": {func(*world, merkle.Checkpoint) []byte { return nil }, "not signed by a key that may"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			s := w.sealer(t.TempDir())
			w.say(5)
			seal(t, s)
			text := tc.sign(w, s.parts[c0].chain.last.Checkpoint)
			_, err := w.log.Append(t.Context(), events.Event{
				ID: events.NewID(name, "", ""), Stream: events.Stream{Kind: events.Seal, ID: "c0"}, Time: time.Now(), Body: events.CheckpointSigned{Checkpoint: string(text)},
			})
			if err != nil {
				t.Fatal(err)
			}
			contradicts(t, s, tc.found)
		})
	}
}

// Verify reads everything again, and names the first wrong record.
func TestVerifyWhileItRuns(t *testing.T) {
	w := newWorld(t)
	lie := &liar{Log: w.log}
	dir := t.TempDir()
	s := openSealer(t, lie, dir)
	for range 3 {
		w.say(20)
		seal(t, s)
	}
	verify := func() Verified {
		t.Helper()
		if err := s.Verify("ada"); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			if v := s.Status().Verified; !v.Running {
				return v
			} else if time.Now().After(deadline) {
				t.Fatal("it does not end")
			}
		}
	}
	if v := verify(); !v.Holds || v.By != "ada" || v.Done != v.Total || v.Partitions[0].Vouched != 61 || v.Partitions[0].Checkpoints != 6 {
		t.Errorf("%+v", v)
	}
	lie.alter = 33
	if v := verify(); v.Holds || len(v.Problems) != 1 || !strings.Contains(v.Problems[0], "c0-33 is the first wrong record") {
		t.Errorf("%+v", v)
	}
	w.say(5)
	contradicts(t, s, "c0-33 is the first wrong record")
	s.Close()
	if v := openSealer(t, lie, dir).Status().Verified; v.Holds || v.Ended == nil || len(v.Problems) != 1 {
		t.Errorf("after a restart: %+v", v)
	}
}

func TestClock(t *testing.T) {
	now := time.Now()
	ms := now.UnixMilli()
	var c Clock
	c.begin(now.Add(-10*time.Second), false)
	for i, at := range []int64{ms - 9000, ms - 8500, ms - 9500, 0} {
		c.Record(int64(i), at)
	}
	if found := c.end(); found != "" {
		t.Errorf("within tolerance: %s", found)
	}
	c.begin(now, true)
	c.Record(4, ms-8000)  // while it was read last
	c.Record(5, ms-13500) // older than that, and runs back
	c.Record(6, ms+90_000)
	c.Record(7, ms) // runs back behind the one ahead
	if c.Back.Records != 2 || c.Back.First != 5 || c.Back.Most != 90_000 || c.Ahead.Records != 1 || c.Ahead.First != 6 || c.Behind.Records != 0 {
		t.Errorf("%+v", c)
	}
	if found := c.end(); !strings.Contains(found, "2 recorded times are back behind the record before, by up to 90000 ms, the first ever at offset 5") || !strings.Contains(found, "ahead") {
		t.Error(found)
	}
	slow := Clock{}
	slow.begin(now.Add(-5*time.Second), false)
	slow.end()
	slow.begin(now, true)
	slow.Record(0, ms-8000)
	if slow.Behind.Records != 1 || slow.Behind.Most != 3000 {
		t.Errorf("%+v", slow)
	}
	if slow.end() == "" {
		t.Error("a slow clock is not told")
	}
}
