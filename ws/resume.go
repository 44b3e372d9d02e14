package ws

import (
	"context"

	"lishi/events"
	"lishi/ws/wire"
)

// maxResumes is how many backlogs are delivered at once; more logins with a
// cursor wait for a place.
const maxResumes = 64

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
func (c *session) resume(from, joined events.Cursor) {
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
		if c.conn.AwaitQueued(c.ctx, c.server.backlogLimit()) != nil || c.release(joined, true) {
			return
		}
		from, joined = joined, c.meetAgain()
	}
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

// backlog delivers the events in (after, upTo] of a partition: a long way from the
// feed, as far as it has come, the rest from the log or its memory.
func (c *session) backlog(p events.Partition, after, upTo int64) error {
	if c.server.feed != nil && upTo-after > c.server.o.LogGap {
		passed, err := c.server.feed.Backlog(c.ctx, c.bound.id, p, after, upTo, func(e events.Recorded) error {
			if e.Position.Offset <= after || e.Position.Offset > upTo {
				return nil
			}
			after = e.Position.Offset
			return c.catchUp(&e)
		})
		switch {
		case c.ctx.Err() != nil:
			return c.ctx.Err()
		case err != nil: // the log has everything that the feed has
			c.server.o.Logger.Warn("the feed can't be read; resuming from the log", "partition", p, "after", after, "error", err)
		default:
			after = max(after, min(passed, upTo))
		}
	}
	return c.server.tail.Range(c.ctx, p, after, upTo, func(batch []events.Recorded, _ int64) error {
		for i := range batch {
			if err := c.catchUp(&batch[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// catchUp sends the frame that the connection would have got of an event, at the
// pace at which the client reads.
func (c *session) catchUp(e *events.Recorded) error {
	f := frameFor(c.bound.id, c.own.Load(), e, c.server.tail.Book())
	if f == nil || c.wasAnswered(e.Position) {
		return nil
	}
	if err := c.conn.AwaitQueued(c.ctx, c.server.backlogLimit()); err != nil {
		return err
	}
	c.put(f.encode(c.server.o.Dates))
	c.bound.saw(c.server.index(e.Position.Partition), e.Position.Offset)
	c.server.o.Metrics.Pushed(f.MsgType, 1)
	return nil
}

func (c *session) wasAnswered(p events.Position) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.answered[p]
	return ok
}
