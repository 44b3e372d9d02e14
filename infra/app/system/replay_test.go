package system

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"lishi/infra/console"
	"lishi/projections"
)

// All read models are rebuilt while people chat: each message is pushed once,
// nothing that was said before is pushed again, and the log gets nothing but what
// people say. Then a build is brought back, and one dropped.
func TestReplayWhilePeopleChat(t *testing.T) {
	s, as := withConsole(t)
	s.befriend("ann", "bob")
	say := func(text string) string {
		return s.must("ann", "/chat/sendMessage", object{"uniqueNo": no(), "receiveUserId": "bob", "messageContent": text}).str("position")
	}
	for i := range 50 {
		say(fmt.Sprint("old ", i))
	}
	admin := as("admin")
	verify := func() (v projections.Verification) {
		t.Helper()
		err := admin.Lines(t.Context(), http.MethodPost, "/api/projections/all/verify", nil, console.ReplayRequest{Throttle: 1}, func(b []byte) error {
			var l console.JobLine
			if err := json.Unmarshal(b, &l); err != nil {
				return err
			}
			if l.End != nil {
				if l.End.Error != "" || len(l.End.Wrong) > 0 || l.End.Verification == nil {
					t.Fatalf("verification: %+v", l.End)
				}
				v = *l.End.Verification
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	records := func(v projections.Verification) (n int64) {
		for _, c := range v.Log {
			n += c.Records
		}
		return n
	}
	before := records(verify())

	bob, _ := s.login("bob", nil)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	said := 0
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				said++
				say(fmt.Sprint("new ", said))
			}
		}
	})
	out, errs, code := run(t, nil, "replay", "--all", "--console", admin.Base, "--token", admin.Token, "--data", t.TempDir(), "--throttle", "off", "--json")
	close(stop)
	wg.Wait()
	var results []projections.Progress
	if err := json.Unmarshal([]byte(out), &results); err != nil || code != 0 || len(results) < 7 {
		t.Fatalf("replay: status %d, %v\n%s%s", code, err, out, errs)
	}
	for _, r := range results {
		if !r.Compared || r.Phase != "live" || len(r.Differences) > 0 || len(r.Partitions) != 5 {
			t.Errorf("replay: %+v", r)
		}
	}
	if !strings.Contains(errs, "by the server at") {
		t.Errorf("it does not say where it worked: %s", errs)
	}
	for i := range said { // in order, and each once
		if got := bob.expect(push("1")); got.Data["messageContent"] != fmt.Sprint("new ", i+1) {
			t.Fatalf("push %d of %d is %v", i+1, said, got.Data)
		}
	}
	if after := records(verify()); after != before+int64(said) {
		t.Errorf("the log has %d records, it had %d, and %d messages were sent", after, before, said)
	}
	if rows := s.history("bob", "ann"); len(rows) != 50+said {
		t.Errorf("%d messages in history, %d were sent", len(rows), 50+said)
	}

	status := func() []projections.BuildStatus {
		t.Helper()
		var list struct{ Projections []projections.Status }
		if err := as("analyst").Get(t.Context(), "/api/projections", nil, &list); err != nil {
			t.Fatal(err)
		}
		for _, p := range list.Projections {
			if p.Projection == "history" {
				return p.Builds
			}
		}
		t.Fatal("there is no history")
		return nil
	}
	two := status()
	if len(two) != 2 || two[0].State != "live" || two[1].State != "previous" || two[0].Rows == 0 || two[0].Bytes == 0 {
		t.Fatalf("builds of history: %+v", two)
	}
	if out, errs, code := run(t, nil, "replay", "history", "--rollback", "--console", admin.Base, "--token", admin.Token, "--data", t.TempDir()); code != 0 || !strings.Contains(out, "live again") {
		t.Errorf("rollback: status %d\n%s%s", code, out, errs)
	}
	wait(t, "the build before is live", 30*time.Second, func() bool { return status()[0].Build == two[1].Build })
	wait(t, "the newer one can go", 30*time.Second, func() bool {
		return admin.Post(t.Context(), "/api/projections/history/discard", map[string]any{"build": two[0].Build}, nil) == nil
	})
	if left := status(); len(left) != 1 {
		t.Errorf("builds of history: %+v", left)
	}
	if rows := s.history("bob", "ann"); len(rows) != 50+said {
		t.Errorf("%d messages in history, %d were sent", len(rows), 50+said)
	}
	if err := as("analyst").Post(t.Context(), "/api/projections/history/replay", console.ReplayRequest{}, nil); err == nil || !strings.Contains(err.Error(), "forbidden") {
		t.Errorf("an analyst rebuilds: %v", err)
	}
}

// A verification that nobody waits for any more ends in the server too: it has
// changed nothing. Auditors begin and stop those, and no other jobs.
func TestAnInterruptedVerificationEnds(t *testing.T) {
	dir := t.TempDir()
	var chat strings.Builder
	for i := range 30_000 {
		fmt.Fprintf(&chat, `{"time":"2026-01-02 03:04:05","from":"a%d","to":"b","text":"%d"}`+"\n", i%50, i)
	}
	file := filepath.Join(dir, "chat.jsonl")
	if err := os.WriteFile(file, []byte(chat.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	if out, err := lishi("import", "--data", data, file).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s, as := consoleOver(t, data)
	addr := as("admin").Base
	jobs := func() (all []console.JobView) {
		t.Helper()
		var list struct{ Jobs []console.JobView }
		if err := as("admin").Get(t.Context(), "/api/projections", nil, &list); err != nil {
			t.Fatal(err)
		}
		return list.Jobs
	}
	cmd := lishi("verify", "history", "--console", addr, "--data", s.dir, "--token", as("auditor").Token, "--reason", "a test", "--throttle", "1%")
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	wait(t, "the verification runs", time.Minute, func() bool { all := jobs(); return len(all) == 1 && !all[0].Over })
	cmd.Process.Signal(os.Interrupt)
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 || strings.Contains(said.String(), "go on") {
		t.Errorf("status %d\n%s", code, said.String())
	}
	wait(t, "the verification has ended", time.Minute, func() bool { all := jobs(); return all[0].Over && all[0].End.Interrupted })

	// /metrics tells of a replay, which rests for those who chat.
	s.befriend("ann", "bob")
	chatting, hush := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer hush()
	wg.Go(func() {
		for chatting.Err() == nil {
			s.must("ann", "/chat/sendMessage", object{"uniqueNo": no(), "receiveUserId": "bob", "messageContent": "hello"})
		}
	})
	admin := as("admin")
	var begun struct{ Job console.JobView }
	if err := admin.Post(t.Context(), "/api/projections/history/replay", console.ReplayRequest{Throttle: 0.01, Detach: true}, &begun); err != nil {
		t.Fatal(err)
	}
	stop := fmt.Sprintf("/api/projections/jobs/%d/stop", begun.Job.ID)
	figure := func(name, value string) *regexp.Regexp {
		return regexp.MustCompile(`(?m)^lishi_replay_` + name + `\{build="\d+",kind="replay",projection="history"\} ` + value + `$`)
	}
	wait(t, "the figures of a replay that rests", time.Minute, func() bool {
		m := s.text("/metrics")
		return figure("throttled", "1").MatchString(m) && figure("rows", `[1-9]\S*`).MatchString(m) && figure("events", `[1-9]\S*`).MatchString(m) &&
			figure("lag_events", `[1-9]\S*`).MatchString(m) && figure("events_per_second", `[1-9]\S*`).MatchString(m) && figure("left_seconds", `\S+`).MatchString(m)
	})
	if err := as("auditor").Post(t.Context(), stop, struct{}{}, nil); err == nil || !strings.Contains(err.Error(), "forbidden") {
		t.Errorf("an auditor stops a replay: %v", err)
	}
	if err := admin.Post(t.Context(), stop, struct{}{}, nil); err != nil {
		t.Error(err)
	}
	wait(t, "no figures of what has ended", time.Minute, func() bool { return !strings.Contains(s.text("/metrics"), "lishi_replay_") })
}
