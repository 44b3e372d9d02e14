package console_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"lishi/infra/console"
)

func stream(handle func(context.Context, *console.Lines) error) console.Route {
	return console.Route{Method: "GET", Path: "/api/lines", Stream: true, Handle: func(w http.ResponseWriter, r *http.Request, _ console.Caller) error {
		return handle(r.Context(), console.NewLines(w))
	}}
}

func TestLinesTellOfAnErrorAtTheEnd(t *testing.T) {
	fail := console.Refuse(console.Conflict, "stop")
	w := newWorld(t, console.Options{}, stream(func(_ context.Context, l *console.Lines) error {
		for i := range 1000 {
			if err := l.Send(map[string]int{"n": i}); err != nil {
				return err
			}
		}
		return fail
	}))
	lines := 0
	err := w.client("admin").Lines(t.Context(), "GET", "/api/lines", nil, nil, func(line []byte) error {
		if want := fmt.Sprintf(`{"n":%d}`, lines); string(line) != want {
			t.Fatalf("line %s, not %s", line, want)
		}
		lines++
		return nil
	})
	if lines != 1000 || w.reason(err) != console.Conflict || !strings.Contains(err.Error(), "stop") {
		t.Errorf("%d lines, then %v", lines, err)
	}
}

// What is no longer allowed ends: a token that expires, a server that goes away,
// a caller who leaves.
func TestStreamsEnd(t *testing.T) {
	ended := make(chan error, 1)
	until := func(ctx context.Context, l *console.Lines) error {
		l.Send(map[string]bool{"hello": true})
		l.Flush()
		<-ctx.Done()
		ended <- ctx.Err()
		return ctx.Err()
	}
	listen := func(w *world, ttl time.Duration, hear func()) error {
		c := &console.Client{Base: w.at, Token: w.token("me", "admin", ttl)}
		return c.Lines(t.Context(), "GET", "/api/lines", nil, nil, func([]byte) error { hear(); return nil })
	}
	w := newWorld(t, console.Options{Timeout: 10 * time.Millisecond}, stream(until))
	if err := listen(w, 2*time.Second, func() {}); w.reason(err) != console.Unauthorized {
		t.Errorf("the token expired: %v", err)
	}
	<-ended
	if err := listen(w, time.Hour, w.s.Close); w.reason(err) != console.Unavailable {
		t.Errorf("the server went away: %v", err)
	}
	<-ended
	w = newWorld(t, console.Options{}, stream(until))
	leave := errors.New("enough")
	c := w.client("admin")
	if err := c.Lines(t.Context(), "GET", "/api/lines", nil, nil, func([]byte) error { return leave }); !errors.Is(err, leave) {
		t.Error(err)
	}
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		t.Error("the route goes on though its caller left")
	}
}

// A part that is cut off is not taken for the whole.
func TestAnAnswerThatBreaksIsCutOff(t *testing.T) {
	w := newWorld(t, console.Options{}, route("/api/half", false, nil, func(w http.ResponseWriter, _ *http.Request, _ console.Caller) error {
		w.Write([]byte(`{"half":`))
		http.NewResponseController(w).Flush()
		return errors.New("broken")
	}))
	var v any
	if err := w.client("admin").Get(t.Context(), "/api/half", nil, &v); err == nil {
		t.Errorf("taken for whole: %v", v)
	}
}
