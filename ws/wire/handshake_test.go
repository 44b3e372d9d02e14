package wire

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
)

func TestHandshakeRefusals(t *testing.T) {
	s := serveEcho(t, Options{Origins: []string{"https://chat.example.com", "http://localhost:5173"}})
	line := func(name, value string) func(string) string {
		return func(hs string) string {
			var out []string
			for l := range strings.SplitSeq(hs, "\r\n") {
				if strings.HasPrefix(l, name+":") {
					if value == "" {
						continue
					}
					l = name + ": " + value
				}
				out = append(out, l)
			}
			return strings.Join(out, "\r\n")
		}
	}
	add := func(lines ...string) func(string) string {
		return func(hs string) string {
			return strings.TrimSuffix(hs, "\r\n") + strings.Join(lines, "\r\n") + "\r\n\r\n"
		}
	}
	replace := func(old, new string) func(string) string {
		return func(hs string) string { return strings.Replace(hs, old, new, 1) }
	}
	both := func(a, b func(string) string) func(string) string {
		return func(hs string) string { return b(a(hs)) }
	}
	for _, tc := range []struct {
		name   string
		change func(string) string
		status int
		header [2]string
	}{
		{"as it should be", func(hs string) string { return hs }, 101, [2]string{"Upgrade", "websocket"}},
		{"other letters' case", both(line("Upgrade", "WebSocket"), line("Connection", "UPGRADE")), 101, [2]string{}},
		{"upgrade to more than one", line("Upgrade", "h2c, websocket"), 101, [2]string{}},
		{"connection in two lines", both(line("Connection", "keep-alive"), add("Connection: Upgrade")), 101, [2]string{}},
		{"extensions are not taken", add("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"), 101, [2]string{"Sec-WebSocket-Extensions", ""}},
		{"subprotocols are not taken", add("Sec-WebSocket-Protocol: chat, superchat"), 101, [2]string{"Sec-WebSocket-Protocol", ""}},
		{"post", replace("GET ", "POST "), 405, [2]string{"Allow", "GET"}},
		{"head", replace("GET ", "HEAD "), 405, [2]string{"Allow", "GET"}},
		{"http 1.0", replace("HTTP/1.1", "HTTP/1.0"), 505, [2]string{}},
		{"no host", line("Host", ""), 400, [2]string{}},
		{"two hosts", add("Host: other.example"), 400, [2]string{}},
		{"no upgrade", line("Upgrade", ""), 426, [2]string{"Upgrade", "websocket"}},
		{"another upgrade", line("Upgrade", "h2c"), 426, [2]string{"Connection", "Upgrade"}},
		{"upgrade's beginning", line("Upgrade", "websockets"), 426, [2]string{}},
		{"no connection", line("Connection", ""), 426, [2]string{}},
		{"connection kept alive", line("Connection", "keep-alive"), 426, [2]string{}},
		{"no version", line("Sec-WebSocket-Version", ""), 426, [2]string{"Sec-Websocket-Version", "13"}},
		{"version 8", line("Sec-WebSocket-Version", "8"), 426, [2]string{"Sec-Websocket-Version", "13"}},
		{"version 13 and 8", line("Sec-WebSocket-Version", "13, 8"), 426, [2]string{"Sec-Websocket-Version", "13"}},
		{"no key", line("Sec-WebSocket-Key", ""), 400, [2]string{}},
		{"key too short", line("Sec-WebSocket-Key", "dGhlIHNhbXBsZQ=="), 400, [2]string{}},
		{"key of 15 bytes", line("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25j"), 400, [2]string{}},
		{"key of 17 bytes", line("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZXM="), 400, [2]string{}},
		{"key of 18 bytes", line("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZXMx"), 400, [2]string{}},
		{"key not base64", line("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25j!Q=="), 400, [2]string{}},
		{"two keys", add("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), 400, [2]string{}},
		{"with a body", both(add("Content-Length: 5"), func(hs string) string { return hs + "hello" }), 400, [2]string{}},
		{"with a chunked body", both(add("Transfer-Encoding: chunked"), func(hs string) string { return hs + "0\r\n\r\n" }), 400, [2]string{}},
		{"own origin", add("Origin: http://lishi.example"), 101, [2]string{}},
		{"own origin, its letters' case", add("Origin: https://LISHI.example"), 101, [2]string{}},
		{"allowed origin", add("Origin: https://chat.example.com"), 101, [2]string{}},
		{"allowed origin with port", add("Origin: http://localhost:5173"), 101, [2]string{}},
		{"foreign origin", add("Origin: https://evil.example"), 403, [2]string{}},
		{"foreign origin that begins alike", add("Origin: https://chat.example.com.evil.example"), 403, [2]string{}},
		{"foreign origin that ends alike", add("Origin: https://evil-lishi.example"), 403, [2]string{}},
		{"own host, another port", add("Origin: http://lishi.example:8081"), 403, [2]string{}},
		{"allowed host, another scheme", add("Origin: http://chat.example.com"), 403, [2]string{}},
		{"origin null", add("Origin: null"), 403, [2]string{}},
		{"origin empty", add("Origin: "), 403, [2]string{}},
		{"origin of an extension", add("Origin: chrome-extension://lishi.example"), 403, [2]string{}},
		{"two origins", add("Origin: http://lishi.example", "Origin: https://evil.example"), 403, [2]string{}},
		{"garbage in a header", add("Bad Header: x"), 400, [2]string{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			nc, err := net.Dial("tcp", s.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			nc.SetDeadline(time.Now().Add(patience))
			if _, err := io.WriteString(nc, tc.change(handshake)); err != nil {
				t.Fatal(err)
			}
			res, err := http.ReadResponse(bufio.NewReader(nc), nil)
			if err != nil {
				t.Fatal(err)
			}
			if res.StatusCode != tc.status {
				t.Errorf("status %d, want %d", res.StatusCode, tc.status)
			}
			if name := tc.header[0]; name != "" && res.Header.Get(name) != tc.header[1] {
				t.Errorf("%s is %q, want %q", name, res.Header.Get(name), tc.header[1])
			}
			if tc.status != 101 && s.Len() > 0 {
				t.Error("a connection was opened")
			}
			nc.Close()
			if tc.status == 101 {
				<-s.reasons
				eventually(t, "the connection's end", func() bool { return s.Len() == 0 })
			}
		})
	}
}

func TestSameHost(t *testing.T) {
	for _, tc := range []struct {
		origin, host string
		same         bool
	}{
		{"http://a.example", "a.example", true},
		{"http://a.example", "a.example:80", true},
		{"http://a.example:80", "a.example", true},
		{"https://a.example", "a.example:443", true},
		{"https://a.example", "a.example:80", false},
		{"http://a.example:443", "a.example", false},
		{"http://[::1]:8080", "[::1]:8080", true},
		{"http://[::1]", "[::1]:80", true},
		{"http://127.0.0.1:8080", "localhost:8080", false},
		{"http://a.example", "b.example", false},
		{"ftp://a.example", "a.example", false},
	} {
		o, err := url.Parse(tc.origin)
		if err != nil {
			t.Fatal(err)
		}
		if sameHost(o, tc.host) != tc.same {
			t.Errorf("%s at %s: want %v", tc.origin, tc.host, tc.same)
		}
	}
}

// TestPipelinedBytesAreKept: frames that a client sends in one packet with its
// handshake are in net/http's buffer when the connection is taken over.
func TestPipelinedBytesAreKept(t *testing.T) {
	s := serveEcho(t, Options{})
	for _, size := range []int{0, 1, 100, 3000, 5000, 60000} {
		m := filler[:size]
		if size == 1 {
			m = "x"
		}
		m = strings.ToValidUTF8(m, "")
		nc, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		c := &client{nc, bufio.NewReader(nc)}
		c.send(t, append([]byte(handshake), join(text("first"), text(m), ping("p"))...))
		c.open(t)
		c.expect(t, textBack("first"), textBack(m), pongBack("p"))
		c.send(t, join(text("later")))
		c.expect(t, textBack("later"))
		nc.Close()
		<-s.reasons
	}
}

// TestHandshakeByteByByte and a frame directly behind it.
func TestHandshakeByteByByte(t *testing.T) {
	s := serveEcho(t, Options{})
	nc, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	c := &client{nc, bufio.NewReader(nc)}
	for _, b := range append([]byte(handshake), join(text("历史"))...) {
		c.send(t, []byte{b})
	}
	c.open(t)
	c.expect(t, textBack("历史"))
}

// memListener hands out pipes, so that an HTTP server runs on a fake clock.
type memListener struct {
	conns chan net.Conn
	done  chan struct{}
}

func (l *memListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *memListener) Close() error   { close(l.done); return nil }
func (l *memListener) Addr() net.Addr { return &net.TCPAddr{} }

// inMemory runs f with a dial function, in a bubble with its own clock.
func inMemory(t *testing.T, h http.Handler, f func(t *testing.T, dial func() net.Conn)) {
	synctest.Test(t, func(t *testing.T) {
		l := &memListener{make(chan net.Conn), make(chan struct{})}
		hs := NewServer(h)
		hs.ErrorLog = nil
		go hs.Serve(l)
		f(t, func() net.Conn {
			near, far := net.Pipe()
			l.conns <- near
			return far
		})
		hs.Close()
	})
}

// TestHalfAHandshake: whoever does not finish it in 10 s is cut off, also
// where bytes keep coming.
func TestHalfAHandshake(t *testing.T) {
	u := NewUpgrader(Options{})
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { u.Upgrade(w, r) })
	inMemory(t, h, func(t *testing.T, dial func() net.Conn) {
		for name, sent := range map[string]string{"nothing": "", "half a line": "GET /ws HT", "half the headers": handshake[:80], "all but the end": handshake[:len(handshake)-2]} {
			nc := dial()
			start := time.Now()
			go io.WriteString(nc, sent)
			io.Copy(io.Discard, nc)
			if took := time.Since(start); took != 10*time.Second {
				t.Errorf("%s: cut off after %v", name, took)
			}
			nc.Close()
		}
		nc := dial()
		start := time.Now()
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			for _, b := range []byte(handshake[:len(handshake)-2]) {
				if _, err := nc.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}()
		io.Copy(io.Discard, nc)
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("trickle: cut off after %v", took)
		}
		nc.Close()
		<-stopped
	})
}

// TestHeaderFlood: 16 KiB of headers are answered with 431, whether in one
// line or in many, without an end; a little less is fine.
func TestHeaderFlood(t *testing.T) {
	s := serveEcho(t, Options{})
	start := strings.TrimSuffix(handshake, "\r\n")
	for _, tc := range []struct {
		name   string
		header string
		status int
	}{
		{"fits", "X-Pad: " + strings.Repeat("x", headerLimit-len(handshake)-9) + "\r\n\r\n", 101},
		{"a byte more", "X-Pad: " + strings.Repeat("x", headerLimit-len(handshake)-8) + "\r\n\r\n", 431},
		{"one endless line", "X-Pad: " + strings.Repeat("x", 1<<20), 431},
		{"endless lines", strings.Repeat("X-Pad: x\r\n", 1<<17), 431},
		{"endless target", "", 431},
	} {
		t.Run(tc.name, func(t *testing.T) {
			nc, err := net.Dial("tcp", s.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			nc.SetDeadline(time.Now().Add(patience))
			if tc.header == "" {
				start = "GET /" + strings.Repeat("x", 1<<20)
			}
			go io.WriteString(nc, start+tc.header)
			res, err := http.ReadResponse(bufio.NewReader(nc), nil)
			if err != nil {
				t.Fatal(err)
			}
			if res.StatusCode != tc.status {
				t.Errorf("status %d, want %d", res.StatusCode, tc.status)
			}
		})
	}
}

// TestOtherServers: TLS, where a connection is no plain socket, and a
// ResponseWriter that cannot be taken over.
func TestOtherServers(t *testing.T) {
	u := NewUpgrader(Options{})
	hs := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := u.Upgrade(w, r); err == nil {
			c.Start(&echoText{c: c})
		}
	}))
	hs.TLS = &tls.Config{NextProtos: []string{"http/1.1"}}
	hs.StartTLS()
	defer hs.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, "wss"+strings.TrimPrefix(hs.URL, "https"), &websocket.DialOptions{HTTPClient: hs.Client()})
	if err != nil {
		t.Fatal(err)
	}
	ws.SetReadLimit(1 << 20)
	for _, m := range []string{"", "历史", strings.Repeat("x", 60000)} {
		if err := ws.Write(ctx, websocket.MessageText, []byte(m)); err != nil {
			t.Fatal(err)
		}
		if _, got, err := ws.Read(ctx); err != nil || string(got) != m {
			t.Fatalf("%d bytes came back of %d, %v", len(got), len(m), err)
		}
	}
	if err := ws.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Error(err)
	}
	eventually(t, "the connection's end", func() bool { return u.Len() == 0 })

	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(handshake)))
	if err != nil {
		t.Fatal(err)
	}
	rec := httptest.NewRecorder()
	if _, err := u.Upgrade(rec, r); err == nil || rec.Code != 500 {
		t.Errorf("a recorder was taken over: %v, %d", err, rec.Code)
	}
	hs.Client().CloseIdleConnections()
}

// FuzzHandshake: whatever is accepted fulfils RFC 6455 section 4.2.1.
func FuzzHandshake(f *testing.F) {
	f.Add(handshake)
	f.Add(strings.Replace(handshake, "13", "8", 1))
	f.Add(strings.Replace(handshake, "websocket", "h2c,\twebsocket", 1))
	f.Add(strings.Replace(handshake, "\r\n\r\n", "\r\nOrigin: http://lishi.example\r\n\r\n", 1))
	f.Add(strings.Replace(handshake, "\r\n\r\n", "\r\nOrigin: https://chat.example.com\r\n\r\n", 1))
	f.Add(strings.Replace(handshake, "\r\n\r\n", "\r\nOrigin: http://lishi.example:80@evil.example\r\n\r\n", 1))
	f.Add("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	u := NewUpgrader(Options{Origins: []string{"https://chat.example.com"}})
	f.Fuzz(func(t *testing.T, raw string) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
		if err != nil {
			return
		}
		key, refused := checkHandshake(r)
		allowed := u.originAllowed(r)
		if refused != nil {
			if key != "" || refused.Status < 400 || refused.Text == "" {
				t.Errorf("%q, %+v", key, refused)
			}
			return
		}
		if r.Method != "GET" || !r.ProtoAtLeast(1, 1) || len(key) != 24 || r.Header.Get("Sec-WebSocket-Version") != "13" ||
			!strings.Contains(strings.ToLower(strings.Join(r.Header["Upgrade"], ",")), "websocket") ||
			!strings.Contains(strings.ToLower(strings.Join(r.Header["Connection"], ",")), "upgrade") {
			t.Errorf("accepted %q", raw)
		}
		res, err := http.ReadResponse(bufio.NewReader(strings.NewReader(string(appendAccept(nil, key)))), r)
		if err != nil || res.StatusCode != 101 || len(res.Header.Get("Sec-WebSocket-Accept")) != 28 {
			t.Errorf("key %q is answered %v, %v", key, res, err)
		}
		if origin := r.Header.Get("Origin"); allowed && origin != "" && origin != "https://chat.example.com" {
			o, err := url.Parse(origin)
			if err != nil || o.Hostname() == "" || !strings.Contains(strings.ToLower(r.Host), strings.ToLower(o.Hostname())) {
				t.Errorf("origin %q at host %q", origin, r.Host)
			}
		}
	})
}
