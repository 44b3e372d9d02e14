package tokens

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// running runs the refreshing until the test ends.
func running(t *testing.T, k *Keys) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { k.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
}

// eventually polls for a condition.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long until %s", what)
		}
	}
}

func taken(k *Keys, token string) bool {
	_, err := k.Verify(token, at)
	return err == nil
}

func TestRotationByFile(t *testing.T) {
	next := newPairs()
	path := filepath.Join(t.TempDir(), "keys.json")
	write(t, path, document(public("1", pairs()[es256])))
	k, err := New(Options{JWKS: path})
	if err != nil {
		t.Fatal(err)
	}
	first := good(t, es256, "1")
	second := sign(t, edDSA, next[edDSA], object{"kid": "2"}, object{"sub": "a"})
	if !taken(k, first) || taken(k, second) {
		t.Fatal("not the file's key")
	}
	// A new key is known when the first token of it comes; nothing runs for it.
	write(t, path, document(public("1", pairs()[es256]), public("2", next[edDSA])))
	if !taken(k, second) || !taken(k, first) {
		t.Fatal("the new key is not known beside the old")
	}
	// A key that is taken out is noticed within a second.
	running(t, k)
	write(t, path, document(public("2", next[edDSA])))
	eventually(t, "the old key is gone", func() bool { return !taken(k, first) })
	if !taken(k, second) {
		t.Fatal("the new key went too")
	}
	// The same name means another key.
	write(t, path, document(public("2", next[rs256])))
	eventually(t, "2 is another key", func() bool { return !taken(k, second) })
	if !taken(k, sign(t, rs256, next[rs256], object{"kid": "2"}, object{"sub": "a"})) {
		t.Fatal("2 is not the new key")
	}
}

func TestAFileThatBreaks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	whole := document(public("1", pairs()[es256]))
	for name, harm := range map[string]func(){
		"garbage":  func() { write(t, path, []byte("{")) },
		"half":     func() { write(t, path, whole[:len(whole)/2]) },
		"too long": func() { write(t, path, append(bytes.Clone(whole), bytes.Repeat([]byte(" "), setLimit)...)) },
		"twice":    func() { write(t, path, document(public("1", pairs()[es256]), public("1", pairs()[rs256]))) },
		"gone":     func() { os.Remove(path) },
		"a folder": func() { os.Remove(path); os.Mkdir(path, 0o700) },
		"a pipe":   func() { os.Remove(path); syscall.Mkfifo(path, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			os.Remove(path)
			write(t, path, whole)
			k, err := New(Options{JWKS: path})
			if err != nil {
				t.Fatal(err)
			}
			harm()
			if _, err := New(Options{JWKS: path}); err == nil {
				t.Error("it is good enough to start with")
			}
			if taken(k, good(t, es256, "2")) { // makes it look again
				t.Error("a key that is nowhere")
			}
			if ok, why := k.Ready(); !ok || !strings.Contains(why, "last good") {
				t.Errorf("ready: %v, %q", ok, why)
			}
			if !taken(k, good(t, es256, "1")) {
				t.Error("the last good key does not hold")
			}
			os.Remove(path)
			write(t, path, document(public("2", pairs()[es256])))
			if !taken(k, good(t, es256, "2")) || taken(k, good(t, es256, "1")) {
				t.Error("not repaired")
			}
			if ok, why := k.Ready(); !ok || why != "" {
				t.Errorf("ready after the repair: %v, %q", ok, why)
			}
		})
	}
}

func TestAFileWithoutAKeyRefusesTheStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	write(t, path, document(public("a", pairs()[rs256]).with(jwk{"alg": "RS512"})))
	if _, err := New(Options{JWKS: path, Secret: secret}); err == nil || !strings.Contains(err.Error(), `key 1 ("a"): its alg is not RS256`) {
		t.Errorf("%v", err)
	}
	if _, err := New(Options{JWKS: filepath.Join(t.TempDir(), "none"), Secret: secret}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

// issuer is a server of a JWKS.
type issuer struct {
	*httptest.Server
	asked  atomic.Int32
	answer atomic.Pointer[http.HandlerFunc]
}

func newIssuer(t *testing.T) *issuer {
	i := &issuer{}
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.asked.Add(1)
		(*i.answer.Load())(w, r)
	}))
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) answers(f http.HandlerFunc) { i.answer.Store(&f) }

func (i *issuer) publishes(keys ...jwk) {
	i.answers(func(w http.ResponseWriter, _ *http.Request) { w.Write(document(keys...)) })
}

// fromURL makes keys of an issuer's set, with short times.
func fromURL(t *testing.T, where string, o Options) *Keys {
	t.Helper()
	o.JWKS = where
	k, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	k.set.every, k.set.retry, k.set.pause = 10*time.Millisecond, time.Millisecond, 0
	return k
}

func TestRotationByURL(t *testing.T) {
	i := newIssuer(t)
	i.publishes(public("1", pairs()[es256]))
	k := fromURL(t, i.URL, Options{Secret: secret})
	if ok, why := k.Ready(); ok || !strings.Contains(why, "still being fetched") {
		t.Errorf("ready before the first fetch: %v, %q", ok, why)
	}
	running(t, k)
	eventually(t, "the keys are fetched", func() bool { ok, _ := k.Ready(); return ok })
	if !taken(k, good(t, es256, "1")) || !taken(k, sign(t, hs256, secret, nil, object{"sub": "a"})) {
		t.Fatal("not the issuer's key beside the secret")
	}
	alone := fromURL(t, i.URL, Options{}) // a token makes it ask, nothing else does
	i.publishes(public("1", pairs()[es256]), public("2", pairs()[rs256]))
	if !taken(alone, good(t, rs256, "2")) {
		t.Fatal("the key is not fetched for its first token")
	}
	i.publishes(public("3", pairs()[edDSA]))
	if !taken(alone, good(t, edDSA, "3")) || taken(alone, good(t, rs256, "2")) {
		t.Fatal("the set was not replaced")
	}
}

func TestAKeyIsWithdrawn(t *testing.T) {
	i := newIssuer(t)
	i.publishes(public("1", pairs()[es256]))
	k := fromURL(t, i.URL, Options{})
	running(t, k)
	eventually(t, "the key is known", func() bool { return taken(k, good(t, es256, "1")) })
	i.publishes()
	eventually(t, "the key is gone", func() bool { return !taken(k, good(t, es256, "1")) })
	if ok, why := k.Ready(); ok || !strings.Contains(why, "no key") {
		t.Errorf("ready without a key: %v, %q", ok, why)
	}
}

func TestAnIssuerThatFails(t *testing.T) {
	elsewhere := newIssuer(t)
	elsewhere.publishes(public("2", pairs()[es256]))
	bomb := append(document(public("2", pairs()[es256])), bytes.Repeat([]byte(" "), setLimit)...)
	for name, answer := range map[string]http.HandlerFunc{
		"away":      func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"error":     func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "oh", http.StatusBadGateway) },
		"error 404": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404); w.Write(document()) },
		"created":   func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201); w.Write(document()) },
		"redirect":  func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) },
		"a page":    func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>")) },
		"nothing":   func(http.ResponseWriter, *http.Request) {},
		"too long":  func(w http.ResponseWriter, _ *http.Request) { w.Write(bomb) },
		"endless": func(w http.ResponseWriter, _ *http.Request) {
			for _, err := w.Write(bomb); err == nil; _, err = w.Write(bomb) {
			}
		},
		"cut off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5000")
			w.Write(document(public("2", pairs()[es256])))
		},
		"head too long": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 1<<20))
			w.Write(document(public("2", pairs()[es256])))
		},
		"kid twice": func(w http.ResponseWriter, _ *http.Request) {
			w.Write(document(public("2", pairs()[es256]), public("2", pairs()[rs256])))
		},
	} {
		t.Run(name, func(t *testing.T) {
			i := newIssuer(t)
			i.answers(answer)
			k := fromURL(t, i.URL, Options{Secret: secret})
			running(t, k)
			eventually(t, "it was asked twice", func() bool { return i.asked.Load() > 1 })
			if ok, why := k.Ready(); ok || !strings.Contains(why, "can't be fetched") {
				t.Errorf("ready: %v, %q", ok, why)
			}
			if taken(k, good(t, es256, "2")) || !taken(k, sign(t, hs256, secret, nil, object{"sub": "a"})) {
				t.Error("the secret must hold, the issuer's keys must not")
			}
			i.publishes(public("1", pairs()[es256]))
			eventually(t, "it is there again", func() bool { return taken(k, good(t, es256, "1")) })
			i.answers(answer)
			eventually(t, "it fails again", func() bool { _, why := k.Ready(); return why != "" })
			if ok, why := k.Ready(); !ok || !strings.Contains(why, "last good") || strings.Contains(why, "127.0.0.1") {
				t.Errorf("ready: %v, %q", ok, why)
			}
			if !taken(k, good(t, es256, "1")) || taken(k, good(t, es256, "2")) {
				t.Error("the last good key alone must hold")
			}
		})
	}
	if n := elsewhere.asked.Load(); n != 0 {
		t.Errorf("a redirect was followed %d times", n)
	}
}

// A secret at a url would be everybody's.
func TestASecretAtAURLIsNotUsed(t *testing.T) {
	i := newIssuer(t)
	i.publishes(public("1", pairs()[hs256]), public("2", pairs()[es256]))
	k := fromURL(t, i.URL, Options{})
	if !taken(k, good(t, es256, "2")) || taken(k, good(t, hs256, "1")) {
		t.Error("the published secret is used, or nothing is")
	}
}

func TestURLsThatAreRefused(t *testing.T) {
	for where, ok := range map[string]bool{
		"keys.json": true, "/etc/keys.json": true, "C:/keys.json": true,
		"https://issuer.example/keys": true, "HTTPS://issuer.example:8443/keys?realm=a": true,
		"http://127.0.0.1:9000/keys": true, "http://127.9.9.9/keys": true, "http://localhost/keys": true, "http://[::1]:1/keys": true,
		"http://issuer.example/keys": false, "http://10.0.0.1/keys": false, "http://0.0.0.0/keys": false,
		"http://localhost.evil.example/keys": false, "http://127.0.0.1.evil.example/keys": false, "http://127.0.0.1@evil.example/keys": false,
		"https://a:b@issuer.example/keys": false, "https:///keys": false, "ftp://issuer.example/keys": false, "file:///etc/keys.json": false,
		"https://issuer.example:port/keys": false,
	} {
		if err := CheckJWKS(where); (err == nil) != ok {
			t.Errorf("%s: %v", where, err)
		}
		if _, err := New(Options{JWKS: where}); !ok && err == nil {
			t.Errorf("%s was taken", where)
		}
	}
}
