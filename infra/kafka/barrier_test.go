package kafka

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"lishi/events"
)

// Whoever comes while the question is under way gets the answer of the next one,
// which all who came meanwhile share.
func TestBarrierIsSharedButNeverOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		b := barrier{list: func(context.Context) (events.Cursor, error) {
			n := asked.Add(1)
			time.Sleep(time.Second)
			return events.Cursor{partition0: n}, nil
		}}
		answers := make(chan int64, 100)
		ask := func() {
			c, err := b.end(t.Context())
			if err != nil {
				t.Error(err)
			}
			answers <- c[partition0]
		}
		go ask()
		time.Sleep(500 * time.Millisecond)
		for range 50 {
			go ask()
		}
		synctest.Wait()
		if n := asked.Load(); n != 1 {
			t.Fatalf("asked %d times at once", n)
		}
		if first := <-answers; first != 1 {
			t.Error("the first got answer", first)
		}
		for range 50 {
			if later := <-answers; later != 2 {
				t.Error("who came later got answer", later)
			}
		}
		go ask() // after a pause it begins anew
		if again := <-answers; again != 3 {
			t.Error("got answer", again)
		}
	})
}

func TestBarrierGivesUpWithItsContextOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := barrier{list: func(context.Context) (events.Cursor, error) {
			time.Sleep(time.Second)
			return events.Cursor{}, nil
		}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := b.end(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if _, err := b.end(t.Context()); err != nil { // the question went on for others
			t.Error(err)
		}
	})
}
