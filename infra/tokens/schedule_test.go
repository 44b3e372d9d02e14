package tokens

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// fake stands in for the network, so that time can be the test's own.
type fake struct {
	mu    sync.Mutex
	raw   []byte
	err   error
	takes time.Duration
	asked int
}

func (f *fake) load(ctx context.Context) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	takes, raw, err := f.takes, f.raw, f.err
	f.mu.Unlock()
	defer f.mu.Lock()
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return raw, err
}

func (f *fake) set(raw []byte, err error, takes time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.raw, f.err, f.takes = raw, err, takes
}

func (f *fake) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked
}

// When a url is fetched: at once, every five minutes, for an unknown key at most
// every five seconds, and while it is away after 1, 2, 4 … 60 seconds.
func TestWhenAURLIsFetched(t *testing.T) {
	pairs() // outside of the bubble: takes long
	synctest.Test(t, func(t *testing.T) {
		f := &fake{raw: document(public("1", pairs()[es256])), takes: time.Second}
		k, err := New(Options{JWKS: "https://issuer.example/keys"})
		if err != nil {
			t.Fatal(err)
		}
		k.set.load = f.load
		running(t, k)
		synctest.Wait()
		expect := func(n int, when string) {
			t.Helper()
			synctest.Wait()
			if got := f.count(); got != n {
				t.Fatalf("%s: fetched %d times, want %d", when, got, n)
			}
		}
		// A token that comes during the first fetch waits for it.
		begun := time.Now()
		if !taken(k, good(t, es256, "1")) || time.Since(begun) != time.Second {
			t.Fatalf("waited %v", time.Since(begun))
		}
		expect(1, "at first")
		for range 100 { // right after a fetch nothing asks again
			taken(k, good(t, es256, "x"))
		}
		expect(1, "within the pause")
		time.Sleep(urlPause)
		var all sync.WaitGroup
		for n := range 100 {
			all.Go(func() { taken(k, good(t, es256, fmt.Sprint("x", n))) })
		}
		all.Wait()
		expect(2, "a hundred unknown keys at once")
		time.Sleep(urlPause)
		for range 100 {
			taken(k, good(t, es256, "1"))
		}
		expect(2, "known keys")
		time.Sleep(urlEvery)
		expect(3, "after five minutes")

		f.set(nil, errors.New("away"), 0)
		time.Sleep(time.Until(begun.Add(2*urlEvery + 2*time.Second))) // two fetches took a second each
		expect(4, "the first that fails")
		for n, wait := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
			time.Sleep(wait*time.Second - time.Nanosecond)
			expect(4+n, "before the next attempt")
			time.Sleep(time.Nanosecond)
			expect(5+n, "the next attempt")
		}
		if !taken(k, good(t, es256, "1")) {
			t.Fatal("the last good key does not hold")
		}
		f.set(document(public("2", pairs()[es256])), nil, 0)
		time.Sleep(longestRetry)
		expect(13, "back")
		if taken(k, good(t, es256, "1")) || !taken(k, good(t, es256, "2")) {
			t.Fatal("not the new set")
		}
	})
}

// What goes on is logged once.
func TestLogOfAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		f := &fake{err: errors.New("away")}
		k, err := New(Options{JWKS: "https://issuer.example/keys?key=hunter2", Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		k.set.load = f.load
		running(t, k)
		time.Sleep(time.Hour)
		f.set(document(public("1", []byte("short"))), nil, 0)
		time.Sleep(time.Hour)
		f.set(nil, errors.New("away"), 0)
		time.Sleep(time.Hour)
		synctest.Wait()
		text := log.String()
		for _, want := range []string{"its tokens are refused", "is not used", "JWKS read", "its last good keys hold"} {
			if strings.Count(text, want) != 1 {
				t.Errorf("%q is said %d times:\n%s", want, strings.Count(text, want), text)
			}
		}
		if strings.Contains(text, "hunter2") || !strings.Contains(text, "https://issuer.example/keys") {
			t.Error(text)
		}
	})
}
