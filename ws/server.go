package ws

import (
	"context"
	"iter"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"lishi/commands"
	"lishi/events"
	"lishi/events/ledger"
	"lishi/events/tail"
	"lishi/projections/dates"
	"lishi/ws/wire"
)

// Claims are what a token says of its bearer.
type Claims struct {
	UserID  string
	Name    string
	Role    string
	Expires time.Time // zero: never
}

// Verify checks a token's signature and times, and gives its claims.
type Verify func(token string, now time.Time) (Claims, error)

// Handler takes commands to the log. Its methods are those of commands.Handler.
type Handler interface {
	Register(context.Context, commands.Actor) error
	Submit(context.Context, commands.Request, func(commands.Outcome))
	Settle(events.Recorded, ledger.Verdict) []any
}

// Tail is what delivery needs of tail.Tail.
type Tail interface {
	Book() *ledger.Book
	Ready() <-chan struct{}
	Folded() events.Cursor
	CatchUp(context.Context, events.Partition) error
	Between(events.Partition, func(folded int64))
	Range(ctx context.Context, p events.Partition, after, upTo int64, each tail.Each) error
	Holds(p events.Partition, after int64) bool
}

// Metrics counts what happens. Its methods are called on hot paths.
type Metrics interface {
	Connected(delta int)
	Closed(code string)
	Refused(why string)                               // a connection that was not taken: all or address
	Requested(url, reason string, took time.Duration) // reason is ok for a success
	Pushed(msgType string, n int)
}

// Options are a deployment's settings. A zero field means its default.
type Options struct {
	Wire   wire.Options
	Limits commands.Limits // commands.DefaultLimits
	Dates  dates.Format    // the seed's, in Asia/Shanghai
	// Rate is how many requests a second a user may make, Burst how many at once
	// (four times Rate). 0 is no limit.
	Rate, Burst int
	// LoginTimeout is how long a connection may live without a login or a valid
	// request (30 s).
	LoginTimeout time.Duration
	// QueryTimeout bounds one query (10 s).
	QueryTimeout time.Duration
	// InFlight is how many commands of one connection may be under way (256), and
	// Queries how many queries (8). More wait, and with them the connection's
	// reader.
	InFlight, Queries int
	// AtOnce is how many queries of one user run at a time, over all connections
	// and HTTP (4): nobody takes the read models away from others. More wait.
	AtOnce int
	// OfAddress is how many sockets one client's address may have open (0: any
	// number); of IPv6 a /64 is one.
	OfAddress int
	// RecallWindow is how long a sender can recall, as push 8 tells (0: never).
	RecallWindow time.Duration
	// LogGap is how many records the log is gone over for one resume before it
	// turns to the feed (10 000).
	LogGap int64

	Metrics Metrics
	Logger  *slog.Logger
	Now     func() time.Time
}

func (o Options) withDefaults() Options {
	if o.Limits == (commands.Limits{}) {
		o.Limits = commands.DefaultLimits
	}
	if o.Dates == (dates.Format{}) {
		o.Dates, _ = dates.New("", "")
	}
	if o.Wire.QueueLimit == 0 {
		o.Wire.QueueLimit = 1 << 20
	}
	if o.Wire.MessageLimit == 0 {
		o.Wire.MessageLimit = 64 << 10
	}
	if o.Burst == 0 {
		o.Burst = 4 * o.Rate
	}
	if o.LoginTimeout == 0 {
		o.LoginTimeout = 30 * time.Second
	}
	if o.QueryTimeout == 0 {
		o.QueryTimeout = 10 * time.Second
	}
	if o.InFlight == 0 {
		o.InFlight = 256
	}
	if o.Queries == 0 {
		o.Queries = 8
	}
	if o.AtOnce == 0 {
		o.AtOnce = 4
	}
	if o.LogGap == 0 {
		o.LogGap = 10_000
	}
	if o.Metrics == nil {
		o.Metrics = noMetrics{}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

type noMetrics struct{}

func (noMetrics) Connected(int)                           {}
func (noMetrics) Closed(string)                           {}
func (noMetrics) Refused(string)                          {}
func (noMetrics) Requested(string, string, time.Duration) {}
func (noMetrics) Pushed(string, int)                      {}

// Server is the protocol on the wire: sessions over sockets, the same urls over
// HTTP, and delivery. It is safe for concurrent use.
type Server struct {
	o          Options
	urls       *Registry
	verify     Verify
	handler    Handler
	tail       Tail
	queries    Queries
	feed       Feed
	up         *wire.Upgrader
	hub        *hub
	addresses  addresses
	deadlines  deadlines
	partitions []events.Partition
	near, far  []*gatherer   // of each partition: who read what connections missed
	passes     chan struct{} // bounds how many of them read

	keys   atomic.Uint64   // how often the keys of tokens have changed
	base   context.Context // of all work; ends when Shutdown gives up
	cancel context.CancelFunc
	under  atomic.Int64 // requests under way
	closed atomic.Bool  // no new ones are taken
	idle   chan struct{}
}

// New makes a server. It must be added to the tail's observers before the tail
// runs, and stopped with Shutdown. feed may be nil: then every resume reads the
// log.
func New(verify Verify, h Handler, t Tail, q Queries, f Feed, o Options) *Server {
	o = o.withDefaults()
	s := &Server{
		o: o, urls: urls, verify: verify, handler: h, tail: t, queries: q, feed: f,
		up: wire.NewUpgrader(o.Wire), partitions: t.Book().Layout().Partitions(),
		passes: make(chan struct{}, maxPasses), idle: make(chan struct{}, 1),
	}
	s.deadlines.epoch = time.Now()
	s.addresses.most = o.OfAddress
	s.hub = newHub(len(s.partitions), o)
	s.base, s.cancel = context.WithCancel(context.Background())
	for _, p := range s.partitions {
		s.near = append(s.near, &gatherer{server: s, partition: p, pass: (*gatherer).near})
		s.far = append(s.far, &gatherer{server: s, partition: p, pass: (*gatherer).far})
	}
	return s
}

// index numbers the log's partitions from 0.
func (s *Server) index(p events.Partition) int {
	if p.Topic == events.Users {
		return int(s.tail.Book().Layout().Conversations + p.Number)
	}
	return int(p.Number)
}

// ServeHTTP makes a socket of a request to /ws.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.addresses.enter(r.RemoteAddr) {
		s.o.Metrics.Refused("address")
		w.Header().Set("Retry-After", "30")
		http.Error(w, "too many connections from this address", http.StatusTooManyRequests)
		return
	}
	conn, err := s.up.Upgrade(w, r)
	if err != nil { // the request has been answered
		s.addresses.leave(r.RemoteAddr)
		return
	}
	s.o.Metrics.Connected(1)
	conn.Start(newSession(s, conn, r.RemoteAddr))
}

// Sockets is how many are open.
func (s *Server) Sockets() int { return s.up.Len() }

// Online tells whether a user has a logged-in connection to this node.
func (s *Server) Online(user string) bool { return s.hub.online(user) }

// Present are all users who have a logged-in connection to this node, each once.
func (s *Server) Present() iter.Seq[string] {
	return func(yield func(string) bool) {
		for p := range s.hub.everybody() {
			if !yield(p.id) {
				return
			}
		}
	}
}

// Shutdown refuses new requests with unavailable, waits until those under way are
// answered, then closes all sockets with 1001. When ctx ends first, what is left
// is cut off and ctx's error returned.
func (s *Server) Shutdown(ctx context.Context) error {
	defer s.cancel()
	s.closed.Store(true)
	for s.under.Load() > 0 {
		select {
		case <-s.idle:
		case <-ctx.Done():
			s.cancel()
			s.up.Shutdown(ctx)
			return ctx.Err()
		}
	}
	return s.up.Shutdown(ctx)
}

// begin enters a request; false once the server is going away.
func (s *Server) begin() bool {
	s.under.Add(1)
	if s.closed.Load() {
		s.end()
		return false
	}
	return true
}

func (s *Server) end() {
	if s.under.Add(-1) == 0 && s.closed.Load() {
		select {
		case s.idle <- struct{}{}:
		default:
		}
	}
}

var errGoing = refuse(commands.Unavailable, "the server is going away; nothing happened")

// ready refuses what needs the whole log while it is still being read.
func (s *Server) ready() *commands.Refusal {
	select {
	case <-s.tail.Ready():
		return nil
	default:
		return refuse(commands.Unavailable, "the log is still being read; nothing happened")
	}
}
