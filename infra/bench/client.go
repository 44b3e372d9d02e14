// Package bench loads a running lishi over its sockets and measures. A run in
// which a message was lost, repeated or out of order gives no figure.
package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"
)

// client is one logged-in person on one socket.
type client struct {
	id, token string
	conn      net.Conn
	br        *bufio.Reader
	mu        sync.Mutex // writing
	out       []byte
	buf       []byte
}

type result struct {
	Code int    `json:"code"`
	Msg  string `json:"msg"`
	Obj  struct {
		UniqueNo      string `json:"uniqueNo"`
		ApplyFriendID string `json:"applyFriendId"`
		GroupID       string `json:"groupId"`
		ApplyGroupID  string `json:"applyGroupId"`
		Reason        string `json:"reason"`
		Detail        string `json:"detail"`
	} `json:"obj"`
	MsgType string `json:"msgType"`
	Data    struct {
		Code    string `json:"code"`
		Msg     string `json:"msg"`
		GroupID string `json:"groupId"`
		ApplyID string `json:"applyGroupId"`
	} `json:"data"`
}

func dial(ctx context.Context, addr, id, token string) (*client, error) {
	conn, br, _, err := ws.Dialer{Timeout: 10 * time.Second}.Dial(ctx, "ws://"+addr+"/ws")
	if err != nil {
		return nil, err
	}
	if br == nil {
		br = bufio.NewReaderSize(conn, 16<<10)
	}
	c := &client{id: id, token: token, conn: conn, br: br}
	if err := c.send(`{"url":"/chat/login","params":{"token":"` + token + `"}}`); err != nil {
		return nil, err
	}
	for {
		r, err := c.next()
		if err != nil {
			return nil, fmt.Errorf("login of %s: %w", id, err)
		}
		if r.MsgType == "8" {
			if r.Data.Code != "200" {
				return nil, fmt.Errorf("login of %s: %s", id, r.Data.Msg)
			}
			return c, nil
		}
	}
}

// send writes text messages, each one frame, in one write.
func (c *client) send(texts ...string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out = c.out[:0]
	for _, t := range texts {
		n := len(t)
		switch {
		case n < 126:
			c.out = append(c.out, 0x81, 0x80|byte(n))
		case n < 1<<16:
			c.out = append(c.out, 0x81, 0x80|126, byte(n>>8), byte(n))
		default:
			return errors.New("bench: message too long")
		}
		c.out = append(c.out, 0, 0, 0, 0) // a mask of zeros is a mask (RFC 6455, 5.3)
		c.out = append(c.out, t...)
	}
	_, err := c.conn.Write(c.out)
	return err
}

// read is the next text message; valid until the next call.
func (c *client) read() ([]byte, error) {
	for {
		h, err := ws.ReadHeader(c.br)
		if err != nil {
			return nil, err
		}
		if int64(cap(c.buf)) < h.Length {
			c.buf = make([]byte, h.Length+1024)
		}
		p := c.buf[:h.Length]
		if _, err := io.ReadFull(c.br, p); err != nil {
			return nil, err
		}
		switch h.OpCode {
		case ws.OpText:
			return p, nil
		case ws.OpPing:
			c.mu.Lock()
			err = ws.WriteFrame(c.conn, ws.MaskFrame(ws.NewPongFrame(p)))
			c.mu.Unlock()
			if err != nil {
				return nil, err
			}
		case ws.OpClose:
			code, reason := ws.ParseCloseFrameData(p)
			return nil, fmt.Errorf("closed with %d %s", code, reason)
		}
	}
}

func (c *client) next() (result, error) {
	var r result
	p, err := c.read()
	if err == nil {
		err = json.Unmarshal(p, &r)
	}
	return r, err
}

// call sends one request and waits for its result; pushes are passed over.
func (c *client) call(url string, uniqueNo string, params map[string]any) (result, error) {
	params["token"], params["uniqueNo"] = c.token, uniqueNo
	b, err := json.Marshal(map[string]any{"url": url, "params": params})
	if err != nil {
		return result{}, err
	}
	if err := c.send(string(b)); err != nil {
		return result{}, err
	}
	c.conn.SetReadDeadline(time.Now().Add(30 * time.Second))
	defer c.conn.SetReadDeadline(time.Time{})
	for {
		r, err := c.next()
		if err != nil {
			return r, fmt.Errorf("%s: %w", url, err)
		}
		if r.MsgType == "" && r.Obj.UniqueNo == uniqueNo {
			if r.Code != 200 {
				return r, fmt.Errorf("%s: %s: %s", url, r.Obj.Reason, r.Obj.Detail)
			}
			return r, nil
		}
	}
}

// field is the text value behind "name":" in a message, without unescaping.
func field(msg []byte, name string) string {
	s := string(msg)
	i := strings.Index(s, `"`+name+`":"`)
	if i < 0 {
		return ""
	}
	s = s[i+len(name)+4:]
	if j := strings.IndexByte(s, '"'); j >= 0 {
		return s[:j]
	}
	return ""
}

var serial atomic.Int64

// unique makes request ids that no earlier run used.
func unique(run string) string { return fmt.Sprintf("%s-%d", run, serial.Add(1)) }
