package ws

import (
	"context"
	"strconv"
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
// lock and a ledger's read lock. While it is held only a shard of the hub, a
// person's mu, the deadlines or the connection's queue are locked.
type session struct {
	server *Server
	conn   *wire.Conn
	from   string // the client's address, for logs

	// The reader's own.
	token    string // the last one that was verified, and what it said
	actor    commands.Actor
	expires  int64  // Unix milliseconds; 0: never
	keys     uint64 // Server.keys then
	patience *patience
	failed   int32 // logins
	known    bool  // the actor is registered

	place int32 // among the deadlines, which guard it

	own     atomic.Bool
	valid   atomic.Bool            // there was a login or a valid request
	gate    atomic.Bool            // holding may be true
	user    atomic.Pointer[person] // of the last request
	bound   *person                // of the login; set once, by the reader, under mu
	slots   places                 // commands under way
	queries places
	// resuming is closed when the login's backlog is out; nil without one.
	resuming chan struct{}

	// joining says, by partition, whether events are delivered already; nil once they
	// are of all. An entry is changed and read under its partition's fold lock.
	joining atomic.Pointer[[]bool]

	mu   sync.Mutex
	gone bool
	held *held // where pushes and successes wait; nil: they don't
	// answered are positions that this connection got as results while nothing
	// was delivered to it: a backlog does not bring them again.
	answered map[events.Position]struct{}
	login    string // the login's token
	work     *work  // what has to end with the connection; nil while there is nothing
}

func newSession(s *Server, conn *wire.Conn, from string) *session {
	c := &session{server: s, conn: conn, from: from}
	s.deadlines.set(c, s.o.LoginTimeout)
	return c
}

// late is called at the session's deadline: that of its login's token, or before a
// login that of the first valid request.
func (c *session) late() {
	c.mu.Lock()
	loggedIn := c.login != ""
	c.mu.Unlock()
	switch {
	case loggedIn:
		c.conn.Close(CloseTokenExpired, "token expired")
	case !c.valid.Load():
		c.conn.Close(CloseNoLogin, "neither login nor valid request in time")
	}
}

// work is a context that ends with the connection, and how many need it.
type work struct {
	ctx    context.Context
	cancel context.CancelFunc
	users  int
}

// begin gives a context that ends with the connection; end is to be called when
// the work is done. A connection without work has no context.
func (c *session) begin() (ctx context.Context, end func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.work
	if w == nil {
		w = &work{}
		w.ctx, w.cancel = context.WithCancel(c.server.base)
		if c.work = w; c.gone {
			w.cancel()
		}
	}
	w.users++
	return w.ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if w.users--; w.users == 0 {
			w.cancel()
			c.work = nil
		}
	}
}

// Closing implements wire.Handler.
func (c *session) Closing(r wire.CloseReason) {
	c.mu.Lock()
	c.gone = true
	c.server.deadlines.drop(c)
	if c.work != nil {
		c.work.cancel()
	}
	c.held, c.answered = nil, nil
	c.mu.Unlock()
	if p := c.user.Swap(nil); p != nil {
		c.server.hub.logout(p, c)
		c.server.hub.leave(p, c.server.o.Now())
	}
	c.server.addresses.leave(c.from)
	c.server.o.Metrics.Closed(strconv.Itoa(int(r.Code)))
	c.server.o.Metrics.Connected(-1) // last: who sees that nobody is open sees all ends
}

// Text implements wire.Handler: one request. What of it may have to wait is rest.
func (c *session) Text(message []byte) (rest func() error, err error) {
	started := c.server.o.Now()
	q := requests.Get().(*request)
	if bad := q.read(message, c.server.urls); bad != nil {
		c.refuse(q, bad, started)
		q.done()
		return nil, nil
	}
	if q.url.Socket {
		return func() error {
			defer q.done()
			return c.logIn(q, started)
		}, nil
	}
	defer q.done()
	if q.url.Path == pathPing {
		c.send(&reply{url: q.url, uniqueNo: q.uniqueNo})
		c.server.count(q.url, nil, started)
		return nil, nil
	}
	bad, wait := c.admit(q, started)
	if bad == nil {
		rest, bad = c.start(q, started)
	}
	if bad != nil {
		c.refuseAfter(q, bad, wait, started)
		return nil, c.flood(bad, started)
	}
	return rest, nil
}

// start decodes the params and sends the request on its way. Where that may have
// to wait it is rest.
func (c *session) start(q *request, started time.Time) (rest func() error, bad *commands.Refusal) {
	d, bad := q.decode(c.server.o.Limits)
	if bad != nil {
		return nil, bad
	}
	c.valid.Store(true)
	if bad := c.server.ready(); bad != nil {
		return nil, bad
	}
	if !c.server.begin() {
		return nil, errGoing
	}
	url := q.url
	switch {
	case d.query != nil && c.queries.take(c.server.o.Queries):
		go c.query(url, d, c.user.Load(), started)
	case d.query == nil && c.known && c.slots.take(c.server.o.InFlight):
		c.submit(url, d, started)
	default:
		return func() error { return c.startLater(url, d, started) }, nil
	}
	return nil, nil
}

// startLater is start for a request that has to wait for a place, or for its user
// to be registered.
func (c *session) startLater(url *URL, d decoded, started time.Time) error {
	ctx, end := c.begin()
	defer end()
	if d.query != nil {
		if !c.queries.await(c.server.o.Queries, ctx.Done()) {
			c.server.end()
			return nil
		}
		go c.query(url, d, c.user.Load(), started)
		return nil
	}
	bad := c.register(ctx)
	if bad == nil && !c.slots.await(c.server.o.InFlight, ctx.Done()) {
		bad = errGoing
	}
	if bad != nil {
		c.server.end()
		c.refuse(&request{url: url, uniqueNo: d.uniqueNo}, bad, started)
		return nil
	}
	c.submit(url, d, started)
	return nil
}

// register sees to it that the log knows the token's user.
func (c *session) register(ctx context.Context) *commands.Refusal {
	if c.known {
		return nil
	}
	if err := c.server.handler.Register(ctx, c.actor); err != nil {
		return asRefusal(err)
	}
	c.known = true
	return nil
}

// submit sends a command on its way and answers when the log has shown it.
func (c *session) submit(url *URL, d decoded, started time.Time) {
	a, _ := answerings.Get().(*answering)
	if a == nil {
		a = new(answering)
		a.done = a.answer
	}
	a.session, a.url, a.uniqueNo, a.person, a.started = c, url, d.uniqueNo, c.user.Load(), started
	c.server.handler.Submit(c.server.base, commands.Request{
		URL: url.Path, Command: d.command, Actor: c.actor, UniqueNo: d.uniqueNo,
		Fingerprint: commands.Fingerprint(url.Path, d.command), Resend: d.resend, Time: started, Origin: c,
	}, a.done)
}

// answering is a command under way whose outcome goes to a connection. It is used
// again, since a command has one outcome.
type answering struct {
	session  *session
	url      *URL
	uniqueNo string
	person   *person // nil where the connection is closing
	started  time.Time
	done     func(commands.Outcome)
}

var answerings sync.Pool // of *answering

func (a *answering) answer(o commands.Outcome) {
	c, url, p, started := a.session, a.url, a.person, a.started
	r := outcome(url, a.uniqueNo, &o)
	*a = answering{done: a.done}
	answerings.Put(a)
	if r.refusal == nil && r.position != (events.Position{}) {
		if p != nil {
			p.saw(c.server.index(r.position.Partition), r.position.Offset)
		}
		c.succeed(&r)
	} else {
		c.send(&r)
		c.slots.give()
	}
	c.server.count(url, r.refusal, started)
	c.server.end()
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

// query answers a query, on a goroutine of its own: as many at once as the
// connection may have.
func (c *session) query(url *URL, d decoded, p *person, started time.Time) {
	ctx, end := c.begin()
	defer end()
	defer c.queries.give()
	r := c.server.ask(ctx, url, d, p)
	var gone <-chan struct{}
	c.write(&r, func(b []byte) { gone = c.sendRows(b) })
	c.server.count(url, r.refusal, started)
	c.server.end()
	if gone != nil {
		select { // until then it keeps its place among the queries
		case <-gone:
		case <-ctx.Done():
		}
	}
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

// patience is how many refusals for the rate are still put up with on a connection;
// they are forgiven as fast as the rate allows requests. One without any has none.
type patience struct {
	left   float64
	filled time.Duration
}

// flood closes a connection that goes on in spite of rate_limited.
func (c *session) flood(bad *commands.Refusal, now time.Time) error {
	if bad.Reason != commands.RateLimited {
		return nil
	}
	at, most := c.server.hub.since(now), max(100, 4*float64(c.server.o.Burst))
	p := c.patience
	if p == nil {
		p = &patience{left: most, filled: at}
		c.patience = p
	}
	p.left, p.filled = refill(p.left, p.filled, at, float64(c.server.o.Rate), most)
	if p.left--; p.left < 0 {
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
