package ws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// client is one socket, driven by an independent implementation.
type client struct {
	t      testing.TB
	conn   *websocket.Conn
	frames chan string
	closed chan error
	ended  bool
	done   chan struct{}
}

func (w *world) connect() *client {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, resp, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(w.http.URL, "http")+"/ws", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if resp.Body != nil {
		resp.Body.Close()
	}
	conn.SetReadLimit(1 << 24)
	c := &client{t: w.t, conn: conn, frames: make(chan string, 1<<16), closed: make(chan error, 1), done: make(chan struct{})}
	go func() {
		defer close(c.done)
		for {
			_, b, err := conn.Read(context.Background())
			if err != nil {
				c.closed <- err
				return
			}
			c.frames <- string(b)
		}
	}()
	w.mu.Lock()
	w.clients = append(w.clients, c)
	w.mu.Unlock()
	return c
}

// as connects and logs in.
func (w *world) as(user string, params ...string) *client {
	w.t.Helper()
	c := w.connect()
	c.login(user, params...)
	return c
}

func (c *client) login(user string, params ...string) map[string]any {
	c.t.Helper()
	c.request("/chat/login", append([]string{"token", user}, params...)...)
	f := c.next()
	data := f["data"].(map[string]any)
	if f["msgType"] != "8" || data["code"] != "200" {
		c.t.Fatalf("login of %s: %v", user, f)
	}
	return data
}

func (c *client) send(text string) {
	c.t.Helper()
	if err := c.write(text); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) write(text string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := c.conn.Write(ctx, websocket.MessageText, []byte(text))
	if err != nil {
		select {
		case err = <-c.closed:
			c.closed <- err
		case <-ctx.Done():
		}
	}
	return err
}

// request sends names and values; values that look like JSON are sent as such.
func (c *client) request(url string, params ...string) {
	c.t.Helper()
	c.send(requestText(url, params...))
}

func requestText(url string, params ...string) string {
	return `{"url":` + quote(url) + `,"params":` + object(params...) + `}`
}

func object(params ...string) string {
	var b strings.Builder
	b.WriteByte('{')
	for i := 0; i < len(params); i += 2 {
		if i > 0 {
			b.WriteByte(',')
		}
		v := params[i+1]
		if !strings.HasPrefix(v, "[") && v != "true" && v != "false" {
			v = quote(v)
		}
		b.WriteString(quote(params[i]) + ":" + v)
	}
	b.WriteByte('}')
	return b.String()
}

func quote(s string) string { return string(appendText(nil, s)) }

// raw is the next frame.
func (c *client) raw() string {
	c.t.Helper()
	f, err := c.read()
	if err != nil {
		c.t.Fatal(err)
	}
	return f
}

// read is the next frame, or why there is none.
func (c *client) read() (string, error) {
	select {
	case f := <-c.frames:
		return f, nil
	default:
	}
	select {
	case f := <-c.frames:
		return f, nil
	case err := <-c.closed:
		c.closed <- err
		select {
		case f := <-c.frames:
			return f, nil
		default:
		}
		return "", fmt.Errorf("connection closed: %w", err)
	case <-time.After(10 * time.Second):
		return "", errors.New("no frame came")
	}
}

func (c *client) next() map[string]any {
	c.t.Helper()
	return decodeJSON(c.t, c.raw())
}

func decodeJSON(t testing.TB, s string) map[string]any {
	t.Helper()
	var f map[string]any
	if err := json.Unmarshal([]byte(s), &f); err != nil {
		t.Fatalf("%v in %s", err, s)
	}
	return f
}

// succeed sends a command and gives its result's obj.
func (c *client) do(url string, params ...string) map[string]any {
	c.t.Helper()
	c.request(url, params...)
	f := c.next()
	if f["code"] != 200.0 {
		c.t.Fatalf("%s %v: %v", url, params, f)
	}
	return f["obj"].(map[string]any)
}

// refused sends a request and expects a reason.
func (c *client) refused(reason, url string, params ...string) map[string]any {
	c.t.Helper()
	c.request(url, params...)
	f := c.next()
	obj, _ := f["obj"].(map[string]any)
	if obj["reason"] != reason {
		c.t.Fatalf("%s %v: want %s, got %v", url, params, reason, f)
	}
	return f
}

func (c *client) close() {
	if !c.ended {
		c.ended = true
		c.conn.CloseNow()
		<-c.done
	}
}

// closeCode is the code with which the server closed.
func (c *client) closeCode() websocket.StatusCode {
	c.t.Helper()
	select {
	case err := <-c.closed:
		c.closed <- err
		return websocket.CloseStatus(err)
	case <-time.After(10 * time.Second):
		c.t.Fatal("connection was not closed")
	}
	return 0
}
