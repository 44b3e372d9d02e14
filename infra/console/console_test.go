package console_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"lishi/infra/console"
	"lishi/infra/tokens"
)

// world is a console with routes of all kinds, on a real connection.
type world struct {
	t    *testing.T
	keys *tokens.Keys
	at   string
	s    *console.Server
}

func newWorld(t *testing.T, o console.Options, routes ...console.Route) *world {
	t.Helper()
	keys, err := tokens.New(tokens.Options{Secret: []byte(strings.Repeat("k", 32))})
	if err != nil {
		t.Fatal(err)
	}
	o.Verify = keys.Verify
	w := &world{t: t, keys: keys, s: console.New(o, routes...)}
	server := httptest.NewServer(w.s)
	t.Cleanup(server.Close)
	t.Cleanup(w.s.Close)
	w.at = server.URL
	return w
}

func (w *world) token(user, role string, ttl time.Duration) string {
	w.t.Helper()
	token, err := w.keys.Sign(tokens.Claims{UserID: user, Role: role, Expires: time.Now().Add(ttl)})
	if err != nil {
		w.t.Fatal(err)
	}
	return token
}

func (w *world) client(role string) *console.Client {
	return &console.Client{Base: w.at, Token: w.token("me", role, time.Hour)}
}

func (w *world) reason(err error) string {
	w.t.Helper()
	var e *console.Error
	if !errors.As(err, &e) {
		w.t.Fatalf("not a refusal: %v", err)
	}
	return e.Reason
}

func route(path string, look bool, roles []console.Role, handle func(http.ResponseWriter, *http.Request, console.Caller) error) console.Route {
	return console.Route{Method: "GET", Path: path, Roles: roles, Look: look, Handle: handle}
}

func hello(w http.ResponseWriter, r *http.Request, c console.Caller) error {
	return console.JSON(w, map[string]string{"id": r.PathValue("id"), "caller": c.ID, "reason": c.Reason})
}

func TestWhoMayAskWhat(t *testing.T) {
	w := newWorld(t, console.Options{},
		route("/api/all/{id}", false, console.Everybody, hello),
		route("/api/audit/{id}", true, []console.Role{console.Auditor}, hello),
		route("/api/admin/{id}", true, nil, hello),
	)
	may := map[string][]string{
		"/api/session": {"admin", "auditor", "analyst"},
		"/api/all/1":   {"admin", "auditor", "analyst"},
		"/api/audit/1": {"admin", "auditor"},
		"/api/admin/1": {"admin"},
	}
	for path, roles := range may {
		for _, role := range []string{"", "user", "Admin", "admin", "auditor", "analyst"} {
			c := w.client(role)
			c.Reason = "because"
			var got map[string]any
			err := c.Get(t.Context(), path, nil, &got)
			if strings.Contains(strings.Join(roles, " "), role) && role != "" {
				if err != nil {
					t.Errorf("%s as %q: %v", path, role, err)
				}
			} else if w.reason(err) != console.Forbidden {
				t.Errorf("%s as %q: %v", path, role, err)
			}
		}
	}
	// Ordinary users learn nothing, not even which urls there are, nor get the page.
	for _, path := range []string{"/api/nothing", "/api", "/", "/index.html", "/api/session/"} {
		if err := w.client("").Get(t.Context(), path, nil, nil); w.reason(err) != console.Forbidden {
			t.Errorf("%s as an ordinary user: %v", path, err)
		}
	}
	if err := w.client("admin").Get(t.Context(), "/api/nothing", nil, nil); w.reason(err) != console.NotFound {
		t.Errorf("no such url: %v", err)
	}
	if err := w.client("admin").Post(t.Context(), "/api/session", nil, nil); w.reason(err) != console.NotAllowed {
		t.Errorf("wrong method: %v", err)
	}
	for name, token := range map[string]string{
		"none": "", "garbage": "x.y.z", "expired": w.token("me", "admin", -time.Minute),
	} {
		c := &console.Client{Base: w.at, Token: token}
		if err := c.Get(t.Context(), "/api/session", nil, nil); w.reason(err) != console.Unauthorized {
			t.Errorf("token %s: %v", name, err)
		}
	}
}

type looks struct {
	all []console.Look
	err error
}

func (l *looks) Look(_ context.Context, one console.Look) error {
	l.all = append(l.all, one)
	return l.err
}

func TestLooksAreRecordedBeforeTheyAreGranted(t *testing.T) {
	seen := &looks{}
	shown, known := 0, 0
	read := console.Route{Method: "POST", Path: "/api/read/{id}", Roles: []console.Role{console.Auditor}, Look: true,
		Handle: func(w http.ResponseWriter, r *http.Request, c console.Caller) error {
			if len(seen.all) != known+1 {
				t.Error("the look was not recorded before it was granted")
			}
			shown, known = shown+1, len(seen.all)
			raw, err := io.ReadAll(r.Body)
			if err != nil || string(raw) != `{"a":1}` {
				t.Errorf("the body is %q, %v", raw, err)
			}
			return hello(w, r, c)
		}}
	w := newWorld(t, console.Options{Looker: seen}, read)
	c := w.client("auditor")
	ask := func(into any) error {
		body, err := c.Do(t.Context(), "POST", "/api/read/7", url.Values{"q": {"x"}}, strings.NewReader(`{"a":1}`))
		if err != nil {
			return err
		}
		defer body.Close()
		return json.NewDecoder(body).Decode(into)
	}
	var got map[string]string
	if err := ask(&got); w.reason(err) != console.ReasonMissing || len(seen.all) != 0 {
		t.Fatalf("an auditor without a reason: %v, %d looks", err, len(seen.all))
	}
	c.Reason = "工单 17: 100% sure"
	if err := ask(&got); err != nil {
		t.Fatal(err)
	}
	l := seen.all[0]
	if got["reason"] != c.Reason || l.Caller.Reason != c.Reason || l.Caller.ID != "me" || l.Route != "/api/read/{id}" ||
		l.Path != "/api/read/7" || l.Params.Get("q") != "x" || string(l.Body) != `{"a":1}` || l.From == "" {
		t.Errorf("recorded %+v, answered %v", l, got)
	}
	seen.err = errors.New("the log is away")
	if err := ask(&got); w.reason(err) != console.Unavailable || shown != 1 {
		t.Errorf("a look that can't be recorded: %v, shown %d times", err, shown)
	}
	known = len(seen.all)
	c.Token, c.Reason = w.token("boss", "admin", time.Hour), ""
	seen.err = nil
	if err := ask(&got); err != nil {
		t.Errorf("an admin needs no reason: %v", err)
	}
	c.Reason = strings.Repeat("x", console.MaxReason+1)
	if err := ask(&got); w.reason(err) != console.BadRequest {
		t.Errorf("a reason without end: %v", err)
	}
}

func TestLimits(t *testing.T) {
	enter, leave := make(chan bool, 8), make(chan bool)
	w := newWorld(t, console.Options{AtOnce: 3, OfOne: 2, MaxBody: 10, Timeout: 30 * time.Second},
		route("/api/wait", false, console.Everybody, func(w http.ResponseWriter, r *http.Request, c console.Caller) error {
			enter <- true
			<-leave
			return hello(w, r, c)
		}),
		console.Route{Method: "POST", Path: "/api/body", Handle: func(w http.ResponseWriter, r *http.Request, c console.Caller) error {
			var v struct{ A string }
			if err := console.ReadJSON(r, &v); err != nil {
				return err
			}
			return console.JSON(w, v)
		}})
	done := make(chan error, 3)
	wait := func(user string) {
		c := &console.Client{Base: w.at, Token: w.token(user, "analyst", time.Hour)}
		go func() { done <- c.Get(context.Background(), "/api/wait", nil, nil) }()
		<-enter
	}
	wait("a")
	wait("a")
	if err := (&console.Client{Base: w.at, Token: w.token("a", "analyst", time.Hour)}).Get(t.Context(), "/api/session", nil, nil); w.reason(err) != console.RateLimited {
		t.Errorf("a third one of one caller: %v", err)
	}
	wait("b")
	if err := (&console.Client{Base: w.at, Token: w.token("c", "analyst", time.Hour)}).Get(t.Context(), "/api/session", nil, nil); w.reason(err) != console.RateLimited {
		t.Errorf("a fourth one: %v", err)
	}
	close(leave)
	for range 3 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	c := w.client("admin")
	for body, want := range map[string]string{`{"a":"1234567890"}`: console.TooLong, `{"b":1}`: console.BadRequest, `{} {}`: console.BadRequest, ``: console.BadRequest} {
		if _, err := c.Do(t.Context(), "POST", "/api/body", nil, strings.NewReader(body)); w.reason(err) != want {
			t.Errorf("body %s: %v", body, err)
		}
	}
}

func TestErrorsAndTimeouts(t *testing.T) {
	w := newWorld(t, console.Options{Timeout: 50 * time.Millisecond},
		route("/api/fault", false, nil, func(http.ResponseWriter, *http.Request, console.Caller) error {
			return errors.New("the password is 123")
		}),
		route("/api/slow", false, nil, func(_ http.ResponseWriter, r *http.Request, _ console.Caller) error {
			<-r.Context().Done()
			return r.Context().Err()
		}))
	if err := w.client("admin").Get(t.Context(), "/api/fault", nil, nil); w.reason(err) != console.Internal || strings.Contains(err.Error(), "123") {
		t.Errorf("a fault: %v", err)
	}
	if err := w.client("admin").Get(t.Context(), "/api/slow", nil, nil); w.reason(err) != console.Timeout {
		t.Errorf("too slow: %v", err)
	}
}

func TestParams(t *testing.T) {
	get := func(query string) *console.Params {
		return console.ParamsOf(httptest.NewRequest("GET", "/x?"+query, nil))
	}
	p := get("n=7&f=true&w=b&t=2026-01-02T03:04:05.006%2B08:00&at=c3-17&text=x")
	at, ok := p.Position("at")
	if p.Int("n", 1, 1, 9) != 7 || !p.Flag("f") || p.One("w", "a", "b") != "b" || console.Time(p.Time("t")) != "2026-01-01T19:04:05.006Z" ||
		!ok || at.String() != "c3-17" || p.Text("text", 9) != "x" || p.Err() != nil {
		t.Errorf("read wrongly: %v", p.Err())
	}
	for query, ask := range map[string]func(*console.Params){
		"n=x":      func(p *console.Params) { p.Int("n", 1, 1, 9) },
		"n=10":     func(p *console.Params) { p.Int("n", 1, 1, 9) },
		"f=1":      func(p *console.Params) { p.Flag("f") },
		"w=c":      func(p *console.Params) { p.One("w", "a", "b") },
		"t=today":  func(p *console.Params) { p.Time("t") },
		"at=z9":    func(p *console.Params) { p.Position("at") },
		"x=1":      func(p *console.Params) {},
		"n=1&n=2":  func(p *console.Params) { p.Int("n", 1, 1, 9) },
		"n=%zz":    func(p *console.Params) {},
		"text=abc": func(p *console.Params) { p.Text("text", 2) },
	} {
		p := get(query)
		ask(p)
		var e *console.Error
		if !errors.As(p.Err(), &e) || e.Reason != console.BadRequest {
			t.Errorf("?%s: %v", query, p.Err())
		}
	}
}
