package sql

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"lishi/infra/looks"
)

// statement is one that runs.
type statement struct {
	cancel context.CancelCauseFunc
	over   chan struct{}
}

var (
	errKilled   = &Error{Code: 394, Name: "QUERY_WAS_CANCELLED", Text: "Query was cancelled", Status: http.StatusInternalServerError}
	errBusy     = &Error{Code: 202, Name: "TOO_MANY_SIMULTANEOUS_QUERIES", Text: "Too many statements at once, and none ended in time", Status: http.StatusServiceUnavailable}
	errTwice    = &Error{Code: 216, Name: "QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING", Text: "Query with this id is already running", Status: http.StatusInternalServerError}
	errNoLooks  = &Error{Code: 999, Name: "KEEPER_EXCEPTION", Text: "the look could not be recorded, so nothing is shown", Status: http.StatusServiceUnavailable}
	errNoReason = &Error{Code: 497, Name: "ACCESS_DENIED", Text: "an auditor must say why: header Lishi-Reason or parameter lishi_reason", Status: http.StatusForbidden}
)

// ask runs one statement of a caller. The response is the engine's, its body to be
// read until its end and closed; both end with ctx, the statement being cancelled
// or the limit of time.
func (e *Endpoint) ask(ctx context.Context, c Caller, given url.Values, sql string, header http.Header, look bool) (_ *http.Response, err error) {
	begun := time.Now()
	defer func() {
		if err != nil {
			e.o.Answered(c.Role, "refused", time.Since(begun))
		}
	}()
	p, err := e.parameters(c, given)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	s := &statement{cancel: cancel, over: make(chan struct{})}
	end := func() { cancel(nil) }
	if id := given.Get("query_id"); id != "" {
		if err := e.enlist(ctx, c, id, s, on(given.Get("replace_running_query"))); err != nil {
			cancel(nil)
			return nil, err
		}
		end = func() { cancel(nil); e.strike(c, id, s) }
	}
	defer func() {
		if err != nil {
			end()
		}
	}()
	select {
	case e.slots <- struct{}{}:
	case <-time.After(e.o.Limits.Time):
		return nil, errBusy
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	free := func() { <-e.slots; end() }
	defer func() {
		if err != nil {
			<-e.slots
		}
	}()
	if e.o.Looks != nil && look {
		_, err := e.o.Looks.Record(ctx, looks.Look{
			Actor: c.ID, ActorName: c.Name, Role: c.Role, Reason: c.Reason, Way: looks.SQL, What: "SQL as " + c.Role + params(p), Text: sql, From: c.From,
		})
		if errors.Is(err, looks.ErrNoReason) {
			return nil, errNoReason
		}
		if err != nil && ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil {
			e.o.Logger.Warn("a look could not be recorded", "error", err)
			return nil, errNoLooks
		}
	}
	u := *e.o.Base
	u.User, u.RawQuery = nil, p.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), strings.NewReader(sql))
	if err != nil {
		return nil, err
	}
	if user := e.o.Base.User; user != nil {
		r.Header.Set("X-ClickHouse-User", user.Username())
		password, _ := user.Password()
		r.Header.Set("X-ClickHouse-Key", password)
	}
	for _, name := range []string{"Accept-Encoding"} {
		if v := header.Get(name); v != "" {
			r.Header.Set(name, v)
		}
	}
	response, err := e.o.Engine.RoundTrip(r)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return nil, err
	}
	outcome := "answered"
	if response.StatusCode >= 400 {
		outcome = "refused"
	}
	response.Body = &answer{ReadCloser: response.Body, end: func() {
		free()
		e.o.Answered(c.Role, outcome, time.Since(begun))
	}}
	return response, nil
}

func params(p url.Values) string {
	var b strings.Builder
	for name, v := range p {
		if strings.HasPrefix(name, "param_") {
			fmt.Fprintf(&b, " %s=%s", name, v[0])
		}
	}
	return b.String()
}

// answer gives its place free when it is closed.
type answer struct {
	io.ReadCloser
	end func()
}

func (a *answer) Close() error {
	err := a.ReadCloser.Close()
	if a.end != nil {
		a.end()
		a.end = nil
	}
	return err
}

// enlist makes a statement findable by its id.
func (e *Endpoint) enlist(ctx context.Context, c Caller, id string, s *statement, replace bool) error {
	for {
		e.mu.Lock()
		other := e.running[c.ID+"\x00"+id]
		if other == nil {
			e.running[c.ID+"\x00"+id] = s
		}
		e.mu.Unlock()
		if other == nil {
			return nil
		}
		if !replace {
			return errTwice
		}
		other.cancel(errKilled)
		select {
		case <-other.over:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (e *Endpoint) strike(c Caller, id string, s *statement) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.running[c.ID+"\x00"+id] == s {
		delete(e.running, c.ID+"\x00"+id)
		close(s.over)
	}
}

// Cancel ends a statement of the caller by its id, and tells if there was one.
func (e *Endpoint) Cancel(c Caller, id string) bool {
	e.mu.Lock()
	s := e.running[c.ID+"\x00"+id]
	e.mu.Unlock()
	if s != nil {
		s.cancel(errKilled)
	}
	return s != nil
}

// kill is how clients end a statement of theirs.
var kill = regexp.MustCompile(`(?i)^\s*KILL\s+QUERY\s+WHERE\s+query_id\s*=\s*'([^'\\]+)'\s*(SYNC|ASYNC)?\s*;?\s*$`)

func on(v string) bool { return v != "" && v != "0" && v != "false" }

// Statement is one that the program itself asks for a caller.
type Statement struct {
	SQL      string
	Params   map[string]string // {name:Type}, as text
	Format   string
	ID       string
	Settings map[string]string
	Looked   bool // the look is recorded already
}

// Open runs a statement and gives its answer, to be read to its end and closed. A
// refusal, also one in the middle of the answer, is an *Error.
func (e *Endpoint) Open(ctx context.Context, c Caller, s Statement) (io.ReadCloser, error) {
	given := url.Values{"default_format": {s.Format}}
	for name, v := range s.Params {
		given.Set("param_"+name, v)
	}
	for name, v := range s.Settings {
		given.Set(name, v)
	}
	if s.ID != "" {
		given.Set("query_id", s.ID)
	}
	response, err := e.ask(ctx, c, given, s.SQL, nil, !s.Looked)
	if err != nil {
		return nil, err
	}
	return Answered(response)
}

// Answered is the body of an answer of ClickHouse's HTTP interface, or the
// refusal that it is. One in the middle of the answer is the reader's error.
func Answered(response *http.Response) (io.ReadCloser, error) {
	if response.StatusCode >= 400 {
		defer response.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(response.Body, 64<<10))
		return nil, said(response, string(text))
	}
	return &whole{ReadCloser: response.Body, tag: response.Header.Get("X-ClickHouse-Exception-Tag")}, nil
}

var coded = regexp.MustCompile(`(?s)^(?:Code: (\d+)\. )?(?:DB::Exception: )?(.*?)\.?(?: \(([A-Z_0-9]+)\))?\s*$`)

// said is the engine's refusal.
func said(r *http.Response, text string) error {
	m := coded.FindStringSubmatch(text)
	code, _ := strconv.Atoi(m[1])
	return &Error{Code: code, Text: m[2], Name: m[3], Status: r.StatusCode}
}
