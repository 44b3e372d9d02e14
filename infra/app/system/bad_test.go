package system

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/golang-jwt/jwt/v5"
)

// Bad input: the reason word of the protocol, by socket and by HTTP alike, and
// nobody else notices.
func TestBadInputTable(t *testing.T) {
	s := serve(t, t.TempDir())
	s.befriend("a", "b")
	s.register("c")
	tok := token(t, "a")
	forge := func(m jwt.SigningMethod, key any, sub string, exp time.Duration) string {
		raw, err := jwt.NewWithClaims(m, jwt.RegisteredClaims{Subject: sub, ExpiresAt: jwt.NewNumericDate(time.Now().Add(exp))}).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	good := func() object {
		return object{"token": tok, "uniqueNo": no(), "receiveUserId": "b", "messageContent": "x"}
	}
	with := func(name string, v any) object {
		p := good()
		if v == nil {
			delete(p, name)
		} else {
			p[name] = v
		}
		return p
	}
	const send = "/chat/sendMessage"
	for _, tc := range []struct {
		name, url string
		params    object
		reason    string
		status    int
	}{
		{"unknown url", "/chat/nothing", good(), "unknown_url", 404},
		{"no token", send, with("token", nil), "unauthorized", 401},
		{"garbage token", send, with("token", "a.b.c"), "unauthorized", 401},
		{"token of a wrong type", send, with("token", 7), "bad_request", 400},
		{"forged token", send, with("token", forge(jwt.SigningMethodHS256, []byte(strings.Repeat("x", 32)), "a", time.Hour)), "unauthorized", 401},
		{"alg none", send, with("token", forge(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, "a", time.Hour)), "unauthorized", 401},
		{"other algorithm", send, with("token", forge(jwt.SigningMethodHS512, []byte(secret), "a", time.Hour)), "unauthorized", 401},
		{"expired token", send, with("token", forge(jwt.SigningMethodHS256, []byte(secret), "a", -time.Second)), "unauthorized", 401},
		{"no uniqueNo", send, with("uniqueNo", nil), "bad_request", 400},
		{"empty uniqueNo", send, with("uniqueNo", ""), "bad_request", 400},
		{"long uniqueNo", send, with("uniqueNo", strings.Repeat("u", 65)), "too_long", 400},
		{"number for uniqueNo", send, with("uniqueNo", 5), "bad_request", 400},
		{"no receiver", send, with("receiveUserId", nil), "bad_request", 400},
		{"long receiver", send, with("receiveUserId", strings.Repeat("r", 65)), "too_long", 400},
		{"control character in an id", send, with("receiveUserId", "b\u0007"), "bad_request", 400},
		{"list for a receiver", send, with("receiveUserId", []string{"b"}), "bad_request", 400},
		{"no content", send, with("messageContent", nil), "bad_request", 400},
		{"empty content", send, with("messageContent", ""), "bad_request", 400},
		{"long content", send, with("messageContent", strings.Repeat("中", 5462)), "too_long", 400},
		{"unknown receiver", send, with("receiveUserId", "nobody"), "not_found", 404},
		{"not a friend", send, with("receiveUserId", "c"), "not_friend", 403},
		{"oneself", send, with("receiveUserId", "a"), "bad_request", 400},
		{"long note", "/friend/applyFriend", object{"token": tok, "uniqueNo": no(), "userId": "c", "note": strings.Repeat("n", 1001)}, "too_long", 400},
		{"friends already", "/friend/applyFriend", object{"token": tok, "uniqueNo": no(), "userId": "b"}, "conflict", 409},
		{"unknown application", "/friend/verifyFriend", object{"token": tok, "uniqueNo": no(), "applyFriendId": "nothing", "applyState": "9"}, "not_found", 404},
		{"long name", "/group/addGroup", object{"token": tok, "uniqueNo": no(), "groupName": strings.Repeat("n", 201)}, "too_long", 400},
		{"unknown group", "/chat/sendGroupMessage", object{"token": tok, "uniqueNo": no(), "groupId": "none", "messageContent": "x"}, "not_found", 404},
		{"limit too high", "/friend/loadMoreMessage", object{"token": tok, "userId": "b", "limit": 201}, "bad_request", 400},
		{"limit of a wrong type", "/friend/loadMoreMessage", object{"token": tok, "userId": "b", "limit": "many"}, "bad_request", 400},
		{"bad position", "/friend/loadMoreMessage", object{"token": tok, "userId": "b", "before": "c0-x"}, "bad_request", 400},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k, err := s.dial()
			if err != nil {
				t.Fatal(err)
			}
			defer k.conn.CloseNow()
			k.send(tc.url, tc.params)
			a := k.next()
			if a.ok() || a.reason() != tc.reason || a.Obj["detail"] == "" || a.Obj["uniqueNo"] == nil {
				t.Errorf("socket: want %s, got %s", tc.reason, a.Raw)
			}
			h := s.anonymous(t, tc.url, tc.params)
			if h.Status != tc.status || h.reason() != tc.reason {
				t.Errorf("HTTP: want %d %s, got %d %s", tc.status, tc.reason, h.Status, h.Raw)
			}
		})
	}
	if n := len(s.history("a", "b")); n != 0 {
		t.Fatalf("%d refused messages are in history", n)
	}
}

// anonymous posts without an Authorization header.
func (s *server) anonymous(t *testing.T, url string, params object) answer {
	t.Helper()
	body := &bytes.Buffer{}
	fmt.Fprint(body, jsonOf(t, params))
	r, err := http.Post("http://"+s.addr+url, "application/json", body)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := parseAnswer(t, raw)
	a.Status = r.StatusCode
	return a
}

// Frames that are no requests.
func TestFramesThatAreNoRequests(t *testing.T) {
	s := serve(t, t.TempDir())
	for _, raw := range []string{`{`, `[]`, `"x"`, `null`, `{"params":{}}`, `{"url":5}`, `{"url":"/chat/sendMessage","params":[]}`,
		`{"url":"/chat/ping"} {"url":"/chat/ping"}`, strings.Repeat("[", 5000)} {
		k, err := s.dial()
		if err != nil {
			t.Fatal(err)
		}
		if err := k.conn.Write(context.Background(), websocket.MessageText, []byte(raw)); err != nil {
			t.Fatal(err)
		}
		a := k.next()
		if a.Msg != "请求格式错误" || a.reason() != "bad_request" || a.Obj["uniqueNo"] != "" || a.Code != float64(400) {
			t.Errorf("%.40s: %s", raw, a.Raw)
		}
		k.conn.CloseNow()
	}
}

// rawSocket does the handshake by hand.
func rawSocket(t *testing.T, addr string) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	key := base64.StdEncoding.EncodeToString(make([]byte, 16))
	fmt.Fprintf(c, "GET /ws HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n", addr, key)
	br := bufio.NewReader(c)
	r, err := http.ReadResponse(br, nil)
	if err != nil || r.StatusCode != 101 {
		t.Fatalf("handshake: %v, %v", r, err)
	}
	return c, br
}

// closeCode reads frames until the close frame, which must come.
func closeCode(t *testing.T, br *bufio.Reader) int {
	t.Helper()
	code := closeCodeOf(br)
	if code == 0 {
		t.Fatal("no close frame")
	}
	return code
}

// closeCodeOf reads frames until the close frame; 0 if none comes.
func closeCodeOf(br *bufio.Reader) int {
	for {
		var h [2]byte
		if _, err := io.ReadFull(br, h[:]); err != nil {
			return 0
		}
		n := int64(h[1] & 0x7f)
		if long := map[int64]int{126: 2, 127: 8}[n]; long > 0 {
			l := make([]byte, 8)
			if _, err := io.ReadFull(br, l[8-long:]); err != nil {
				return 0
			}
			n = int64(binary.BigEndian.Uint64(l))
		}
		if h[0]&0xf != 8 {
			if _, err := io.CopyN(io.Discard, br, n); err != nil {
				return 0
			}
			continue
		}
		if n < 2 {
			return 1005
		}
		p := make([]byte, n)
		if _, err := io.ReadFull(br, p); err != nil {
			return 0
		}
		return int(binary.BigEndian.Uint16(p))
	}
}

func TestCloseCodes(t *testing.T) {
	s := serve(t, t.TempDir())
	s.befriend("a", "b")
	witness, _ := s.login("b", nil)
	mask := []byte{0, 0, 0, 0}
	frame := func(head ...byte) []byte { return append(head, mask...) }
	for name, tc := range map[string]struct {
		bytes []byte
		code  int
	}{
		"binary":            {append(frame(0x82, 0x81), 'x'), 1003},
		"invalid UTF-8":     {append(frame(0x81, 0x81), 0xff), 1007},
		"declares 2^62":     {frame(0x81, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0), 1009},
		"declares 1 MiB":    {frame(0x81, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 0), 1009},
		"length top bit":    {frame(0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0), 1002},
		"not masked":        {[]byte{0x81, 0x01, 'x'}, 1002},
		"reserved bit":      {append(frame(0xc1, 0x81), 'x'), 1002},
		"reserved opcode":   {append(frame(0x83, 0x81), 'x'), 1002},
		"continues nothing": {append(frame(0x80, 0x81), 'x'), 1002},
		"long ping":         {frame(0x89, 0xfe, 0, 126), 1002},
		"bad close code":    {append(frame(0x88, 0x82), 0x03, 0xed), 1002},
	} {
		t.Run(name, func(t *testing.T) {
			c, br := rawSocket(t, s.addr)
			if _, err := c.Write(tc.bytes); err != nil {
				t.Fatal(err)
			}
			if code := closeCode(t, br); code != tc.code {
				t.Fatalf("closed with %d, want %d", code, tc.code)
			}
		})
	}
	// A request in three fragments with a ping between them, behind the handshake.
	c, br := rawSocket(t, s.addr)
	text := `{"url":"/chat/ping"}`
	var b []byte
	b = append(append(b, frame(0x01, 0x80|5)...), text[:5]...)
	b = append(append(b, frame(0x89, 0x82)...), "hi"...)
	b = append(append(b, frame(0x00, 0x80|5)...), text[5:10]...)
	b = append(append(b, frame(0x80, 0x80|byte(len(text)-10))...), text[10:]...)
	c.Write(b)
	var seen strings.Builder
	buf := make([]byte, 512)
	for !strings.Contains(seen.String(), "pong") {
		n, err := br.Read(buf)
		if err != nil {
			t.Fatalf("%v after %q", err, seen.String())
		}
		seen.Write(buf[:n])
	}
	// Nobody else noticed.
	s.must("a", "/chat/sendMessage", object{"uniqueNo": no(), "receiveUserId": "b", "messageContent": "still here"})
	if p := witness.expect(push("1")); p.Data["messageContent"] != "still here" {
		t.Fatal(p.Raw)
	}
}

func TestHandshakes(t *testing.T) {
	s := serve(t, t.TempDir())
	dial := func(text string) (net.Conn, *bufio.Reader) {
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(30 * time.Second))
		fmt.Fprint(c, text)
		return c, bufio.NewReader(c)
	}
	head := "GET /ws HTTP/1.1\r\nHost: " + s.addr + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
	for name, tc := range map[string]struct {
		text   string
		status int
	}{
		"foreign origin": {head + "Origin: https://evil.example\r\n\r\n", 403},
		"same origin":    {head + "Origin: http://" + s.addr + "\r\n\r\n", 101},
		"no upgrade":     {"GET /ws HTTP/1.1\r\nHost: x\r\n\r\n", 426},
		"header flood":   {head + "X: " + strings.Repeat("a", 20<<10) + "\r\n\r\n", 431},
	} {
		_, br := dial(tc.text)
		r, err := http.ReadResponse(br, nil)
		if err != nil || r.StatusCode != tc.status {
			t.Errorf("%s: %v, %v", name, r, err)
		}
	}
	// Half a handshake is closed after 10 s, and holds nobody up.
	begun := time.Now()
	c, _ := dial("GET /ws HTTP/1.1\r\nHost: ")
	if s.status("/healthz") != 200 {
		t.Fatal("a half handshake holds others up")
	}
	if _, err := io.ReadAll(c); err != nil || time.Since(begun) > 20*time.Second {
		t.Fatalf("half a handshake: %v after %v", err, time.Since(begun))
	}
}

func TestRefusedStarts(t *testing.T) {
	dir := t.TempDir()
	s := serve(t, dir)
	for name, tc := range map[string]struct {
		args []string
		code int
		want string
	}{
		"locked data":     {[]string{"serve", "--data", dir, "--listen", freeAddr(t)}, 1, fmt.Sprint(s.cmd.Process.Pid)},
		"taken port":      {[]string{"serve", "--data", t.TempDir(), "--listen", s.addr}, 1, "--listen"},
		"unknown flag":    {[]string{"serve", "--lisen", "x"}, 2, "--lisen"},
		"unknown command": {[]string{"sevre"}, 2, "sevre"},
		"bad setting":     {[]string{"serve", "--rate", "fast"}, 2, "rate"},
		"bad zone":        {[]string{"config", "--zone", "Nowhere"}, 2, "zone"},
	} {
		t.Run(name, func(t *testing.T) {
			_, errs, code := run(t, nil, tc.args...)
			if code != tc.code || !strings.Contains(errs, tc.want) {
				t.Fatalf("exit %d: %s", code, errs)
			}
		})
	}
	s.terminate()
	format := filepath.Join(dir, "log", "format")
	if _, err := os.Stat(format); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(format, []byte("lishi log 99\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, errs, code := run(t, nil, "serve", "--data", dir, "--listen", freeAddr(t))
	if code != 1 || !strings.Contains(errs, "newer") {
		t.Fatalf("newer format: exit %d: %s", code, errs)
	}
}
