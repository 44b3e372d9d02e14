package explore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"lishi/events"
)

// beat is how often a follower is told where the reading is.
const beat = 5 * time.Second

// Follow hands on the events after a cursor (of partitions that it does not name:
// those that come from now on) that pass the filter, each once its verdict is
// known, until ctx ends or each fails. At most rate events a second are handed on;
// the rest, and those that come while each still has too many before it, are
// counted, and told as skipped. With rate 0 none is skipped: who can't keep up
// reads the log again, as it does what is older. Calls come one at a time. Events of
// one partition come in order.
func (o *Observer) Follow(ctx context.Context, f Filter, after events.Cursor, rate int, each func([]Item) error) error {
	if err := f.Check(); err != nil {
		return err
	}
	end, err := o.live.Log().End(ctx)
	if err != nil {
		return err
	}
	from := events.Cursor{}
	for p, last := range end {
		from[p] = last
		if at, ok := after[p]; ok {
			from[p] = at
		}
		if from[p] > last {
			return fmt.Errorf("%w: %s has %d records", ErrMisuse, p, last+1)
		}
	}
	for p := range after {
		if _, ok := end[p]; !ok {
			return fmt.Errorf("%w: the log has no partition %s", ErrMisuse, p)
		}
	}
	if err := each([]Item{{At: from.String()}}); err != nil { // who is cut off before the first beat can go on too
		return err
	}
	t := &follower{filter: f, rate: rate, each: each, at: from, told: from.Clone(), beaten: time.Now(), wake: make(chan struct{}, 1)}
	for {
		if err := o.show(ctx, t); err != nil {
			return err
		}
	}
}

// near is how many records a follower may be behind the log's end when it joins
// those who are shown what comes: its queue has room for more.
const near = queueEvents / 4

// show brings a follower to the log's end and shows what comes, until its queue
// was full.
func (o *Observer) show(ctx context.Context, t *follower) error {
	for {
		end, err := o.live.Log().End(ctx)
		if err != nil {
			return err
		}
		behind := int64(0)
		for p, last := range end {
			behind += max(0, last-t.told[p])
		}
		if behind <= near {
			break
		}
		if err := o.read(ctx, t, end); err != nil {
			return err
		}
	}
	upTo := o.join(t)
	defer o.leave(t)
	if err := o.read(ctx, t, upTo); err != nil {
		return err
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		ticked := false
		select {
		case <-t.wake:
		case <-tick.C:
			ticked = true
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		items, overflown := t.take(ticked)
		if len(items) > 0 {
			if err := t.each(items); err != nil {
				return err
			}
		}
		if overflown {
			return nil // it goes on from the log
		}
	}
}

// errReached ends the reading of the log at the cursor that was wanted.
var errReached = errors.New("explore: reached")

// read shows a follower what stands in the log behind what it was told, up to a
// cursor.
func (o *Observer) read(ctx context.Context, t *follower, upTo events.Cursor) error {
	from := events.Cursor{}
	for p, last := range upTo {
		if t.told[p] < last {
			from[p] = t.told[p]
		}
	}
	if len(from) == 0 {
		return nil
	}
	var mu sync.Mutex // partitions come side by side; held while each runs, which t.mu never is
	err := o.live.Log().Read(ctx, from, func(p events.Partition, batch []events.Recorded) error {
		if len(batch) == 0 || batch[0].Position.Offset > upTo[p] {
			return nil
		}
		if err := o.live.Wait(ctx, events.Cursor{p: min(batch[len(batch)-1].Position.Offset, upTo[p])}); err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		l := o.live.Book().Ledger(p)
		var items []Item
		for i := range batch {
			r := &observed{Recorded: batch[i]}
			if r.Position.Offset > upTo[p] {
				break
			}
			if r.verdict = l.Verdict(r.Position.Offset); t.passes(r) && t.allowedAlone() {
				items = append(items, r.item())
			}
			t.told[p] = r.Position.Offset
		}
		if time.Since(t.reported) >= time.Second {
			items = t.reportAlone(items)
		}
		if len(items) > 0 {
			if err := t.each(items); err != nil {
				return err
			}
		}
		for p := range from {
			if t.told[p] < upTo[p] {
				return nil
			}
		}
		return errReached
	})
	if errors.Is(err, errReached) {
		return nil
	}
	if err == nil {
		err = context.Cause(ctx)
	}
	return err
}
