package app

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// Programs of the machine are let in, and pages of the address itself; pages of
// other sites are not, whatever name they reach it by.
func TestLocalOnly(t *testing.T) {
	for _, c := range []struct {
		host, origin, site string
		local, pages       int
	}{
		{"127.0.0.1:8123", "", "", 200, 200}, // curl, a driver
		{"localhost:8123", "", "", 200, 200},
		{"LOCALHOST", "", "", 200, 200},
		{"[::1]:8123", "", "", 200, 200},
		{"[::1]", "", "", 200, 200},
		{"127.0.0.1:8123", "", "none", 200, 200}, // typed by a person
		{"127.0.0.1:8123", "http://127.0.0.1:8123", "same-origin", 200, 200},
		{"127.0.0.1:8123", "https://evil.example", "cross-site", 403, 403},
		{"127.0.0.1:8123", "https://evil.example", "", 403, 403}, // a browser without Sec-Fetch-Site
		{"127.0.0.1:8123", "", "cross-site", 403, 403},           // a picture, a link
		{"127.0.0.1:8123", "null", "", 403, 403},
		{"127.0.0.1:8123", "http://127.0.0.1:9999", "same-site", 403, 403}, // another program's page
		{"evil.example:8123", "http://evil.example:8123", "same-origin", 403, 200},
		{"evil.example:8123", "", "", 403, 200},
		{"127.0.0.1.evil.example", "", "", 403, 200},
		{"192.0.2.1:8123", "", "", 403, 200},
	} {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Host = c.host
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		if c.site != "" {
			r.Header.Set("Sec-Fetch-Site", c.site)
		}
		let := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
		for _, g := range []struct {
			name  string
			guard func(http.Handler) http.Handler
			want  int
		}{{"localOnly", localOnly, c.local}, {"ownPages", ownPages, c.pages}} {
			w := httptest.NewRecorder()
			if g.guard(let).ServeHTTP(w, r); w.Code != g.want {
				t.Errorf("%s: %s from %q (%s): %d, want %d", g.name, c.host, c.origin, c.site, w.Code, g.want)
			}
		}
	}
}
