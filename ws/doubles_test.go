package ws

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lishi/events"
	"lishi/projections"
)

// recorded counts what the server tells its metrics.
type recorded struct {
	mu       sync.Mutex
	open     int
	closed   map[string]int
	requests map[string]int
	pushed   map[string]int
	on8      atomic.Pointer[func()] // called once, at the next push 8, while everything else is held
}

func (r *recorded) note(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed == nil {
		r.closed, r.requests, r.pushed = map[string]int{}, map[string]int{}, map[string]int{}
	}
	f()
}

// over is how many connections have ended.
func (r *recorded) over() (n int) {
	r.note(func() {
		for _, c := range r.closed {
			n += c
		}
	})
	return n
}

func (r *recorded) Connected(d int) { r.note(func() { r.open += d }) }
func (*recorded) Refused(string)    {}

func (r *recorded) Closed(code string) { r.note(func() { r.closed[code]++ }) }
func (r *recorded) Requested(url, reason string, _ time.Duration) {
	r.note(func() { r.requests[url+" "+reason]++ })
}
func (r *recorded) Pushed(msgType string, n int) {
	r.note(func() { r.pushed[msgType] += n })
	if msgType == "8" {
		if f := r.on8.Swap(nil); f != nil {
			(*f)()
		}
	}
}

// answers is the read model of the tests: what a query gets is set by them.
type answers struct {
	mu   sync.Mutex
	run  func(ctx context.Context, q projections.Query, caller string) (projections.Page, error)
	seen []events.Cursor
}

func (a *answers) Answer(ctx context.Context, q projections.Query, caller string, seen events.Cursor) (projections.Page, error) {
	a.mu.Lock()
	a.seen = append(a.seen, seen)
	run := a.run
	a.mu.Unlock()
	if run == nil {
		return projections.Page{List: []string{}}, nil
	}
	return run(ctx, q, caller)
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never happened: %s", what)
		}
	}
}

// answer has every query looked at and answered with no rows.
func (a *answers) answer(look func(projections.Query)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.run = func(_ context.Context, q projections.Query, _ string) (projections.Page, error) {
		look(q)
		return projections.Page{}, nil
	}
}
