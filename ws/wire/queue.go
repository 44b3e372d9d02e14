package wire

import (
	"context"
	"sync"

	"github.com/gobwas/ws"
)

// An entry is one thing to write: a shared frame, a frame with its hole
// filled, or frames of this connection's own, one behind the other.
type entry struct {
	frame *Frame
	hole  *HoleFrame
	own   *buffer
	fill  string
}

// entrySize is counted for each entry beside its bytes.
const entrySize = 40

func (e *entry) size() int {
	switch {
	case e.frame != nil:
		return len(e.frame.b)
	case e.hole != nil:
		return e.hole.size(e.fill)
	}
	return len(e.own.b)
}

// cost is what the entry takes from the queue's limit. A shared frame counts
// in full for each connection: the limit is how far a reader may be behind.
func (e *entry) cost() int {
	switch {
	case e.own == nil:
		return entrySize + e.size()
	case e.own.gone != nil:
		return entrySize // its sender waits for it
	}
	return entrySize + cap(e.own.b)
}

// whole gives the bytes of an entry that need no putting together.
func (e *entry) whole() []byte {
	switch {
	case e.frame != nil:
		return e.frame.b
	case e.own != nil:
		return e.own.b
	}
	return nil
}

func (e *entry) appendTo(b []byte) []byte {
	if e.hole != nil {
		return e.hole.appendTo(b, e.fill)
	}
	return append(b, e.whole()...)
}

// A batch is the entries that have gathered. An idle connection has none.
type batch struct{ entries []entry }

var batches = sync.Pool{New: func() any { return new(batch) }}

// putBatch hands back a batch and the buffers in it.
func putBatch(b *batch) {
	for i := range b.entries {
		switch own := b.entries[i].own; {
		case own == nil:
		case own.gone != nil:
			close(own.gone)
		default:
			putBuffer(own)
		}
	}
	clear(b.entries)
	b.entries = b.entries[:0]
	if cap(b.entries) <= 1024 {
		batches.Put(b)
	}
}

// Send queues f and never waits. It reports whether the frame was taken: not
// once the connection is closing, and not where it would take the queue over
// its limit, which closes the connection with CloseSlowConsumer. Frames leave
// in the order of Send. Safe for concurrent use.
func (c *Conn) Send(f *Frame) bool { return c.put(entry{frame: f}) }

// SendHole is Send for f with fill in its hole.
func (c *Conn) SendHole(f *HoleFrame, fill string) bool {
	return c.put(entry{hole: f, fill: fill})
}

// SendText is Send for a text message of this connection alone; payload, valid
// UTF-8, is copied, into pooled memory.
func (c *Conn) SendText(payload []byte) bool { return c.sendOwn(ws.OpText, payload) }

// SendLarge is SendText for a message that may be larger than the queue's limit:
// it does not count against the limit. gone is closed once it is written, or is
// not wanted any more; nil where it was not taken. It is the caller's to bound how
// many are under way, and not to wait for gone past Handler.Closing.
func (c *Conn) SendLarge(payload []byte) (gone <-chan struct{}) {
	b := &buffer{b: make([]byte, 0, outHeaderSize(len(payload))+len(payload)), gone: make(chan struct{})}
	b.b = append(appendHeader(b.b, ws.OpText, len(payload)), payload...)
	if !c.put(entry{own: b}) {
		return nil
	}
	return b.gone
}

// SendBinary is SendText for a binary message.
func (c *Conn) SendBinary(payload []byte) bool { return c.sendOwn(ws.OpBinary, payload) }

// Queued is the bytes that wait to be written, as counted against the limit.
func (c *Conn) Queued() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.queued
}

// AwaitQueued waits until at most limit bytes are queued: for a producer of
// many frames that can wait, so as not to overflow the queue. It returns
// ctx's error, or ErrClosed once the connection is closing.
func (c *Conn) AwaitQueued(ctx context.Context, limit int) error {
	c.mu.Lock()
	if c.closing.Load() {
		c.mu.Unlock()
		return ErrClosed
	}
	if c.queued <= limit {
		c.mu.Unlock()
		return nil
	}
	w := &waiter{limit: limit, done: make(chan struct{}), next: c.waiters}
	c.waiters = w
	c.mu.Unlock()
	select {
	case <-w.done:
		if c.closing.Load() {
			return ErrClosed
		}
		return nil
	case <-ctx.Done():
		c.mu.Lock()
		defer c.mu.Unlock()
		for p := &c.waiters; *p != nil; p = &(*p).next {
			if *p == w {
				*p = w.next
				break
			}
		}
		return ctx.Err()
	}
}

// A waiter is one AwaitQueued under way.
type waiter struct {
	limit int
	done  chan struct{}
	next  *waiter
}

// wake ends the waits that are over. The caller holds c.mu.
func (c *Conn) wake() {
	closing := c.closing.Load()
	for p := &c.waiters; *p != nil; {
		if w := *p; closing || c.queued <= w.limit {
			close(w.done)
			*p = w.next
		} else {
			p = &w.next
		}
	}
}

func (c *Conn) put(e entry) bool {
	cost := e.cost()
	c.mu.Lock()
	if !c.roomFor(cost) {
		c.mu.Unlock()
		return false
	}
	c.push(e, cost)
	c.mu.Unlock()
	return true
}

func (c *Conn) sendOwn(op ws.OpCode, payload []byte) bool {
	n := outHeaderSize(len(payload)) + len(payload)
	c.mu.Lock()
	if b := c.tail(); b != nil && len(b.b)+n <= cap(b.b) && !c.closing.Load() {
		b.b = append(appendHeader(b.b, op, len(payload)), payload...)
		c.mu.Unlock()
		return true
	}
	b := getBuffer(max(n, 1<<10))
	if !c.roomFor(entrySize + cap(b.b)) {
		c.mu.Unlock()
		putBuffer(b)
		return false
	}
	b.b = append(appendHeader(b.b, op, len(payload)), payload...)
	c.push(entry{own: b}, entrySize+cap(b.b))
	c.mu.Unlock()
	return true
}

// tail is the own buffer at the queue's end, if one stands there and has not
// gone to the writer. The caller holds c.mu.
func (c *Conn) tail() *buffer {
	if c.queue == nil || len(c.queue.entries) == 0 {
		return nil
	}
	return c.queue.entries[len(c.queue.entries)-1].own
}

// roomFor reports whether cost may be added. Where it would be too much, the
// connection's closing begins. The caller holds c.mu.
func (c *Conn) roomFor(cost int) bool {
	if c.closing.Load() {
		return false
	}
	if c.queued+cost > c.up.o.QueueLimit {
		c.dropQueue()
		c.beginClose(CloseReason{Code: errOverflow.Code, Text: errOverflow.Text})
		return false
	}
	return true
}

// push adds an entry and sees to it that it is written. The caller holds c.mu.
func (c *Conn) push(e entry, cost int) {
	if c.queue == nil {
		c.queue = batches.Get().(*batch)
	}
	c.queue.entries = append(c.queue.entries, e)
	c.queued += cost
	if !c.writing {
		c.writing = true
		c.users++
		c.socket.flush()
	}
}

// dropQueue forgets all that was not written. The caller holds c.mu.
func (c *Conn) dropQueue() {
	if c.queue != nil {
		putBatch(c.queue)
		c.queue = nil
	}
	c.dropped = c.writing // what the writer has taken is its to forget
	c.queued = c.taken
}
