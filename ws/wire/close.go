package wire

import (
	"errors"
	"os"
	"time"

	"github.com/gobwas/ws"
)

// drainLimit is how many bytes are read, to nobody, from a peer that has been
// told of the connection's end: a socket closed over unread bytes is reset,
// and the peer may never see the close frame.
const drainLimit = 4 << 20

// Close begins the closing handshake (RFC 6455 section 7): what is queued and
// then a close frame are written, and the peer's answer is awaited, all within
// CloseTimeout. It returns at once, and does nothing on a connection that is
// closing already. A code that must not stand in a close frame becomes
// CloseInternal.
func (c *Conn) Close(code uint16, text string) {
	c.fail(&CloseError{Code: code, Text: text}, nil)
}

// fail begins the closing for e; err is what lies behind it.
func (c *Conn) fail(e *CloseError, err error) {
	code := e.Code
	if !validCloseCode(code) {
		code = CloseInternal
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.beginClose(CloseReason{Code: code, Text: cutText(e.Text), Err: err})
}

// beginClose settles the reason, the first one wins, and queues the close
// frame. The caller holds c.mu.
func (c *Conn) beginClose(r CloseReason) {
	if !c.settle(r) {
		return
	}
	text := r.Text
	if r.ByPeer {
		text = "" // its own code is answer enough
	}
	e := entry{frame: compile(ws.OpClose, closePayload(r.Code, text))}
	c.push(e, e.cost())
	c.ending.timer = time.AfterFunc(c.up.o.CloseTimeout, c.abort)
}

// settle makes r the connection's end and tells all who wait. It reports
// whether r was the first. The caller holds c.mu.
func (c *Conn) settle(r CloseReason) bool {
	if c.closing.Load() {
		return false
	}
	c.closing.Store(true)
	c.ending = &ending{reason: r}
	c.wake()
	if c.handler != nil {
		c.tell()
	}
	return true
}

// tell calls the handler's Closing. The caller holds c.mu.
func (c *Conn) tell() {
	c.users++
	go func() {
		c.handler.Closing(c.ending.reason)
		c.mu.Lock()
		c.leave()
	}()
}

// peerClosed answers the peer's close frame, or notes its answer to ours.
func (c *Conn) peerClosed(payload []byte) {
	code, text, violation := parseClose(payload)
	if violation != nil {
		c.fail(violation, nil)
		return
	}
	c.mu.Lock()
	c.peerDone = true
	c.beginClose(CloseReason{Code: code, Text: text, ByPeer: true})
	c.mu.Unlock()
	c.finish()
}

// finishWriting follows the close frame out. Where the transport can, only the
// writing end is closed: the peer reads the close frame, then the end, and
// closes; its closing ends the reader (section 7.1.1).
func (c *Conn) finishWriting() {
	half := c.socket.closeWrite()
	c.mu.Lock()
	c.sent, c.whole = true, !half
	c.mu.Unlock()
	c.finish()
}

// finish closes a transport without half-closing once both close frames went.
func (c *Conn) finish() {
	c.mu.Lock()
	done := c.sent && c.whole && c.peerDone
	c.mu.Unlock()
	if done {
		c.abort()
	}
}

// lost ends a connection whose network failed with err.
func (c *Conn) lost(err error) {
	r := CloseReason{Code: CloseAbnormal, ByPeer: true, Err: err}
	if errors.Is(err, os.ErrDeadlineExceeded) { // a write's: reads never end by one
		r = CloseReason{Code: errOverflow.Code, Text: errOverflow.Text, Err: err}
	}
	c.mu.Lock()
	c.settle(r)
	c.mu.Unlock()
	c.abort()
}

// abort ends reading and writing at once.
func (c *Conn) abort() {
	c.mu.Lock()
	c.over.Store(true)
	c.dropQueue()
	if c.stuck != nil && !c.free { // the writer waits for the socket: it is woken to forget
		c.free = true
		c.socket.flush()
	}
	c.mu.Unlock()
	c.socket.cut()
}
