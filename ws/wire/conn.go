package wire

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"
)

// ErrClosed is returned for a connection that is closing or closed.
var ErrClosed = errors.New("wire: connection closed")

// A Handler gets what a connection receives. One that also is a BinaryHandler
// gets binary messages; without it they are refused with CloseUnsupported.
// A panic in it is not recovered.
type Handler interface {
	// Text is called with each whole text message, in order. message is valid
	// UTF-8 and valid only during the call, in which it may be changed. One
	// goroutine calls it for many connections, so it must not wait for anything:
	// what has to wait it returns as rest, which is called on a goroutine of its
	// own. Nothing more is read of this connection until rest returns.
	// An error of either closes the connection: a *CloseError with its code, any
	// other with CloseInternal.
	Text(message []byte) (rest func() error, err error)
	// Closing is called exactly once, on a goroutine of its own, as soon as
	// the connection's end is certain: from then on nothing is taken for
	// sending. A call of Text, or its rest, may still be under way. It must not
	// wait for Upgrader.Shutdown.
	Closing(CloseReason)
}

// A BinaryHandler is a Handler that takes binary messages too.
type BinaryHandler interface {
	Handler
	Binary(message []byte) (rest func() error, err error)
}

// A Conn is one WebSocket connection, made by Upgrader.Upgrade. Its methods
// may be called from any goroutine.
type Conn struct {
	up      *Upgrader
	socket  socket
	handler Handler
	early   *buffer // came behind the handshake

	prev, next *Conn // the open connections, guarded by up.mu

	// The reader's own.
	decoder *decoder // nil between messages
	drained int32    // bytes since the closing began
	binary  bool     // binary messages are taken
	deaf    bool     // nothing that comes is looked at any more
	heard   bool     // something came since the last tick
	silent  uint8    // ticks since something came
	slow    uint8    // ticks within one message

	closing atomic.Bool // changed under mu
	over    atomic.Bool // nothing is read or written any more; changed under mu

	mu       sync.Mutex
	writing  bool // a writer runs, or will
	dropped  bool // what the writer has taken is not wanted any more
	free     bool // the socket said that it takes more, since the writer began
	sent     bool // our close frame is out
	whole    bool // the socket could not be closed in one direction alone
	peerDone bool // the peer's close frame was read
	users    int8 // the reader, the writer and the call of Closing: the last frees the socket
	queue    *batch
	queued   int       // cost of all that is not written
	taken    int       // cost of the part of it that the writer has
	stuck    *outgoing // what the socket did not take yet
	waiters  *waiter
	ending   *ending
}

// ending is why and how a connection closes.
type ending struct {
	reason CloseReason
	timer  *time.Timer // bounds it; nil where there is nobody to wait for
}

func newConn(up *Upgrader, nc net.Conn, early []byte) *Conn {
	c := &Conn{up: up, heard: true, users: 1}
	if early != nil {
		c.early = &buffer{b: early}
	}
	c.socket = up.hold(c, nc)
	return c
}

// Start begins to read, and returns at once; it must be called once for each
// Conn. The HTTP handler then returns: what net/http keeps for a request is
// freed with it.
func (c *Conn) Start(h Handler) {
	_, c.binary = h.(BinaryHandler)
	c.mu.Lock()
	c.handler = h
	if c.closing.Load() {
		c.tell()
	}
	c.mu.Unlock()
	var early []byte
	if c.early != nil {
		early, c.early = c.early.b, nil
	}
	c.socket.start(early)
}

// RemoteAddr is the address of the network peer; nil where it is gone.
func (c *Conn) RemoteAddr() net.Addr { return c.socket.remoteAddr() }

// decoders are for connections that are within a message.
var decoders = sync.Pool{New: func() any { return new(decoder) }}

// between reports whether nothing is half read.
func (c *Conn) between() bool { return c.decoder == nil }

// receive takes what was read to the decoder, and its events to the handler.
// Where a message has to wait, that is rest, and left is what came behind it.
func (c *Conn) receive(p []byte) (rest func() error, left []byte) {
	if c.closing.Load() {
		if c.drained += int32(len(p)); c.drained > drainLimit {
			c.abort()
			return nil, nil
		}
	}
	if c.deaf {
		return nil, nil
	}
	d := c.decoder
	if d == nil {
		d = decoders.Get().(*decoder)
		d.limit, d.binary = c.up.o.MessageLimit, c.binary
	}
	for len(p) > 0 && !c.deaf && rest == nil {
		ev, payload, behind, violation := d.next(p)
		if violation != nil {
			c.deaf = true
			c.fail(violation, nil)
			break
		}
		p = behind
		if ev == evNothing {
			continue
		}
		rest = c.handle(ev, payload)
		d.release()
	}
	if c.decoder = d; d.idle() && !c.deaf { // of what broke the rules something may be left in it
		c.decoder = nil
		decoders.Put(d)
	}
	return rest, p
}

// receiveAll is receive for a goroutine that can wait.
func (c *Conn) receiveAll(p []byte) {
	rest, left := c.receive(p)
	for rest != nil {
		c.failed(rest())
		rest, left = c.receive(left)
	}
}

func (c *Conn) handle(ev event, payload []byte) (rest func() error) {
	if ev == evClose {
		c.deaf = true
		c.peerClosed(payload)
		return nil
	}
	if c.closing.Load() {
		return nil
	}
	var err error
	switch ev {
	case evText:
		c.slow = 0
		rest, err = c.handler.Text(payload)
	case evBinary:
		c.slow = 0
		rest, err = c.handler.(BinaryHandler).Binary(payload)
	case evPing:
		c.sendOwn(ws.OpPong, payload)
	}
	c.failed(err)
	return rest
}

// failed closes the connection for a handler's error, if it is one.
func (c *Conn) failed(err error) {
	if err == nil {
		return
	}
	if e := (*CloseError)(nil); errors.As(err, &e) {
		c.fail(e, err)
		return
	}
	c.fail(&CloseError{CloseInternal, "internal error"}, err)
}

// tick is what the reader does every ping interval; false once that is over.
func (c *Conn) tick() bool {
	if c.closing.Load() {
		return false
	}
	c.silent++
	if c.heard {
		c.heard, c.silent = false, 0
	}
	c.slow++
	if c.between() {
		c.slow = 0
	}
	switch {
	case c.silent == 2:
		c.fail(errSilent, nil)
	case c.slow == 3:
		c.fail(errTooSlow, nil)
	default:
		c.Send(pingFrame)
	}
	return true
}

// end is the last that the reader does.
func (c *Conn) end() {
	c.abort()
	c.mu.Lock()
	if timer := c.ending.timer; timer != nil { // the closing began before this, at the latest by lost
		timer.Stop()
	}
	c.mu.Unlock()
	if d := c.decoder; d != nil {
		c.decoder = nil
		d.drop()
	}
	c.mu.Lock()
	c.leave()
}

// leave is called by each user at its end: after the last nothing of the
// connection runs. The caller holds c.mu, which is given up.
func (c *Conn) leave() {
	c.users--
	last := c.users == 0
	c.mu.Unlock()
	if last {
		c.socket.close()
		c.up.remove(c)
	}
}
