package app

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lishi/events"
	"lishi/events/merkle"
	"lishi/infra/config"
	"lishi/infra/kafka/logtest"
	"lishi/infra/seals"
)

// A key hands over to another: what both signed is believed, to who knows either,
// and nothing that the old one signs afterwards.
func TestAKeyHandsOver(t *testing.T) {
	o := newOriginal(t)
	data := t.TempDir()
	l, s := o.sealer(t, "", data, 1)
	s.Last(t.Context())
	dir := seals.Directory(data, l.ID())
	at := []string{"--kafka-brokers", o.brokers}
	state := filepath.Join(t.TempDir(), "state")
	watch := append([]string{"audit", "watch", "--once", "--state", state, "--key", public(t, 1)}, at...)
	succeed(t, watch...)

	file := filepath.Join(t.TempDir(), "new.key")
	rotate := append([]string{"audit", "key", "rotate", "--audit-key", seed(1), "--out", file}, at...)
	next := strings.TrimSpace(succeed(t, rotate...))
	if again := strings.TrimSpace(succeed(t, rotate...)); again != next {
		t.Errorf("finished again it is %s, not %s", again, next)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	newSeed := strings.TrimSpace(string(text))
	if own := strings.TrimSpace(succeed(t, "audit", "key", "--audit-key", newSeed)); own != next {
		t.Errorf("%s and %s", own, next)
	}
	// The old key's node reads it, and signs nothing more.
	say := func(n int) {
		t.Helper()
		if _, err := l.Append(t.Context(), logtest.Message(events.GroupStream("g"), n)); err != nil {
			t.Fatal(err)
		}
	}
	say(100)
	s.Last(t.Context())
	if st := s.Status(); st.Signing || st.Partitions[0].Size != 31 || len(st.Wrong) > 0 {
		t.Fatalf("%+v", st)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// The new key's goes on, in the same directory and in a new one.
	var k merkle.Key
	k, err = auditorsKey(config.Config{AuditKey: newSeed})
	if err != nil {
		t.Fatal(err)
	}
	for i, dir := range []string{data, t.TempDir()} {
		say(101 + i)
		n, err := seals.Open(l, seals.Options{Dir: dir, Key: &k, Alone: true, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		n.Last(t.Context())
		if st := n.Status(); !st.Signing || st.Error != "" || len(st.Wrong) > 0 || st.Partitions[0].Size != int64(33+i) {
			t.Errorf("%+v", st)
		}
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{public(t, 1), next} {
		if out, errs, status := lishi(t, append([]string{"audit", "verify", "--log", "--data", data, "--key", key}, at...)...); status != done || !strings.Contains(out, "c0 holds: 34 records") {
			t.Errorf("with key %s: status %d: %s%s", key, status, out, errs)
		}
	}
	succeed(t, watch...) // who trusted the old one follows

	// Offline, the file of changes is what is followed.
	all, err := os.ReadFile(seals.CheckpointsFile(dir, o.partition))
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for e := range seals.Notes(all) {
		files = append(files, filepath.Join(t.TempDir(), "checkpoint"))
		if err := os.WriteFile(files[len(files)-1], e.Signed, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	succeed(t, append([]string{"audit", "verify", "--key", public(t, 1), "--changes", seals.KeysFile(dir)}, files...)...)
	if _, errs, status := lishi(t, append([]string{"audit", "verify", "--key", public(t, 1)}, files...)...); status != finding {
		t.Errorf("not followed: status %d: %s", status, errs)
	}
	// Who stole the old key signs no more than it did.
	stolen := append([]string{"audit", "checkpoint", "c0", "--out", t.TempDir(), "--audit-key", seed(1)}, at...)
	succeed(t, stolen...)
	made, _ := filepath.Glob(filepath.Join(stolen[4], "*"))
	if _, errs, status := lishi(t, append([]string{"audit", "verify", "--key", public(t, 1), "--changes", seals.KeysFile(dir)}, made...)...); status != finding || !strings.Contains(errs, "had handed over before") {
		t.Errorf("a stolen key: status %d: %s", status, errs)
	}
	if _, errs, status := lishi(t, append([]string{"audit", "key", "rotate", "--audit-key", seed(1), "--out", file + "2"}, at...)...); status != failed || !strings.Contains(errs, next+" signs now") {
		t.Errorf("status %d: %s", status, errs)
	}
	for _, bad := range [][]string{{"--audit-key", seed(1)}, {"--audit-key", "", "--out", "x"}} {
		if _, errs, status := lishi(t, append(append([]string{"audit", "key", "rotate"}, bad...), at...)...); status != misuse {
			t.Errorf("%v: status %d: %s", bad, status, errs)
		}
	}
}
