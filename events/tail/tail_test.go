package tail_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"lishi/events"
	"lishi/events/ledger"
	"lishi/events/tail"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is a log in memory: it orders, and hands out batches of random sizes.
type memory struct {
	layout  events.Layout
	mu      sync.Mutex
	records map[events.Partition][]events.Recorded
	grown   chan struct{}
	batch   func() int
	reads   map[events.Partition]int
}

func newMemory(l events.Layout) *memory {
	m := &memory{layout: l, records: map[events.Partition][]events.Recorded{}, grown: make(chan struct{}),
		batch: func() int { return 7 }, reads: map[events.Partition]int{}}
	for _, p := range l.Partitions() {
		m.put(p, events.Event{ID: events.NewID("log", "", p.String()), Stream: events.SystemStream(), Body: events.LogOpened{Partitions: l.Count(p.Topic)}})
	}
	return m
}

func (m *memory) put(p events.Partition, es ...events.Event) events.Position {
	m.mu.Lock()
	defer m.mu.Unlock()
	var pos events.Position
	for _, e := range es {
		pos = events.Position{Partition: p, Offset: int64(len(m.records[p]))}
		m.records[p] = append(m.records[p], events.Recorded{Event: e, Position: pos, At: time.UnixMilli(1)})
	}
	close(m.grown)
	m.grown = make(chan struct{})
	return pos
}

func (m *memory) Append(_ context.Context, es ...events.Event) ([]events.Position, error) {
	var ps []events.Position
	for _, e := range es {
		ps = append(ps, m.put(m.layout.Partition(e.Stream), e))
	}
	return ps, nil
}

func (m *memory) Layout() events.Layout { return m.layout }

func (m *memory) End(context.Context) (events.Cursor, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := events.Cursor{}
	for p, rs := range m.records {
		c[p] = int64(len(rs)) - 1
	}
	return c, nil
}

func (m *memory) At(_ context.Context, p events.Position) (events.Recorded, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.records[p.Partition][p.Offset], nil
}

func (m *memory) Read(ctx context.Context, after events.Cursor, each func(events.Partition, []events.Recorded) error) error {
	errs := make(chan error, len(after))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for p, o := range after {
		m.mu.Lock()
		m.reads[p]++
		m.mu.Unlock()
		go func() { errs <- m.readOne(ctx, p, o+1, each) }()
	}
	var first error
	for range after {
		if err := <-errs; err != nil && first == nil {
			first = err
			cancel()
		}
	}
	return first
}

func (m *memory) readOne(ctx context.Context, p events.Partition, next int64, each func(events.Partition, []events.Recorded) error) error {
	for {
		m.mu.Lock()
		rs := m.records[p][next:]
		if n := m.batch(); len(rs) > n {
			rs = rs[:n]
		}
		rs = append([]events.Recorded(nil), rs...)
		grown := m.grown
		m.mu.Unlock()
		if len(rs) == 0 {
			select {
			case <-grown:
				continue
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if err := each(p, rs); err != nil {
			return err
		}
		next += int64(len(rs))
	}
}

var pair = events.PairStream("a", "b")

func friends() events.Event {
	return events.Event{ID: events.NewID("p", "a", "friends"), Stream: pair, Revision: 1, Actor: "a", Body: events.FriendAgreed{Applicant: "b"}}
}

// said is a message; every third repeats the one before and is void.
func said(n int) events.Event {
	if n%3 == 2 {
		n--
	}
	return events.Event{ID: events.NewID("p", "a", fmt.Sprint(n)), Stream: pair, Actor: "a", Body: events.MessageSent{Content: events.Content{Plain: fmt.Sprint(n)}}}
}

func run(t interface {
	Helper()
	Errorf(string, ...any)
}, tl *tail.Tail) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- tl.Run(ctx) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

type seen struct {
	mu       sync.Mutex
	offsets  []int64
	verdicts map[ledger.Verdict]int
}

func (s *seen) Observe(r events.Recorded, v ledger.Verdict) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Position.Topic == events.Conversations {
		s.offsets = append(s.offsets, r.Position.Offset)
		s.verdicts[v]++
	}
}

// Whoever follows from anywhere, with any ring and any batches, gets exactly the
// admitted events after that offset, in order, and learns how far it came.
func TestFollowFromAnywhere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMemory(events.Layout{Conversations: 1, Users: 1})
		size := rapid.IntRange(1, 9).Draw(t, "log batch")
		m.batch = func() int { return size }
		s := &seen{verdicts: map[ledger.Verdict]int{}}
		tl := tail.New(m, tail.Options{
			Ring:     rapid.IntRange(1, 40).Draw(t, "ring"),
			MaxBatch: rapid.IntRange(1, 20).Draw(t, "batch"),
		}, s)
		defer run(t, tl)()
		p := m.layout.Partition(pair)
		before := rapid.IntRange(0, 60).Draw(t, "before")
		later := rapid.IntRange(0, 30).Draw(t, "later")
		m.put(p, friends())
		for n := range before {
			m.put(p, said(n))
		}
		<-tl.Ready()
		last := int64(before + later + 1)
		after := int64(rapid.IntRange(-1, int(last)).Draw(t, "after"))
		go func() {
			for n := range later {
				m.put(p, said(before+n))
			}
		}()
		var got []events.Recorded
		reached := after
		err := tl.Range(context.Background(), p, after, last, func(b []events.Recorded, passed int64) error {
			if passed <= reached {
				t.Fatalf("passed %d after %d", passed, reached)
			}
			reached = passed
			got = append(got, b...)
			return nil
		})
		if err != nil || reached != last {
			t.Fatalf("reached %d of %d: %v", reached, last, err)
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		i := 0
		for _, r := range m.records[p] {
			o := r.Position.Offset
			if o <= after || tl.Book().Ledger(p).Void(o) {
				continue
			}
			if i >= len(got) || got[i].Position.Offset != o {
				t.Fatalf("want %d as number %d of %d", o, i, len(got))
			}
			i++
		}
		if i != len(got) {
			t.Fatalf("%d events, want %d", len(got), i)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		for i, o := range s.offsets {
			if o != int64(i) {
				t.Fatalf("the observer saw offset %d as number %d", o, i)
			}
		}
	})
}

func TestBarrierCoversWhatWasAppendedBefore(t *testing.T) {
	m := newMemory(events.Layout{Conversations: 2, Users: 1})
	tl := tail.New(m, tail.Options{})
	defer run(t, tl)()
	p := m.layout.Partition(pair)
	for n := range 200 {
		pos := m.put(p, events.Event{ID: events.NewID("x", "a", fmt.Sprint(n)), Stream: pair, Actor: "a", Body: events.MessageSent{Strangers: true}})
		if err := tl.CatchUp(context.Background(), p); err != nil {
			t.Fatal(err)
		}
		if got := tl.Folded()[p]; got < pos.Offset {
			t.Fatalf("folded %d, appended %d before the barrier", got, pos.Offset)
		}
	}
	if err := tl.CatchUp(context.Background(), events.Partition{Topic: events.Conversations, Number: 9}); err == nil {
		t.Fatal("a partition that is not there caught up")
	}
}

func TestOneReadOfEachPartitionServesAll(t *testing.T) {
	m := newMemory(events.Layout{Conversations: 1, Users: 1})
	tl := tail.New(m, tail.Options{})
	defer run(t, tl)()
	p := m.layout.Partition(pair)
	m.put(p, friends())
	for n := range 500 {
		m.put(p, said(n))
	}
	if err := tl.CatchUp(context.Background(), p); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			n := 0
			if err := tl.Range(context.Background(), p, events.Start, 501, func(b []events.Recorded, _ int64) error { n += len(b); return nil }); err != nil || n < 300 {
				t.Errorf("%d events, %v", n, err)
			}
		})
	}
	wg.Wait()
	for _, want := range m.records[p][490:] {
		if r, err := tl.At(context.Background(), want.Position); err != nil || r.ID != want.ID {
			t.Errorf("At(%s): %v, %v", want.Position, r, err)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.reads[p] != 1 {
		t.Fatalf("the partition was read %d times", m.reads[p])
	}
}

func TestBetweenStandsBetweenTwoRecords(t *testing.T) {
	m := newMemory(events.Layout{Conversations: 1, Users: 1})
	p := m.layout.Partition(pair)
	s := &seen{verdicts: map[ledger.Verdict]int{}}
	tl := tail.New(m, tail.Options{MaxBatch: 3}, s)
	defer run(t, tl)()
	<-tl.Ready()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
				m.put(p, events.Event{ID: events.NewID("x", "a", fmt.Sprint(n)), Stream: pair, Actor: "a", Body: events.MessageSent{Strangers: true}})
			}
		}
	})
	for range 300 {
		tl.Between(p, func(folded int64) {
			s.mu.Lock()
			defer s.mu.Unlock()
			if got := s.offsets[len(s.offsets)-1]; got != folded {
				t.Errorf("folded %d, the observer is at %d", folded, got)
			}
		})
	}
	close(stop)
	wg.Wait()
}

func TestDamageStopsLoudly(t *testing.T) {
	m := newMemory(events.Layout{Conversations: 1, Users: 1})
	p := m.layout.Partition(pair)
	lost := friends()
	lost.Revision, lost.Prev = 5, events.NewID("never", "seen", "here")
	pos := m.put(p, lost)
	tl := tail.New(m, tail.Options{})
	err := tl.Run(context.Background())
	if !errors.Is(err, events.ErrDamaged) {
		t.Fatalf("got %v", err)
	}
	if want := pos.String(); !strings.Contains(err.Error(), want) {
		t.Fatalf("%q does not name %s", err, want)
	}
}

func TestFollowEndsWithItsContext(t *testing.T) {
	m := newMemory(events.Layout{Conversations: 1, Users: 1})
	tl := tail.New(m, tail.Options{})
	defer run(t, tl)()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() {
		ended <- tl.Follow(ctx, m.layout.Partition(pair), events.Start, func([]events.Recorded, int64) error { return nil })
	}()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	boom := errors.New("boom")
	if err := tl.Follow(context.Background(), m.layout.Partition(pair), events.Start, func([]events.Recorded, int64) error { return boom }); !errors.Is(err, boom) {
		t.Fatal(err)
	}
}
