package tokens

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	setLimit     = 1 << 20         // bytes of a JWKS
	fetchTimeout = 5 * time.Second // for one fetch, from the connection to the last byte
	fileEvery    = time.Second     // between two looks at a file
	urlEvery     = 5 * time.Minute // between two fetches of a url
	urlPause     = 5 * time.Second // after a fetch before unknown keys cause another
	longestRetry = time.Minute     // between two fetches while the url is away
)

// source is a JWKS that is loaded again and again. Whatever goes wrong, the last
// good keys hold; a set that is well formed replaces them, even by none, since
// that is how an issuer withdraws a key.
type source struct {
	load   func(context.Context) ([]byte, error)
	every  time.Duration
	retry  time.Duration // after the first failure; doubled up to longestRetry
	pause  time.Duration
	change func() // told of every set that is another one than before; may be nil
	public bool   // anybody can read it, so it must hold no secrets
	logger *slog.Logger
	keys   atomic.Pointer[map[string]*key] // nil until the first good set

	mu      sync.Mutex
	under   chan struct{} // closed when the load under way is over
	ended   time.Time     // of the last load
	raw     []byte        // the last set that was taken,
	unused  []error       // and why keys of it are left out
	problem error         // of the last load
}

// CheckJWKS tells whether a setting can name a JWKS: a path, or a url that is
// https, or http on a loopback address.
func CheckJWKS(where string) error {
	_, err := parseURL(where)
	return err
}

// parseURL gives nil for a path.
func parseURL(where string) (*url.URL, error) {
	if !strings.Contains(where, "://") {
		return nil, nil
	}
	u, err := url.Parse(where)
	switch {
	case err != nil:
		return nil, errors.New("not a url")
	case u.User != nil:
		return nil, errors.New("a url with a password would be shown with the settings")
	case u.Scheme == "https" && u.Hostname() != "", u.Scheme == "http" && loopback(u.Hostname()):
		return u, nil
	}
	return nil, errors.New("must be a path, an https url, or an http url of a loopback address")
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// open prepares a source. A file is read at once.
func open(where string, logger *slog.Logger) (*source, error) {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	u, err := parseURL(where)
	if err != nil {
		return nil, fmt.Errorf("token keys: %w", err)
	}
	if u != nil {
		s := &source{load: fetcher(u.String()), every: urlEvery, retry: time.Second, pause: urlPause, public: true}
		s.logger = logger.With("jwks", u.Scheme+"://"+u.Host+u.EscapedPath()) // a query may hold a password
		return s, nil
	}
	s := &source{load: func(context.Context) ([]byte, error) { return readFile(where) }, every: fileEvery, retry: fileEvery}
	s.logger = logger.With("jwks", where)
	s.refresh(context.Background(), 0)
	switch keys := s.keys.Load(); {
	case s.problem != nil:
		return nil, fmt.Errorf("token keys: %w", s.problem)
	case len(*keys) == 0:
		return nil, fmt.Errorf("token keys: no key can be used: %w", errors.Join(s.unused...))
	}
	return s, nil
}

func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // a pipe would be waited for
		return nil, errors.New("not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readLimited(f)
}

func readLimited(r io.Reader) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r, setLimit+1))
	if err == nil && len(raw) > setLimit {
		err = fmt.Errorf("longer than %d bytes", setLimit)
	}
	return raw, err
}

// fetcher gets a url. Redirects are not followed: the keys come from where the
// settings say.
func fetcher(where string) func(context.Context) ([]byte, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableKeepAlives = true
	transport.MaxResponseHeaderBytes = 64 << 10
	client := &http.Client{
		Transport: transport, Timeout: fetchTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return func(ctx context.Context) ([]byte, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, where, nil)
		if err != nil {
			return nil, err
		}
		req.Header.Set("Accept", "application/jwk-set+json, application/json")
		resp, err := client.Do(req)
		if err != nil {
			var outer *url.Error
			if errors.As(err, &outer) {
				err = outer.Err // without the url, whose query may hold a password
			}
			return nil, err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("answered with status %d", resp.StatusCode)
		}
		return readLimited(resp.Body)
	}
}

// find gives the key of a name; a nil source has none.
func (s *source) find(name string) (*key, bool) {
	if s == nil {
		return nil, false
	}
	keys := s.keys.Load()
	if keys == nil {
		return nil, false
	}
	k, ok := (*keys)[name]
	return k, ok
}

// run loads the set at once, and again every so often.
func (s *source) run(ctx context.Context) {
	retry := s.retry
	for {
		s.refresh(ctx, 0)
		wait := s.every
		s.mu.Lock()
		if s.problem != nil {
			wait = min(retry, s.every)
			retry = min(2*retry, longestRetry)
		} else {
			retry = s.retry
		}
		s.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// again loads the set for a token whose key is not known: it may be new. Nobody can
// make us do so oftener than the pause allows.
func (s *source) again() { s.refresh(context.Background(), s.pause) }

// refresh loads the set, unless a load ended within the pause before. Whoever comes
// while one is under way waits for it; the fetch's timeout bounds that.
func (s *source) refresh(ctx context.Context, pause time.Duration) {
	s.mu.Lock()
	if under := s.under; under != nil {
		s.mu.Unlock()
		<-under
		return
	}
	if !s.ended.IsZero() && time.Since(s.ended) < pause {
		s.mu.Unlock()
		return
	}
	s.under = make(chan struct{})
	s.mu.Unlock()

	raw, err := s.load(ctx)

	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() == nil { // else nobody wants to know any more
		if s.take(raw, err) && s.change != nil {
			go s.change() // who loads the set for a token does not wait for all others
		}
	}
	s.ended = time.Now()
	close(s.under)
	s.under = nil
}

// take makes a loaded set the current one, or keeps the last. What changes is
// logged, what goes on is not. It tells whether there is another set now.
func (s *source) take(raw []byte, err error) bool {
	var keys map[string]*key
	var unused []error
	same := err == nil && s.raw != nil && bytes.Equal(raw, s.raw)
	if err == nil && !same {
		if keys, unused, err = readSet(raw); err == nil && s.public {
			for name, k := range keys {
				if k.algorithm == hs256 {
					delete(keys, name)
					unused = append(unused, fmt.Errorf("key %.64q: a secret must not be published at a url", name))
				}
			}
		}
	}
	if err != nil {
		if s.problem == nil || s.problem.Error() != err.Error() {
			hold := "its tokens are refused until it can"
			if s.raw != nil {
				hold = "its last good keys hold"
			}
			s.logger.Warn("the JWKS can't be read; "+hold, "error", err)
		}
		s.problem = err
		return false
	}
	if !same {
		s.raw, s.unused = raw, unused
		s.keys.Store(&keys)
		for _, why := range unused {
			s.logger.Warn("a key of the JWKS is not used", "reason", why)
		}
	}
	if !same || s.problem != nil {
		s.logger.Info("JWKS read", "keys", len(*s.keys.Load()))
	}
	s.problem = nil
	return !same
}

// ready tells whether there are keys, and what is wrong, if anything. Anybody may
// read it, so the log has the details.
func (s *source) ready() (bool, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	keys := s.keys.Load()
	switch {
	case keys == nil && s.problem == nil:
		return false, "the JWKS is still being fetched"
	case keys == nil:
		return false, "the JWKS can't be fetched"
	case len(*keys) == 0:
		return false, "the JWKS holds no key that can be used"
	case s.problem != nil:
		return true, "the JWKS can't be read; its last good keys hold"
	}
	return true, ""
}
