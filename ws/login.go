package ws

import (
	"context"
	"errors"
	"time"

	"lishi/commands"
	"lishi/events"
	"lishi/ws/wire"
)

const (
	maxFailedLogins = 10
	registerTimeout = 10 * time.Second
	cursorTimeout   = 5 * time.Second
)

// logIn binds the connection to its user's pushes: push 8 is the answer.
func (c *session) logIn(q *request, started time.Time) error {
	ctx, end := c.begin()
	defer end()
	bad, wait := c.admit(q, started)
	var l login
	if bad == nil {
		l, bad = c.readLogin(q)
	}
	if bad == nil {
		c.awaitResume(ctx)
		bad = c.bind(ctx, l)
	}
	c.server.count(q.url, bad, started)
	if bad == nil {
		return nil
	}
	c.sendLoginFailure(q.uniqueNo, bad, wait)
	switch bad.Reason {
	case commands.RateLimited:
		return c.flood(bad, started)
	case commands.Unavailable, commands.Unknown: // not the client's fault
		return nil
	}
	if c.failed++; c.failed == maxFailedLogins {
		return &wire.CloseError{Code: CloseNoLogin, Text: "ten failed logins"}
	}
	return nil
}

// awaitResume lets an earlier login of this connection have its backlog first.
func (c *session) awaitResume(ctx context.Context) {
	if c.resuming != nil {
		select {
		case <-c.resuming:
		case <-ctx.Done():
		}
	}
}

// loginParams are /chat/login's own params.
type loginParams struct {
	Cursor string `param:"cursor,cursor,optional"` // to resume from; without one the login starts live
	Own    bool   `param:"own,bool,optional"`      // pushes 3, 5, 6, 7 and 11 of own acts are wanted too
}

// login is what a login asks for.
type login struct {
	uniqueNo string
	cursor   events.Cursor // nil: start live
	own      bool
}

func (c *session) readLogin(q *request) (l login, bad *commands.Refusal) {
	if l.uniqueNo, bad = q.id(c.server.o.Limits.ID); bad != nil {
		return l, bad
	}
	into, bad := q.url.plan.decode(q.params, c.server.o.Limits, nil)
	if bad != nil {
		return l, bad
	}
	p := into.(*loginParams)
	if l.own = p.Own; p.Cursor != "" {
		l.cursor, _ = events.ParseCursor(p.Cursor) // the plan has checked it
	}
	return l, nil
}

// bind checks the cursor, registers the user, and joins delivery.
func (c *session) bind(ctx context.Context, l login) *commands.Refusal {
	if bad := c.server.ready(); bad != nil {
		return bad
	}
	if !c.server.begin() {
		return errGoing
	}
	defer c.server.end()
	if bad := c.checkCursor(ctx, l.cursor); bad != nil {
		return bad
	}
	ctx, cancel := context.WithTimeout(ctx, registerTimeout)
	defer cancel()
	if bad := c.register(ctx); bad != nil {
		return bad
	}
	return c.join(l)
}

// checkCursor refuses what can't be served in full.
func (c *session) checkCursor(ctx context.Context, cursor events.Cursor) *commands.Refusal {
	if cursor == nil {
		return nil
	}
	c.mu.Lock()
	missed := len(c.answered) == maxAnswered
	c.mu.Unlock()
	switch {
	case c.bound != nil:
		return refuse(commands.BadRequest, "cursor: this connection has been logged in already; resume on a new one")
	case missed:
		return refuse(commands.BadRequest, "cursor: too many commands before the login; resume on a new connection")
	}
	layout := c.server.tail.Book().Layout()
	folded := c.server.tail.Folded()
	for p, offset := range cursor {
		if p.Number >= layout.Count(p.Topic) {
			return refuse(commands.BadRequest, "cursor: the log has no partition "+p.String())
		}
		if offset <= folded[p] {
			continue
		}
		// Another node may have been faster: only the log's end tells.
		ctx, cancel := context.WithTimeout(ctx, cursorTimeout)
		err := c.server.tail.CatchUp(ctx, p)
		cancel()
		if err != nil {
			return refuse(commands.Unavailable, "cursor: the log's end can't be asked for; nothing happened")
		}
		if offset > c.server.tail.Folded()[p] {
			return refuse(commands.BadRequest, "cursor: "+events.Position{Partition: p, Offset: offset}.String()+" is beyond the log's end")
		}
	}
	return nil
}

// join lets deliveries begin between two records of each partition. What comes
// before the login's answer is out is held.
func (c *session) join(l login) *commands.Refusal {
	c.own.Store(l.own)
	c.hold()
	if c.bound == nil && !c.enlist() {
		return errGoing
	}
	joined := c.meet()
	c.valid.Store(true)
	c.expire()
	if l.cursor == nil {
		c.sendLogin(l.uniqueNo, joined)
		if !c.release(joined, false) { // more came meanwhile than is held: it is read again
			c.resuming = make(chan struct{})
			go c.resume(joined, c.meetAgain(), false)
		}
		return nil
	}
	from := joined.Clone()
	for p, offset := range l.cursor {
		from[p] = offset
	}
	c.sendLogin(l.uniqueNo, from)
	c.resuming = make(chan struct{})
	go c.resume(from, joined, true)
	return nil
}

// enlist makes the connection one of its user's; false if it is closing.
func (c *session) enlist() bool {
	p := c.user.Load()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone || p == nil {
		return false
	}
	c.bound = p
	joining := make([]bool, len(c.server.partitions))
	c.joining.Store(&joining)
	c.server.hub.login(p, c)
	return true
}

// meet gives, for each partition, an offset between two deliveries: everything
// after it is delivered or held from now on. What came before is in the backlog,
// or else only a query can tell of it: so queries see at least that much.
func (c *session) meet() events.Cursor {
	joined := events.Cursor{}
	joining := c.joining.Load()
	for i, p := range c.server.partitions {
		c.server.tail.Between(p, func(folded int64) {
			if joining != nil {
				(*joining)[i] = true
			}
			joined[p] = folded
			// The client takes over from here: what it asks for next must hold all
			// that came before, or a message would fall between the two.
			c.bound.saw(i, folded)
		})
	}
	c.joining.Store(nil)
	return joined
}

// live tells whether a partition's events are delivered to the connection, which
// is one of its user's. The caller holds the partition's fold lock.
func (c *session) live(part int) bool {
	joining := c.joining.Load()
	return joining == nil || (*joining)[part]
}

// expire closes the connection when the token of its login expires.
func (c *session) expire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.login = c.token
	if c.keys != c.server.keys.Load() { // they changed before this login was known
		go c.recheck()
	}
	switch {
	case c.gone:
	case c.expires == 0:
		c.server.deadlines.drop(c)
	default:
		c.server.deadlines.set(c, time.UnixMilli(c.expires).Sub(c.server.o.Now()))
	}
}

// sendLogin is push 8 of a success.
func (c *session) sendLogin(uniqueNo string, cursor events.Cursor) {
	c.flushBefore(cursor)
	c.push8(loggedIn(uniqueNo, c.bound.id, cursor, c.server.o.Now(), c.server.o.RecallWindow))
}

func loggedIn(uniqueNo, user string, cursor events.Cursor, now time.Time, recallWindow time.Duration) *Frame {
	return &Frame{MsgType: "8", fields: []field{text("code", "200"), text("msg", msgLoggedIn), optional("uniqueNo", uniqueNo),
		text("userId", user), text("cursor", cursor.String()),
		number("time", now.UnixMilli()), number("recallWindowMs", recallWindow.Milliseconds())}}
}

// sendLoginFailure is push 8 of a refusal.
func (c *session) sendLoginFailure(uniqueNo string, bad *commands.Refusal, wait time.Duration) {
	c.push8(notLoggedIn(uniqueNo, bad, wait))
}

func notLoggedIn(uniqueNo string, bad *commands.Refusal, wait time.Duration) *Frame {
	fields := []field{text("code", "400"), text("msg", reasonTable[bad.Reason].text), optional("uniqueNo", uniqueNo),
		text("reason", bad.Reason), text("detail", bad.Detail)}
	if wait > 0 {
		fields = append(fields, number("retryAfterMs", wait.Milliseconds()))
	}
	return &Frame{MsgType: "8", fields: fields}
}

func (c *session) push8(f *Frame) {
	c.sendFrame(f)
	c.server.o.Metrics.Pushed("8", 1)
}

// asRefusal gives the refusal that an error is, or stands for.
func asRefusal(err error) *commands.Refusal {
	var bad *commands.Refusal
	switch {
	case errors.As(err, &bad):
		return bad
	case errors.Is(err, events.ErrUnavailable):
		return refuse(commands.Unavailable, "the log can't be reached; nothing happened")
	}
	return refuse(commands.Unknown, "the log's answer did not come in time")
}
