package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Storm is a load of people who all lose their connection at once and come back
// at once with their cursors, after as many messages were said to them.
type Storm struct {
	People   int
	Missed   int // messages that each of them missed
	Bytes    int
	Patience time.Duration // until all must be live again
}

// StormReport is what was seen. Live counts from the moment all began to connect
// until a person had the whole backlog.
type StormReport struct {
	People int     `json:"people"`
	Missed int     `json:"missed"`
	Setup  float64 `json:"setupSeconds"`
	All    float64 `json:"allLiveSeconds"`
	Live   Latency `json:"live"`
}

func (r StormReport) String() string {
	return fmt.Sprintf("%d people come back, %d messages missed by each: all live after %.2f s (%s)", r.People, r.Missed, r.All, r.Live)
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
	r.Setup = time.Since(begun).Seconds()

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
		return r, *e
	}
	return r, nil
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
