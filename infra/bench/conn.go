package bench

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/gobwas/ws"
)

// Conn is one person's socket. One goroutine reads; writing is safe for several.
type Conn struct {
	Person string

	nc   net.Conn
	in   []byte // read and not yet looked at
	room []byte // that in lies in

	mu  sync.Mutex
	out []byte // frames that Flush writes
}

// Open connects to a WebSocket url.
func Open(ctx context.Context, url, person string) (*Conn, error) {
	nc, br, _, err := ws.Dialer{Timeout: 30 * time.Second}.Dial(ctx, url)
	if err != nil {
		return nil, err
	}
	c := &Conn{Person: person, nc: nc, room: make([]byte, 2048)}
	if br != nil { // what came behind the handshake
		early, _ := br.Peek(br.Buffered())
		c.in = append(c.room[:0], early...)
	}
	return c, nil
}

// Close closes the socket at once.
func (c *Conn) Close() { c.nc.Close() }

// Stop makes room for as little as the system allows: nothing is read any more, and
// the server is to notice soon.
func (c *Conn) Stop() {
	if nc, ok := c.nc.(*net.TCPConn); ok {
		nc.SetReadBuffer(1)
	}
}

// Deadline bounds reading; the zero time bounds it no more.
func (c *Conn) Deadline(t time.Time) { c.nc.SetReadDeadline(t) }

const maskedHead = 8 // opcode, 126, two bytes of length, a mask of zeros (RFC 6455, 5.3: a mask is what a client chooses)

// Queue adds a text frame that Flush sends; make appends its text.
func (c *Conn) Queue(text func(b []byte) []byte) {
	c.mu.Lock()
	c.out = appendFrame(c.out, byte(ws.OpText), text)
	c.mu.Unlock()
}

func appendFrame(b []byte, opcode byte, text func(b []byte) []byte) []byte {
	from := len(b)
	b = text(append(b, 0x80|opcode, 0x80|126, 0, 0, 0, 0, 0, 0))
	n := len(b) - from - maskedHead
	if n < 126 { // the shortest form is the only one allowed
		copy(b[from+6:], b[from+maskedHead:])
		b = b[:len(b)-2]
		b[from+1] = 0x80 | byte(n)
		clear(b[from+2 : from+6])
		return b
	}
	binary.BigEndian.PutUint16(b[from+2:], uint16(n))
	return b
}

// Flush writes what was queued, in one write.
func (c *Conn) Flush() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.out) == 0 {
		return nil
	}
	_, err := c.nc.Write(c.out)
	c.out = c.out[:0]
	return err
}

// Send writes one text frame.
func (c *Conn) Send(text string) error {
	if len(text) > 1<<16-1 {
		return errors.New("bench: a frame of more than 65535 bytes")
	}
	c.Queue(func(b []byte) []byte { return append(b, text...) })
	return c.Flush()
}

// Ready tells whether another text frame has come already: Frame does not wait.
func (c *Conn) Ready() bool {
	for in := c.in; ; {
		opcode, _, rest, ok, err := split(in)
		if op := ws.OpCode(opcode); err != nil || ok && (op == ws.OpText || op == ws.OpClose) {
			return true
		}
		if !ok {
			return false
		}
		in = rest // a ping with nothing behind it: Frame would answer it, and then wait
	}
}

// Frame is the next text frame; valid until the next call. Pings are answered.
func (c *Conn) Frame() ([]byte, error) {
	for {
		opcode, payload, rest, ok, err := split(c.in)
		if err != nil {
			return nil, err
		}
		if !ok {
			if err := c.fill(); err != nil {
				return nil, err
			}
			continue
		}
		c.in = rest
		switch ws.OpCode(opcode) {
		case ws.OpText:
			return payload, nil
		case ws.OpPing:
			c.mu.Lock()
			c.out = appendFrame(c.out, byte(ws.OpPong), func(b []byte) []byte { return append(b, payload...) })
			c.mu.Unlock()
			if err := c.Flush(); err != nil {
				return nil, err
			}
		case ws.OpClose:
			code, reason := ws.ParseCloseFrameData(payload)
			return nil, fmt.Errorf("closed with %d %s", code, reason)
		}
	}
}

// split takes the first frame off; a server's frames are not masked.
func split(b []byte) (opcode byte, payload, rest []byte, ok bool, err error) {
	if len(b) < 2 {
		return 0, nil, nil, false, nil
	}
	if b[0]&0xf0 != 0x80 || b[1]&0x80 != 0 {
		return 0, nil, nil, false, fmt.Errorf("bench: a frame that begins with %x", b[:2])
	}
	head, n := 2, uint64(b[1])
	switch n {
	case 126:
		if head = 4; len(b) < head {
			return 0, nil, nil, false, nil
		}
		n = uint64(binary.BigEndian.Uint16(b[2:]))
	case 127:
		if head = 10; len(b) < head {
			return 0, nil, nil, false, nil
		}
		n = binary.BigEndian.Uint64(b[2:])
	}
	if uint64(len(b)-head) < n {
		return 0, nil, nil, false, nil
	}
	end := head + int(n)
	return b[0] & 0xf, b[head:end], b[end:], true, nil
}

// fill reads more behind what is there.
func (c *Conn) fill() error {
	n := copy(c.room, c.in)
	if n == len(c.room) {
		c.room = append(c.room, make([]byte, len(c.room))...)
	}
	got, err := c.nc.Read(c.room[n:])
	if c.in = c.room[:n+got]; got > 0 {
		return nil
	}
	return err
}

// Field is the text behind "name":" in a message, without unescaping.
func Field(msg []byte, name string) []byte {
	for from := 0; ; {
		i := bytes.Index(msg[from:], []byte(name))
		if i < 0 {
			return nil
		}
		i += from
		from = i + len(name)
		if i > 0 && msg[i-1] == '"' && len(msg) > from+3 && string(msg[from:from+3]) == `":"` {
			value := msg[from+3:]
			if j := bytes.IndexByte(value, '"'); j >= 0 {
				return value[:j]
			}
		}
	}
}
