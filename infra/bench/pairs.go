package bench

import (
	"context"
	"fmt"
	"time"
)

// Pairs is a load of pairs of people, one writing to the other.
type Pairs struct {
	Pairs    int
	Depth    int     // messages under way in a pair
	Rate     float64 // messages a second offered in all, whatever is under way; 0: as many as Depth allows
	Bytes    int     // of each message's content
	Duration time.Duration
}

// Run makes the people, lets them meet, loads, and checks that every message was
// answered and arrived exactly once, unchanged and in order.
func (l Pairs) Run(ctx context.Context, s Server) (Report, error) {
	talks, setup, err := l.meet(ctx, s)
	if err != nil {
		return Report{}, err
	}
	return l.load(ctx, talks, setup, after(l.Duration))
}

// meet makes the people, and gives how many seconds that took.
func (l Pairs) meet(ctx context.Context, s Server) ([]*talk, float64, error) {
	begun := time.Now()
	run := nameless()
	talks := make([]*talk, l.Pairs)
	err := each(l.Pairs, func(i int) (err error) {
		if talks[i], err = meet(ctx, s, fmt.Sprintf("%s-%d", run, i), 1); err == nil {
			talks[i].size = always(l.Bytes)
		}
		return err
	})
	return talks, time.Since(begun).Seconds(), err
}

// load lets them talk until it is enough.
func (l Pairs) load(ctx context.Context, talks []*talk, setup float64, enough <-chan struct{}) (Report, error) {
	name := fmt.Sprintf("%d pairs × %d under way", l.Pairs, l.Depth)
	speak := func(t *talk, over <-chan struct{}) error { return t.converse(l.Depth, over) }
	if l.Rate > 0 {
		name = fmt.Sprintf("%d pairs, %.0f/s offered", l.Pairs, l.Rate)
		speak = l.offer(talks)
	}
	r, err := load(ctx, talks, enough, speak, nil)
	r.Load, r.Setup = name, setup
	return r, err
}

// offer spreads the rate evenly over time and pairs.
func (l Pairs) offer(talks []*talk) func(*talk, <-chan struct{}) error {
	every := float64(time.Second) / l.Rate // of any message
	turn := map[*talk]int64{}
	for i, t := range talks {
		turn[t] = int64(i)
	}
	start := time.Now()
	return func(t *talk, over <-chan struct{}) error {
		return t.offer(start, func(n int64) time.Duration {
			return time.Duration(every * float64(n*int64(l.Pairs)+turn[t]))
		}, over)
	}
}

// converse keeps so many messages under way: whatever was answered is followed by
// as many new ones, written together.
func (t *talk) converse(depth int, over <-chan struct{}) error {
	next := int64(depth)
	for {
		select {
		case <-over:
			next = 0
		default:
		}
		now := time.Now()
		for range next {
			t.queue(now)
		}
		if err := t.from.Flush(); err != nil {
			return err
		}
		if t.answered.Load() == t.sent.Load() {
			return nil
		}
		var err error
		if next, err = t.answers(); err != nil || next == 0 {
			return err
		}
	}
}

// offer sends each message when it is due, counted from start, whatever became of
// those before; due takes a message's number from 0.
func (t *talk) offer(start time.Time, due func(n int64) time.Duration, over <-chan struct{}) error {
	read := make(chan error, 1)
	go func() {
		for {
			if n, err := t.answers(); err != nil || n == 0 {
				read <- err
				return
			}
		}
	}()
	at := start.Add(due(0))
	clock := time.NewTimer(time.Until(at))
	defer clock.Stop()
	for {
		select {
		case <-over:
			return <-read // ends when the socket is closed
		case err := <-read:
			return err
		case <-clock.C:
		}
		for now := time.Now(); !at.After(now); at = start.Add(due(t.sent.Load())) {
			if t.sent.Load()-t.answered.Load() >= window-1 {
				return fmt.Errorf("%d messages are under way: the server does not take so many a second", window-1)
			}
			t.queue(at)
		}
		if err := t.from.Flush(); err != nil {
			return err
		}
		clock.Reset(time.Until(at))
	}
}
