package ws

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"lishi/ws/wire"
)

const page = "https://chat.example.com"

// from makes a request as a page of an origin does, and gives the answer's status
// and headers.
func (w *world) from(method, path, body string, headers ...string) (int, http.Header) {
	w.t.Helper()
	req, err := http.NewRequest(method, w.http.URL+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, resp.Header
}

// shared lists the headers by which a browser would share something with a page.
func shared(h http.Header) (names []string) {
	for name := range h {
		if strings.HasPrefix(name, "Access-Control-") {
			names = append(names, name)
		}
	}
	return names
}

func TestPagesOfListedOrigins(t *testing.T) {
	w := newWorld(t, settings{options: Options{Wire: wire.Options{Origins: wire.Origins{page, "http://localhost:5173"}}}})
	for _, origin := range []string{page, "http://localhost:5173"} {
		status, h := w.from("OPTIONS", "/user/updateUser", "", "Origin", origin,
			"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,content-type")
		for name, want := range map[string]string{
			"Access-Control-Allow-Origin": origin, "Access-Control-Allow-Methods": "POST", "Access-Control-Allow-Headers": "Authorization, Content-Type",
			"Access-Control-Max-Age": "7200", "Vary": "Origin", "Allow": "OPTIONS, POST",
		} {
			if h.Get(name) != want {
				t.Errorf("preflight: %s is %q, want %q", name, h.Get(name), want)
			}
		}
		if status != http.StatusNoContent || len(shared(h)) != 4 {
			t.Errorf("preflight: %d %v", status, h)
		}
		// Every answer can be read, refusals among them.
		for _, c := range []struct {
			method, path, body, kind string
			status                   int
		}{
			{"POST", "/user/updateUser", object("token", "alice", "uniqueNo", "1", "nickName", "A"), kindJSON, 200},
			{"POST", "/friend/myFriendList", "token=alice", kindURLs, 200},
			{"POST", "/user/updateUser", "{}", kindJSON, 401},
			{"POST", "/user/updateUser", "{}", "text/plain", 415},
			{"POST", "/user/updateUser", strings.Repeat(" ", 70000), kindJSON, 413},
			{"POST", "/chat/nothing", "{}", kindJSON, 404},
			{"GET", "/user/updateUser", "", "", 405},
		} {
			status, h := w.from(c.method, c.path, c.body, "Origin", origin, "Content-Type", c.kind)
			if status != c.status || h.Get("Access-Control-Allow-Origin") != origin || h.Get("Access-Control-Expose-Headers") != "Retry-After, WWW-Authenticate" ||
				h.Get("Vary") != "Origin" || len(shared(h)) != 2 {
				t.Errorf("%s %s: %d %v", c.method, c.path, status, h)
			}
		}
	}
}

func TestPagesOfOtherOrigins(t *testing.T) {
	listed := newWorld(t, settings{options: Options{Wire: wire.Options{Origins: wire.Origins{page}}}})
	none := newWorld(t, settings{})
	look := func(w *world, headers ...string) {
		t.Helper()
		status, h := w.from("OPTIONS", "/user/updateUser", "", append(headers, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization")...)
		if status != http.StatusNoContent || len(shared(h)) > 0 || h.Get("Vary") != "Origin" || h.Get("Allow") != "OPTIONS, POST" {
			t.Errorf("%q: preflight: %d %v", headers, status, h)
		}
		status, h = w.from("POST", "/friend/myFriendList", object("token", "alice"), headers...)
		if status != 200 || len(shared(h)) > 0 || h.Get("Vary") != "Origin" {
			t.Errorf("%q: %d %v", headers, status, h)
		}
	}
	for _, origin := range []string{
		"null", "*", page + "/", page + ":443", page + ":8443", "http://chat.example.com", "https://CHAT.example.com", "HTTPS://chat.example.com",
		page + ".evil.example", "https://evilchat.example.com", page + "@evil.example", "https://evil.example/" + page, "https://example.com",
		"https://a.chat.example.com", page + ".", page + " https://evil.example", page + ",https://evil.example", "https://chat.example.co", "",
	} {
		look(listed, "Origin", origin)
	}
	look(listed, "Origin", page, "Origin", "https://evil.example")
	look(listed)
	look(none, "Origin", page)
	look(none, "Origin", "null")

	// A preflight for what is no url allows nothing, whoever asks.
	if status, h := listed.from("OPTIONS", "/chat/nothing", "", "Origin", page, "Access-Control-Request-Method", "POST"); status != 404 {
		t.Errorf("%d %v", status, h)
	}
	// OPTIONS alone is no preflight.
	if status, h := listed.from("OPTIONS", "/user/updateUser", "", "Origin", page); status != 204 || h.Get("Access-Control-Allow-Methods") != "" {
		t.Errorf("%d %v", status, h)
	}
}
