package ws

import (
	"slices"
	"sync"

	"lishi/events"
	"lishi/events/ledger"
	"lishi/events/seededfault"
)

// Observe implements tail.Observer: it answers those who wait for the record, in
// the same queues as the pushes, and pushes it to everybody whom it is for.
func (s *Server) Observe(r events.Recorded, v ledger.Verdict) {
	origins := s.handler.Settle(r, v)
	if v.Void() || s.hub.logins.Load() == 0 {
		return
	}
	d := delivery{server: s, event: &r, part: s.index(r.Position.Partition), origins: origins}
	for a, f := range Route(&r, s.tail.Book()) {
		d.frame, d.msgType, d.own = f, f.MsgType, a.Own
		if a.User != "" {
			d.user(a.User)
		} else {
			d.group(a)
		}
		d.count()
	}
}

// delivery is one event on its way to the connections. Nobody gets two frames of
// it: told holds the users whom an earlier, more specific frame named.
type delivery struct {
	server  *Server
	event   *events.Recorded
	part    int
	origins []any
	told    []string

	frame   *Frame
	msgType string
	own     bool
	of      *Frame // the frame that encoded is of
	encoded encoded
	sent    int
}

func (d *delivery) user(id string) {
	if slices.Contains(d.told, id) {
		return
	}
	d.told = append(d.told, id)
	if p := d.server.hub.find(id); p != nil {
		d.person(p)
	}
}

// group goes through the members or through the people who are connected,
// whichever are fewer.
func (d *delivery) group(a Audience) {
	at := d.event.Position.Offset
	relations := d.server.tail.Book().Relations(a.Group)
	if int64(relations.Count(a.Group, at)) > 2*d.server.hub.logins.Load() {
		for p := range d.server.hub.everybody() {
			if _, member := relations.Member(a.Group, p.id, at); member && !d.passes(p.id, a) && a.saw(p.id, relations) {
				d.person(p)
			}
		}
		return
	}
	relations.Members(a.Group, at, func(id string, _ events.Role) bool {
		if p := d.server.hub.find(id); p != nil && !d.passes(id, a) && a.saw(id, relations) {
			d.person(p)
		}
		return true
	})
}

func (d *delivery) passes(id string, a Audience) bool {
	return id == a.Except || slices.Contains(d.told, id)
}

// person gives the frame to each of a user's connections but those that got the
// result, and those that did not ask for it. The user has seen the event before
// the first of them can send a query because of it.
func (d *delivery) person(p *person) {
	at, saw := d.event.Position.Offset, false
	for _, c := range p.connections() {
		if !c.live(d.part) || d.own && !c.own.Load() {
			continue
		}
		if !saw {
			p.saw(d.part, at)
			saw = true
		}
		if slices.Contains(d.origins, any(c)) {
			continue
		}
		if d.of != d.frame {
			d.of, d.encoded = d.frame, d.frame.encode(d.server.o.Dates)
		}
		c.deliver(d.part, at, d.encoded)
		if seededfault.Sometimes(seededfault.DeliverTwice, 100) {
			c.deliver(d.part, at, d.encoded)
		}
		d.sent++
	}
}

func (d *delivery) count() {
	if d.sent > 0 {
		d.server.o.Metrics.Pushed(d.msgType, d.sent)
		d.sent = 0
	}
}

// heldFrame is a push or a success that waits until login or backlog are out.
type heldFrame struct {
	part    int
	offset  int64
	push    encoded
	success []byte // instead of a push
}

func (h *heldFrame) size() int { return h.push.size + len(h.success) + 64 }

// held is what a connection holds back.
type held struct {
	frames   []heldFrame
	size     int
	overflow bool // pushes were dropped: the backlog has to bring them
}

// maxAnswered bounds what a connection that is not logged in remembers.
const maxAnswered = 4096

// hold makes pushes and successes wait from now on.
func (c *session) hold() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held == nil {
		c.held = &held{}
	}
	c.gate.Store(true)
}

// deliver sends a push, or holds it.
func (c *session) deliver(part int, offset int64, e encoded) {
	if c.gate.Load() && c.keep(heldFrame{part: part, offset: offset, push: e}) {
		return
	}
	c.put(e)
}

func (c *session) put(e encoded) {
	if e.whole != nil {
		c.conn.Send(e.whole)
		return
	}
	c.conn.SendHole(e.hole, c.bound.hole)
}

// keep holds a frame, if frames are held. Of too many pushes none are kept: the
// backlog goes on until it has brought them.
func (c *session) keep(h heldFrame) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.keepLocked(h)
}

func (c *session) keepLocked(f heldFrame) bool {
	h := c.held
	if h == nil || c.gone {
		return c.gone
	}
	if f.success == nil {
		if h.overflow {
			return true
		}
		if h.size+f.size() > c.server.heldLimit() {
			h.overflow = true
			h.dropPushes(func(*heldFrame) bool { return true })
			return true
		}
	}
	h.size += f.size()
	h.frames = append(h.frames, f)
	return true
}

// dropPushes forgets held pushes, never successes. The caller holds the session's mu.
func (h *held) dropPushes(which func(*heldFrame) bool) {
	h.frames = slices.DeleteFunc(h.frames, func(f heldFrame) bool {
		if f.success != nil || !which(&f) {
			return false
		}
		h.size -= f.size()
		return true
	})
}

// heldLimit and backlogLimit together stay below what the connection's queue
// takes, so that a resume alone never makes a slow consumer.
func (s *Server) heldLimit() int    { return s.o.Wire.QueueLimit / 4 }
func (s *Server) backlogLimit() int { return s.o.Wire.QueueLimit / 4 }

// flushBefore sends what was held although the login's cursor has passed it: on a
// connection that was logged in before.
func (c *session) flushBefore(cursor events.Cursor) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.held
	if h == nil { // it is closing
		return
	}
	rest := h.frames[:0]
	for _, f := range h.frames {
		if f.offset > cursor[c.server.partitions[f.part]] {
			rest = append(rest, f)
			continue
		}
		h.size -= f.size()
		c.sendHeld(f)
	}
	h.frames = rest
}

func (c *session) sendHeld(h heldFrame) {
	if h.success != nil {
		c.conn.SendText(h.success)
		c.slots.give()
		return
	}
	c.put(h.push)
}

// release ends the holding: push 15 after a backlog, then everything held. Where
// pushes were dropped it does nothing and says so.
func (c *session) release(reached events.Cursor, backlog bool) (done bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.held
	if h == nil { // it is closing
		return true
	}
	if h.overflow {
		return false
	}
	if backlog {
		c.sendFrame(backlogDelivered(reached))
		c.server.o.Metrics.Pushed("15", 1)
	}
	for _, f := range h.frames {
		c.sendHeld(f)
	}
	c.held, c.answered = nil, nil
	c.gate.Store(false)
	return true
}

// sendFrame sends a frame that is this connection's alone.
func (c *session) sendFrame(f *Frame) {
	b := scratch.Get().(*[]byte)
	out, _, _ := f.json((*b)[:0], c.server.o.Dates)
	c.conn.SendText(out)
	*b = out
	scratch.Put(b)
}

// maxScratch is the largest buffer that scratch keeps.
const maxScratch = 64 << 10

// scratch is where results are put together before the connection copies them.
var scratch = sync.Pool{New: func() any { b := make([]byte, 0, 1024); return &b }}

// send writes a result that is in no order with pushes.
func (c *session) send(r *reply) {
	c.write(r, func(b []byte) { c.conn.SendText(b) })
}

// succeed writes the result of a command that appended: behind what was pushed
// before it, and behind the backlog.
func (c *session) succeed(r *reply) {
	c.write(r, func(b []byte) {
		if !c.postpone(r.position, b) {
			c.conn.SendText(b)
			c.slots.give()
		}
	})
}

// postpone holds a success while frames are held. Its place among the commands
// under way is free only once it is sent, so that a connection never holds more
// than those. A success of a connection that is not logged in, or held, is
// remembered: a backlog must not bring it as a push.
func (c *session) postpone(p events.Position, b []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if (c.bound == nil || c.held != nil) && !c.gone && len(c.answered) < maxAnswered {
		if c.answered == nil {
			c.answered = map[events.Position]struct{}{}
		}
		c.answered[p] = struct{}{}
	}
	return c.held != nil && c.keepLocked(heldFrame{part: c.server.index(p.Partition), offset: p.Offset, success: slices.Clone(b)})
}

func (c *session) write(r *reply, out func([]byte)) {
	b := scratch.Get().(*[]byte)
	text, err := r.appendTo((*b)[:0])
	if err != nil {
		c.server.o.Logger.Error("a query's rows can't be written", "url", r.url.Path, "error", err)
		*r = reply{url: r.url, uniqueNo: r.uniqueNo, refusal: errRows}
		text, _ = r.appendTo(text)
	}
	out(text)
	if cap(text) <= maxScratch {
		*b = text
		scratch.Put(b)
	}
}
