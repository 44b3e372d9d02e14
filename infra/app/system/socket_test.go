package system

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// socket is one connection.
type socket struct {
	t      *testing.T
	conn   *websocket.Conn
	frames chan answer
	closed chan error
}

func (s *server) dial() (*socket, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, "ws://"+s.addr+"/ws", nil)
	if err != nil {
		return nil, err
	}
	conn.SetReadLimit(1 << 20)
	k := &socket{t: s.t, conn: conn, frames: make(chan answer, 1<<16), closed: make(chan error, 1)}
	go func() {
		defer close(k.frames)
		for {
			_, raw, err := conn.Read(context.Background())
			if err != nil {
				k.closed <- err
				return
			}
			var a answer
			if json.Unmarshal(raw, &a) == nil {
				a.Raw = string(raw)
				if s.asDescribed {
					described.holds(raw)
				}
				k.frames <- a
			}
		}
	}()
	return k, nil
}

// login dials, logs in and gives the login push.
func (s *server) login(user string, params object) (*socket, answer) {
	s.t.Helper()
	k, err := s.dial()
	if err != nil {
		s.t.Fatalf("dial: %v\n%s", err, s.log)
	}
	s.t.Cleanup(func() { k.conn.CloseNow() })
	p := object{"token": token(s.t, user)}
	for name, v := range params {
		p[name] = v
	}
	k.send("/chat/login", p)
	a := k.next()
	if a.MsgType != "8" {
		s.t.Fatalf("login was answered by %s", a.Raw)
	}
	return k, a
}

func (k *socket) send(url string, params object) {
	k.t.Helper()
	b, err := json.Marshal(object{"url": url, "params": params})
	if err != nil {
		k.t.Fatal(err)
	}
	if err := k.conn.Write(context.Background(), websocket.MessageText, b); err != nil {
		k.t.Fatalf("write: %v", err)
	}
}

// next is the next frame; none within 20 s fails the test.
func (k *socket) next() answer {
	k.t.Helper()
	select {
	case a, ok := <-k.frames:
		if !ok {
			k.t.Fatalf("the socket was closed: %v", <-k.closed)
		}
		return a
	case <-time.After(20 * time.Second):
		k.t.Fatal("no frame came in 20 s")
	}
	panic("unreachable")
}

// expect is the next push of a type or result of a request; others are passed over.
func (k *socket) expect(match func(answer) bool) answer {
	k.t.Helper()
	for {
		if a := k.next(); match(a) {
			return a
		}
	}
}

func push(msgType string) func(answer) bool {
	return func(a answer) bool { return a.MsgType == msgType }
}

func resultOf(uniqueNo string) func(answer) bool {
	return func(a answer) bool { return a.MsgType == "" && a.Obj["uniqueNo"] == uniqueNo }
}
