// Package console is the HTTP interface for those who look after a chat: admins,
// auditors and analysts. It has an address of its own, so that it need not face
// the internet, serves the console's page at / and JSON under /api/, and lets
// nobody else in. Each part of the console adds its routes in a file of its own.
package console

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"time"

	"lishi/infra/tokens"
)

// Role is what a token lets its bearer be here.
type Role string

// The roles. An admin may do whatever the others may.
const (
	Admin   Role = "admin"
	Auditor Role = "auditor"
	Analyst Role = "analyst"
)

// Everybody is all roles, for the Roles of a Route.
var Everybody = []Role{Admin, Auditor, Analyst}

// Caller is who asks.
type Caller struct {
	ID, Name string
	Role     Role
	Reason   string // the header Lishi-Reason; "" if none was given
}

// Route is one url of the console.
type Route struct {
	Method, Path string // the path as in http.ServeMux: /api/events/{position}
	Roles        []Role // who may, beside admins; none: admins alone
	Doc          string // one line for docs/console.md
	// Look: people's words or doings are shown. Auditors must give a reason, and
	// the look is recorded before Handle is called.
	Look bool
	// Stream: Handle may take as long as its caller listens. Other routes have
	// Options.Timeout.
	Stream bool
	// Handle answers. An *Error is told to the caller as it stands; of other
	// errors only that there was one. After the first written byte an error
	// becomes the last line of the answer (see Lines). The context ends with the
	// caller's connection, the validity of the token and the server.
	Handle func(w http.ResponseWriter, r *http.Request, c Caller) error
}

func (r Route) allows(role Role) bool { return role == Admin || slices.Contains(r.Roles, role) }

// Look is one look at people's words or doings, before it is granted.
type Look struct {
	Caller Caller
	Time   time.Time
	From   string // the caller's address
	Method string
	Route  string     // the route's path, with its wildcards
	Path   string     // the path asked for
	Params url.Values // of the query
	Body   []byte     // as it was sent
}

// Looker records looks. An error means that the look is not granted.
type Looker interface {
	Look(ctx context.Context, l Look) error
}

// Options are a server's settings. A zero field means its default.
type Options struct {
	// Verify checks a token and gives its claims: Keys.Verify of package tokens.
	Verify func(token string, now time.Time) (tokens.Claims, error)
	Page   http.Handler // the console's page and its files
	Looker Looker       // nil: looks are recorded nowhere
	About  About
	// Timeout bounds a request to a route that does not stream (30 s), and each
	// write of one that does.
	Timeout time.Duration
	// MaxBody is the most bytes of a request's body (1 MiB).
	MaxBody int64
	// AtOnce is how many requests are under way (64), OfOne how many of one caller (8).
	AtOnce, OfOne int
	// Requested is told of each answered request to a route; nil: nobody.
	Requested func(route, reason string, took time.Duration)
	Logger    *slog.Logger
	Now       func() time.Time
}

// About says which program and which log answers.
type About struct {
	Version string `json:"version"`
	Node    string `json:"node"` // name of this process among several
	Log     string `json:"log"`  // the log's id
	Zone    string `json:"zone"` // the time zone that the deployment writes dates in
}

func (o Options) withDefaults() Options {
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	if o.MaxBody == 0 {
		o.MaxBody = 1 << 20
	}
	if o.AtOnce == 0 {
		o.AtOnce = 64
	}
	if o.OfOne == 0 {
		o.OfOne = 8
	}
	if o.Page == nil {
		o.Page = http.NotFoundHandler()
	}
	if o.Requested == nil {
		o.Requested = func(string, string, time.Duration) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Server answers the console's requests. It is safe for concurrent use.
type Server struct {
	o      Options
	routes []Route
	mux    *http.ServeMux
	places *places
	base   context.Context // ends with Close
	close  context.CancelFunc
}

// New makes a server of its own routes and those given. Two of the same method
// and path are a mistake of the program, and panic.
func New(o Options, routes ...Route) *Server {
	s := &Server{o: o.withDefaults(), mux: http.NewServeMux()}
	s.places = newPlaces(s.o.AtOnce, s.o.OfOne)
	s.base, s.close = context.WithCancel(context.Background())
	s.routes = append(own(s), routes...)
	for _, r := range s.routes {
		s.mux.Handle(r.Method+" "+r.Path, s.serve(r))
	}
	s.mux.HandleFunc(everywhere, s.nowhere)
	return s
}

// Routes are all routes, in the order of the documentation.
func (s *Server) Routes() []Route { return slices.Clone(s.routes) }

// Close ends the requests under way: their contexts are over.
func (s *Server) Close() { s.close() }
