package system

import (
	"context"
	"crypto/tls"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"lishi/infra/certificates"
	"lishi/infra/certificates/certificatetest"
)

// The page, the urls and the sockets are served over TLS; a renewed certificate
// is shown to new connections without a restart, and open ones stay.
func TestServedOverTLS(t *testing.T) {
	a := certificatetest.New(t)
	cert, key := a.Pair("first")
	client, err := certificates.NewClient(certificates.ClientFiles{CA: a.File}, nil)
	if err != nil {
		t.Fatal(err)
	}
	shown, agreed := "", map[string]bool{}
	https := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true, // every request shakes hands
		TLSClientConfig: &tls.Config{RootCAs: client.Config().RootCAs, NextProtos: []string{"h2", "http/1.1"}, VerifyConnection: func(s tls.ConnectionState) error {
			shown = s.PeerCertificates[0].Subject.CommonName
			// Go's client offers nothing for a request that is to be upgraded.
			if s.NegotiatedProtocol != "http/1.1" && s.NegotiatedProtocol != "" {
				t.Errorf("%q was agreed on", s.NegotiatedProtocol)
			}
			agreed[s.NegotiatedProtocol] = true
			return nil
		}},
	}}
	console := freeAddr(t)
	s := &server{t: t, dir: t.TempDir(), addr: freeAddr(t), args: []string{"--tls-cert", cert, "--tls-key", key, "--console", console}}
	s.launch()
	t.Cleanup(s.kill)
	get := func(path string) int {
		r, err := https.Get("https://" + s.addr + path)
		if err != nil {
			return 0
		}
		defer r.Body.Close()
		return r.StatusCode
	}
	wait(t, "readyz", time.Minute, func() bool { return get("/readyz") == http.StatusOK })
	if get("/") != http.StatusOK || shown != "first" {
		t.Errorf("the page is served with certificate %q", shown)
	}
	if r, err := https.Get("https://" + console + "/api/session"); err != nil || r.StatusCode != http.StatusUnauthorized {
		t.Errorf("the console over TLS: %v, %v", r, err)
	} else {
		r.Body.Close()
	}
	if status := s.status("/readyz"); status != http.StatusBadRequest {
		t.Errorf("without TLS the status is %d", status)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, "wss://"+s.addr+"/ws", &websocket.DialOptions{HTTPClient: https, HTTPHeader: http.Header{"Origin": {"https://" + s.addr}}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	conn.SetReadLimit(1 << 20)
	ask := func(url string, params object) answer {
		t.Helper()
		params["token"] = token(t, "ann")
		if err := conn.Write(ctx, websocket.MessageText, []byte(jsonOf(t, object{"url": url, "params": params}))); err != nil {
			t.Fatal(err)
		}
		_, raw, err := conn.Read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return parseAnswer(t, raw)
	}
	if a := ask("/chat/login", object{}); a.Data["code"] != "200" {
		t.Errorf("login: %s", a.Raw)
	}
	long := strings.Repeat("历史", 2_000)
	if a := ask("/user/updateUser", object{"uniqueNo": "1", "nickName": "n", "extra": long}); !a.ok() {
		t.Errorf("a long frame: %s", a.Raw)
	}
	a.Issue(cert, key, "second", time.Now().Add(time.Hour))
	wait(t, "the renewed certificate", 20*time.Second, func() bool { get("/healthz"); return shown == "second" })
	if a := ask("/user/updateUser", object{"uniqueNo": "2", "nickName": "m"}); !a.ok() {
		t.Errorf("after the renewal: %s", a.Raw)
	}
	if _, resp, err := websocket.Dial(ctx, "wss://"+s.addr+"/ws", &websocket.DialOptions{HTTPClient: https, HTTPHeader: http.Header{"Origin": {"http://" + s.addr}}}); err == nil || resp.StatusCode != http.StatusForbidden {
		t.Errorf("a page without TLS may connect: %v", err)
	}
	if !agreed["http/1.1"] {
		t.Error("HTTP/1.1 was never agreed on")
	}
	if status := s.terminate(); status != 0 {
		t.Errorf("status %d\n%s", status, s.log)
	}
}

// Files that don't fit refuse the start, and say so.
func TestTLSThatCantBe(t *testing.T) {
	a := certificatetest.New(t)
	cert, _ := a.Pair("one")
	_, other := a.Pair("other")
	for _, tc := range []struct{ cert, key, want string }{
		{cert, other, "private key does not match public key"},
		{cert, cert + ".absent", "no such file"},
		{cert, "", "go together"},
	} {
		out, errs, status := run(t, nil, "serve", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--tls-cert", tc.cert, "--tls-key", tc.key)
		if status != 2 || !strings.Contains(errs, "tls-cert") || !strings.Contains(errs, tc.want) {
			t.Errorf("want %q: status %d: %s%s", tc.want, status, out, errs)
		}
	}
}

// What X-Forwarded-For says counts only if a trusted proxy says it.
func TestForwardedAddresses(t *testing.T) {
	for name, tc := range map[string]struct{ trusted, from string }{
		"trusted":  {"127.0.0.0/8", "from=203.0.113.5 "},
		"stranger": {"10.0.0.0/8", "from=127.0.0.1:"},
	} {
		s := serve(t, t.TempDir(), "--trusted-proxies", tc.trusted, "--log-format", "text")
		req, err := http.NewRequest("POST", "http://"+s.addr+"/user/updateUser", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Forwarded-For", "198.51.100.77, 203.0.113.5")
		req.Header.Set("Authorization", "Bearer nonsense")
		resp, err := httpClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: status %d", name, resp.StatusCode)
		}
		wait(t, name+": "+tc.from+" in the log", 10*time.Second, func() bool { return strings.Contains(s.log.String(), tc.from) })
		if strings.Contains(s.log.String(), "nonsense") {
			t.Errorf("%s: the token is in the log\n%s", name, s.log)
		}
		s.kill()
	}
}
