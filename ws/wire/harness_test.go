package wire

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if holdConnections() {
		return
	}
	goleak.VerifyTestMain(holders{m})
}

// holders runs all tests twice: with event loops, where the system has them, and
// with goroutines.
type holders struct{ *testing.M }

var onGoroutines bool

func (h holders) Run() int {
	code := h.M.Run()
	if newLoops(time.Second) != nil && code == 0 {
		onGoroutines = true
		fmt.Println("the same with goroutines:")
		code = h.M.Run()
	}
	return code
}

func newUpgrader(o Options) *Upgrader {
	u := NewUpgrader(o)
	if onGoroutines {
		u.loops = nil
	}
	return u
}

// patience is how long a test waits for what is certain to come.
const patience = 20 * time.Second

// eventually waits for a condition.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never came: %s", what)
		}
	}
}

// A script is a Handler made of functions, which may wait; nil ones do nothing.
type script struct {
	text    func([]byte) error
	closing func(CloseReason)
}

func (s *script) Text(m []byte) (func() error, error) {
	if s.text == nil {
		return nil, nil
	}
	m = bytes.Clone(m)
	return func() error { return s.text(m) }, nil
}

func (s *script) Closing(r CloseReason) {
	if s.closing != nil {
		s.closing(r)
	}
}

// echoText sends back what it gets, and passes on why its connection ended.
type echoText struct {
	c       *Conn
	reasons chan<- CloseReason
}

func (e *echoText) Text(m []byte) (func() error, error) { e.c.SendText(m); return nil, nil }

func (e *echoText) Closing(r CloseReason) {
	if e.reasons != nil {
		e.reasons <- r
	}
}

// echoAll does so with binary messages too.
type echoAll struct{ echoText }

func (e *echoAll) Binary(m []byte) (func() error, error) { e.c.SendBinary(m); return nil, nil }

// A server is a real HTTP server on a real socket.
type server struct {
	*Upgrader
	addr    string
	conns   chan *Conn
	reasons chan CloseReason
}

func serve(t testing.TB, o Options, handler func(*server, *Conn) Handler) *server {
	t.Helper()
	s := &server{Upgrader: newUpgrader(o), conns: make(chan *Conn, 16), reasons: make(chan CloseReason, 4096)}
	hs := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := s.Upgrade(w, r)
		if err != nil {
			return
		}
		select {
		case s.conns <- c:
		default:
		}
		c.Start(handler(s, c))
	}))
	hs.Config = NewServer(hs.Config.Handler)
	hs.Start()
	s.addr = hs.Listener.Addr().String()
	t.Cleanup(func() {
		s.each((*Conn).abort)
		eventually(t, "every connection's end", func() bool { return s.Len() == 0 })
		hs.Close()
	})
	return s
}

func serveEcho(t testing.TB, o Options) *server {
	return serve(t, o, func(s *server, c *Conn) Handler { return &echoAll{echoText{c, s.reasons}} })
}

func (s *server) dial(t testing.TB) *client {
	t.Helper()
	nc, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	c := &client{Conn: nc, r: bufio.NewReader(nc)}
	c.send(t, []byte(handshake))
	c.open(t)
	return c
}

const handshake = "GET /ws HTTP/1.1\r\nHost: lishi.example\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

// pipe makes a connection of net.Pipe, whose clock synctest can be.
func pipe(u *Upgrader, handler func(*Conn) Handler) (*Conn, *client) {
	near, far := net.Pipe()
	c := newConn(u, near, nil)
	u.add(c)
	c.Start(handler(c))
	return c, &client{Conn: &turns{far, make(chan struct{}, 1)}, r: bufio.NewReader(far)}
}

// turns is a pipe that several goroutines write to. net.Pipe lets them wait
// for a mutex, which stops a fake clock.
type turns struct {
	net.Conn
	turn chan struct{}
}

func (p *turns) Write(b []byte) (int, error) {
	p.turn <- struct{}{}
	defer func() { <-p.turn }()
	return p.Conn.Write(b)
}

// A client speaks frames, right and wrong ones, and shares no code with what
// is tested.
type client struct {
	net.Conn
	r *bufio.Reader
}

func (c *client) open(t testing.TB) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(patience))
	res, err := http.ReadResponse(c.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("handshake answered %s", res.Status)
	}
	if got := res.Header.Get("Sec-WebSocket-Accept"); got != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" { // RFC 6455 section 1.3
		t.Fatalf("accept %q", got)
	}
}

func (c *client) send(t testing.TB, p []byte) {
	t.Helper()
	if _, err := c.Write(p); err != nil {
		t.Fatal(err)
	}
}

// A wireFrame is a frame as it is read from the server.
type wireFrame struct {
	op      byte // with the FIN and reserved bits
	payload string
}

func (f wireFrame) String() string {
	if len(f.payload) > 40 {
		return fmt.Sprintf("%#x %d bytes", f.op, len(f.payload))
	}
	return fmt.Sprintf("%#x %q", f.op, f.payload)
}

func textBack(s string) wireFrame   { return wireFrame{0x81, s} }
func binaryBack(s string) wireFrame { return wireFrame{0x82, s} }
func pongBack(s string) wireFrame   { return wireFrame{0x8a, s} }

// read reads one frame; io.EOF at the connection's end.
func (c *client) read() (wireFrame, error) {
	head := make([]byte, 2, 10)
	if _, err := io.ReadFull(c.r, head); err != nil {
		return wireFrame{}, err
	}
	f := wireFrame{op: head[0]}
	n := int(head[1])
	switch {
	case n >= 0x80:
		return f, errors.New("frame from the server is masked")
	case n == 126:
		if _, err := io.ReadFull(c.r, head[:2]); err != nil {
			return f, err
		}
		if n = int(binary.BigEndian.Uint16(head[:2])); n < 126 {
			return f, errors.New("length not in its shortest form")
		}
	case n == 127:
		head = head[:8]
		if _, err := io.ReadFull(c.r, head); err != nil {
			return f, err
		}
		if n = int(binary.BigEndian.Uint64(head)); n < 1<<16 {
			return f, errors.New("length not in its shortest form")
		}
	}
	payload := make([]byte, n)
	_, err := io.ReadFull(c.r, payload)
	f.payload = string(payload)
	return f, err
}

// A cframe is a frame as a client may send it.
type cframe struct {
	op      byte // low four bits
	notFin  bool
	rsv     byte // three bits
	payload string
	bare    bool // not masked
	long    int  // bytes of extended length to use: 2 or 8, though less would do
}

func (f cframe) bytes() []byte {
	var b []byte
	first := f.op | f.rsv<<4
	if !f.notFin {
		first |= 0x80
	}
	mask := byte(0x80)
	if f.bare {
		mask = 0
	}
	n := len(f.payload)
	switch {
	case f.long == 8 || n > 0xffff:
		b = binary.BigEndian.AppendUint64([]byte{first, mask | 127}, uint64(n))
	case f.long == 2 || n > 125:
		b = binary.BigEndian.AppendUint16([]byte{first, mask | 126}, uint16(n))
	default:
		b = []byte{first, mask | byte(n)}
	}
	if f.bare {
		return append(b, f.payload...)
	}
	key := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	b = append(b, key[:]...)
	for i := range n {
		b = append(b, f.payload[i]^key[i%4])
	}
	return b
}

func text(s string) cframe   { return cframe{op: 1, payload: s} }
func binmsg(s string) cframe { return cframe{op: 2, payload: s} }
func ping(s string) cframe   { return cframe{op: 9, payload: s} }
func pong(s string) cframe   { return cframe{op: 10, payload: s} }

func closing(code uint16, reason string) cframe {
	return cframe{op: 8, payload: string(binary.BigEndian.AppendUint16(nil, code)) + reason}
}

// fragments cuts s into frames of at most n bytes, the first a text.
func fragments(op byte, s string, n int) []cframe {
	var fs []cframe
	for i := 0; i < len(s); i += n {
		fs = append(fs, cframe{payload: s[i:min(i+n, len(s))], notFin: true})
	}
	fs[0].op = op
	fs[len(fs)-1].notFin = false
	return fs
}

func join(fs ...cframe) []byte {
	var b bytes.Buffer
	for _, f := range fs {
		b.Write(f.bytes())
	}
	return b.Bytes()
}

func closeCode(f wireFrame) uint16 {
	if f.op != 0x88 || len(f.payload) == 1 {
		return 0
	}
	if f.payload == "" {
		return CloseNoStatus
	}
	return binary.BigEndian.Uint16([]byte(f.payload))
}

// expectClose reads frames to the close frame and the end behind it.
func (c *client) expectClose(t testing.TB, code uint16) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(patience))
	for {
		f, err := c.read()
		if err != nil {
			t.Fatalf("want close %d, got %v", code, err)
		}
		if f.op == 0x88 {
			if got := closeCode(f); got != code {
				t.Fatalf("close %d %q, want %d", got, f.payload[min(2, len(f.payload)):], code)
			}
			break
		}
	}
	if f, err := c.read(); err != io.EOF {
		t.Fatalf("after the close frame: %v, %v", f, err)
	}
}

// expect reads exactly these frames.
func (c *client) expect(t testing.TB, want ...wireFrame) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(patience))
	for i, w := range want {
		f, err := c.read()
		if err != nil {
			t.Fatalf("frame %d of %d: want %v, got %v", i, len(want), w, err)
		}
		if f != w {
			t.Fatalf("frame %d of %d: %v, want %v", i, len(want), f, w)
		}
	}
}

// roundTrip gives a function that sends p and reads n bytes of answer.
func (c *client) roundTrip(tb testing.TB, p []byte, n int) func() {
	answer := make([]byte, n)
	c.SetDeadline(time.Time{})
	return func() {
		if _, err := c.Write(p); err != nil {
			tb.Fatal(err)
		}
		if _, err := io.ReadFull(c.Conn, answer); err != nil {
			tb.Fatal(err)
		}
	}
}

var filler = strings.Repeat("历史 is what was said. ", 1<<20/25+1)
