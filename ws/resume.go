package ws

import (
	"context"
	"errors"

	"lishi/events"
	"lishi/events/seededfault"
	"lishi/ws/wire"
)

// maxResumes is how many backlogs are read at once; more wait for a place.
const maxResumes = 16

// Feed is the read model of what was pushed to whom.
type Feed interface {
	// Backlog hands on, in offset order, the pushed events of a partition that
	// concern the user, of those in (after, upTo] that the read model has, and
	// says how far that is. It may hand on more than concerns the user.
	Backlog(ctx context.Context, user string, p events.Partition, after, upTo int64, each func(events.Recorded) error) (passed int64, err error)
}

// resume delivers what the connection missed: the events in (from, joined] of
// each partition, in order. Live frames are held meanwhile; where they became too
// many, another round brings them. Then come push 15 and what was held.
func (c *session) resume(from, joined events.Cursor, told bool) {
	defer close(c.resuming)
	for {
		for _, p := range c.server.partitions {
			if err := c.backlog(p, from[p], joined[p]); err != nil {
				if c.ctx.Err() == nil {
					c.server.o.Logger.Error("a backlog can't be delivered", "partition", p, "after", from[p], "upTo", joined[p], "error", err)
					c.conn.Close(wire.CloseInternal, "the backlog can't be read; log in again with the cursor")
				}
				return
			}
		}
		if c.conn.AwaitQueued(c.ctx, c.server.backlogLimit()) != nil || c.release(joined, told) {
			return
		}
		from, joined = joined, c.meetAgain()
	}
}

// backlogDelivered is push 15.
func backlogDelivered(reached events.Cursor) *Frame {
	return &Frame{MsgType: "15", fields: []field{text("cursor", reached.String()), yes("complete")}}
}

// meetAgain is meet for a connection that lost held pushes: what it had held up
// to the new meeting is brought by the backlog too.
func (c *session) meetAgain() events.Cursor {
	c.mu.Lock()
	c.overflow = false
	c.mu.Unlock()
	joined := c.meet()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dropPushes(func(h *heldFrame) bool { return h.offset <= joined[c.server.partitions[h.part]] })
	return joined
}

// backlog delivers the events in (after, upTo] of a partition, chunk by chunk: what
// is read is bounded by the places among the backlogs, how long a client takes to
// read it is not.
func (c *session) backlog(p events.Partition, after, upTo int64) error {
	if seededfault.Planted(seededfault.LoseOnResume) {
		after++
	}
	for after < upTo {
		read, passed, err := c.read(p, after, upTo)
		if err != nil {
			return err
		}
		for _, f := range read.frames {
			if err := c.conn.AwaitQueued(c.ctx, c.server.backlogLimit()); err != nil {
				return err
			}
			c.put(f.encode(c.server.o.Dates))
			c.server.o.Metrics.Pushed(f.MsgType, 1)
		}
		after = passed
	}
	return nil
}

// maxChunk is how many bytes of events are read before they are sent.
const maxChunk = 1 << 20

// chunk is what was read and not yet sent.
type chunk struct {
	frames []*Frame
	size   int
}

func (k *chunk) full() bool { return k.size >= maxChunk }

var errChunk = errors.New("ws: enough for one chunk")

// read collects frames of the events in (after, upTo]: a long way from the feed, as
// far as it has come, the rest from the log or its memory. passed is how far it
// came.
func (c *session) read(p events.Partition, after, upTo int64) (k chunk, passed int64, err error) {
	select {
	case c.server.resumes <- struct{}{}:
		defer func() { <-c.server.resumes }()
	case <-c.ctx.Done():
		return k, after, c.ctx.Err()
	}
	if c.server.feed != nil && upTo-after > c.server.o.LogGap {
		k, passed, err = c.readFeed(p, after, upTo)
		switch {
		case c.ctx.Err() != nil:
			return k, after, c.ctx.Err()
		case err != nil: // the log has everything that the feed has
			c.server.o.Logger.Warn("the feed can't be read; resuming from the log", "partition", p, "after", after, "error", err)
			k = chunk{}
		case passed > after:
			return k, passed, nil
		}
	}
	passed = after
	err = c.server.tail.Range(c.ctx, p, after, upTo, func(batch []events.Recorded, upTo int64) error {
		for i := range batch {
			c.collect(&k, &batch[i])
		}
		if passed = upTo; k.full() {
			return errChunk
		}
		return nil
	})
	if errors.Is(err, errChunk) {
		err = nil
	}
	return k, passed, err
}

func (c *session) readFeed(p events.Partition, after, upTo int64) (k chunk, passed int64, err error) {
	last := after
	passed, err = c.server.feed.Backlog(c.ctx, c.bound.id, p, after, upTo, func(e events.Recorded) error {
		if e.Position.Offset <= last || e.Position.Offset > upTo {
			return nil
		}
		if k.full() {
			return errChunk
		}
		last = e.Position.Offset
		c.collect(&k, &e)
		return nil
	})
	if errors.Is(err, errChunk) {
		return k, last, nil
	}
	return k, min(passed, upTo), err
}

// collect adds the frame that the connection would have got of an event.
func (c *session) collect(k *chunk, e *events.Recorded) {
	f := frameFor(c.bound.id, c.own.Load(), e, c.server.tail.Book())
	if f == nil || c.wasAnswered(e.Position) {
		return
	}
	k.frames = append(k.frames, f)
	k.size += 1 << 10 // what the event holds beside its content
	if m, ok := e.Body.(events.MessageSent); ok {
		k.size += len(m.Content.Plain)
	}
}

func (c *session) wasAnswered(p events.Position) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.answered[p]
	return ok
}
