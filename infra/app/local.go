package app

import (
	"net"
	"net/http"
	"net/url"
)

// ownPages refuses what a page of another site lets a browser send: such a page can
// make requests to addresses that only its reader can reach, with a password that
// the browser remembers. Programs say neither Origin nor Sec-Fetch-Site.
//
// Source: Fetch Metadata Request Headers, section 2.3; RFC 6454, section 7.
func ownPages(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		site, origins := r.Header.Get("Sec-Fetch-Site"), r.Header["Origin"]
		own := site == "" || site == "same-origin" || site == "none"
		for _, origin := range origins {
			u, err := url.Parse(origin)
			own = own && err == nil && u.Host != "" && u.Host == r.Host
		}
		if !own {
			http.Error(w, "this is not for pages of other sites", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// localOnly guards what everybody on the machine may do, and nobody else: it
// refuses pages of other sites, also those whose own name was made to mean a
// loopback address after they had been loaded (DNS rebinding).
func localOnly(next http.Handler) http.Handler {
	next = ownPages(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		if !loopbackHost(host) {
			http.Error(w, "this is for programs of the machine it runs on: ask for it by 127.0.0.1 or localhost", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}
