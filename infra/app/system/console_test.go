package system

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"lishi/infra/console"
	"lishi/infra/tokens"
)

// withConsole starts a server with a console, and gives the client of a role.
func withConsole(t *testing.T, args ...string) (*server, func(role string) *console.Client) {
	t.Helper()
	return consoleOver(t, t.TempDir(), args...)
}

// consoleOver is withConsole on a data directory.
func consoleOver(t *testing.T, dir string, args ...string) (*server, func(role string) *console.Client) {
	t.Helper()
	addr := freeAddr(t)
	s := serve(t, dir, append([]string{"--console", addr}, args...)...)
	keys, err := tokens.New(tokens.Options{Secret: []byte(secret)})
	if err != nil {
		t.Fatal(err)
	}
	return s, func(role string) *console.Client {
		token, err := keys.Sign(tokens.Claims{UserID: "somebody", Role: role, Expires: time.Now().Add(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		return &console.Client{Base: "http://" + addr, Token: token, Reason: "a test"}
	}
}

// Every url of the console, as it stands in the running program, for every role:
// users of the chat get forbidden, and the chat's address knows none of them.
func TestConsoleIsForItsRolesAlone(t *testing.T) {
	s, as := withConsole(t)
	var all struct {
		Routes []struct {
			Method, Path string
			May          bool
		}
	}
	if err := as("admin").Get(t.Context(), "/api/routes", nil, &all); err != nil || len(all.Routes) < 2 {
		t.Fatalf("%v: %v", all, err)
	}
	wildcard := regexp.MustCompile(`\{[^}]*\}`)
	for _, role := range []string{"", "user", "auditor", "analyst", "admin"} {
		c := as(role)
		may := map[string]bool{}
		if role == "auditor" || role == "analyst" || role == "admin" {
			var own = all
			if err := c.Get(t.Context(), "/api/routes", nil, &own); err != nil {
				t.Fatal(err)
			}
			for _, r := range own.Routes {
				may[r.Method+r.Path] = r.May
			}
		}
		for _, r := range all.Routes {
			path := wildcard.ReplaceAllString(r.Path, "x")
			refused := forbidden(t, c, r.Method, path)
			if refused == may[r.Method+r.Path] {
				t.Errorf("%s %s as %q: forbidden is %v", r.Method, path, role, refused)
			}
			if role == "admin" {
				req, _ := http.NewRequest(r.Method, "http://"+s.addr+path, strings.NewReader("{}"))
				req.Header.Set("Authorization", "Bearer "+c.Token)
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if resp.StatusCode != http.StatusNotFound && resp.StatusCode != http.StatusMethodNotAllowed {
					t.Errorf("%s %s on the chat's address: %s", r.Method, path, resp.Status)
				}
			}
		}
	}
}

// forbidden asks without ever changing anything: the body is none that a route
// takes, and an answer is left once it begins.
func forbidden(t *testing.T, c *console.Client, method, path string) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, method, c.Base+path, strings.NewReader("not json"))
	req.Header.Set("Authorization", "Bearer "+c.Token)
	req.Header.Set("Lishi-Reason", c.Reason)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		return false
	}
	var e console.Error
	raw, _ := io.ReadAll(resp.Body)
	if json.Unmarshal(raw, &e) != nil || e.Reason != console.Forbidden {
		t.Errorf("%s %s: %s", method, path, raw)
	}
	return true
}

// A demo prints a link that opens the console; a taken address that nobody chose
// is no reason not to chat, one that was chosen is.
func TestConsoleAddress(t *testing.T) {
	s, _ := withConsole(t, "--demo")
	link := regexp.MustCompile(`console +(http://[^/]+)/#token=(\S+)`)
	deadline := time.Now().Add(30 * time.Second)
	for !link.MatchString(s.log.String()) && time.Now().Before(deadline) {
		time.Sleep(20 * time.Millisecond)
	}
	found := link.FindStringSubmatch(s.log.String())
	if found == nil {
		t.Fatalf("no link: %s", s.log)
	}
	var me struct{ UserID, Role, Log, Node, Version, Expires string }
	if err := (&console.Client{Base: found[1], Token: found[2]}).Get(t.Context(), "/api/session", nil, &me); err != nil {
		t.Fatal(err)
	}
	until, _ := time.Parse(time.RFC3339, me.Expires)
	if me.Role != "admin" || me.Log == "" || me.Node == "" || me.Version == "" || time.Until(until) > time.Hour || time.Until(until) < 0 {
		t.Errorf("%+v", me)
	}
	_, errs, code := run(t, nil, "serve", "--data", t.TempDir(), "--listen", freeAddr(t), "--console", strings.TrimPrefix(found[1], "http://"))
	if code != 1 || !strings.Contains(errs, "--console") {
		t.Errorf("a chosen address that is taken: %d, %s", code, errs)
	}
	_, errs, code = run(t, nil, "serve", "--data", t.TempDir(), "--listen", freeAddr(t), "--console", found[1])
	if code != 2 || !strings.Contains(errs, "url") {
		t.Errorf("a url: %d, %s", code, errs)
	}
}

// The overview tells of the node that answers, from its own figures.
func TestConsoleOverview(t *testing.T) {
	s, as := withConsole(t, "--demo")
	s.login("somebody", nil)
	var o console.Overview
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		o = console.Overview{}
		if err := as("analyst").Get(t.Context(), "/api/overview", nil, &o); err != nil {
			t.Fatal(err)
		}
		events := int64(0)
		for _, p := range o.Projections {
			events += p.Events
		}
		if len(o.Problems) == 0 && len(o.Projections) > 5 && events == 0 && o.Now.Requests > 0 && o.Now.Median != nil {
			break // the demo is taken up by all read models
		}
		if time.Now().After(deadline) {
			t.Fatalf("%+v", o)
		}
	}
	folded := int64(0)
	for _, p := range o.Partitions {
		if p.End == nil || p.Behind != 0 || *p.End != p.Folded {
			t.Errorf("%+v", p)
		}
		folded += p.Folded
	}
	if folded < 20 || o.Now.Connections != 1 || *o.Now.People != 1 || o.Node == "" || len(o.Checks) < 4 || o.Resources.Memory == 0 || o.Resources.DiskSize == 0 {
		t.Errorf("folded %d, %+v", folded, o)
	}
}

// Streams are found by what people call them.
func TestConsoleFindsStreams(t *testing.T) {
	_, as := withConsole(t, "--demo")
	type stream struct {
		Stream, Kind, Last, At string
		Names                  []string
		Members                int
	}
	type page struct {
		Streams []stream
		Next    string
	}
	find := func(params url.Values) page {
		t.Helper()
		var p page
		if err := as("auditor").Get(t.Context(), "/api/streams", params, &p); err != nil {
			t.Fatal(err)
		}
		return p
	}
	var all page
	for deadline := time.Now().Add(30 * time.Second); len(all.Streams) < 3; time.Sleep(50 * time.Millisecond) {
		if all = find(nil); time.Now().After(deadline) {
			t.Fatalf("the demo's conversations: %+v", all)
		}
	}
	group := all.Streams[0] // the last word was said there
	if group.Kind != "group" || group.Names[0] != "海棠诗社" || group.Members != 4 || group.Last == "" || group.At == "" {
		t.Errorf("the newest: %+v", group)
	}
	var paged []stream
	for p := (page{Next: ""}); ; {
		p = find(url.Values{"limit": {"2"}, "before": {p.Next}})
		paged = append(paged, p.Streams...)
		if p.Next == "" {
			break
		}
	}
	if fmt.Sprint(paged) != fmt.Sprint(all.Streams) {
		t.Errorf("page by page %v, at once %v", paged, all.Streams)
	}
	for q, want := range map[string]string{
		"海棠":        group.Stream,
		"林黛":        "u|daiyu",
		"DAIYU":     "",
		"daiyu":     "u|daiyu p|baoyu|daiyu p|baochai|daiyu " + group.Stream,
		"p|baoyu|x": "p|baoyu|x",
		"no such 史": "",
		"%_'":       "",
	} {
		got := map[string]bool{}
		for _, s := range find(url.Values{"q": {q}}).Streams {
			got[s.Stream] = true
		}
		wanted := map[string]bool{}
		for _, key := range strings.Fields(want) {
			wanted[key] = true
		}
		if fmt.Sprint(got) != fmt.Sprint(wanted) {
			t.Errorf("%q: %v, not %v", q, got, wanted)
		}
	}
	if err := as("auditor").Get(t.Context(), "/api/streams", url.Values{"before": {"x"}}, nil); err == nil || !strings.Contains(err.Error(), console.BadRequest) {
		t.Errorf("a made up page: %v", err)
	}
}
