package app

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// behindProxies tells the handler who really asks: of a request that a trusted
// proxy forwards, RemoteAddr becomes the client's address, without a port, and
// URL.Scheme what the client used. What others say in these headers is taken
// away. The client's address is the last one in X-Forwarded-For that is not
// itself a trusted proxy: everything before it may be made up.
func behindProxies(trusted []netip.Prefix, next http.Handler) http.Handler {
	isTrusted := func(a netip.Addr) bool {
		return slices.ContainsFunc(trusted, func(n netip.Prefix) bool { return n.Contains(a.Unmap()) })
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		forwardedFor, proto := r.Header["X-Forwarded-For"], r.Header["X-Forwarded-Proto"]
		if forwardedFor == nil && proto == nil {
			next.ServeHTTP(w, r)
			return
		}
		delete(r.Header, "X-Forwarded-For")
		delete(r.Header, "X-Forwarded-Proto")
		if peer, err := netip.ParseAddrPort(r.RemoteAddr); err == nil && isTrusted(peer.Addr()) {
			if client, ok := forwarded(forwardedFor, isTrusted); ok {
				r.RemoteAddr = client.String()
			}
			if n := len(proto); n > 0 && (proto[n-1] == "https" || proto[n-1] == "http") {
				r.URL.Scheme = proto[n-1]
			}
		}
		next.ServeHTTP(w, r)
	})
}

// forwarded finds the client in what proxies wrote down, each behind the one
// before; false if something there is no address.
func forwarded(headers []string, isTrusted func(netip.Addr) bool) (client netip.Addr, ok bool) {
	hops := strings.Split(strings.Join(headers, ","), ",")
	for _, hop := range slices.Backward(hops) {
		a, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			return client, ok
		}
		client, ok = a.Unmap(), true
		if !isTrusted(a) {
			break
		}
	}
	return client, ok
}
