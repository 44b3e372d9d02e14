package wire

import (
	"errors"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// inBubble runs f on a fake clock, with one connection over a pipe whose
// reason to end comes by the channel.
func inBubble(t *testing.T, o Options, h func(*Conn) *script, f func(t *testing.T, c *Conn, far *client, reasons <-chan CloseReason)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		u := NewUpgrader(o)
		reasons := make(chan CloseReason, 2)
		c, far := pipe(u, func(c *Conn) Handler {
			s := &script{}
			if h != nil {
				s = h(c)
			}
			s.closing = func(r CloseReason) { reasons <- r }
			return s
		})
		f(t, c, far, reasons)
		far.Close()
		synctest.Wait()
		if u.Len() != 0 {
			t.Error("the connection is still there")
		}
		if len(reasons) != 0 {
			t.Errorf("another reason to close: %v", <-reasons)
		}
		if c.Queued() != 0 {
			t.Errorf("%d bytes still counted as queued", c.Queued())
		}
	})
}

// answer reads frames and hands them to f until the connection ends.
func (c *client) answer(f func(wireFrame)) {
	for {
		got, err := c.read()
		if err != nil {
			return
		}
		f(got)
	}
}

func TestPingsKeepAConnection(t *testing.T) {
	inBubble(t, Options{}, nil, func(t *testing.T, c *Conn, far *client, reasons <-chan CloseReason) {
		pings := 0
		start := time.Now()
		go far.answer(func(f wireFrame) {
			if f.op != 0x89 {
				t.Errorf("got %v", f)
				return
			}
			if pings++; time.Since(start) != time.Duration(pings)*25*time.Second {
				t.Errorf("ping %d after %v", pings, time.Since(start))
			}
			far.Write(pong(f.payload).bytes())
		})
		time.Sleep(time.Hour + time.Second)
		synctest.Wait()
		if pings != 144 {
			t.Errorf("%d pings in an hour", pings)
		}
		far.Close()
		if r := <-reasons; r.Code != CloseAbnormal || !r.ByPeer {
			t.Error(r)
		}
	})
}

func TestSilentPeerIsClosed(t *testing.T) {
	inBubble(t, Options{}, nil, func(t *testing.T, c *Conn, far *client, reasons <-chan CloseReason) {
		start := time.Now()
		var pings []time.Duration
		go far.answer(func(f wireFrame) {
			if f.op == 0x89 {
				pings = append(pings, time.Since(start))
			} else if closeCode(f) != ClosePolicy {
				t.Errorf("got %v", f)
			}
		})
		r := <-reasons
		if took := time.Since(start); took != 75*time.Second || r.Code != ClosePolicy || r.ByPeer {
			t.Errorf("after %v: %v", took, r)
		}
		synctest.Wait()
		if len(pings) != 2 || pings[0] != 25*time.Second || pings[1] != 50*time.Second {
			t.Errorf("pings at %v", pings)
		}
		time.Sleep(5 * time.Second) // the closing handshake is not answered either
	})
}

// TestPingsOnASocket: the same on a real socket and a real clock.
func TestPingsOnASocket(t *testing.T) {
	s := serveEcho(t, Options{PingInterval: 300 * time.Millisecond})
	far := s.dial(t)
	for range 3 {
		far.expect(t, wireFrame{0x89, ""})
		far.send(t, pong("").bytes())
	}
	far.expectClose(t, ClosePolicy) // silent from here on
	far.Close()
	if r := <-s.reasons; r.Code != ClosePolicy || r.ByPeer {
		t.Error(r)
	}
}

// TestPeerWithoutPongs: any sign of life will do.
func TestPeerWithoutPongs(t *testing.T) {
	inBubble(t, Options{}, nil, func(t *testing.T, c *Conn, far *client, reasons <-chan CloseReason) {
		go far.answer(func(wireFrame) {})
		for range 100 {
			time.Sleep(45 * time.Second)
			far.send(t, join(text(`{"url":"/chat/ping"}`)))
		}
		far.Close()
		if r := <-reasons; r.Code != CloseAbnormal {
			t.Error(r)
		}
	})
}

// TestHalfOpenPeer: the peer's machine is gone, so nothing that is written
// arrives, and nothing says so.
func TestHalfOpenPeer(t *testing.T) {
	inBubble(t, Options{}, nil, func(t *testing.T, c *Conn, far *client, reasons <-chan CloseReason) {
		start := time.Now()
		r := <-reasons
		if took := time.Since(start); took > 75*time.Second {
			t.Errorf("found after %v", took)
		}
		if r.Code != CloseSlowConsumer || !errors.Is(r.Err, os.ErrDeadlineExceeded) {
			t.Error(r)
		}
	})
}

// TestTrickledMessage: a peer that sends a byte now and then is alive, but
// does not hold a message's memory for ever.
func TestTrickledMessage(t *testing.T) {
	for name, p := range map[string][]byte{
		"in a frame":   text("a message that never ends, or so it seems").bytes(),
		"in fragments": join(fragments(1, "a message that never ends, or so it seems", 1)...),
		"in a header":  declare(60000, true)[:9],
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, Options{}, nil, func(t *testing.T, c *Conn, far *client, reasons <-chan CloseReason) {
				start := time.Now()
				go far.answer(func(wireFrame) {})
				go func() {
					for _, b := range p {
						if _, err := far.Write([]byte{b}); err != nil {
							return
						}
						time.Sleep(9 * time.Second)
					}
				}()
				r := <-reasons
				if took := time.Since(start); took != 75*time.Second || r.Code != ClosePolicy {
					t.Errorf("after %v: %v", took, r)
				}
				time.Sleep(time.Minute)
			})
		})
	}
}

// TestLongMessageInTime: large messages one behind the other, none of which
// takes long, are none that trickles.
func TestLongMessageInTime(t *testing.T) {
	inBubble(t, Options{}, nil, func(t *testing.T, c *Conn, far *client, reasons <-chan CloseReason) {
		go far.answer(func(wireFrame) {})
		p := join(fragments(1, "on and on and on", 4)...)
		far.send(t, p[:5])
		for range 60 {
			time.Sleep(10 * time.Second)
			far.send(t, p[5:])
			far.send(t, p[:5])
		}
		far.Close()
		if r := <-reasons; r.Code != CloseAbnormal {
			t.Error(r)
		}
	})
}

// TestSlowHandlerIsNoSilence: while a handler is busy nothing is read, and
// that is not the peer's fault.
func TestSlowHandlerIsNoSilence(t *testing.T) {
	slow := func(*Conn) *script {
		return &script{text: func([]byte) error { time.Sleep(10 * time.Minute); return nil }}
	}
	inBubble(t, Options{}, slow, func(t *testing.T, c *Conn, far *client, reasons <-chan CloseReason) {
		go far.answer(func(f wireFrame) {
			if f.op == 0x89 {
				go far.Write(pong(f.payload).bytes()) // its reading never waits for its writing
			}
		})
		for range 3 {
			far.send(t, join(text("take your time")))
		}
		time.Sleep(45 * time.Minute)
		far.send(t, join(text("still here")))
		time.Sleep(time.Minute)
		far.Close()
		time.Sleep(10 * time.Minute)
		if r := <-reasons; r.Code != CloseAbnormal {
			t.Error(r)
		}
	})
}
