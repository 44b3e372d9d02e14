package wire

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// echo sends back what it gets.
type echo struct {
	c      *Conn
	reason chan CloseReason
}

func (e *echo) Text(m []byte) error { e.c.SendText(m); return nil }
func (e *echo) Closing(r CloseReason) {
	if e.reason != nil {
		e.reason <- r
	}
}

// binaryEcho does so with binary messages too.
type binaryEcho struct{ echo }

func (e *binaryEcho) Binary(m []byte) error { e.c.SendBinary(m); return nil }

func TestEchoQuick(t *testing.T) {
	u := NewUpgrader(Options{})
	reason := make(chan CloseReason, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := u.Upgrade(w, r)
		if err != nil {
			return
		}
		c.Start(&echo{c, reason})
	}))
	defer s.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(s.URL, "http"), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []string{"", "历史", strings.Repeat("x", 32000)} {
		if err := c.Write(ctx, websocket.MessageText, []byte(m)); err != nil {
			t.Fatal(err)
		}
		_, got, err := c.Read(ctx)
		if err != nil || string(got) != m {
			t.Fatal(string(got), err)
		}
	}
	if err := c.Close(4000, "bye"); err != nil {
		t.Fatal(err)
	}
	t.Log(<-reason)
	if err := u.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
}
