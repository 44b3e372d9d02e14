package system

import (
	"bufio"
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"lishi/infra/console"
	"lishi/infra/explore"
	"lishi/infra/looks"
)

// What the console shows of an event is in the log as a look before it is shown,
// with who and why; the command line shows the same of the running server and of
// the log at rest.
func TestEventsAndLooks(t *testing.T) {
	s, as := withConsole(t)
	s.register("ann", "bob")
	s.befriend("ann", "bob")
	sent := s.must("ann", "/chat/sendMessage", object{"uniqueNo": no(), "receiveUserId": "bob", "messageContent": "看这里"}).str("position")
	edited := s.must("ann", "/chat/editMessage", object{"uniqueNo": no(), "position": sent, "messageContent": "look here"}).str("position")
	auditor := as("auditor")
	auditor.Reason = "投诉 17"

	var d explore.Detail
	if err := auditor.Get(t.Context(), "/api/events/"+sent, nil, &d); err != nil {
		t.Fatal(err)
	}
	if d.Verdict != "valid" || !strings.Contains(string(d.Payload), "看这里") || len(d.Effects) != 1 || d.Effects[0].Event.Position.String() != edited {
		t.Errorf("%+v", d)
	}
	silent := as("auditor")
	silent.Reason = ""
	var refused *console.Error
	if err := silent.Get(t.Context(), "/api/events/"+sent, nil, &d); !errors.As(err, &refused) || refused.Reason != console.ReasonMissing {
		t.Errorf("without a reason: %v", err)
	}
	var page looks.Page
	if err := as("admin").Get(t.Context(), "/api/audit/looks", url.Values{"role": {"auditor"}}, &page); err != nil {
		t.Fatal(err)
	}
	if len(page.Looks) != 1 || page.Looks[0].Actor != "somebody" || page.Looks[0].Reason != "投诉 17" || page.Looks[0].What != "GET /api/events/"+sent || page.Looks[0].From == "" {
		t.Errorf("%+v", page)
	}
	if err := as("analyst").Get(t.Context(), "/api/audit/looks", nil, &page); !errors.As(err, &refused) || refused.Reason != console.Forbidden {
		t.Errorf("%v", err)
	}

	addr := strings.TrimPrefix(auditor.Base, "http://")
	var live explore.Detail
	out, errs, code := run(t, nil, "events", sent, "--json", "--data", s.dir, "--console", addr)
	if code != 0 || json.Unmarshal([]byte(out), &live) != nil || live.Position != d.Position || !strings.Contains(errs, "from the server at") {
		t.Errorf("%d %s %s", code, out, errs)
	}
	out, errs, code = run(t, nil, "events", "p|ann|bob", "--limit", "2", "--data", s.dir, "--console", addr)
	if code != 0 || !strings.Contains(out, edited) || !strings.Contains(out, sent) || !strings.Contains(out, "--before "+sent) {
		t.Errorf("%d %s %s", code, out, errs)
	}
	out, errs, code = run(t, nil, "audit", "looks", "--text", "投诉 17", "--data", s.dir, "--console", addr)
	if code != 0 || !strings.Contains(out, "because: 投诉 17") || strings.Count(out, "\na0-") != 0 {
		t.Errorf("%d %s %s", code, out, errs)
	}
	s.terminate()

	out, errs, code = run(t, nil, "audit", "looks", "--role", "auditor", "--data", s.dir)
	if code != 0 || !strings.Contains(out, "GET /api/events/"+sent) || strings.Contains(out, "admin") {
		t.Errorf("%d %s %s", code, out, errs)
	}
	out, errs, code = run(t, nil, "events", sent, "--json", "--data", s.dir)
	var rest explore.Detail
	if code != 0 || json.Unmarshal([]byte(out), &rest) != nil || !strings.Contains(errs, "at rest") || jsonOf(t, rest) != jsonOf(t, live) {
		t.Errorf("%d %s\nis not\n%s\n%s", code, jsonOf(t, rest), jsonOf(t, live), errs)
	}
	for what, want := range map[string]string{"p|ann|bob": sent, "a|somebody": "look.taken", "a0-0": "log.opened"} {
		if out, errs, code = run(t, nil, "events", what, "--data", s.dir); code != 0 || !strings.Contains(out, want) {
			t.Errorf("%s: %d %s %s", what, code, out, errs)
		}
	}
	for _, bad := range []string{"c0", "p|bob|ann", "c0-999999"} {
		if out, errs, code = run(t, nil, "events", bad, "--data", s.dir); code == 0 {
			t.Errorf("%s: %s %s", bad, out, errs)
		}
	}
}

// lishi tail follows until Ctrl-C, from where it is told, what passes the filter.
func TestTail(t *testing.T) {
	s, as := withConsole(t)
	s.register("ann", "bob")
	s.befriend("ann", "bob")
	first := s.must("ann", "/chat/sendMessage", object{"uniqueNo": no(), "receiveUserId": "bob", "messageContent": "one"}).str("position")
	c := lishi("tail", "--json", "--type", "message", "--from", "start", "--data", s.dir, "--console", strings.TrimPrefix(as("admin").Base, "http://"))
	pipe, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string)
	go func() {
		defer close(lines)
		for in := bufio.NewScanner(pipe); in.Scan(); {
			lines <- in.Text()
		}
	}()
	next := func() (i explore.Item) {
		t.Helper()
		select {
		case l := <-lines:
			if err := json.Unmarshal([]byte(l), &i); err != nil || i.Event == nil {
				t.Fatalf("%q %v", l, err)
			}
		case <-time.After(30 * time.Second):
			c.Process.Kill()
			t.Fatal("nothing came")
		}
		return i
	}
	if i := next(); i.Event.Position.String() != first || i.Event.Verdict != "valid" {
		t.Errorf("%+v", i.Event)
	}
	second := s.must("bob", "/chat/sendMessage", object{"uniqueNo": no(), "receiveUserId": "ann", "messageContent": "two"}).str("position")
	if i := next(); i.Event.Position.String() != second {
		t.Errorf("%+v", i.Event)
	}
	c.Process.Signal(os.Interrupt)
	for range lines {
	}
	c.Wait()
	if code := c.ProcessState.ExitCode(); code != 130 {
		t.Errorf("status %d", code)
	}
	if _, errs, code := run(t, nil, "tail", "--type", "nothing", "--data", s.dir, "--console", strings.TrimPrefix(as("admin").Base, "http://")); code != 2 || !strings.Contains(errs, "message.sent") {
		t.Errorf("%d %s", code, errs)
	}
}

// A tail outlives its server: it goes on behind what it showed, and what was
// said meanwhile comes once.
func TestTailGoesOnAfterARestart(t *testing.T) {
	dir, addr := t.TempDir(), freeAddr(t)
	s := serve(t, dir, "--console", addr)
	s.register("ann", "bob")
	s.befriend("ann", "bob")
	say := func(text string) string {
		return s.must("ann", "/chat/sendMessage", object{"uniqueNo": no(), "receiveUserId": "bob", "messageContent": text}).str("position")
	}
	c := lishi("tail", "--json", "--type", "message", "--from", "start", "--data", dir, "--console", addr)
	pipe, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer c.Process.Kill()
	lines := make(chan string)
	go func() {
		defer close(lines)
		for in := bufio.NewScanner(pipe); in.Scan(); {
			lines <- in.Text()
		}
	}()
	comes := func(position string) {
		t.Helper()
		var i explore.Item
		select {
		case l := <-lines:
			if err := json.Unmarshal([]byte(l), &i); err != nil || i.Event == nil || i.Event.Position.String() != position {
				t.Fatalf("%q instead of %s, %v", l, position, err)
			}
		case <-time.After(time.Minute):
			t.Fatalf("%s did not come", position)
		}
	}
	comes(say("one"))
	s.kill()
	s = serve(t, dir)
	meanwhile := say("without a console")
	s.terminate()
	s = serve(t, dir, "--console", addr)
	comes(meanwhile)
	comes(say("two"))
	s.terminate()
	s = serve(t, dir, "--console", addr)
	comes(say("three"))
	c.Process.Signal(os.Interrupt)
	for l := range lines {
		t.Error("again: ", l)
	}
	if c.Wait(); c.ProcessState.ExitCode() != 130 {
		t.Error(c.ProcessState)
	}
}
