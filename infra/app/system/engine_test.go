package system

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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

// Without a password the engine does what any program of the machine asks, but not
// what a page of the web lets a browser of the machine ask.
func TestEngineObeysNoPages(t *testing.T) {
	dir, addr := t.TempDir(), freeAddr(t)
	engine(t, dir, addr)
	file := filepath.Join(dir, "written")
	ask := func(host, origin string) int {
		r, err := http.NewRequest(http.MethodPost, "http://"+addr+"/", strings.NewReader("SELECT 1 INTO OUTFILE '"+file+"' TRUNCATE"))
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		r.Header.Set("Content-Type", "text/plain") // which pages may send anywhere
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		return answer.StatusCode
	}
	for host, origin := range map[string]string{addr: "https://evil.example", "evil.example": "http://evil.example"} {
		if got := ask(host, origin); got != http.StatusForbidden {
			t.Errorf("a page of %s is answered with %d", origin, got)
		}
		if _, err := os.Stat(file); err == nil {
			t.Fatal("it wrote a file")
		}
	}
	if got := ask(addr, ""); got != http.StatusOK {
		t.Errorf("a program is answered with %d", got)
	}
}
