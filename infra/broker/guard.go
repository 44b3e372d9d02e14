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

func listen(network, address string) (net.Listener, error) {
	l, err := net.Listen(network, address)
	if err != nil {
		return nil, err
	}
	return guard{l}, nil
}

func (g guard) Accept() (net.Conn, error) {
	c, err := g.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &guardedConn{Conn: c, head: make([]byte, 0, 6)}, nil
}

// guardedConn looks at the first six bytes of every request: length and kind.
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
		take := min(cap(c.head)-len(c.head), len(in))
		c.head, in = append(c.head, in[:take]...), in[take:]
		if len(c.head) == cap(c.head) {
			if err := c.check(); err != nil {
				c.Conn.Close()
				return 0, err
			}
			c.head = c.head[:0]
		}
	}
	return n, err
}

func (c *guardedConn) check() error {
	size := int64(binary.BigEndian.Uint32(c.head))
	key := int16(binary.BigEndian.Uint16(c.head[4:]))
	limit := int64(maxRequest)
	if !c.greeted {
		limit = maxFirstRequest
		switch kmsg.Key(key) {
		case kmsg.ApiVersions, kmsg.SASLHandshake:
		case kmsg.SASLAuthenticate:
			c.greeted = true
		default:
			return fmt.Errorf("embedded broker: request %d before authentication", key)
		}
	}
	if size < 8 || size > limit || kmsg.RequestForKey(key) == nil {
		return fmt.Errorf("embedded broker: not a request: %d bytes, kind %d", size, key)
	}
	c.rest = int(size) - 2
	return nil
}
