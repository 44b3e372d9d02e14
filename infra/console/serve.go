package console

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"lishi/infra/tokens"
)

// MaxReason is the most bytes of a reason.
const MaxReason = 500

// recheck is how often the token of a streamed answer is looked at again: keys
// may be withdrawn while somebody listens.
const recheck = 10 * time.Second

// answerGrace is how long an answer may be on its way.
const answerGrace = 10 * time.Second

// ServeHTTP answers a request. Nothing under /api/ is told to whom it is not
// meant for, not even whether it exists.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// A route that streams moves these on.
	control := http.NewResponseController(w)
	control.SetReadDeadline(time.Now().Add(s.o.Timeout + answerGrace))
	control.SetWriteDeadline(time.Now().Add(s.o.Timeout + answerGrace))
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
	api := r.URL.Path == "/api" || strings.HasPrefix(r.URL.Path, "/api/")
	if !api && r.Header.Get("Authorization") == "" {
		s.o.Page.ServeHTTP(w, r) // holds nothing but the page: what it shows it asks for with a token
		return
	}
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	caller, claims, err := s.admit(r)
	if err != nil {
		writeError(w, asError(err))
		return
	}
	if !api {
		s.o.Page.ServeHTTP(w, r)
		return
	}
	ctx := context.WithValue(r.Context(), admitted{}, bearer{caller, claims})
	s.mux.ServeHTTP(w, r.WithContext(ctx))
}

// admitted is the context's key for the bearer.
type admitted struct{}

// bearer is who asks, and what the token says.
type bearer struct {
	caller Caller
	claims tokens.Claims
}

// serve is a route as the mux has it.
func (s *Server) serve(route Route) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		begun := s.o.Now()
		who := r.Context().Value(admitted{}).(bearer)
		out := &writer{ResponseWriter: w}
		err := s.answer(out, r, route, who)
		s.finish(out, r, route, who.caller, err, begun)
	}
}

// nowhere answers what is no route, or one of another method.
func (s *Server) nowhere(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete} {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := s.mux.Handler(other); pattern != everywhere {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) == 0 {
		writeError(w, Refuse(NotFound, "there is no %s here", r.URL.Path))
		return
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	writeError(w, Refuse(NotAllowed, "%s is asked by %s", r.URL.Path, strings.Join(allowed, " or ")))
}

const everywhere = "/"

// admit tells who asks.
func (s *Server) admit(r *http.Request) (Caller, tokens.Claims, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if token = strings.TrimSpace(token); !strings.EqualFold(scheme, "Bearer") || token == "" {
		return Caller{}, tokens.Claims{}, Refuse(Unauthorized, "no token: send the header Authorization: Bearer TOKEN")
	}
	claims, err := s.o.Verify(token, s.o.Now())
	if err != nil {
		s.o.Logger.Info("console: token refused", "from", r.RemoteAddr, "error", err)
		return Caller{}, tokens.Claims{}, Refuse(Unauthorized, "%s", err)
	}
	c := Caller{ID: claims.UserID, Name: claims.Name, Role: Role(claims.Role)}
	switch c.Role {
	case Admin, Auditor, Analyst:
	default:
		s.o.Logger.Info("console: forbidden", "from", r.RemoteAddr, "user", c.ID)
		return Caller{}, tokens.Claims{}, Refuse(Forbidden, "the console is for admins, auditors and analysts")
	}
	if c.Reason, err = reason(r.Header.Get("Lishi-Reason")); err != nil {
		return Caller{}, tokens.Claims{}, err
	}
	return c, claims, nil
}

// reason reads the header: a header has no place for every sign, so the text is
// percent-encoded; one that is not stands as it is.
func reason(header string) (string, error) {
	text, err := url.PathUnescape(header)
	if err != nil || !utf8.ValidString(text) {
		text = header
	}
	text = strings.TrimSpace(text)
	switch {
	case !utf8.ValidString(text):
		return "", Refuse(BadRequest, "Lishi-Reason is not UTF-8")
	case len(text) > MaxReason:
		return "", Refuse(BadRequest, "Lishi-Reason has more than %d bytes", MaxReason)
	}
	return text, nil
}

// answer lets a route answer, within its limits, once the look is recorded.
func (s *Server) answer(w *writer, r *http.Request, route Route, who bearer) error {
	c := who.caller
	if !route.allows(c.Role) {
		return Refuse(Forbidden, "this is not for the role %s", c.Role)
	}
	if route.Look && c.Role == Auditor && c.Reason == "" {
		return Refuse(ReasonMissing, "an auditor must say why, in the header Lishi-Reason")
	}
	if !s.places.take(c.ID) {
		return Refuse(RateLimited, "too many requests at once")
	}
	defer s.places.leave(c.ID)
	r.Body = http.MaxBytesReader(w, r.Body, s.o.MaxBody)
	if route.Look && s.o.Looker != nil {
		if err := s.look(r, route, c); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	defer context.AfterFunc(s.base, func() { cancel(Refuse(Unavailable, "the server is going away")) })()
	if route.Stream {
		w.timeout = s.o.Timeout
		// Reading on has a limit, by which net/http takes a caller for gone.
		http.NewResponseController(w).SetReadDeadline(time.Time{})
		s.watch(ctx, cancel, r, who.claims)
	} else {
		var done context.CancelFunc
		ctx, done = context.WithTimeout(ctx, s.o.Timeout)
		defer done()
	}
	err := route.Handle(w, r.WithContext(ctx), c)
	if ended := context.Cause(ctx); err != nil && r.Context().Err() == nil && ended != nil {
		err = ended // rather than what it broke
	}
	return err
}

// look records what is about to be shown.
func (s *Server) look(r *http.Request, route Route, c Caller) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	err = s.o.Looker.Look(r.Context(), Look{
		Caller: c, Time: s.o.Now(), From: r.RemoteAddr, Method: r.Method,
		Route: route.Path, Path: r.URL.Path, Params: r.URL.Query(), Body: body,
	})
	var refused *Error
	if err != nil && !errors.As(err, &refused) {
		s.o.Logger.Error("console: a look could not be recorded, so it was not granted", "error", err)
		return Refuse(Unavailable, "the look could not be recorded, so nothing is shown")
	}
	return err
}

// watch ends a streamed answer when its token is no longer taken.
func (s *Server) watch(ctx context.Context, cancel context.CancelCauseFunc, r *http.Request, claims tokens.Claims) {
	_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	go func() {
		for {
			wait := recheck
			if !claims.Expires.IsZero() {
				wait = min(wait, max(0, claims.Expires.Sub(s.o.Now())))
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
			}
			if _, err := s.o.Verify(strings.TrimSpace(token), s.o.Now()); err != nil {
				cancel(Refuse(Unauthorized, "%s", err))
				return
			}
		}
	}()
}

// finish tells of an error in whatever way is still open.
func (s *Server) finish(w *writer, r *http.Request, route Route, c Caller, err error, begun time.Time) {
	took, word := s.o.Now().Sub(begun), "ok"
	defer func() {
		s.o.Requested(route.Path, word, took)
		s.o.Logger.Debug("console", "caller", c.ID, "role", c.Role, "route", route.Method+" "+route.Path, "outcome", word, "took", took)
	}()
	if err != nil {
		e := asError(err)
		word = e.Reason
		gone := r.Context().Err() != nil
		if e.Reason == Internal && !gone {
			s.o.Logger.Error("console: a request failed", "route", route.Method+" "+route.Path, "error", err)
		}
		switch {
		case gone:
			word = "gone"
		case !w.begun:
			writeError(w, e)
		default:
			w.last(e)
		}
	}
}

// places bounds the requests under way.
type places struct {
	mu         sync.Mutex
	all, ofOne int
	taken      int
	by         map[string]int
}

func newPlaces(all, ofOne int) *places { return &places{all: all, ofOne: ofOne, by: map[string]int{}} }

func (p *places) take(caller string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken >= p.all || p.by[caller] >= p.ofOne {
		return false
	}
	p.taken++
	p.by[caller]++
	return true
}

func (p *places) leave(caller string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken--
	if p.by[caller]--; p.by[caller] == 0 {
		delete(p.by, caller)
	}
}
