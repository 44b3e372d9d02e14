package system

import (
	"os/exec"
	"testing"
	"time"
)

// engine runs `lishi engine` as a ClickHouse server that can be killed.
func engine(t *testing.T, dir, addr string) *exec.Cmd {
	t.Helper()
	cmd := lishi("engine", "--data", dir, "--listen", addr)
	log := &safeBuffer{}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	wait(t, "the engine", time.Minute, func() bool {
		r, err := httpClient.Get("http://" + addr + "/ping")
		if err != nil {
			return false
		}
		r.Body.Close()
		return r.StatusCode == 200
	})
	return cmd
}

// The engine gone: chat goes on, queries say unavailable, projections catch up
// by themselves.
func TestEngineOutage(t *testing.T) {
	dir, addr := t.TempDir(), freeAddr(t)
	e := engine(t, dir, addr)
	s := serve(t, t.TempDir(), "--clickhouse", "http://"+addr)
	s.befriend("a", "b")
	b, _ := s.login("b", nil)
	send := func(text string) {
		t.Helper()
		s.must("a", "/chat/sendMessage", object{"uniqueNo": text, "receiveUserId": "b", "messageContent": text})
		if p := b.expect(push("1")); p.Data["messageContent"] != text {
			t.Fatalf("push: %s", p.Raw)
		}
	}
	send("before")
	if n := len(s.history("b", "a")); n != 1 {
		t.Fatalf("%d rows", n)
	}
	e.Process.Kill()
	e.Wait()
	send("while it is away")
	a := s.post("b", "/friend/loadMoreMessage", object{"userId": "a"})
	if a.ok() || a.reason() != "unavailable" || a.Status != 503 {
		t.Fatalf("a query without the engine: %d %s", a.Status, a.Raw)
	}
	if s.status("/healthz") != 200 {
		t.Fatal("not healthy without the engine")
	}
	if s.status("/readyz") != 503 {
		t.Fatal("readyz does not name the engine")
	}
	engine(t, dir, addr)
	wait(t, "the projections to catch up", 30*time.Second, func() bool {
		a := s.post("b", "/friend/loadMoreMessage", object{"userId": "a"})
		return a.ok() && len(a.list()) == 2
	})
	send("after")
	if n := len(s.history("b", "a")); n != 3 {
		t.Fatalf("%d rows", n)
	}
}
