package ws

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"lishi/commands"
	"lishi/events"
	"lishi/ws/wire"
)

// Close codes of the protocol, beside those of package wire.
const (
	CloseTokenExpired uint16 = 4001
	CloseNoLogin      uint16 = 4003 // ten failed logins, or neither login nor valid request in time
	CloseFlood        uint16 = 4009 // requests that ignore rate_limited
)

// session is one connection: who speaks over it, and what waits for it.
//
// mu is taken with nothing held, or by delivery with a partition's fold
// lock and a ledger's read lock held. While it is held only a person's mu or the
// connection's queue is locked.
type session struct {
	server *Server
	conn   *wire.Conn
	from   string          // the client's address, for logs
	ctx    context.Context // ends with the connection
	cancel context.CancelFunc

	// The reader's own.
	token      string // the last one that was verified, and what it said
	claims     Claims
	keys       uint64 // Server.keys then
	registered commands.Actor
	failed     int     // logins
	patience   float64 // refusals for the rate that are still put up with
	refilled   time.Time

	user    atomic.Pointer[person] // of the last request
	bound   *person                // of the login; set once, by the reader, under mu
	own     atomic.Bool
	valid   atomic.Bool // there was a login or a valid request
	slots   chan struct{}
	queries chan struct{}
	// resuming is closed when the login's backlog is out; nil without one.
	resuming chan struct{}

	// live says, by partition, whether events are delivered. An entry is changed
	// and read under its partition's fold lock.
	live []bool
	gate atomic.Bool // holding may be true

	mu       sync.Mutex
	holding  bool // pushes and successes wait in held
	held     []heldFrame
	heldSize int
	overflow bool // pushes were dropped from held: the backlog has to bring them
	// answered are positions that this connection got as results while nothing
	// was delivered to it: a backlog does not bring them again.
	answered map[events.Position]struct{}
	login    string      // the login's token
	loginBy  *time.Timer // closes the connection that has said nothing valid
	tokenBy  *time.Timer // closes it when the login's token expires
	gone     bool
}

func newSession(s *Server, conn *wire.Conn, from string) *session {
	c := &session{
		server: s, conn: conn, from: from,
		slots: make(chan struct{}, s.o.InFlight), queries: make(chan struct{}, s.o.Queries),
		live: make([]bool, len(s.partitions)), patience: s.patience(), refilled: s.o.Now(),
	}
	c.ctx, c.cancel = context.WithCancel(s.base)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.loginBy = time.AfterFunc(s.o.LoginTimeout, func() {
		if !c.valid.Load() {
			conn.Close(CloseNoLogin, "neither login nor valid request in time")
		}
	})
	return c
}

// Closing implements wire.Handler.
func (c *session) Closing(r wire.CloseReason) {
	c.cancel()
	c.mu.Lock()
	c.gone = true
	c.loginBy.Stop()
	if c.tokenBy != nil {
		c.tokenBy.Stop()
	}
	c.held, c.answered = nil, nil
	c.mu.Unlock()
	if p := c.user.Swap(nil); p != nil {
		c.server.hub.logout(p, c)
		p.leave(c.server.o.Now())
	}
	c.server.o.Metrics.Closed(strconv.Itoa(int(r.Code)))
	c.server.o.Metrics.Connected(-1) // last: who sees that nobody is open sees all ends
}

// Text implements wire.Handler: one request.
func (c *session) Text(message []byte) error {
	started := c.server.o.Now()
	q := requests.Get().(*request)
	defer q.done()
	if bad := q.read(message, c.server.urls); bad != nil {
		c.refuse(q, bad, started)
		return nil
	}
	switch {
	case q.url.Path == pathPing:
		c.send(&reply{url: q.url, uniqueNo: q.uniqueNo})
		c.server.count(q.url, nil, started)
		return nil
	case q.url.Socket:
		return c.logIn(q, started)
	}
	bad, wait := c.admit(q, started)
	if bad == nil {
		bad = c.start(q, started)
	}
	if bad != nil {
		c.refuseAfter(q, bad, wait, started)
		return c.flood(bad, started)
	}
	return nil
}

// admit checks token and rate.
func (c *session) admit(q *request, now time.Time) (bad *commands.Refusal, wait time.Duration) {
	if bad := c.authorise(q, now); bad != nil {
		return bad, 0
	}
	p := c.user.Load()
	if p == nil || p.id != c.claims.UserID {
		if p = c.become(c.claims.UserID, now); p == nil {
			return errGoing, 0
		}
	}
	if wait = c.server.hub.take(p, now); wait > 0 {
		return errRate, wait
	}
	return nil, 0
}

var errRate = refuse(commands.RateLimited, "more requests than this user's rate allows; wait, then send again")

// authorise verifies the request's token, or remembers it from the last request.
func (c *session) authorise(q *request, now time.Time) *commands.Refusal {
	v, bad := q.params.find("token")
	switch {
	case bad != nil:
		return bad
	case v.kind == kindNone:
		return refuse(commands.Unauthorized, "token is missing")
	case c.token == "" || c.keys != c.server.keys.Load() || v.kind != kindString || !v.is(c.token):
		token, bad := v.str("token")
		if bad != nil {
			return bad
		}
		keys := c.server.keys.Load() // before, or a change meanwhile would pass unseen
		claims, err := c.server.check(token, c.from, now)
		if err != nil {
			return err
		}
		if c.bound != nil && claims.UserID != c.bound.id {
			return refuse(commands.Unauthorized, "the token is another user's than the login's")
		}
		c.token, c.claims, c.keys = strings.Clone(token), claims, keys // the token alone, not its frame
	case expired(c.claims, now):
		return refuse(commands.Unauthorized, "token has expired")
	}
	return nil
}

func expired(c Claims, now time.Time) bool { return !c.Expires.IsZero() && !now.Before(c.Expires) }

// check verifies a token. Its user id must be one that the protocol can carry.
func (s *Server) check(token, from string, now time.Time) (Claims, *commands.Refusal) {
	claims, err := s.verify(token, now)
	if err != nil {
		s.o.Logger.Info("a token was refused", "from", from, "error", err)
		return claims, refuse(commands.Unauthorized, err.Error())
	}
	if claims.UserID == "" {
		return claims, refuse(commands.Unauthorized, "the token names no user")
	}
	if bad := checkID("the token's sub", claims.UserID, s.o.Limits.ID); bad != nil {
		return claims, refuse(commands.Unauthorized, bad.Detail)
	}
	if len(claims.Name) > s.o.Limits.Name {
		return claims, refuse(commands.Unauthorized, tooLong("the token's name", len(claims.Name), s.o.Limits.Name).Detail)
	}
	return claims, nil
}

// become lets the connection hold another person; nil if it is closing.
func (c *session) become(user string, now time.Time) *person {
	p := c.server.hub.enter(user, now, true)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		p.leave(now)
		return nil
	}
	if old := c.user.Swap(p); old != nil {
		old.leave(now)
	}
	return p
}

// start decodes the params and sends the request on its way.
func (c *session) start(q *request, started time.Time) *commands.Refusal {
	d, bad := q.decode(c.server.o.Limits)
	if bad != nil {
		return bad
	}
	c.valid.Store(true)
	if bad := c.server.ready(); bad != nil {
		return bad
	}
	if !c.server.begin() {
		return errGoing
	}
	if d.query != nil {
		c.query(q.url, d, started)
		return nil
	}
	actor := commands.Actor{ID: c.claims.UserID, Name: c.claims.Name}
	if actor != c.registered {
		if err := c.server.handler.Register(c.ctx, actor); err != nil {
			c.server.end()
			return asRefusal(err)
		}
		c.registered = actor
	}
	select {
	case c.slots <- struct{}{}:
	case <-c.ctx.Done():
		c.server.end()
		return errGoing
	}
	c.submit(q.url, d, actor, started)
	return nil
}

// submit sends a command on its way and answers when the log has shown it.
func (c *session) submit(url *URL, d decoded, actor commands.Actor, started time.Time) {
	p := c.user.Load()
	c.server.handler.Submit(c.server.base, commands.Request{
		URL: url.Path, Command: d.command, Actor: actor, UniqueNo: d.uniqueNo,
		Fingerprint: commands.Fingerprint(url.Path, d.command), Resend: d.resend, Time: started, Origin: c,
	}, func(o commands.Outcome) {
		r := outcome(url, d.uniqueNo, &o)
		if r.refusal == nil && r.position != (events.Position{}) {
			if p != nil {
				p.saw(c.server.index(r.position.Partition), r.position.Offset)
			}
			c.succeed(&r)
		} else {
			c.send(&r)
			<-c.slots
		}
		c.server.count(url, r.refusal, started)
		c.server.end()
	})
}

// outcome is the reply to a command.
func outcome(url *URL, uniqueNo string, o *commands.Outcome) reply {
	r := reply{url: url, uniqueNo: uniqueNo}
	if o.Err != nil {
		r.refusal = asRefusal(o.Err)
		return r
	}
	if o.Event.Body != nil {
		r.position, r.time, r.ids = o.Event.Position, o.Event.Time.UnixMilli(), madeBy(&o.Event)
	}
	return r
}

// query runs beside the reader, as many at once as the connection may have.
func (c *session) query(url *URL, d decoded, started time.Time) {
	select {
	case c.queries <- struct{}{}:
	case <-c.ctx.Done():
		c.server.end()
		return
	}
	p := c.user.Load()
	go func() {
		defer func() { <-c.queries }()
		r := c.server.ask(c.ctx, url, d, p)
		var gone <-chan struct{}
		c.write(&r, func(b []byte) { gone = c.sendRows(b) })
		c.server.count(url, r.refusal, started)
		c.server.end()
		if gone != nil {
			select { // until then it keeps its place among the queries
			case <-gone:
			case <-c.ctx.Done():
			}
		}
	}()
}

// sendRows sends a query's answer. A page can be longer than what may wait for a
// connection; then gone tells when it is written.
func (c *session) sendRows(b []byte) (gone <-chan struct{}) {
	if len(b) > c.server.o.Wire.QueueLimit/64 {
		return c.conn.SendLarge(b)
	}
	c.conn.SendText(b)
	return nil
}

// refuse answers a request that goes no further.
func (c *session) refuse(q *request, bad *commands.Refusal, started time.Time) {
	c.refuseAfter(q, bad, 0, started)
}

func (c *session) refuseAfter(q *request, bad *commands.Refusal, wait time.Duration, started time.Time) {
	r := reply{url: q.url, uniqueNo: q.uniqueNo, refusal: bad, retryAfter: wait.Milliseconds()}
	c.send(&r)
	c.server.count(q.url, bad, started)
}

// patience is how many refusals for the rate a connection may have at once; they
// are forgiven as fast as the rate allows requests.
func (s *Server) patience() float64 { return max(100, 4*float64(s.o.Burst)) }

// flood closes a connection that goes on in spite of rate_limited.
func (c *session) flood(bad *commands.Refusal, now time.Time) error {
	if bad.Reason != commands.RateLimited {
		return nil
	}
	c.patience, c.refilled = refill(c.patience, c.refilled, now, float64(c.server.o.Rate), c.server.patience())
	if c.patience--; c.patience < 0 {
		return &wire.CloseError{Code: CloseFlood, Text: "flood"}
	}
	return nil
}

// count tells the metrics of a finished request.
func (s *Server) count(url *URL, refusal *commands.Refusal, started time.Time) {
	path, reason := "none", "ok"
	if url != nil {
		path = url.Path
	}
	if refusal != nil {
		reason = refusal.Reason
	}
	s.o.Metrics.Requested(path, reason, s.o.Now().Sub(started))
}
