package system

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lishi/infra/certificates"
	"lishi/infra/certificates/certificatetest"
)

// lishi engine serves with TLS and a password, lishi serve uses it by a DSN from a
// file, and the password is told to nobody.
func TestEngineWithTLSAndPassword(t *testing.T) {
	const password = "correct-horse"
	a := certificatetest.New(t)
	cert, key := a.Pair("engine")
	dir, addr := t.TempDir(), freeAddr(t)
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	cmd := lishi("engine", "--data", t.TempDir(), "--listen", addr, "--tls-cert", cert, "--tls-key", key, "--engine-password-file", write("password", password))
	engineLog := &safeBuffer{}
	cmd.Stdout, cmd.Stderr = engineLog, engineLog
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	trusting, err := certificates.NewClient(certificates.ClientFiles{CA: a.File}, nil)
	if err != nil {
		t.Fatal(err)
	}
	https := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: trusting.Config()}}
	ask := func(path string) int {
		r, err := https.Get("https://" + addr + path)
		if err != nil {
			return 0
		}
		r.Body.Close()
		return r.StatusCode
	}
	wait(t, "the engine", time.Minute, func() bool { return ask("/ping") == 200 })
	if got := ask("/?query=SELECT+1"); got != http.StatusUnauthorized {
		t.Errorf("a stranger's query: status %d", got)
	}

	dsn := write("dsn", "https://lishi:"+password+"@"+addr+"/lishi")
	s := serve(t, t.TempDir(), "--clickhouse-file", dsn, "--clickhouse-tls-ca", a.File)
	if rows := talk(s); len(rows) != 30 {
		t.Errorf("%d messages", len(rows))
	}
	out, errs, status := run(t, nil, "config", "--clickhouse-file", dsn, "--engine-password", password)
	if status != 0 || strings.Contains(out+errs, password) || !strings.Contains(out, "clickhouse-file") {
		t.Errorf("status %d: %s%s", status, out, errs)
	}

	// Who is refused says so, and chat goes on.
	wrong := serveUnready(t, "--clickhouse", "https://lishi:guess-"+password+"@"+addr+"/lishi", "--clickhouse-tls-ca", a.File)
	wait(t, "the reason in the log", 30*time.Second, func() bool { return strings.Contains(wrong.log.String(), "Authentication failed") })
	if got := wrong.status("/healthz"); got != http.StatusOK {
		t.Errorf("healthz: %d", got)
	}
	for name, log := range map[string]string{"engine": engineLog.String(), "server": s.log.String(), "refused server": wrong.log.String()} {
		if strings.Contains(log, password) {
			t.Errorf("the password is in the log of the %s:\n%s", name, log)
		}
	}
}

// serveUnready starts a server that lives, but does not become ready.
func serveUnready(t *testing.T, args ...string) *server {
	t.Helper()
	s := &server{t: t, dir: t.TempDir(), addr: freeAddr(t), args: args}
	s.launch()
	t.Cleanup(s.kill)
	wait(t, "healthz", time.Minute, func() bool { return s.status("/healthz") == http.StatusOK })
	if got := s.status("/readyz"); got != http.StatusServiceUnavailable {
		t.Errorf("readyz: %d\n%s", got, s.log)
	}
	return s
}

// Beyond this machine the engine wants a password.
func TestEngineIsNotOpenToEverybody(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:8123"} {
		out, errs, status := run(t, nil, "engine", "--data", t.TempDir(), "--listen", addr)
		if status != 2 || !strings.Contains(errs, "engine-password") {
			t.Errorf("%s: status %d: %s%s", addr, status, out, errs)
		}
	}
	out, errs, status := run(t, nil, "engine", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--tls-cert", "absent.pem", "--tls-key", "absent.pem")
	if status != 2 || !strings.Contains(errs, "absent.pem") {
		t.Errorf("status %d: %s%s", status, out, errs)
	}
}
