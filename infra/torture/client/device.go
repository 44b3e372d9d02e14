// Package client is a chat client as the protocol describes one: it keeps its
// cursor, logs in again with it wherever its connection broke, and enters
// everything that it was sent in the history.
package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/gobwas/ws"

	"lishi/infra/torture/history"
)

// Device is one client of a user, over all its connections. One goroutine
// connects; any number call.
type Device struct {
	Number int
	User   string
	Token  string
	h      *history.History

	mu          sync.Mutex
	cursor      history.Cursor // nil before the first login
	connections int
	live        *connection
}

// New makes a device that has never been logged in.
func New(h *history.History, number int, user, token string) *Device {
	return &Device{Number: number, User: user, Token: token, h: h}
}

// connection is one socket.
type connection struct {
	device *Device
	number int
	conn   net.Conn
	br     *bufio.Reader
	ended  chan struct{}

	writing sync.Mutex

	mu      sync.Mutex
	waiting map[string]chan answer
	login   chan answer
	resumed chan struct{} // closed by push 15
}

// answer is a result or push, as far as anybody looks at it.
type answer struct {
	Code    int    `json:"code"`
	Obj     object `json:"obj"`
	MsgType string `json:"msgType"`
	Data    data   `json:"data"`
}

// object is a result's.
type object struct {
	UniqueNo      string          `json:"uniqueNo"`
	Reason        string          `json:"reason"`
	Detail        string          `json:"detail"`
	Position      string          `json:"position"`
	MessageID     string          `json:"messageId"`
	ApplyFriendID string          `json:"applyFriendId"`
	ApplyGroupID  string          `json:"applyGroupId"`
	ApplyState    string          `json:"applyState"`
	GroupID       string          `json:"groupId"`
	List          json.RawMessage `json:"list"`
}

// data is a push's.
type data struct {
	Code            string `json:"code"`
	Reason          string `json:"reason"`
	Detail          string `json:"detail"`
	Cursor          string `json:"cursor"`
	Complete        bool   `json:"complete"`
	Position        string `json:"position"`
	SendUserID      string `json:"sendUserId"`
	ReceiveUserID   string `json:"receiveUserId"`
	GroupID         string `json:"groupId"`
	MessageContent  string `json:"messageContent"`
	MessageID       string `json:"messageId"`
	MessagePosition string `json:"messagePosition"`
	Change          string `json:"change"`
	ApplyFriendID   string `json:"applyFriendId"`
	ApplyGroupID    string `json:"applyGroupId"`
	ApplyUserID     string `json:"applyUserId"`
}

// Push is what a device learns from a push and may act on.
type Push struct {
	Type, Position, Stream, Sender string
	Application, Applicant, Group  string
}

const (
	dialPatience  = 3 * time.Second
	loginPatience = 8 * time.Second
	writePatience = 2 * time.Second
	callPatience  = 8 * time.Second
)

// Connected tells whether there is a connection that has not ended.
func (d *Device) Connected() bool {
	c := d.current()
	return c != nil && !c.over()
}

func (d *Device) current() *connection {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.live
}

func (c *connection) over() bool {
	select {
	case <-c.ended:
		return true
	default:
		return false
	}
}

// Connection is the number of the newest connection.
func (d *Device) Connection() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.connections
}

// Drop breaks the connection off, as a phone does that loses its network.
func (d *Device) Drop() {
	if c := d.current(); c != nil {
		c.conn.Close()
		<-c.ended
	}
}

// Connect ends the connection before and logs in at an address, with the cursor
// if there is one. seen gets the pushes; it is called by the reading goroutine.
func (d *Device) Connect(ctx context.Context, addr string, seen func(Push)) error {
	d.Drop()
	conn, br, _, err := ws.Dialer{Timeout: dialPatience}.Dial(ctx, "ws://"+addr+"/ws")
	if err != nil {
		return err
	}
	if br == nil {
		br = bufio.NewReaderSize(conn, 16<<10)
	}
	d.mu.Lock()
	d.connections++
	c := &connection{
		device: d, number: d.connections, conn: conn, br: br, ended: make(chan struct{}),
		waiting: map[string]chan answer{}, login: make(chan answer, 1), resumed: make(chan struct{}),
	}
	sent := d.cursor.String()
	d.live = c
	d.mu.Unlock()
	go c.read(sent, seen)
	params := map[string]any{"token": d.Token, "own": true}
	if sent != "" {
		params["cursor"] = sent
	}
	if err := c.request("/chat/login", params); err != nil {
		d.Drop()
		return err
	}
	t := time.NewTimer(loginPatience)
	defer t.Stop()
	select {
	case a := <-c.login:
		if a.Data.Code == "200" {
			return nil
		}
		d.Drop()
		if a.Data.Reason != history.Unavailable && a.Data.Reason != history.Unknown {
			d.h.Notef("login of device %d of %s with cursor %q was refused: %s: %s", d.Number, d.User, sent, a.Data.Reason, a.Data.Detail)
		}
		return fmt.Errorf("login: %s: %s", a.Data.Reason, a.Data.Detail)
	case <-c.ended:
		return errors.New("login: the connection ended")
	case <-t.C:
		d.Drop()
		return errors.New("login: no answer")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Resumed waits for the end of the backlog.
func (d *Device) Resumed(ctx context.Context) error {
	c := d.current()
	select {
	case <-c.resumed:
		return nil
	case <-c.ended:
		return errors.New("the connection ended")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Call sends a request and waits for its result. A nil object means that none
// came; then the connection is given up, for nobody knows whether it works.
func (d *Device) Call(url, uniqueNo string, params map[string]any) *object {
	c := d.current()
	if c == nil || c.over() {
		return nil
	}
	result := make(chan answer, 1)
	c.mu.Lock()
	c.waiting[uniqueNo] = result
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.waiting, uniqueNo)
		c.mu.Unlock()
	}()
	params["token"], params["uniqueNo"] = d.Token, uniqueNo
	if c.request(url, params) != nil {
		c.conn.Close()
		return nil
	}
	t := time.NewTimer(callPatience)
	defer t.Stop()
	select {
	case a := <-result:
		return &a.Obj
	case <-c.ended:
		select {
		case a := <-result:
			return &a.Obj
		default:
		}
		return nil
	case <-t.C:
		c.conn.Close()
		return nil
	}
}

func (c *connection) request(url string, params map[string]any) error {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(map[string]any{"url": url, "params": params}); err != nil {
		return err
	}
	return c.write(ws.NewTextFrame(text.Bytes()))
}

func (c *connection) write(f ws.Frame) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	var b bytes.Buffer
	if err := ws.WriteFrame(&b, ws.MaskFrame(f)); err != nil {
		return err
	}
	c.conn.SetWriteDeadline(time.Now().Add(writePatience))
	_, err := c.conn.Write(b.Bytes())
	return err
}

// read enters everything that comes, until the connection ends.
func (c *connection) read(sent string, seen func(Push)) {
	defer close(c.ended)
	defer c.conn.Close()
	for {
		head, err := ws.ReadHeader(c.br)
		if err != nil {
			return
		}
		payload := make([]byte, head.Length)
		if _, err := io.ReadFull(c.br, payload); err != nil {
			return
		}
		switch head.OpCode {
		case ws.OpPing:
			if c.write(ws.NewPongFrame(payload)) != nil {
				return
			}
		case ws.OpClose:
			return
		case ws.OpText:
			var a answer
			if err := json.Unmarshal(payload, &a); err != nil {
				c.device.h.Notef("device %d was sent what is no JSON: %s", c.device.Number, payload)
				return
			}
			c.take(&a, sent, seen)
		}
	}
}

// take enters a frame before anybody can act on it.
func (c *connection) take(a *answer, sent string, seen func(Push)) {
	d := c.device
	f := history.Frame{At: d.h.Now(), Device: d.Number, Connection: c.number}
	if a.MsgType == "" {
		if a.Code == 200 && a.Obj.Position != "" {
			f.Type, f.Position, f.UniqueNo = "result", a.Obj.Position, a.Obj.UniqueNo
			d.merge(f.Position)
			d.h.Saw(f)
		}
		c.mu.Lock()
		if w := c.waiting[a.Obj.UniqueNo]; w != nil {
			select {
			case w <- *a:
			default:
				d.h.Notef("device %d got two results of %s", d.Number, a.Obj.UniqueNo)
			}
		}
		c.mu.Unlock()
		return
	}
	p := Push{Type: a.MsgType, Position: a.Data.Position, Sender: a.Data.SendUserID, Group: a.Data.GroupID, Applicant: a.Data.ApplyUserID}
	p.Application = a.Data.ApplyFriendID + a.Data.ApplyGroupID
	f.Type, f.Position, f.Cursor = a.MsgType, a.Data.Position, a.Data.Cursor
	switch a.MsgType {
	case "1", "2", "12":
		p.Stream = history.Pair(a.Data.SendUserID, a.Data.ReceiveUserID)
		if a.Data.GroupID != "" {
			p.Stream = history.Group(a.Data.GroupID)
		}
		f.Stream, f.Sender, f.Text, f.MessageID = p.Stream, a.Data.SendUserID, a.Data.MessageContent, a.Data.MessageID
		f.Of, f.Change = a.Data.MessagePosition, a.Data.Change
	case "8":
		f.Sent = sent
		if a.Data.Code == "200" {
			d.merge(a.Data.Cursor)
			d.h.Saw(f)
		}
		c.login <- *a
		return
	case "15":
		if !a.Data.Complete {
			d.h.Notef("device %d: push 15 is not complete", d.Number)
		}
		if d.Number%2 == 1 { // a client may go on from here, or from what it was sent
			d.merge(f.Cursor)
		}
		close(c.resumed)
	}
	d.merge(f.Position)
	d.h.Saw(f)
	if seen != nil {
		seen(p)
	}
}

// merge keeps the cursor as the protocol says: of pushes and successes, from the
// first login's on.
func (d *Device) merge(positions string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.cursor == nil {
		d.cursor = history.Cursor{}
	}
	d.cursor.Merge(positions)
}
