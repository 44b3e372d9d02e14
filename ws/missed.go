package ws

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"

	"lishi/events"
)

// Feed is the read model of what was pushed to whom.
type Feed interface {
	// Backlog hands on, in offset order, the pushed events of a partition that
	// concern any of the users, of those in (after, upTo] that the read model has,
	// and says how far that is. It may hand on more than concerns them.
	Backlog(ctx context.Context, users []string, p events.Partition, after, upTo int64, each func(events.Recorded) error) (passed int64, err error)
}

const (
	// maxPasses is how many passes over a partition run at once; more wait.
	maxPasses = 16
	// maxPass is how many bytes of events one pass collects, and maxChunk how many
	// of them for one connection; what is left comes with another pass.
	maxPass  = 16 << 20
	maxChunk = 1 << 20
	// maxUsers is how many users' backlogs one look at the feed brings.
	maxUsers = 256
)

// missed is what one connection missed of a partition: it wants the events in
// (after, upTo], and gets those up to passed.
type missed struct {
	session     *session
	ctx         context.Context // ends with the connection
	after, upTo int64

	frames []*Frame
	size   int
	passed int64
	err    error
	done   chan struct{}

	last int64 // offset of the last event that was looked at
	over bool  // nothing more is collected for it in this pass
}

func (m *missed) gap() int64 { return m.upTo - m.after }

// gatherer reads a partition for connections that missed something of it. Whoever
// comes while it reads waits, and all who wait share the next pass: each event is
// looked at once for all of them, so a thousand who come back together cost little
// more than one. It has no goroutine while nobody waits.
type gatherer struct {
	server    *Server
	partition events.Partition
	pass      func(*gatherer, []*missed) (left []*missed)

	mu      sync.Mutex
	waiting []*missed
	reading bool
	turn    int // passes so far
}

// read waits for a pass that serves m.
func (g *gatherer) read(m *missed) error {
	m.passed, m.last, m.done = m.after, m.after, make(chan struct{})
	g.mu.Lock()
	g.waiting = append(g.waiting, m)
	if !g.reading {
		g.reading = true
		go g.run()
	}
	g.mu.Unlock()
	select {
	case <-m.done:
		return m.err
	case <-m.ctx.Done():
		return m.ctx.Err()
	}
}

func (g *gatherer) run() {
	for {
		g.server.passes <- struct{}{}
		g.mu.Lock()
		asks := slices.DeleteFunc(g.waiting, func(m *missed) bool { return m.ctx.Err() != nil })
		g.waiting = nil
		g.turn++
		if len(asks) == 0 {
			g.reading = false
			g.mu.Unlock()
			<-g.server.passes
			return
		}
		g.mu.Unlock()
		left := g.pass(g, asks)
		<-g.server.passes
		g.mu.Lock()
		g.waiting = append(left, g.waiting...)
		g.mu.Unlock()
	}
}

// near is a pass for those who missed little: over the log, or its memory.
func (g *gatherer) near(asks []*missed) (left []*missed) {
	g.scan(asks)
	return nil
}

// far is a pass for those who were away for long. Where so many come back that
// they share it, the tail's memory is looked through; else the feed tells what
// each of them missed, so that it does not cost what happened to others. Those
// who were away for about equally long go together, by turns the shortest and the
// longest, so that neither waits for the other.
func (g *gatherer) far(asks []*missed) (left []*missed) {
	s := g.server
	remembered, lo, hi := 0, events.Now, int64(0)
	for _, m := range asks {
		if s.tail.Holds(g.partition, m.after) {
			remembered, lo, hi = remembered+1, min(lo, m.after), max(hi, m.upTo)
		}
	}
	if remembered > 0 && hi-lo <= s.o.LogGap*int64(remembered) {
		asks, left = divide(asks, func(m *missed) bool { return s.tail.Holds(g.partition, m.after) })
		g.scan(asks)
		return left
	}
	slices.SortStableFunc(asks, func(a, b *missed) int { return cmp.Compare(a.gap(), b.gap()) })
	if g.turn%2 == 0 {
		slices.Reverse(asks)
	}
	first, n := asks[0].gap(), 0
	asks, left = divide(asks, func(m *missed) bool {
		n++
		return n <= maxUsers && m.gap() <= 4*first && first <= 4*m.gap()
	})
	g.feed(asks)
	return left
}

func divide(asks []*missed, these func(*missed) bool) (yes, no []*missed) {
	for _, m := range asks {
		if these(m) {
			yes = append(yes, m)
		} else {
			no = append(no, m)
		}
	}
	return yes, no
}

var errEnough = errors.New("ws: enough for one pass")

// sharing is one pass: whom which audience's events go to, and how far it is.
type sharing struct {
	gatherer *gatherer
	asks     []*missed
	by       map[string][]*missed // by audience, as FeedAudiences names them
	lo, hi   int64
	at       int64 // every event up to it was considered
	size     int
}

func (g *gatherer) share(asks []*missed) *sharing {
	h := &sharing{gatherer: g, asks: asks, by: map[string][]*missed{}, lo: events.Now}
	relations := g.server.tail.Book().Ledger(g.partition).Relations()
	for _, m := range asks {
		m.frames, m.size, m.last, m.over = nil, 0, m.after, false
		h.lo, h.hi = min(h.lo, m.after), max(h.hi, m.upTo)
		user := m.session.bound.id
		key := events.UserStream(user).Key()
		h.by[key] = append(h.by[key], m)
		for _, group := range relations.Groups(user) {
			key := group.Key()
			h.by[key] = append(h.by[key], m)
		}
	}
	h.at = h.lo
	return h
}

// look gives an event to all whom it concerns.
func (h *sharing) look(e *events.Recorded) {
	at := e.Position.Offset
	for _, key := range FeedAudiences(*e, h.gatherer.server.tail.Book()) {
		for _, m := range h.by[key] {
			if m.over || at <= m.last || at > m.upTo {
				continue
			}
			m.last = at
			before := m.size
			m.collect(e)
			h.size += m.size - before
			if m.size >= maxChunk {
				m.over, m.passed = true, at
			}
		}
	}
}

// wanted tells whether the pass goes on: there is room, and somebody to go on for.
func (h *sharing) wanted() bool {
	return h.size < maxPass && slices.ContainsFunc(h.asks, func(m *missed) bool {
		return !m.over && h.at < m.upTo && m.ctx.Err() == nil
	})
}

// end answers those who asked. Who wants more asks again.
func (h *sharing) end(err error) {
	for _, m := range h.asks {
		if m.err = err; !m.over {
			m.passed = max(m.after, min(h.at, m.upTo))
		}
		close(m.done)
	}
}

// scan goes over the log, or what of it is in memory.
func (g *gatherer) scan(asks []*missed) {
	h := g.share(asks)
	err := g.server.tail.Range(g.server.base, g.partition, h.lo, h.hi, func(batch []events.Recorded, passed int64) error {
		for i := range batch {
			h.look(&batch[i])
		}
		if h.at = passed; !h.wanted() {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	h.end(err)
}

// feed asks the read model, and the log where that has come no further.
func (g *gatherer) feed(asks []*missed) {
	h := g.share(asks)
	var users []string
	for _, m := range asks {
		users = append(users, m.session.bound.id)
	}
	slices.Sort(users)
	last := h.lo
	passed, err := g.server.feed.Backlog(g.server.base, slices.Compact(users), g.partition, h.lo, h.hi, func(e events.Recorded) error {
		if e.Position.Offset <= last {
			return nil
		}
		if !h.wanted() {
			return errEnough
		}
		last = e.Position.Offset
		h.look(&e)
		h.at = last
		return nil
	})
	switch {
	case errors.Is(err, errEnough):
	case err == nil && passed > h.lo:
		h.at = passed
	default: // the log has everything that the feed has
		if err != nil && g.server.base.Err() == nil {
			g.server.o.Logger.Warn("the feed can't be read; resuming from the log", "partition", g.partition, "after", h.lo, "error", err)
		}
		g.scan(asks)
		return
	}
	h.end(nil)
}

// collect adds the frame that the connection would have got of an event.
func (m *missed) collect(e *events.Recorded) {
	c := m.session
	f := frameFor(c.bound.id, c.own.Load(), e, c.server.tail.Book())
	if f == nil || c.wasAnswered(e.Position) {
		return
	}
	m.frames = append(m.frames, f)
	m.size += 1 << 10 // what the event holds beside its content
	if b, ok := e.Body.(events.MessageSent); ok {
		m.size += len(b.Content.Plain)
	}
}
