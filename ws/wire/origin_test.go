package wire

import (
	"crypto/tls"
	"net/http"
	"net/url"
	"slices"
	"testing"
)

func TestParseOrigins(t *testing.T) {
	for _, list := range []string{"", "https://chat.example.com", "http://localhost:5173,https://chat.example.com:8443", "http://[::1]:8080", "https://xn--fsq.example"} {
		all, err := ParseOrigins(list)
		if err != nil || list == "" && all != nil || list != "" && len(all) == 0 {
			t.Errorf("%q: %v, %v", list, all, err)
		}
	}
	for _, bad := range []string{
		"*", "null", "chat.example.com", "https://", "https://*.example.com", "https://chat.example.com/", "https://chat.example.com/path",
		"https://chat.example.com:443", "http://chat.example.com:80", "https://chat.example.com:", "https://Chat.example.com", "HTTPS://chat.example.com",
		"https://user@chat.example.com", "https://chat.example.com?", "https://chat.example.com#x", "ftp://chat.example.com", "ws://chat.example.com",
		"https://a.example,", ",https://a.example", "https://a.example, https://b.example", "https://a.example https://b.example", "https://例.example",
		"https://chat.example.com:port", "https://chat%2eexample.com", "//chat.example.com",
	} {
		if all, err := ParseOrigins(bad); err == nil {
			t.Errorf("%q is taken as %q", bad, all)
		}
	}
}

// tricky are origins that resemble https://chat.example.com and are others.
var tricky = []string{
	"null", "*", "", "https://chat.example.com/", "https://chat.example.com:443", "https://chat.example.com:8443", "http://chat.example.com",
	"https://CHAT.example.com", "HTTPS://chat.example.com", "https://chat.example.com.evil.example", "https://evilchat.example.com",
	"https://chat.example.com@evil.example", "https://evil.example/https://chat.example.com", "https://example.com", "https://a.chat.example.com",
	"https://chat.example.com.", " https://chat.example.com", "https://chat.example.com https://evil.example", "https://chat.example.com,https://evil.example",
	"https://chat.example.com\x00", "https://chat-example.com", "chat.example.com", "file://", "https://chat.example.co",
}

// The server's own origin has its scheme, where that is known.
func TestOwnOrigin(t *testing.T) {
	u := NewUpgrader(Options{})
	for _, tc := range []struct {
		origin, scheme string
		tls, allowed   bool
	}{
		{"https://lishi.example", "", true, true},
		{"http://lishi.example", "", true, false},
		{"https://lishi.example", "https", false, true},
		{"http://lishi.example", "https", false, false},
		{"https://lishi.example", "http", false, false},
		{"http://lishi.example", "http", true, true}, // the proxy speaks TLS, the client does not
		{"https://lishi.example", "", false, true},   // a proxy that nobody said is one
		{"http://lishi.example", "", false, true},
		{"https://other.example", "https", true, false},
	} {
		r := &http.Request{Host: "lishi.example", Header: http.Header{"Origin": {tc.origin}}, URL: &url.URL{Scheme: tc.scheme}}
		if tc.tls {
			r.TLS = &tls.ConnectionState{}
		}
		if u.originAllowed(r) != tc.allowed {
			t.Errorf("%+v", tc)
		}
	}
}

func TestOriginsAreExact(t *testing.T) {
	allowed, err := ParseOrigins("https://chat.example.com,http://localhost:5173")
	if err != nil {
		t.Fatal(err)
	}
	u := NewUpgrader(Options{Origins: allowed})
	request := func(origins ...string) *http.Request {
		return &http.Request{Host: "lishi.example", Header: http.Header{"Origin": origins}}
	}
	for _, origin := range allowed {
		if got, ok := allowed.Of(request(origin)); !ok || got != origin || !u.originAllowed(request(origin)) {
			t.Errorf("%s is not allowed", origin)
		}
	}
	for _, origin := range tricky {
		if got, ok := allowed.Of(request(origin)); ok || got != "" || u.originAllowed(request(origin)) {
			t.Errorf("%q is allowed", origin)
		}
	}
	for _, several := range [][]string{{allowed[0], allowed[1]}, {allowed[0], "https://evil.example"}, {allowed[0], allowed[0]}} {
		if _, ok := allowed.Of(request(several...)); ok || u.originAllowed(request(several...)) {
			t.Errorf("%q are allowed", several)
		}
	}
	if _, ok := allowed.Of(request()); ok {
		t.Error("no origin is a foreign one")
	}
	if !slices.Contains(tricky, "null") {
		t.Error("null must be among the tricky ones")
	}
}
