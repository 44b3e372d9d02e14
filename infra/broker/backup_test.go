package broker

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
)

func backup(t *testing.T, dir, to string) (Manifest, int64) {
	t.Helper()
	m, added, err := Backup(t.Context(), BackupOptions{Dir: dir, To: to})
	if err != nil {
		t.Fatal(err)
	}
	return m, added
}

func restored(t *testing.T, from string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "data", "log")
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), from, to, nil); err != nil {
		t.Fatal(err)
	}
	return to
}

// A backup that is taken, and taken again, while the broker is written to has
// what was durable when it began, is continued with what is new, and is restored
// to a log that opens and goes on.
func TestBackupWhileItIsWrittenTo(t *testing.T) {
	dir, to := t.TempDir(), t.TempDir()
	b, err := Open(t.Context(), Options{Dir: dir, Logger: quiet(), SegmentBytes: 2_000})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	c := client(t, b)
	createTopic(t, c, 1)
	var values []string
	write := func() {
		v := fmt.Sprint("value ", len(values))
		mustProduce(t, b, c, 0, v)
		values = append(values, v)
	}
	var writing sync.WaitGroup
	for round := range 5 {
		for range 50 {
			write()
		}
		acknowledged := int64(len(values))
		writing.Go(func() {
			for range 50 {
				write()
			}
		})
		m, added := backup(t, dir, to)
		writing.Wait()
		p := m.Partitions[0]
		if p.Records < acknowledged || added == 0 || round > 0 && added >= p.Bytes {
			t.Fatalf("round %d: %d of %d acknowledged records, %d of %d bytes new", round, p.Records, acknowledged, added, p.Bytes)
		}
		again, err := VerifyBackup(t.Context(), to, nil)
		if err != nil || !reflect.DeepEqual(again.Partitions, m.Partitions) {
			t.Fatalf("%v\n%+v\n%+v", err, again, m)
		}
		r := open(t, restored(t, to))
		rc := client(t, r)
		if got := r.Synced(topic, 0); got != p.Records {
			t.Fatalf("%d records are restored, %d were backed up", got, p.Records)
		}
		if got := consume(t, rc, 0, 0, p.Records); !reflect.DeepEqual(got, values[:p.Records]) {
			t.Fatalf("round %d: what was restored is not what was backed up", round)
		}
		if end := mustProduce(t, r, rc, 0, "more"); end != p.Records+1 {
			t.Fatalf("a restored log goes on to %d", end)
		}
		r.Close()
	}
	if m, added := backup(t, dir, to); added == 0 || m.Partitions[0].Records != int64(len(values)) {
		t.Fatalf("%+v", m)
	}
	if _, added := backup(t, dir, to); added != 0 {
		t.Errorf("%d bytes were new of nothing", added)
	}
}

// The topics named are looked at before the others.
func TestBackupOrder(t *testing.T) {
	d := directory{path: t.TempDir()}
	for i, name := range []string{"a-0", "users-0", "b-0", "users-10", "users-x-0"} {
		if err := os.MkdirAll(d.ends(), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := d.writeEnd(name, int64(i)); err != nil {
			t.Fatal(err)
		}
	}
	parts, err := d.durable([]string{"users"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range parts {
		got = append(got, fmt.Sprint(p.Name, "=", p.Records))
	}
	if want := "users-0=1 users-10=3 a-0=0 b-0=2 users-x-0=4"; strings.Join(got, " ") != want {
		t.Errorf("%v, want %s", got, want)
	}
}

// What an interrupted backup left behind its last manifest is written anew.
func TestInterruptedBackup(t *testing.T) {
	dir, _ := makeLog(t)
	to := t.TempDir()
	d := directory{path: to}
	want, _ := backup(t, dir, to)
	if err := os.Remove(d.join(manifestName)); err != nil { // as if it had never come so far
		t.Fatal(err)
	}
	edit(t, d.segment(want.Partitions[0].Name, 0), func(b []byte) []byte { return append(b[:len(b)/2], "torn"...) })
	if _, err := Restore(t.Context(), to, filepath.Join(t.TempDir(), "log"), nil); err == nil || !strings.Contains(err.Error(), "no whole backup") {
		t.Errorf("half a backup was restored: %v", err)
	}
	if got, _ := backup(t, dir, to); !reflect.DeepEqual(got.Partitions, want.Partitions) {
		t.Errorf("%+v\n%+v", got, want)
	}
	last := want.Partitions[0]
	edit(t, d.segment(last.Name, last.Segment), func(b []byte) []byte { return append(b, "torn"...) })
	if got, added := backup(t, dir, to); !reflect.DeepEqual(got.Partitions, want.Partitions) || added != 0 {
		t.Errorf("%+v\n%+v", got, want)
	}
	open(t, restored(t, to))
}

func TestDamagedBackupsAreFound(t *testing.T) {
	dir, _ := makeLog(t)
	good := t.TempDir()
	m, _ := backup(t, dir, good)
	name, last := m.Partitions[0].Name, m.Partitions[0].Segment
	for what, damage := range map[string]func(d directory){
		"flipped bit":  func(d directory) { edit(t, d.segment(name, 0), func(b []byte) []byte { b[70] ^= 1; return b }) },
		"cut short":    func(d directory) { edit(t, d.segment(name, last), func(b []byte) []byte { return b[:len(b)-1] }) },
		"segment gone": func(d directory) { os.Remove(d.segment(name, 0)) },
		"last gone":    func(d directory) { os.Remove(d.segment(name, last)) },
		"other records": func(d directory) {
			other, _ := makeLog(t)
			if err := os.RemoveAll(d.partition(name)); err != nil {
				t.Fatal(err)
			}
			if err := os.CopyFS(d.partition(name), os.DirFS(directory{path: other}.partition(name))); err != nil {
				t.Fatal(err)
			}
		},
		"another hash": func(d directory) {
			edit(t, d.join(manifestName), func(b []byte) []byte {
				return []byte(strings.Replace(string(b), m.Partitions[0].SHA256, strings.Repeat("0", 64), 1))
			})
		},
		"torn manifest": func(d directory) { edit(t, d.join(manifestName), func(b []byte) []byte { return b[:len(b)/2] }) },
		"evil name": func(d directory) {
			edit(t, d.join(manifestName), func(b []byte) []byte { return []byte(strings.Replace(string(b), name, "../x", 1)) })
		},
	} {
		d := directory{path: copyDir(t, good)}
		damage(d)
		var found *Damage
		if _, err := VerifyBackup(t.Context(), d.path, nil); !errors.As(err, &found) {
			t.Errorf("%s is not found: %v", what, err)
		}
		to := filepath.Join(t.TempDir(), "log")
		if _, err := Restore(t.Context(), d.path, to, nil); !errors.As(err, &found) {
			t.Errorf("%s is restored: %v", what, err)
		}
		if _, err := os.Stat(to); err == nil {
			t.Errorf("%s left a log", what)
		}
	}
}

func TestBackupsThatAreRefused(t *testing.T) {
	dir, _ := makeLog(t)
	other, _ := makeLog(t)
	to := t.TempDir()
	backup(t, dir, to)
	for what, o := range map[string]BackupOptions{
		"backup of another log":                 {Dir: other, To: to},
		"there is no log":                       {Dir: t.TempDir(), To: to},
		"a backup wants a directory of its own": {Dir: dir, To: other},
	} {
		if _, _, err := Backup(t.Context(), o); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("want %q: %v", what, err)
		}
	}
	if _, err := Restore(t.Context(), to, dir, nil); err == nil || !strings.Contains(err.Error(), "is there already") {
		t.Errorf("restored over a log: %v", err)
	}
	// The durable end is believed, not the files: a log that lost its tail is no backup.
	d := directory{path: dir}
	edit(t, d.segment(partitionName(topic, 0), 0), func(b []byte) []byte { return b[:len(b)-1] })
	var found *Damage
	if _, _, err := Backup(t.Context(), BackupOptions{Dir: dir, To: t.TempDir()}); !errors.As(err, &found) {
		t.Errorf("a damaged log was backed up: %v", err)
	}
	if _, err := os.Stat(filepath.Join(to, "kafka", "sasl.json")); err == nil {
		t.Error("the broker's password is in the backup")
	}
}
