package bench

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// Group is a load of one person who writes to a group whose members are all
// connected. A message is over when it was answered and every member has it.
type Group struct {
	Members  int // who receive
	Stopped  int // more members, who are connected and read nothing
	Depth    int // messages under way
	Bytes    int
	Duration time.Duration
}

// Run makes the group, loads, and checks that every message was answered and
// arrived at every member exactly once, unchanged and in order.
func (l Group) Run(ctx context.Context, s Server) (Report, error) {
	begun := time.Now()
	run := nameless()
	t, err := meet(ctx, s, run, l.Members+l.Stopped)
	if err != nil {
		return Report{}, err
	}
	stopped := t.to[l.Members:]
	t.to, t.arrived = t.to[:l.Members], t.arrived[:l.Members]
	for _, c := range stopped {
		defer c.Close()
		c.Stop()
	}
	t.size = always(l.Bytes)
	setup := time.Since(begun).Seconds()

	missing := make([]atomic.Int64, window) // members that wait for a message, by its number; and the sender for its answer
	done := make(chan struct{}, l.Depth)
	passed := func(n int64) {
		if missing[n%window].Add(1) == int64(l.Members+1) {
			missing[n%window].Store(0)
			done <- struct{}{}
		}
	}
	speak := func(t *talk, over <-chan struct{}) error {
		read := make(chan error, 1)
		go func() {
			for {
				before := t.answered.Load()
				n, err := t.answers()
				for i := range n {
					passed(before + 1 + i)
				}
				if err != nil || n == 0 {
					read <- err
					return
				}
			}
		}()
		for next := l.Depth; ; next = 1 {
			now := time.Now()
			for range next {
				t.queue(now)
			}
			for more := true; more; { // what else is over goes with the same write
				select {
				case <-done:
					t.queue(now)
				default:
					more = false
				}
			}
			if err := t.from.Flush(); err != nil {
				return err
			}
			select {
			case <-done:
			case err := <-read:
				return err
			case <-over:
				return <-read // ends when the socket is closed
			}
		}
	}
	r, err := load(ctx, []*talk{t}, after(l.Duration), speak, func(*talk) func(int64) { return passed })
	r.Load, r.Setup = fmt.Sprintf("group of %d × %d under way", l.Members, l.Depth), setup
	if l.Stopped > 0 {
		r.Load += fmt.Sprintf(", %d read nothing", l.Stopped)
	}
	return r, err
}
