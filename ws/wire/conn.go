package wire

import (
	"errors"
	"net"
	"os"
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
	// Text is called with each whole text message, in order, by the
	// connection's reader. message is valid UTF-8 and valid only during the
	// call, in which it may be changed. Nothing more is read until it returns.
	// An error closes the connection: a *CloseError with its code, any other
	// with CloseInternal.
	Text(message []byte) error
	// Closing is called exactly once, on a goroutine of its own, as soon as
	// the connection's end is certain: from then on nothing is taken for
	// sending. A call of Text may still be under way. It must not wait for
	// Upgrader.Shutdown.
	Closing(CloseReason)
}

// A BinaryHandler is a Handler that takes binary messages too.
type BinaryHandler interface {
	Handler
	Binary(message []byte) error
}

// A Conn is one WebSocket connection, made by Upgrader.Upgrade. Its methods
// may be called from any goroutine.
type Conn struct {
	up      *Upgrader
	nc      net.Conn
	source  source
	handler Handler
	early   []byte // came behind the handshake
	writer  func() // c.write, made once: starting it allocates nothing

	prev, next *Conn // the open connections, guarded by up.mu

	// The reader's own.
	decoder decoder
	deaf    bool  // nothing that comes is looked at any more
	heard   bool  // something came since the last tick
	silent  uint8 // ticks since something came
	slow    uint8 // ticks within one message
	drained int   // bytes since the closing began

	// The writer's own.
	writeBy time.Duration // the write deadline set, since up.epoch

	closing atomic.Bool // changed under mu

	mu       sync.Mutex
	writing  bool // a writer runs
	dropped  bool // what the writer has taken is not wanted any more
	over     bool // the network connection is closed
	sent     bool // our close frame is out
	peerDone bool // the peer's close frame was read
	queue    *batch
	queued   int // cost of all that is not written
	taken    int // cost of the part of it that the writer has
	waiters  *waiter
	reason   *CloseReason
	timer    *time.Timer // bounds the closing

	running sync.WaitGroup // the writer and the call of Closing
}

func newConn(up *Upgrader, nc net.Conn, early []byte) *Conn {
	c := &Conn{up: up, nc: nc, early: early, heard: true}
	c.decoder.limit = up.o.MessageLimit
	c.source.open(nc)
	c.writer = c.write
	return c
}

// Start begins to read, on a goroutine of its own, and returns at once; it
// must be called once for each Conn. The HTTP handler then returns: what
// net/http keeps for a request is freed with it.
func (c *Conn) Start(h Handler) {
	_, c.decoder.binary = h.(BinaryHandler)
	c.mu.Lock()
	c.handler = h
	if c.closing.Load() {
		c.tell()
	}
	c.mu.Unlock()
	go c.read()
}

// RemoteAddr is the address of the network peer.
func (c *Conn) RemoteAddr() net.Addr { return c.nc.RemoteAddr() }

// read is the reader: it runs as long as the connection.
func (c *Conn) read() {
	defer c.end()
	c.setTick()
	if early := c.early; early != nil {
		c.early = nil
		c.receive(early)
	}
	for {
		b, err := c.source.read(!c.decoder.idle())
		switch {
		case err == nil:
			c.heard = true
			c.receive(b.b)
			putBuffer(b)
		case errors.Is(err, os.ErrDeadlineExceeded):
			c.tick()
		default:
			c.lost(err)
			return
		}
	}
}

// receive takes what was read to the decoder, and its events to the handler.
func (c *Conn) receive(p []byte) {
	if c.closing.Load() {
		if c.drained += len(p); c.drained > drainLimit {
			c.abort()
			return
		}
	}
	for len(p) > 0 && !c.deaf {
		ev, payload, rest, violation := c.decoder.next(p)
		if violation != nil {
			c.deaf = true
			c.fail(violation, nil)
			return
		}
		p = rest
		if ev == evNothing {
			continue
		}
		c.handle(ev, payload)
		c.decoder.release()
	}
}

func (c *Conn) handle(ev event, payload []byte) {
	if ev == evClose {
		c.deaf = true
		c.peerClosed(payload)
		return
	}
	if c.closing.Load() {
		return
	}
	var err error
	switch ev {
	case evText:
		c.slow = 0
		err = c.handler.Text(payload)
	case evBinary:
		c.slow = 0
		err = c.handler.(BinaryHandler).Binary(payload)
	case evPing:
		c.sendOwn(ws.OpPong, payload)
	}
	if err == nil {
		return
	}
	if e := (*CloseError)(nil); errors.As(err, &e) {
		c.fail(e, err)
		return
	}
	c.fail(&CloseError{CloseInternal, "internal error"}, err)
}

// tick is what is done every ping interval, by the reader, whose read deadline
// is the clock: a waiting connection needs no timer of its own beside it.
func (c *Conn) tick() {
	if c.closing.Load() {
		c.nc.SetReadDeadline(time.Time{}) // the closing has its own clock
		return
	}
	c.silent++
	if c.heard {
		c.heard, c.silent = false, 0
	}
	c.slow++
	if c.decoder.idle() {
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
	c.setTick()
}

func (c *Conn) setTick() { c.nc.SetReadDeadline(time.Now().Add(c.up.o.PingInterval)) }

// end is the last of the connection: afterwards nothing of it runs.
func (c *Conn) end() {
	c.abort()
	if c.timer != nil { // set before the closing began, which was before this
		c.timer.Stop()
	}
	c.decoder.drop()
	c.running.Wait()
	c.up.remove(c)
}
