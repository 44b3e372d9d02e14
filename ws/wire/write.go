package wire

import (
	"os"
	"time"
)

// outgoing is what the writer has taken: a batch, and of it the chunk that goes
// to the socket in one write.
type outgoing struct {
	batch *batch
	next  int    // entries behind the chunk
	cost  int    // of the chunk
	chunk []byte // what of it is not written; nil before the first
	own   *buffer
	by    time.Time   // when the chunk must be out; only where the socket did not take it at once
	timer *time.Timer // of by, while the writer waits
}

// more makes the next chunk: as many entries as writeSize allows, put together.
// An entry that is large, or alone, goes out from where it lies.
func (o *outgoing) more() bool {
	from, size := o.next, 0
	rest := o.batch.entries[from:]
	if len(rest) == 0 {
		return false
	}
	n := 0
	for n < len(rest) && (n == 0 || size+rest[n].size() <= writeSize) {
		size += rest[n].size()
		o.cost += rest[n].cost()
		n++
	}
	o.next = from + n
	if o.chunk = rest[0].whole(); n == 1 && o.chunk != nil {
		return true
	}
	o.own = getBuffer(size)
	for i := range rest[:n] {
		o.own.b = rest[i].appendTo(o.own.b)
	}
	o.chunk = o.own.b
	return true
}

// done hands back what the chunk took.
func (o *outgoing) done() {
	if o.own != nil {
		putBuffer(o.own)
	}
	o.own, o.chunk, o.cost, o.by = nil, nil, 0, time.Time{}
}

// write is the writer: it writes what has gathered, until nothing is left or the
// socket takes no more. Everybody else queues meanwhile.
func (c *Conn) write() {
	var o outgoing
	c.mu.Lock()
	if c.stuck != nil {
		o, c.stuck = *c.stuck, nil
		o.timer.Stop()
	}
	c.free = false
	for !c.over.Load() && (len(o.chunk) > 0 || c.nextChunk(&o)) {
		c.mu.Unlock()
		n, err := c.socket.write(o.chunk)
		if err != nil {
			c.lost(err)
		}
		c.mu.Lock()
		if o.chunk = o.chunk[n:]; err != nil || len(o.chunk) == 0 {
			c.account(&o)
			continue
		}
		if !c.free && !c.over.Load() {
			c.hold(o)
			c.mu.Unlock()
			return
		}
		c.free = false // it takes more since
	}
	c.rid(&o)
	c.writing = false
	if c.closing.Load() && !c.over.Load() { // the close frame is out
		c.mu.Unlock()
		c.finishWriting()
		c.mu.Lock()
	}
	c.leave()
}

// nextChunk takes the batch's next entries, and the queue after the last. The
// caller holds c.mu.
func (c *Conn) nextChunk(o *outgoing) bool {
	for {
		if o.batch != nil {
			if !c.dropped && o.more() {
				return true
			}
			c.rid(o)
		}
		if c.queue == nil {
			return false
		}
		o.batch, o.next = c.queue, 0
		c.queue, c.taken, c.dropped = nil, c.queued, false
	}
}

// account notes that a chunk has gone out. The caller holds c.mu.
func (c *Conn) account(o *outgoing) {
	c.taken -= o.cost
	c.queued -= o.cost
	o.done()
	if c.waiters != nil {
		c.wake()
	}
}

// rid hands back a batch, whatever of it was written. The caller holds c.mu.
func (c *Conn) rid(o *outgoing) {
	o.done()
	if o.batch != nil {
		putBatch(o.batch)
		o.batch = nil
	}
	c.queued -= c.taken // what was not written, by an error or an overflow
	c.taken = 0
}

// hold keeps what the socket does not take now, and bounds how long. The caller
// holds c.mu.
func (c *Conn) hold(o outgoing) {
	if o.by.IsZero() {
		o.by = time.Now().Add(c.up.o.WriteTimeout)
	}
	waits := &o
	o.timer = time.AfterFunc(time.Until(o.by), func() {
		c.mu.Lock()
		late := c.stuck == waits
		c.mu.Unlock()
		if late {
			c.lost(os.ErrDeadlineExceeded)
		}
	})
	c.stuck = waits
}

// writable is called by the socket once it takes more: the writer goes on. It
// may be called without need.
func (c *Conn) writable() {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !c.writing:
	case c.stuck != nil && !c.free:
		c.free = true
		c.socket.flush()
	default:
		c.free = true
	}
}
