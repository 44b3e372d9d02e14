package wire

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestHoleFrames: the header says the length with the hole filled, at each
// border of its form.
func TestHoleFrames(t *testing.T) {
	s := serveEcho(t, Options{})
	far := s.dial(t)
	c := <-s.conns
	prefix, suffix := `{"receiveUserId":"`, `","text":"历史"}`
	f := NewHoleFrame([]byte(prefix), []byte(suffix))
	rest := len(prefix) + len(suffix)
	for _, n := range []int{rest, rest + 1, 125, 126, 127, 65535, 65536, 70000} {
		fill := strings.Repeat("u", n-rest)
		c.SendHole(f, fill)
		far.expect(t, textBack(prefix+fill+suffix))
	}
	c.SendHole(NewHoleFrame(nil, nil), "")
	c.SendHole(NewHoleFrame(nil, nil), "alone")
	c.SendHole(NewHoleFrame([]byte("a"), nil), "")
	far.expect(t, textBack(""), textBack("alone"), textBack("a"))
}

// TestFramesAreCopies: what a frame was made of may change afterwards.
func TestFramesAreCopies(t *testing.T) {
	s := serveEcho(t, Options{})
	far := s.dial(t)
	c := <-s.conns
	a, b := []byte("first"), []byte("second")
	f, h := NewFrame(a), NewHoleFrame(a, b)
	if f.Len() != 7 {
		t.Errorf("length %d", f.Len())
	}
	copy(a, "xxxxx")
	copy(b, "yyyyyy")
	c.Send(f)
	c.SendHole(h, "-")
	c.SendText(a)
	c.Send(NewBinaryFrame(b))
	copy(a, "zzzzz")
	far.expect(t, textBack("first"), textBack("first-second"), textBack("xxxxx"), binaryBack("yyyyyy"))
}

// TestOrder: frames of every kind leave in the order they were sent in, from
// several producers at once, while the peer talks too.
func TestOrder(t *testing.T) {
	s := serveEcho(t, Options{QueueLimit: 64 << 20})
	far := s.dial(t)
	c := <-s.conns
	const producers, each = 4, 2000
	pad := strings.Repeat("x", 5000)
	var wg sync.WaitGroup
	for p := range producers {
		wg.Go(func() {
			for i := range each {
				m := fmt.Sprintf("%d %d ", p, i)
				switch {
				case i%500 == 0:
					m += strings.Repeat(pad, 20)
					c.Send(NewFrame([]byte(m)))
				case i%3 == 0:
					c.Send(NewFrame([]byte(m)))
				case i%3 == 1:
					c.SendHole(NewHoleFrame([]byte(m), []byte("x")), pad[:i%7])
				default:
					c.SendText([]byte(m))
				}
			}
		})
	}
	wg.Go(func() {
		for range 500 {
			far.send(t, join(ping("p")))
		}
	})
	var next [producers]int
	pongs := 0
	far.SetReadDeadline(time.Now().Add(patience))
	for n := range producers*each + 500 {
		f, err := far.read()
		if err != nil {
			t.Fatalf("frame %d: %v", n, err)
		}
		if f.op == 0x8a {
			pongs++
			continue
		}
		var p, i int
		if _, err := fmt.Sscanf(f.payload, "%d %d ", &p, &i); err != nil {
			t.Fatalf("%v: %v", f, err)
		}
		if next[p] != i {
			t.Fatalf("producer %d: frame %d, want %d", p, i, next[p])
		}
		next[p]++
	}
	wg.Wait()
	if pongs != 500 {
		t.Errorf("%d pongs", pongs)
	}
	eventually(t, "an empty account", func() bool { return c.Queued() == 0 })
}

// gate is a connection whose writes wait until they are let through.
type gate struct {
	net.Conn
	let    chan struct{}
	writes chan int
}

func (g *gate) Write(p []byte) (int, error) {
	<-g.let
	g.writes <- len(p)
	return g.Conn.Write(p)
}

// TestGathering: while one write is under way everything that is sent gathers,
// and goes with the next in as few writes as 64 KiB allow.
func TestGathering(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		g := &gate{near, make(chan struct{}), make(chan int, 100)}
		u := NewUpgrader(Options{})
		c := newConn(u, g, nil)
		u.add(c)
		c.Start(&script{})
		go func() {
			var b [1 << 16]byte
			for {
				if _, err := far.Read(b[:]); err != nil {
					return
				}
			}
		}()
		f := NewFrame([]byte(strings.Repeat("x", 198))) // 202 bytes
		round := func(want ...int) {
			t.Helper()
			for _, w := range want {
				g.let <- struct{}{}
				if n := <-g.writes; n != w {
					t.Errorf("a write of %d bytes, want %d", n, w)
				}
			}
			synctest.Wait()
			if c.Queued() != 0 {
				t.Errorf("%d bytes counted as queued", c.Queued())
			}
		}
		c.Send(f)
		round(202)
		c.Send(f)
		synctest.Wait() // the writer has taken it
		for range 8 {
			c.Send(f)
		}
		round(202, 8*202)
		c.Send(f)
		synctest.Wait()
		for range 1000 {
			c.Send(f)
		}
		round(202, 324*202, 324*202, 324*202, 28*202)
		c.SendText([]byte("own"))
		synctest.Wait()
		for range 100 {
			c.SendText([]byte("own"))
		}
		c.SendHole(NewHoleFrame([]byte("a"), []byte("b")), "c")
		round(5, 505)
		c.Send(f)
		c.Send(NewFrame(make([]byte, 100_000)))
		c.Send(f)
		round(202, 100_010, 202)
		near.Close()
		far.Close()
	})
}

// TestSlowConsumer reads nothing for a while: the queue stops at its limit,
// the connection is closed once, and what was written before is whole.
func TestSlowConsumer(t *testing.T) {
	s := serveEcho(t, Options{QueueLimit: 256 << 10})
	far := s.dial(t)
	c := <-s.conns
	other := s.dial(t)
	sent := 0
	send := func() bool {
		sent++
		return c.Send(NewFrame(fmt.Appendf(nil, "%d %s", sent-1, strings.Repeat("x", 1000))))
	}
	for stuck := false; !stuck; { // until the network's buffers are full
		if !send() {
			t.Fatal("overflow while there is room")
		}
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		stuck = c.AwaitQueued(ctx, 0) != nil
		cancel()
	}
	for send() {
		if q := c.Queued(); q > 256<<10 {
			t.Fatalf("%d bytes are queued", q)
		}
	}
	if c.Send(pingFrame) {
		t.Error("a frame was taken after the overflow")
	}
	r := <-s.reasons
	if r.Code != CloseSlowConsumer || r.ByPeer || r.Text == "" {
		t.Error(r)
	}
	other.send(t, join(text("nobody else notices")))
	other.expect(t, textBack("nobody else notices"))
	far.SetReadDeadline(time.Now().Add(patience))
	for i := 0; ; i++ {
		f, err := far.read()
		if err != nil {
			t.Fatal(err)
		}
		if f.op == 0x88 {
			if closeCode(f) != CloseSlowConsumer {
				t.Errorf("got %v", f)
			}
			if i == 0 || i >= sent {
				t.Errorf("%d frames came of %d", i, sent)
			}
			break
		}
		if !strings.HasPrefix(f.payload, fmt.Sprintf("%d x", i)) {
			t.Fatalf("frame %d is %v", i, f)
		}
	}
	far.Close()
	eventually(t, "the connection's end", func() bool { return s.Len() == 1 })
	if len(s.reasons) != 0 || c.Queued() != 0 {
		t.Errorf("closed %d times more, %d bytes queued", len(s.reasons), c.Queued())
	}
}

// TestStuckConsumer never reads again: the close frame is offered for 5 s.
func TestStuckConsumer(t *testing.T) {
	inBubble(t, Options{}, nil, func(t *testing.T, c *Conn, far *client, reasons <-chan CloseReason) {
		f := NewFrame(make([]byte, 1000))
		c.Send(f)
		synctest.Wait() // it is being written
		sent := 1
		for c.Send(f) {
			sent++
		}
		if q := c.Queued(); q > 1004+entrySize+100 {
			t.Errorf("%d bytes are still held for nobody", q)
		}
		if want := (1 << 20) / (1004 + entrySize); sent != want {
			t.Errorf("%d frames were taken, want %d", sent, want)
		}
		start := time.Now()
		if r := <-reasons; r.Code != CloseSlowConsumer || time.Since(start) != 0 {
			t.Errorf("%v after %v", r, time.Since(start))
		}
		for c.up.Len() > 0 {
			time.Sleep(time.Millisecond)
		}
		if took := time.Since(start); took < 5*time.Second || took > 5*time.Second+5*time.Millisecond {
			t.Errorf("ended after %v", took)
		}
	})
}

// TestPongsAreQueuedToo: a peer that pings and never reads is a slow consumer.
func TestPongsAreQueuedToo(t *testing.T) {
	inBubble(t, Options{QueueLimit: 16 << 10}, nil, func(t *testing.T, c *Conn, far *client, reasons <-chan CloseReason) {
		p := join(ping(strings.Repeat("p", 125)))
		for range 1000 {
			far.send(t, p)
		}
		if r := <-reasons; r.Code != CloseSlowConsumer {
			t.Error(r)
		}
		time.Sleep(6 * time.Second)
	})
}

func TestAwaitQueued(t *testing.T) {
	inBubble(t, Options{}, nil, func(t *testing.T, c *Conn, far *client, reasons <-chan CloseReason) {
		ctx := context.Background()
		if err := c.AwaitQueued(ctx, 0); err != nil {
			t.Error("an empty queue:", err)
		}
		// 10 MiB through a queue of 1 MiB, with a reader that takes its time.
		go func() {
			var b [10_000]byte
			for {
				if _, err := far.Conn.Read(b[:]); err != nil {
					return
				}
				time.Sleep(time.Millisecond)
			}
		}()
		f := NewFrame(make([]byte, 10_000))
		for range 1000 {
			if !c.Send(f) {
				t.Fatal("overflow")
			}
			if err := c.AwaitQueued(ctx, 500_000); err != nil {
				t.Fatal(err)
			}
		}
		short, cancel := context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		if err := c.AwaitQueued(short, 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Error("out of time:", err)
		}
		if err := c.AwaitQueued(ctx, 0); err != nil || c.Queued() != 0 {
			t.Errorf("%v with %d queued", err, c.Queued())
		}
		for range 50 {
			c.Send(f)
		}
		go c.Close(CloseNormal, "")
		if err := c.AwaitQueued(ctx, 0); err != ErrClosed {
			t.Error("closed meanwhile:", err)
		}
		if err := c.AwaitQueued(ctx, 0); err != ErrClosed {
			t.Error("closed before:", err)
		}
		<-reasons
		time.Sleep(6 * time.Second)
	})
}

// TestChaos: connections that send, overflow, close and vanish at random
// moments end, each with one reason, and nothing of them is left.
func TestChaos(t *testing.T) {
	s := serve(t, Options{QueueLimit: 64 << 10, CloseTimeout: 200 * time.Millisecond}, func(s *server, c *Conn) Handler {
		return &echoText{c, s.reasons}
	})
	const n = 100
	shared := NewFrame(make([]byte, 3000))
	var wg sync.WaitGroup
	var all []*Conn
	for i := range n {
		r := rand.New(rand.NewPCG(1, uint64(i)))
		far := s.dial(t)
		c := <-s.conns
		all = append(all, c)
		if r.IntN(3) > 0 {
			wg.Go(func() { far.answer(func(wireFrame) {}) })
		}
		for range 2 {
			what := rand.New(rand.NewPCG(r.Uint64(), 1))
			wg.Go(func() {
				for range what.IntN(300) {
					switch what.IntN(4) {
					case 0:
						c.SendHole(NewHoleFrame([]byte("a"), []byte("b")), "c")
					case 1:
						c.SendText([]byte("mine"))
					default:
						c.Send(shared)
					}
				}
				if what.IntN(2) == 0 {
					c.Close(4000, "enough")
				}
			})
		}
		wg.Go(func() {
			m := join(text("from the client"), ping("p"))
			for range r.IntN(100) {
				if _, err := far.Write(m[:r.IntN(len(m))]); err != nil {
					break
				}
			}
			far.Close()
		})
	}
	wg.Wait()
	eventually(t, "every connection's end", func() bool { return s.Len() == 0 })
	if len(s.reasons) != n {
		t.Errorf("%d reasons for %d connections", len(s.reasons), n)
	}
	for _, c := range all {
		if c.Queued() != 0 || c.queue != nil || c.waiters != nil {
			t.Errorf("%d bytes counted, queue %v", c.Queued(), c.queue)
		}
	}
}
