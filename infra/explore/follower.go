package explore

import (
	"sync"
	"time"

	"lishi/events"
)

// follower is one who follows the tail.
type follower struct {
	filter Filter
	rate   int // events a second; 0: all
	each   func([]Item) error
	wake   chan struct{}

	// Of the goroutine that calls each.
	told     events.Cursor // what it was told, or need not be
	reported time.Time     // when it was told what was skipped
	beaten   time.Time     // when it was told where the reading is

	mu        sync.Mutex    // what follows is the observer's too
	at        events.Cursor // what was put into the queue, skipped, or not wanted; without partitions that it has not joined
	queue     []Item
	bytes     int
	overflown bool // it takes nothing more into the queue
	second    time.Time
	shown     int // in this second
	skipped   int64
}

// empty forgets what was in the queue, and all partitions.
func (t *follower) empty() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.at, t.queue, t.bytes, t.overflown = events.Cursor{}, nil, 0, false
}

// join begins a partition behind an offset.
func (t *follower) join(p events.Partition, at int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.at[p] = at
}

// passes tells whether the follower wants the record.
func (t *follower) passes(r *observed) bool {
	return t.filter.Wants(&r.Recorded) && (t.filter.Void == "" || r.verdict.Void() == (t.filter.Void == "only"))
}

// allowed counts an event against the rate.
func (t *follower) allowed() bool {
	if t.rate == 0 {
		return true
	}
	if now := time.Now(); now.Sub(t.second) >= time.Second {
		t.second, t.shown = now, 0
	}
	if t.shown >= t.rate {
		t.skipped++
		return false
	}
	t.shown++
	return true
}

func (t *follower) allowedAlone() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.allowed()
}

// consider puts what the follower wants of a round into its queue. lost tells that
// records are missing at the end of the round.
func (t *follower) consider(batch []observed, lost bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range batch {
		r := &batch[i]
		p, offset := r.Position.Partition, r.Position.Offset
		at, joined := t.at[p]
		switch missing := offset - at - 1; {
		case t.overflown:
			return
		case !joined || missing < 0:
			continue
		case missing > 0 && t.rate == 0:
			t.overflow()
			return
		case missing > 0:
			t.skipped += missing
		}
		if t.passes(r) && t.allowed() {
			if len(t.queue) == queueEvents || t.bytes > queueBytes {
				if t.rate == 0 {
					t.overflow()
					return
				}
				t.skipped++
			} else {
				item := r.item()
				t.queue = append(t.queue, item)
				t.bytes += len(item.line)
			}
		}
		t.at[p] = offset
	}
	if lost && t.rate == 0 {
		t.overflow()
	}
	if len(t.queue) > 0 {
		t.call()
	}
}

// overflow ends the follower's being shown what comes.
func (t *follower) overflow() {
	t.overflown = true
	t.call()
}

func (t *follower) call() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// take empties the queue, and with tick adds what was skipped and where the
// reading is. overflown tells that the follower must go on from the log.
func (t *follower) take(tick bool) (items []Item, overflown bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	items, t.queue, t.bytes = t.queue, nil, 0
	for p, at := range t.at {
		t.told[p] = at
	}
	if tick {
		items = t.report(items, t.told)
	}
	return items, t.overflown
}

func (t *follower) reportAlone(items []Item) []Item {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.report(items, t.told)
}

// report adds what was skipped, and now and then the cursor. It needs the lock.
func (t *follower) report(items []Item, at events.Cursor) []Item {
	t.reported = time.Now()
	if t.skipped > 0 {
		items = append(items, Item{Skipped: t.skipped})
		t.skipped = 0
	}
	if time.Since(t.beaten) >= beat {
		t.beaten = time.Now()
		items = append(items, Item{At: at.String()})
	}
	return items
}
