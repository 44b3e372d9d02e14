package broker

import (
	"encoding/binary"
	"fmt"
	"net"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// guard stands between the port and kfake, which trusts what it reads: it makes
// room for whatever length a client names, and a request it does not know ends
// the process. Everybody on the machine can connect to the port.
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
	return &guardedConn{Conn: c, head: make([]byte, 0, 6)}, nil
}

// guardedConn looks at the first six bytes of every request: length and kind.
// The length is judged as soon as it is there: with its four bytes alone kfake
// would already make room for what they name.
type guardedConn struct {
	net.Conn
	head    []byte // of the request being read, as far as it came
	rest    int    // bytes of it that follow the head
	greeted bool   // the client has sent what it authenticates with
}

func (c *guardedConn) Read(b []byte) (int, error) {
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
	case 6:
		key := int16(binary.BigEndian.Uint16(c.head[4:]))
		if kmsg.RequestForKey(key) == nil {
			return fmt.Errorf("embedded broker: not a request: kind %d", key)
		}
		if !c.greeted {
			switch kmsg.Key(key) {
			case kmsg.ApiVersions, kmsg.SASLHandshake:
			case kmsg.SASLAuthenticate:
				c.greeted = true
			default:
				return fmt.Errorf("embedded broker: request %d before authentication", key)
			}
		}
		c.rest = int(c.size()) - 2
		c.head = c.head[:0]
	}
	return nil
}

// size is the length that the request's first four bytes name.
func (c *guardedConn) size() int64 { return int64(binary.BigEndian.Uint32(c.head)) }
