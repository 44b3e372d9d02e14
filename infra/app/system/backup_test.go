package system

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// backedUp is what `lishi backup --json` says.
type backedUp struct {
	Records, Added int64
	Partitions     []struct {
		Name, SHA256 string
		Records      int64
	}
}

func backup(t *testing.T, args ...string) backedUp {
	t.Helper()
	out, errs, status := run(t, nil, append([]string{"backup", "--json"}, args...)...)
	var b backedUp
	if status != 0 || json.Unmarshal([]byte(out), &b) != nil || b.Records == 0 {
		t.Fatalf("status %d: %s%s", status, out, errs)
	}
	return b
}

// A backup taken under load, twice, then kill -9, a restore elsewhere, and serve:
// every message acknowledged before the last backup began is in history, in order
// and as it was written, nothing is torn, and chat goes on.
func TestBackupUnderLoadAndRestore(t *testing.T) {
	const writers = 4
	dir, to, restored := t.TempDir(), filepath.Join(t.TempDir(), "backup"), filepath.Join(t.TempDir(), "data")
	key := filepath.Join(dir, "token.key")
	if err := os.WriteFile(key, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serve(t, dir)
	for w := range writers {
		s.befriend(fmt.Sprintf("w%d", w), "reader")
	}
	var acked [writers]atomic.Int64
	var stop atomic.Bool
	var writing sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			user := fmt.Sprintf("w%d", w)
			for n := int64(0); !stop.Load(); n++ {
				text := fmt.Sprintf("%s 消息 %06d", user, n)
				a, err := s.try(user, "/chat/sendMessage", object{"uniqueNo": text, "receiveUserId": "reader", "messageContent": text})
				if err != nil || !a.ok() {
					if !stop.Load() {
						t.Errorf("%s: %v %s", text, err, a.Raw)
					}
					return
				}
				acked[w].Store(n + 1)
			}
		})
	}
	enough := func(n int64) func() bool {
		return func() bool {
			for w := range writers {
				if acked[w].Load() < n {
					return false
				}
			}
			return true
		}
	}
	wait(t, "messages", 30*time.Second, enough(50))
	first := backup(t, to, "--data", dir)
	wait(t, "more messages", 30*time.Second, enough(150))
	var before [writers]int64
	for w := range writers {
		before[w] = acked[w].Load()
	}
	second := backup(t, to, "--data", dir)
	if second.Records <= first.Records || second.Added == 0 {
		t.Errorf("%+v\n%+v", first, second)
	}
	wait(t, "messages after the backup", 30*time.Second, enough(before[0]+20))
	stop.Store(true)
	s.kill()
	writing.Wait()

	if out, errs, status := run(t, nil, "backup", to, "--verify"); status != 0 || !strings.Contains(out, second.Partitions[0].SHA256) {
		t.Fatalf("status %d: %s%s", status, out, errs)
	}
	if out, errs, status := run(t, nil, "restore", to, "--data", restored); status != 0 {
		t.Fatalf("status %d: %s%s", status, out, errs)
	}
	if info, err := os.Stat(filepath.Join(restored, "token.key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("token.key: %v %v", info, err)
	}
	out, _, status := run(t, nil, "log", "info", "--json", "--data", restored)
	var info struct{ Partitions []struct{ Records int64 } }
	if status != 0 || json.Unmarshal([]byte(out), &info) != nil {
		t.Fatal(out)
	}
	records := int64(0)
	for _, p := range info.Partitions {
		records += p.Records
	}
	if records != second.Records {
		t.Errorf("%d records are restored, %d were backed up", records, second.Records)
	}

	r := serve(t, restored)
	for w := range writers {
		user := fmt.Sprintf("w%d", w)
		rows := r.history("reader", user)
		if int64(len(rows)) < before[w] {
			t.Errorf("%s: %d messages are there, %d were acknowledged before the backup", user, len(rows), before[w])
		}
		for n, row := range rows {
			if want := fmt.Sprintf("%s 消息 %06d", user, n); row["talkContent"] != want {
				t.Fatalf("%v stands where %q was written", row["talkContent"], want)
			}
		}
	}
	r.must("reader", "/chat/sendMessage", object{"uniqueNo": no(), "receiveUserId": "w0", "messageContent": "went on"})
	if log := r.log.String(); strings.Contains(log, "was cut from the log") {
		t.Errorf("something was torn:\n%s", log)
	}

	// A damaged backup is a finding, and is not restored.
	hit, err := filepath.Glob(filepath.Join(to, "log", "kafka", "partitions", "lishi.users-0", "*.dat"))
	if err != nil || len(hit) == 0 {
		t.Fatal(hit, err)
	}
	raw, err := os.ReadFile(hit[0])
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)/2] ^= 1
	if err := os.WriteFile(hit[0], raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, errs, status := run(t, nil, "backup", to, "--verify"); status != 3 || !strings.Contains(errs, hit[0]) {
		t.Errorf("status %d: %s", status, errs)
	}
	if _, errs, status := run(t, nil, "restore", to, "--data", t.TempDir()); status != 1 || !strings.Contains(errs, "log damaged") {
		t.Errorf("status %d: %s", status, errs)
	}
}

func TestBackupMisused(t *testing.T) {
	dir := t.TempDir()
	for _, tc := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"backup"}, 2, "--help"},
		{[]string{"backup", dir + "/b", "--data", dir}, 1, "there is no log"},
		{[]string{"backup", dir + "/b", "--kafka-brokers", "127.0.0.1:1"}, 2, "lishi log copy"},
		{[]string{"backup", dir + "/b", "--verify"}, 1, "no whole backup"},
		{[]string{"restore", dir + "/b", "--data", dir + "/new"}, 1, "no whole backup"},
	} {
		out, errs, status := run(t, nil, tc.args...)
		if status != tc.status || !strings.Contains(errs, tc.want) {
			t.Errorf("%v: status %d, want %d and %q: %s%s", tc.args, status, tc.status, tc.want, out, errs)
		}
	}
}
