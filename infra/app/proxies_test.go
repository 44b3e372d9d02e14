package app

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"lishi/infra/config"
)

func TestOnlyTrustedProxiesAreBelieved(t *testing.T) {
	trusted, err := config.ParseNetworks("10.0.0.0/8, 192.0.2.7,fd00::/8")
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		peer         string
		forwarded    []string
		proto        string
		from, scheme string
	}{
		"nobody forwards":       {"203.0.113.9:1234", nil, "", "203.0.113.9:1234", ""},
		"a stranger spoofs":     {"203.0.113.9:1234", []string{"198.51.100.1"}, "https", "203.0.113.9:1234", ""},
		"one proxy":             {"10.1.2.3:1234", []string{"198.51.100.1"}, "https", "198.51.100.1", "https"},
		"by its address":        {"192.0.2.7:1234", []string{"198.51.100.1"}, "http", "198.51.100.1", "http"},
		"not the one beside it": {"192.0.2.8:1234", []string{"198.51.100.1"}, "http", "192.0.2.8:1234", ""},
		"the client spoofs":     {"10.1.2.3:1234", []string{"1.1.1.1, 198.51.100.1"}, "", "198.51.100.1", ""},
		"two proxies":           {"10.1.2.3:1234", []string{"1.1.1.1, 198.51.100.1, 10.9.9.9"}, "", "198.51.100.1", ""},
		"two headers":           {"10.1.2.3:1234", []string{"1.1.1.1", "198.51.100.1", "10.9.9.9"}, "", "198.51.100.1", ""},
		"all are proxies":       {"10.1.2.3:1234", []string{"10.4.4.4,10.9.9.9"}, "", "10.4.4.4", ""},
		"nonsense before":       {"10.1.2.3:1234", []string{"unknown, 198.51.100.1"}, "", "198.51.100.1", ""},
		"nonsense":              {"10.1.2.3:1234", []string{"198.51.100.1, unknown"}, "gopher", "10.1.2.3:1234", ""},
		"empty":                 {"10.1.2.3:1234", []string{""}, "", "10.1.2.3:1234", ""},
		"IPv6":                  {"[fd00::1]:1234", []string{"2001:db8::5"}, "https", "2001:db8::5", "https"},
		"IPv4 in IPv6":          {"[::ffff:10.1.2.3]:1234", []string{"::ffff:198.51.100.1"}, "", "198.51.100.1", ""},
	} {
		r := httptest.NewRequest("GET", "/ws", nil)
		r.RemoteAddr = tc.peer
		if tc.forwarded != nil {
			r.Header["X-Forwarded-For"] = tc.forwarded
		}
		if tc.proto != "" {
			r.Header.Set("X-Forwarded-Proto", tc.proto)
		}
		behindProxies(trusted, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if r.RemoteAddr != tc.from || r.URL.Scheme != tc.scheme {
				t.Errorf("%s: it comes from %s by %q, want %s by %q", name, r.RemoteAddr, r.URL.Scheme, tc.from, tc.scheme)
			}
			if r.Header.Get("X-Forwarded-For")+r.Header.Get("X-Forwarded-Proto") != "" {
				t.Errorf("%s: the headers are left", name)
			}
		})).ServeHTTP(httptest.NewRecorder(), r)
	}
}
