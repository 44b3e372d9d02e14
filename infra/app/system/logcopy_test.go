package system

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// copied is what `lishi log copy --json` says.
type copied struct {
	LogID      string
	Equal      bool
	Partitions []struct {
		Partition, Source, Target string
		Records, Copied           int64
	}
}

// copyLog runs lishi log copy, which must find both sides equal.
func copyLog(t *testing.T, args ...string) copied {
	t.Helper()
	out, errs, status := run(t, nil, append([]string{"log", "copy", "--json"}, args...)...)
	var c copied
	if status != 0 || json.Unmarshal([]byte(out), &c) != nil || !c.Equal || len(c.Partitions) == 0 {
		t.Fatalf("status %d: %s%s", status, out, errs)
	}
	for _, p := range c.Partitions {
		if p.Source != p.Target || len(p.Source) != 64 {
			t.Errorf("%+v", p)
		}
	}
	return c
}

// talk has some people talk, and gives what one of them sees afterwards.
func talk(s *server) []object {
	s.t.Helper()
	s.befriend("ann", "bob")
	for i := range 30 {
		s.must("ann", "/chat/sendMessage", object{"uniqueNo": no(), "receiveUserId": "bob", "messageContent": fmt.Sprintf("消息 %d", i)})
	}
	return s.history("bob", "ann")
}

// A log that was copied is served with the same history, positions and all, and
// goes on.
func TestLogCopyKeepsTheHistory(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	s := serve(t, from)
	before := talk(s)
	if out, errs, status := run(t, nil, "log", "copy", "--data", from, "--to-data", to); status != 1 || !strings.Contains(errs, "is in use by process") {
		t.Fatalf("copied a log that is being written: status %d: %s%s", status, out, errs)
	}
	s.terminate()

	first := copyLog(t, "--data", from, "--to-data", to)
	again := copyLog(t, "--data", from, "--to-data", to)
	for i, p := range again.Partitions {
		if p.Copied != 0 || first.Partitions[i].Copied != p.Records || p.Source != first.Partitions[i].Source {
			t.Errorf("%+v, then %+v", first.Partitions[i], p)
		}
	}
	moved := serve(t, to)
	if after := moved.history("bob", "ann"); !reflect.DeepEqual(before, after) {
		t.Fatalf("history was\n%v\nand is\n%v", before, after)
	}
	moved.must("bob", "/chat/sendMessage", object{"uniqueNo": no(), "receiveUserId": "ann", "messageContent": "went on"})
	moved.terminate()
	out, errs, status := run(t, nil, "log", "copy", "--data", from, "--to-data", to)
	if status != 3 || !strings.Contains(errs, "records, the source") {
		t.Fatalf("a log that went on was called a copy: status %d: %s%s", status, out, errs)
	}
	out, errs, status = run(t, nil, "log", "info", "--data", to)
	if status != 0 || !strings.Contains(out, "log "+first.LogID) || !strings.Contains(out, "u0  ") {
		t.Fatalf("status %d: %s%s", status, out, errs)
	}
}

func TestLogCopyMisused(t *testing.T) {
	dir := t.TempDir()
	for _, tc := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"copy", "--data", dir}, 2, "name the target"},
		{[]string{"copy", "--data", dir, "--to-data", t.TempDir()}, 1, "there is no log in"},
		{[]string{"copy", "--to-rate", "5"}, 2, "unknown flag"},
		{[]string{"copy", "elsewhere"}, 2, "--help"},
		{[]string{"copy", "--data", dir, "--to-config", dir + "/absent"}, 1, "configuration file"},
		{[]string{"info", "--data", dir}, 1, "there is no log in"},
	} {
		out, errs, status := run(t, nil, append([]string{"log"}, tc.args...)...)
		if status != tc.status || !strings.Contains(errs, tc.want) {
			t.Errorf("%v: status %d, want %d and %q: %s%s", tc.args, status, tc.status, tc.want, out, errs)
		}
	}
}
