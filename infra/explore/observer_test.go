package explore_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"lishi/events"
	"lishi/events/ledger"
	"lishi/infra/explore"
)

// flood appends n messages of ann to a group, in large batches.
func (w *world) flood(g events.Stream, n int) {
	w.Helper()
	for n > 0 {
		var all []events.Event
		for range min(n, 2000) {
			w.no++
			all = append(all, events.Event{
				ID: events.NewID(g.Key(), "ann", strconv.Itoa(w.no)), Stream: g, Actor: "ann", ActorName: "ANN", Request: strconv.Itoa(w.no),
				Time: time.UnixMilli(1_700_000_000_000), Basis: w.tail.Folded()[w.log.Layout().Partition(g)], Body: text("x"),
			})
		}
		n -= len(all)
		if _, err := w.log.Append(w.Context(), all...); err != nil {
			w.Fatal(err)
		}
	}
}

var errEnough = errors.New("enough")

// Everybody who follows is told each event once and in order, whenever they come
// and however slow the others are, and who asks for few is told how many there were.
func TestFollowersDoNotHoldUpOneAnother(t *testing.T) {
	w := newWorld(t)
	g := events.GroupStream("g")
	first := w.say(g, "ann", events.GroupCreated{GroupName: "g", JoinMode: "9"}).Position
	w.say(g, "ann", text("hello"))
	const n = 30_000 // far more than a queue has room for
	last := first.Offset + 1 + n
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()

	stuck := make(chan struct{}) // some take nothing until the others are done
	var came, quick, slow sync.WaitGroup
	follow := func(name string, rate int, f explore.Filter, wait <-chan struct{}) {
		next, seen := first.Offset+1, int64(0)
		err := w.observer.Follow(ctx, f, events.Cursor{first.Partition: first.Offset}, rate, func(items []explore.Item) error {
			for _, i := range items {
				seen += i.Skipped
				if i.Event == nil {
					continue
				}
				offset := i.Event.Position.Offset
				if offset < next || rate == 0 && offset != next || !i.Event.Judged {
					return fmt.Errorf("%s came, not %d", i.Event.Position, next)
				}
				seen, next = seen+1, offset+1
				if offset == first.Offset+1 {
					came.Done()
					<-wait
				}
			}
			if seen == n+1 {
				return errEnough
			}
			return nil
		})
		if !errors.Is(err, errEnough) {
			t.Errorf("%s: %v; %d seen, up to %d", name, err, seen, next-1)
		}
	}
	free := make(chan struct{})
	close(free)
	came.Add(6) // who is told of the first message
	quick.Go(func() { follow("all", 0, explore.Filter{}, free) })
	quick.Go(func() { follow("all of a group", 0, explore.Filter{Group: "g", Void: "no"}, free) })
	quick.Go(func() { follow("few", 10, explore.Filter{Type: "message"}, free) })
	slow.Go(func() { follow("stuck", 0, explore.Filter{}, stuck) })
	slow.Go(func() { follow("stuck, few", 5000, explore.Filter{}, stuck) })
	never, leave := context.WithCancel(ctx)
	nothing := make(chan error, 1)
	go func() {
		nothing <- w.observer.Follow(never, explore.Filter{Group: "other"}, nil, 0, func(items []explore.Item) error {
			if items[0].At == "" {
				return fmt.Errorf("told %+v", items)
			}
			return nil
		})
	}()
	quick.Go(func() { follow("again", 0, explore.Filter{User: "ann"}, free) })
	came.Wait()
	w.flood(g, n)
	if err := w.tail.Wait(ctx, events.Cursor{first.Partition: last}); err != nil {
		t.Fatal(err)
	}
	came.Add(1)
	quick.Go(func() { follow("late", 0, explore.Filter{}, free) })
	quick.Wait()
	close(stuck)
	slow.Wait()
	leave()
	if err := <-nothing; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// While nobody follows, the observer costs those who chat nothing.
func TestNobodyFollows(t *testing.T) {
	o := explore.NewObserver(nil)
	r := events.Recorded{Event: events.Event{Stream: events.GroupStream("g"), Body: text("x")}}
	if n := testing.AllocsPerRun(1000, func() { o.Observe(r, ledger.Valid) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
