package ws

import (
	"context"

	"lishi/events"
	"lishi/events/seededfault"
	"lishi/ws/wire"
)

// resume delivers what the connection missed: the events in (from, joined] of
// each partition, in order. Live frames are held meanwhile; where they became too
// many, another round brings them. Then come push 15 and what was held.
func (c *session) resume(from, joined events.Cursor, told bool) {
	ctx, end := c.begin()
	defer end()
	defer close(c.resuming)
	for {
		for _, p := range c.server.partitions {
			if err := c.backlog(ctx, p, from[p], joined[p]); err != nil {
				if ctx.Err() == nil {
					c.server.o.Logger.Error("a backlog can't be delivered", "partition", p, "after", from[p], "upTo", joined[p], "error", err)
					c.conn.Close(wire.CloseInternal, "the backlog can't be read; log in again with the cursor")
				}
				return
			}
		}
		if c.conn.AwaitQueued(ctx, c.server.backlogLimit()) != nil || c.release(joined, told) {
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
	if c.held != nil {
		c.held.overflow = false
	}
	c.mu.Unlock()
	joined := c.meet()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held != nil {
		c.held.dropPushes(func(h *heldFrame) bool { return h.offset <= joined[c.server.partitions[h.part]] })
	}
	return joined
}

// backlog delivers the events in (after, upTo] of a partition, chunk by chunk: what
// is read at once is bounded by the passes that read, how long a client takes to
// read it is not.
func (c *session) backlog(ctx context.Context, p events.Partition, after, upTo int64) error {
	if seededfault.Planted(seededfault.LoseOnResume) {
		after++
	}
	for after < upTo {
		m := missed{session: c, ctx: ctx, after: after, upTo: upTo}
		if err := c.server.gatherer(p, m.gap()).read(&m); err != nil {
			return err
		}
		for _, f := range m.frames {
			if err := c.conn.AwaitQueued(ctx, c.server.backlogLimit()); err != nil {
				return err
			}
			c.put(f.encode(c.server.o.Dates))
			c.server.o.Metrics.Pushed(f.MsgType, 1)
		}
		after = m.passed
	}
	return nil
}

// gatherer is who reads a gap of a partition.
func (s *Server) gatherer(p events.Partition, gap int64) *gatherer {
	i := s.index(p)
	if s.feed != nil && gap > s.o.LogGap {
		return s.far[i]
	}
	return s.near[i]
}

func (c *session) wasAnswered(p events.Position) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.answered[p]
	return ok
}
