package wire

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Origins are the foreign origins whose pages may speak to this server: scheme,
// host and port as browsers write them (RFC 6454 section 6.2), compared byte by
// byte. No entry stands for more than one origin.
type Origins []string

// ParseOrigins reads origins that are joined by commas; the empty list allows
// none. What no browser would ever send as its origin is an error, since it would
// allow nobody: a path or a slash at the end, upper case, a scheme's own port,
// "null", a pattern.
func ParseOrigins(list string) (Origins, error) {
	if list == "" {
		return nil, nil
	}
	all := Origins(strings.Split(list, ","))
	for _, origin := range all {
		u, err := url.Parse(origin)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
			return nil, fmt.Errorf("%q is not an origin like https://chat.example.com", origin)
		}
		if written := written(u); origin != written {
			return nil, fmt.Errorf("%q is not how a browser writes an origin; write %s", origin, written)
		}
		if i := strings.IndexFunc(u.Host, func(r rune) bool { return r == '*' || r >= 0x80 }); i >= 0 {
			return nil, fmt.Errorf("%q is no name of a host: each is listed by itself, an international one as xn--…", origin)
		}
	}
	return all, nil
}

// written is the origin of a URL as browsers write it.
func written(u *url.URL) string {
	host := strings.TrimSuffix(strings.ToLower(u.Host), schemePort[u.Scheme])
	return u.Scheme + "://" + strings.TrimSuffix(host, ":")
}

var schemePort = map[string]string{"http": ":80", "https": ":443"}

// Of gives the one origin of a request that is on the list; ok is false where the
// request names none, several, or another.
func (o Origins) Of(r *http.Request) (origin string, ok bool) {
	named := r.Header["Origin"]
	if len(named) != 1 || !slices.Contains(o, named[0]) {
		return "", false
	}
	return named[0], true
}

// originAllowed holds browsers' pages of other sites off (RFC 6455 section 10.2).
func (u *Upgrader) originAllowed(r *http.Request) bool {
	named := r.Header["Origin"]
	if len(named) == 0 {
		return true
	}
	if _, ok := u.o.Origins.Of(r); ok {
		return true
	}
	if len(named) > 1 {
		return false
	}
	o, err := url.Parse(named[0])
	return err == nil && o.Host != "" && sameHost(o, r.Host) && sameScheme(o, r)
}

// sameScheme reports whether the origin has the request's scheme, as far as that
// is known: a page that came without TLS is another site's.
func sameScheme(origin *url.URL, r *http.Request) bool {
	switch {
	case r.URL != nil && r.URL.Scheme != "": // as a trusted proxy says
		return origin.Scheme == r.URL.Scheme
	case r.TLS != nil:
		return origin.Scheme == "https"
	}
	return true
}

// sameHost reports whether the origin's host and port are the request's.
// Either may leave the port of the origin's scheme out.
func sameHost(origin *url.URL, host string) bool {
	port := schemePort[origin.Scheme]
	if port == "" {
		return false
	}
	return strings.EqualFold(strings.TrimSuffix(origin.Host, port), strings.TrimSuffix(host, port))
}
