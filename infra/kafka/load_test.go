//go:build kafka

package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lishi/events"
	"lishi/events/ledger"
	"lishi/infra/kafka"
	"lishi/infra/kafka/logtest"
)

// load appends to many streams at once and remembers what it was told. Half of
// the streams wait for each event and try it again, with the same id, until it is
// in the log; the others have several under way and try nothing again.
type load struct {
	t   *testing.T
	log *kafka.Log

	mu          sync.Mutex
	acked       map[events.ID]events.Event
	at          map[events.ID]events.Position
	unavailable map[events.ID]error // of those tried once: certainly not in the log
	unknown     map[events.ID]error
	last        map[events.Stream]time.Time
	waits       []wait // of those that tried again

	stop context.CancelFunc
	done sync.WaitGroup
}

type wait struct {
	since time.Time
	took  time.Duration
}

const persistent, hasty = 20, 10 // streams of either kind

func startLoad(t *testing.T, l *kafka.Log) *load {
	ctx, stop := context.WithCancel(t.Context())
	o := &load{
		t: t, log: l, stop: stop,
		acked: map[events.ID]events.Event{}, at: map[events.ID]events.Position{}, last: map[events.Stream]time.Time{},
		unavailable: map[events.ID]error{}, unknown: map[events.ID]error{},
	}
	for i := range persistent {
		o.done.Go(func() { o.persist(ctx, pair(i)) })
	}
	for i := range hasty {
		o.done.Go(func() { o.hurry(ctx, pair(persistent+i)) })
	}
	for deadline := time.Now().Add(time.Minute); o.count() < 1000; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("only %d acknowledged", o.count())
		}
	}
	return o
}

func pair(n int) events.Stream { return events.PairStream("alice", fmt.Sprint("peer", n)) }

func said(s events.Stream, n int) events.Event {
	e := logtest.Message(s, n)
	e.Basis = 0
	e.Body = events.MessageSent{Content: events.Content{Plain: "你好"}, Strangers: true}
	return e
}

// append calls done exactly once or fails the test.
func (o *load) append(e events.Event, done func(error)) {
	var calls atomic.Int32
	o.log.AppendAsync(e, func(p events.Position, err error) {
		if calls.Add(1) != 1 {
			o.t.Errorf("%s of %s was answered twice", e.Request, e.Stream)
			return
		}
		if err == nil {
			o.mu.Lock()
			o.acked[e.ID], o.at[e.ID], o.last[e.Stream] = e, p, time.Now()
			o.mu.Unlock()
		} else if !errors.Is(err, events.ErrUnavailable) && !errors.Is(err, events.ErrUnknown) {
			o.t.Error(err)
		}
		done(err)
	})
}

func (o *load) persist(ctx context.Context, s events.Stream) {
	for n := 0; ctx.Err() == nil; n++ {
		began := time.Now()
		for e := said(s, n); ; time.Sleep(50 * time.Millisecond) {
			answer := make(chan error, 1)
			o.append(e, func(err error) { answer <- err })
			if <-answer == nil {
				break
			}
		}
		o.mu.Lock()
		o.waits = append(o.waits, wait{began, time.Since(began)})
		o.mu.Unlock()
		time.Sleep(10 * time.Millisecond)
	}
}

func (o *load) hurry(ctx context.Context, s events.Stream) {
	under := make(chan struct{}, 8)
	for n := 0; ctx.Err() == nil; n++ {
		under <- struct{}{}
		e := said(s, n)
		o.append(e, func(err error) {
			o.mu.Lock()
			if errors.Is(err, events.ErrUnavailable) {
				o.unavailable[e.ID] = err
			} else if err != nil {
				o.unknown[e.ID] = err
			}
			o.mu.Unlock()
			<-under
		})
		time.Sleep(5 * time.Millisecond)
	}
	for range cap(under) {
		under <- struct{}{}
	}
}

// goesOn waits until all streams have been acknowledged something anew.
func (o *load) goesOn(within time.Duration) {
	o.t.Helper()
	since := time.Now()
	for deadline := since.Add(within); ; time.Sleep(20 * time.Millisecond) {
		o.mu.Lock()
		fresh := 0
		for _, at := range o.last {
			if at.After(since) {
				fresh++
			}
		}
		o.mu.Unlock()
		if fresh == persistent+hasty {
			return
		}
		if time.Now().After(deadline) {
			o.t.Fatalf("only %d of %d streams go on after %s", fresh, persistent+hasty, within)
		}
	}
}

// longest is the longest wait of an event that was tried after a moment.
func (o *load) longest(after time.Time) time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	var d time.Duration
	for _, w := range o.waits {
		if w.since.Add(w.took).After(after) {
			d = max(d, w.took)
		}
	}
	return d
}

// check ends the load and reads the log: what was acknowledged counts once, in
// order; what was refused is not there.
func (o *load) check() {
	o.t.Helper()
	o.stop()
	o.done.Wait()
	end, err := o.log.End(o.t.Context())
	if err != nil {
		o.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(o.t.Context(), time.Minute)
	defer cancel()
	got, err := logtest.Read(ctx, o.log, logtest.Beginning(o.log.Layout()), end)
	if err != nil {
		o.t.Fatal(err)
	}
	ids := map[events.ID]bool{}
	numbers := map[events.Stream]int{}
	repeats, records := 0, 0
	for p, rs := range got {
		l := ledger.New(p)
		for _, r := range rs {
			v, err := l.Admit(r)
			if err != nil {
				o.t.Fatal(err)
			}
			if _, message := r.Body.(events.MessageSent); !message {
				continue
			}
			records++
			if _, refused := o.unavailable[r.ID]; refused {
				o.t.Errorf("%s of %s was answered unavailable and stands at %s: %v", r.Request, r.Stream, r.Position, o.unavailable[r.ID])
			}
			if v == ledger.Repeat {
				repeats++
				continue
			}
			if v.Void() || ids[r.ID] {
				o.t.Errorf("%s: %s, seen before: %v", r.Position, v, ids[r.ID])
			}
			ids[r.ID] = true
			var n int
			fmt.Sscan(r.Request, &n)
			if prev, ok := numbers[r.Stream]; ok && n <= prev {
				o.t.Errorf("%s: %d of %s after %d", r.Position, n, r.Stream, prev)
			}
			numbers[r.Stream] = n
		}
	}
	for id, e := range o.acked {
		if !ids[id] {
			o.t.Errorf("%s of %s was acknowledged at %s and does not count", e.Request, e.Stream, o.at[id])
		}
		if p := o.at[id]; got[p.Partition][p.Offset].ID != id {
			o.t.Errorf("%s holds another event than was acknowledged", p)
		}
	}
	o.t.Logf("%d acknowledged; %d records, of which %d repeats; %d refused, %d unknown (told once)",
		len(o.acked), records, repeats, len(o.unavailable), len(o.unknown))
}

func summary(ds []time.Duration) string {
	slices.Sort(ds)
	return fmt.Sprintf("waiting: median %.1f s, worst %.1f s", ds[len(ds)/2].Seconds(), ds[len(ds)-1].Seconds())
}

func (o *load) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.acked)
}
