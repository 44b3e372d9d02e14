package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

func dialCoder(t *testing.T, ctx context.Context, s *server) *websocket.Conn {
	t.Helper()
	c, res, err := websocket.Dial(ctx, "ws://"+s.addr+"/ws", &websocket.DialOptions{CompressionMode: websocket.CompressionContextTakeover})
	if err != nil {
		t.Fatal(err)
	}
	if ext := res.Header.Get("Sec-WebSocket-Extensions"); ext != "" {
		t.Errorf("an extension was agreed on: %s", ext)
	}
	c.SetReadLimit(1 << 20)
	t.Cleanup(func() { c.CloseNow() })
	return c
}

// TestIndependentClient: messages of all sizes, in fragments as its writer
// makes them, pings both ways, and many at once.
func TestIndependentClient(t *testing.T) {
	s := serveEcho(t, Options{MessageLimit: 1 << 20, QueueLimit: 16 << 20, PingInterval: 500 * time.Millisecond})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var wg sync.WaitGroup
	for i := range 8 {
		c := dialCoder(t, ctx, s)
		wg.Go(func() {
			for n := range 60 {
				kind := websocket.MessageText
				if n%2 == 1 {
					kind = websocket.MessageBinary
				}
				m := strings.Repeat(fmt.Sprintf("%d历", i), n*n*n/9)
				w, err := c.Writer(ctx, kind)
				if err != nil {
					t.Error(err)
					return
				}
				for rest := m; ; {
					k := min(len(rest), 1+n*100)
					io.WriteString(w, rest[:k])
					if rest = rest[k:]; rest == "" {
						break
					}
				}
				if err := w.Close(); err != nil {
					t.Error(err)
					return
				}
				got, p, err := c.Read(ctx)
				if err != nil || got != kind || string(p) != m {
					t.Errorf("message %d of %d bytes came back as %v of %d, %v", n, len(m), got, len(p), err)
					return
				}
			}
			reading := c.CloseRead(ctx)
			if err := c.Ping(ctx); err != nil {
				t.Error(err)
			}
			time.Sleep(600 * time.Millisecond) // it answers a ping or two
			if reading.Err() != nil {
				t.Error("closed while it answered pings")
			}
			c.Close(websocket.StatusNormalClosure, "done")
		})
	}
	wg.Wait()
	for range 8 {
		if r := <-s.reasons; r.Code != CloseNormal || r.Text != "done" || !r.ByPeer {
			t.Error(r)
		}
	}
}

// TestIndependentClientCloses: both ends agree on the code, whoever begins.
func TestIndependentClientCloses(t *testing.T) {
	s := serveEcho(t, Options{})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, code := range []uint16{1000, 1001, 1008, 1011, 3000, 4001, 4999} {
		ws := dialCoder(t, ctx, s)
		<-s.conns
		if err := ws.Close(websocket.StatusCode(code), "theirs"); err != nil {
			t.Errorf("%d: %v", code, err)
		}
		if r := <-s.reasons; r.Code != code || r.Text != "theirs" || !r.ByPeer {
			t.Error(r)
		}
		ws = dialCoder(t, ctx, s)
		c := <-s.conns
		c.SendText([]byte("last words"))
		c.Close(code, "ours")
		if _, p, err := ws.Read(ctx); err != nil || string(p) != "last words" {
			t.Errorf("%q, %v", p, err)
		}
		_, _, err := ws.Read(ctx)
		var ce websocket.CloseError
		if !errors.As(err, &ce) || uint16(ce.Code) != code || ce.Reason != "ours" {
			t.Error(err)
		}
		if r := <-s.reasons; r.Code != code || r.ByPeer {
			t.Error(r)
		}
	}
	eventually(t, "every connection's end", func() bool { return s.Len() == 0 })
}
