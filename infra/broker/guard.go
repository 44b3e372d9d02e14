package broker

import (
	"encoding/binary"
	"fmt"
	"net"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// guard stands between the port and kfake, which trusts what it reads: it makes
// room for whatever length a client names, a request it does not know ends the
// process, and one of the flexible versions (KIP-482) can name four thousand million
// tags, which are all looked for. Everybody on the machine can connect to the port.
type guard struct{ net.Listener }

const (
	maxRequest      = 100 << 20 // Kafka's socket.request.max.bytes
	maxFirstRequest = 64 << 10  // before a client has shown who it is
)

func (b *Broker) listen(network, address string) (net.Listener, error) {
	l, err := net.Listen(network, address)
	if err != nil {
		return nil, err
	}
	b.inside = newListener(l)
	return guard{b.inside}, nil
}

func (g guard) Accept() (net.Conn, error) {
	c, err := g.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &guardedConn{Conn: c, head: make([]byte, 0, 8), answered: make(chan struct{}), closed: make(chan struct{})}, nil
}

// plainVersions are the newest versions, without tags, of what may be asked before
// a client has shown who it is.
var plainVersions = map[kmsg.Key]int16{kmsg.ApiVersions: 2, kmsg.SASLHandshake: 1, kmsg.SASLAuthenticate: 1}

// guardedConn looks at the first eight bytes of every request: length, kind, version.
// The length is judged as soon as it is there: with its four bytes alone kfake
// would already make room for what they name.
type guardedConn struct {
	net.Conn
	head    []byte // of the request being read, as far as it came
	rest    int    // bytes of it that follow the head
	greeted bool   // the client has sent what it authenticates with

	asked    atomic.Int32  // requests up to that; negative once it came
	answers  atomic.Int32  // to them
	answered chan struct{} // closed when there are as many
	closed   chan struct{}
	once     sync.Once
}

// Write counts the answers: kfake writes each in one piece, and none to a password
// that is wrong.
func (c *guardedConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	select {
	case <-c.answered:
	default:
		if c.answers.Add(1); c.asked.Load() < 0 && c.answers.Load() == -c.asked.Load() {
			close(c.answered)
		}
	}
	return n, err
}

// Close implements net.Conn.
func (c *guardedConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// Read hands on nothing behind a password before that was found right: kfake takes
// the next request apart while it still looks at the one before.
func (c *guardedConn) Read(b []byte) (int, error) {
	if c.greeted && c.rest == 0 {
		select {
		case <-c.answered:
		case <-c.closed:
			return 0, net.ErrClosed
		}
	}
	n, err := c.Conn.Read(b)
	for in := b[:n]; len(in) > 0; {
		if c.rest > 0 {
			skip := min(c.rest, len(in))
			c.rest -= skip
			in = in[skip:]
			continue
		}
		c.head, in = append(c.head, in[0]), in[1:]
		if err := c.check(); err != nil {
			c.Conn.Close()
			return 0, err
		}
	}
	return n, err
}

// check judges the head as far as it has come, and lets the rest of a request
// pass once it is whole.
func (c *guardedConn) check() error {
	switch len(c.head) {
	case 4:
		limit := int64(maxRequest)
		if !c.greeted {
			limit = maxFirstRequest
		}
		if size := c.size(); size < 8 || size > limit {
			return fmt.Errorf("embedded broker: not a request: %d bytes", size)
		}
	case 8:
		key := int16(binary.BigEndian.Uint16(c.head[4:6]))
		if kmsg.RequestForKey(key) == nil {
			return fmt.Errorf("embedded broker: not a request: kind %d", key)
		}
		if !c.greeted {
			version := int16(binary.BigEndian.Uint16(c.head[6:]))
			if most, ok := plainVersions[kmsg.Key(key)]; !ok || version < 0 || version > most {
				return fmt.Errorf("embedded broker: request %d, version %d, before authentication", key, version)
			}
			asked := c.asked.Add(1)
			if c.greeted = kmsg.Key(key) == kmsg.SASLAuthenticate; c.greeted {
				c.asked.Store(-asked) // no more are counted
			}
		}
		c.rest = int(c.size()) - 4
		c.head = c.head[:0]
	}
	return nil
}

// size is the length that the request's first four bytes name.
func (c *guardedConn) size() int64 { return int64(binary.BigEndian.Uint32(c.head)) }
