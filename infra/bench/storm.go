package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Storm is a load of people who all lose their connection at once and come back
// at once with their cursors, after as many messages were said to them. One pair
// writes to each other all the time that takes.
type Storm struct {
	People   int
	Missed   int // messages that each of them missed
	Others   int // messages that others wrote to each other since, at least
	Bytes    int
	Patience time.Duration // until all must be live again
}

// StormReport is what was seen. Live counts from the moment all began to connect
// until a person had the whole backlog.
type StormReport struct {
	People int     `json:"people"`
	Missed int     `json:"missed"`
	Others int64   `json:"othersMessages"`
	Setup  float64 `json:"setupSeconds"`
	All    float64 `json:"allLiveSeconds"`
	Live   Latency `json:"live"`
	Push   Latency `json:"sendToPushMeanwhile"` // of the pair that writes on
	Quiet  Latency `json:"sendToPushBefore"`
}

func (r StormReport) String() string {
	return fmt.Sprintf("%d people come back, %d messages missed by each, %d of others in between: all live after %.2f s (%s); a pair that writes on: send to push %s, before the storm %s",
		r.People, r.Missed, r.Others, r.All, r.Live, r.Push, r.Quiet)
}

// Run makes people in pairs, lets one half of each leave, writes to them, and
// lets all come back. That a message is lost, repeated or out of order is an
// error, and so is somebody who is not live in time.
func (l Storm) Run(ctx context.Context, s Lishi) (r StormReport, err error) {
	r = StormReport{People: l.People, Missed: l.Missed}
	begun := time.Now()
	run := nameless()
	talks := make([]*talk, l.People)
	cursors := make([]string, l.People)
	defer func() {
		for _, t := range talks {
			if t != nil {
				t.close()
			}
		}
	}()
	if err := each(l.People, func(i int) error {
		t, err := meet(ctx, s, fmt.Sprintf("%s-%d", run, i), 1)
		if err != nil {
			return err
		}
		t.size, talks[i] = always(l.Bytes), t
		t.to[0].Close()
		// Who was just made a friend has a push to come; the cursor of a login
		// after it is where the storm's backlog begins.
		again, cursor, err := s.login(ctx, t.to[0].Person, "")
		if err != nil {
			return err
		}
		again.Close()
		cursors[i] = cursor
		for range l.Missed {
			t.queue(time.Now())
		}
		if err := t.from.Flush(); err != nil {
			return err
		}
		for t.answered.Load() < int64(l.Missed) {
			if n, err := t.answers(); err != nil || n == 0 {
				return err
			}
		}
		t.from.Close()
		return nil
	}); err != nil {
		return r, err
	}
	for r.Others < int64(l.Others) {
		others, err := Pairs{Pairs: 100, Depth: 8, Bytes: l.Bytes, Duration: 2 * time.Second}.Run(ctx, s)
		if err != nil {
			return r, err
		}
		r.Others += others.Messages
	}
	r.Setup = time.Since(begun).Seconds()
	on := Pairs{Pairs: 1, Rate: 100, Bytes: l.Bytes, Duration: 2 * time.Second}
	before, err := on.Run(ctx, s)
	if err != nil {
		return r, err
	}
	r.Quiet = before.Push
	pair, _, err := on.meet(ctx, s)
	if err != nil {
		return r, err
	}
	enough, written := make(chan struct{}), make(chan error, 1)
	go func() {
		meanwhile, err := on.load(ctx, pair, 0, enough)
		r.Push = meanwhile.Push
		written <- err
	}()
	err = l.comeBack(ctx, s, talks, cursors, &r)
	close(enough)
	return r, errors.Join(err, <-written)
}

// comeBack is the storm.
func (l Storm) comeBack(ctx context.Context, s Lishi, talks []*talk, cursors []string, r *StormReport) error {
	ctx, cancel := context.WithTimeout(ctx, l.Patience)
	defer cancel()
	live := newRecorder()
	var all sync.WaitGroup
	var first atomic.Pointer[error]
	start := time.Now()
	for i, t := range talks {
		all.Go(func() {
			if err := s.comeBack(ctx, t, cursors[i]); err != nil {
				first.CompareAndSwap(nil, &err)
				return
			}
			live.since(start.UnixNano())
		})
	}
	all.Wait()
	r.All, r.Live = time.Since(start).Seconds(), live.latency()
	if e := first.Load(); e != nil {
		return *e
	}
	return nil
}

// comeBack resumes with a cursor and reads the backlog to its end.
func (l Lishi) comeBack(ctx context.Context, t *talk, cursor string) error {
	c, _, err := l.login(ctx, t.to[0].Person, cursor)
	if err != nil {
		return err
	}
	t.to[0] = c // stays until all are there
	stop := context.AfterFunc(ctx, c.Close)
	defer stop()
	for due := int64(1); ; {
		frame, err := c.Frame()
		if err != nil {
			return fmt.Errorf("%s, message %d was due: %w", c.Person, due, err)
		}
		if said, _, err := l.Next(frame); err != nil {
			return err
		} else if said.Kind == Pushed {
			n, err := t.numberOf(said.Content)
			if err != nil || n != due {
				return fmt.Errorf("%s: %q came where message %d was due (%v)", c.Person, said.Content, due, err)
			}
			due++
			continue
		}
		var r result
		if err := json.Unmarshal(frame, &r); err != nil {
			return err
		}
		if r.MsgType != "15" {
			continue
		}
		if sent := t.sent.Load(); due != sent+1 {
			return fmt.Errorf("%s: the backlog ended after %d of %d messages", c.Person, due-1, sent)
		}
		return nil
	}
}
