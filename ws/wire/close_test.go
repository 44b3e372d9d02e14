package wire

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestCloseHandshake: what was queued comes first, then the close frame; the
// peer's answer ends the connection.
func TestCloseHandshake(t *testing.T) {
	s := serveEcho(t, Options{})
	far := s.dial(t)
	c := <-s.conns
	for i := range 1000 {
		if !c.Send(NewFrame(fmt.Append(nil, i))) {
			t.Fatal("not taken")
		}
	}
	c.Close(4001, "token expired")
	c.Close(CloseNormal, "too late")
	if c.Send(NewFrame(nil)) || c.SendText(nil) || c.SendHole(NewHoleFrame(nil, nil), "") {
		t.Error("a frame was taken after Close")
	}
	for i := range 1000 {
		far.expect(t, textBack(fmt.Sprint(i)))
	}
	far.expect(t, wireFrame{0x88, "\x0f\xa1token expired"})
	far.send(t, join(text("not heard any more"), closing(4001, "")))
	if _, err := far.read(); err != io.EOF {
		t.Error(err)
	}
	far.Close()
	if r := <-s.reasons; r != (CloseReason{Code: 4001, Text: "token expired"}) {
		t.Error(r)
	}
	eventually(t, "the connection's end", func() bool { return s.Len() == 0 })
	if len(s.reasons) > 0 {
		t.Error("closed twice")
	}
}

// TestUnansweredClose: the closing takes 5 s at most, whatever the peer does.
func TestUnansweredClose(t *testing.T) {
	for name, peer := range map[string]func(far *client){
		"reads nothing": func(far *client) {},
		"reads only":    func(far *client) { far.answer(func(wireFrame) {}) },
		"reads and goes on writing": func(far *client) {
			go far.answer(func(wireFrame) {})
			for {
				if _, err := far.Write(join(text("la la la"))); err != nil {
					return
				}
				time.Sleep(time.Millisecond)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := NewUpgrader(Options{})
				c, far := pipe(u, func(c *Conn) Handler { return &script{} })
				go peer(far)
				start := time.Now()
				c.Close(CloseGoingAway, "")
				for u.Len() > 0 {
					time.Sleep(10 * time.Millisecond)
				}
				if took := time.Since(start); took < 5*time.Second || took > 5*time.Second+20*time.Millisecond {
					t.Errorf("took %v", took)
				}
				far.Close()
			})
		})
	}
}

// TestAnsweredClose over a transport that cannot close one direction alone.
func TestAnsweredClose(t *testing.T) {
	inBubble(t, Options{}, nil, func(t *testing.T, c *Conn, far *client, reasons <-chan CloseReason) {
		start := time.Now()
		c.Close(CloseGoingAway, "bye")
		far.expect(t, wireFrame{0x88, "\x03\xe9bye"})
		far.send(t, closing(1001, "").bytes())
		if _, err := far.read(); err != io.EOF {
			t.Error(err)
		}
		if time.Since(start) != 0 {
			t.Errorf("took %v", time.Since(start))
		}
		<-reasons
	})
}

// TestDrainIsBounded: a peer that floods after the close frame is cut off.
func TestDrainIsBounded(t *testing.T) {
	s := serveEcho(t, Options{CloseTimeout: time.Hour})
	far := s.dial(t)
	(<-s.conns).Close(CloseNormal, "")
	flood := join(text(strings.Repeat("x", 60000)))
	sent := 0
	far.SetWriteDeadline(time.Now().Add(patience))
	for {
		n, err := far.Write(flood)
		if sent += n; err != nil {
			if errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
			break
		}
	}
	if sent < drainLimit {
		t.Errorf("cut off after %d bytes", sent)
	}
	eventually(t, "the connection's end", func() bool { return s.Len() == 0 })
}

func TestCloseText(t *testing.T) {
	s := serveEcho(t, Options{})
	for _, tc := range []struct {
		code  uint16
		text  string
		bytes string
	}{
		{4000, "", "\x0f\xa0"},
		{4000, strings.Repeat("x", 123), "\x0f\xa0" + strings.Repeat("x", 123)},
		{4000, strings.Repeat("x", 124), "\x0f\xa0" + strings.Repeat("x", 123)},
		{4000, strings.Repeat("历", 50), "\x0f\xa0" + strings.Repeat("历", 41)},
		{4000, "x" + strings.Repeat("历", 50), "\x0f\xa0x" + strings.Repeat("历", 40)},
		{CloseAbnormal, "never on the wire", "\x03\xf3never on the wire"},
		{CloseNoStatus, "", "\x03\xf3"},
		{0, "", "\x03\xf3"},
	} {
		far := s.dial(t)
		(<-s.conns).Close(tc.code, tc.text)
		far.expect(t, wireFrame{0x88, tc.bytes})
		far.Close()
		<-s.reasons
	}
	far := s.dial(t)
	far.send(t, closing(4000, "mine").bytes())
	far.expect(t, wireFrame{0x88, "\x0f\xa0"}) // the code alone
}

func TestHandlerErrors(t *testing.T) {
	boom := errors.New("boom")
	for _, tc := range []struct {
		err  error
		code uint16
		text string
	}{
		{boom, CloseInternal, "internal error"},
		{&CloseError{4009, "flood"}, 4009, "flood"},
		{fmt.Errorf("while counting: %w", &CloseError{4009, "flood"}), 4009, "flood"},
	} {
		calls := 0
		s := serve(t, Options{}, func(s *server, c *Conn) Handler {
			return &script{
				text:    func([]byte) error { calls++; return tc.err },
				closing: func(r CloseReason) { s.reasons <- r },
			}
		})
		far := s.dial(t)
		far.send(t, join(text("a"), text("b"), ping("p")))
		far.expect(t, wireFrame{0x88, string([]byte{byte(tc.code >> 8), byte(tc.code)}) + tc.text})
		far.Close()
		r := <-s.reasons
		if r.Code != tc.code || r.Text != tc.text || !errors.Is(r.Err, tc.err) || r.ByPeer {
			t.Error(r)
		}
		eventually(t, "the connection's end", func() bool { return s.Len() == 0 })
		if calls != 1 {
			t.Errorf("%d messages were handled", calls)
		}
	}
}

// TestLostPeer: the end of the network connection without a close frame, at
// any point of what a client sends.
func TestLostPeer(t *testing.T) {
	s := serveEcho(t, Options{})
	p := join(append(fragments(1, "历史 fragments", 5), ping("p"), text("whole"))...)
	for n := range len(p) {
		far := s.dial(t)
		far.send(t, p[:n])
		far.Close()
		r := <-s.reasons
		if r.Code != CloseAbnormal || !r.ByPeer || r.Err == nil || r.String() == "" {
			t.Fatalf("after %d bytes: %v", n, r)
		}
	}
	far := s.dial(t)
	far.Conn.(*net.TCPConn).SetLinger(0) // a reset
	far.Close()
	if r := <-s.reasons; r.Code != CloseAbnormal || !r.ByPeer {
		t.Error(r)
	}
	eventually(t, "the connection's end", func() bool { return s.Len() == 0 })
}

// TestCloseBeforeStart: the handler is told when there is one.
func TestCloseBeforeStart(t *testing.T) {
	near, far := net.Pipe()
	u := NewUpgrader(Options{})
	c := newConn(u, near, nil)
	u.add(c)
	c.Close(CloseGoingAway, "bye")
	cl := &client{far, bufio.NewReader(far)}
	cl.expect(t, wireFrame{0x88, "\x03\xe9bye"})
	reasons := make(chan CloseReason, 2)
	c.Start(&script{closing: func(r CloseReason) { reasons <- r }})
	if r := <-reasons; r.Code != CloseGoingAway {
		t.Error(r)
	}
	cl.send(t, closing(1001, "").bytes())
	eventually(t, "the connection's end", func() bool { return u.Len() == 0 })
	far.Close()
}

// TestSlowHandler slows its own peer, and nobody else; what is sent meanwhile
// and the close frame go out.
func TestSlowHandler(t *testing.T) {
	release := make(chan struct{})
	s := serve(t, Options{}, func(s *server, c *Conn) Handler {
		return &script{text: func(m []byte) error {
			if string(m) == "slow" {
				<-release
				return nil
			}
			c.SendText(m)
			return nil
		}}
	})
	defer close(release)
	slow := s.dial(t)
	c := <-s.conns
	slow.send(t, join(text("slow")))
	other := s.dial(t)
	for i := range 100 {
		m := fmt.Sprint(i)
		other.send(t, join(text(m)))
		other.expect(t, textBack(m))
	}
	c.SendText([]byte("news"))
	slow.expect(t, textBack("news"))
	// Nothing more is read of the slow one: what it sends fills the network's
	// buffers, and no memory here.
	slow.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
	flood := join(text(strings.Repeat("x", 60000)))
	for {
		if _, err := slow.Write(flood); err != nil {
			if ne := net.Error(nil); !errors.As(err, &ne) || !ne.Timeout() {
				t.Error(err)
			}
			break
		}
	}
	c.Close(CloseGoingAway, "")
	slow.expect(t, wireFrame{0x88, "\x03\xe9"})
}

func TestShutdown(t *testing.T) {
	s := serveEcho(t, Options{})
	var all []*client
	for range 20 {
		all = append(all, s.dial(t))
	}
	eventually(t, "all connections", func() bool { return s.Len() == len(all) })
	stuck := all[0]
	for _, c := range all[1:] {
		go func() {
			c.answer(func(f wireFrame) {
				if closeCode(f) != CloseGoingAway {
					t.Errorf("got %v", f)
				}
				c.Write(closing(1001, "").bytes())
			})
			c.Close()
		}()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("shut down with one peer that does not answer: %v", err)
	}
	eventually(t, "the end of the one cut off", func() bool { return s.Len() == 0 })
	stuck.Close()
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	for range all {
		if r := <-s.reasons; r.Code != CloseGoingAway {
			t.Error(r)
		}
	}
	nc, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	io.WriteString(nc, handshake)
	res, err := http.ReadResponse(bufio.NewReader(nc), nil)
	if err != nil || res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a handshake afterwards is answered %v, %v", res, err)
	}
}
