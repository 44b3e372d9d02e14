package explore

import (
	"bytes"
	"context"
	"encoding/json"
	"sync"
	"sync/atomic"
	"time"

	"lishi/events"
	"lishi/events/ledger"
)

// Live is a log that is read as it grows, with the ledgers that fold it.
// tail.Tail is one, with its log.
type Live interface {
	Log() events.Log
	Book() *ledger.Book
	Wait(ctx context.Context, c events.Cursor) error
	Between(p events.Partition, f func(folded int64))
}

// Observer shows what a process folds to all who follow it: it is the tail's one
// observer for them. A record is decoded and judged by the tail, encoded once,
// however many want it, and put into the queue of each whose filter it passes.
// Nobody who follows holds up the tail or another: what a queue has no room for is
// skipped and counted, or read again from the log. It is safe for concurrent use.
type Observer struct {
	live      Live
	following atomic.Int32 // Observe keeps nothing while nobody follows

	mu        sync.Mutex
	inbox     []observed // what was folded since the last round
	spare     []observed
	overflow  bool // the inbox was full
	wake      chan struct{}
	followers []*follower // replaced, never changed
	quit      chan struct{}
}

// NewObserver makes the observer of a tail, which must be given it.
func NewObserver(live Live) *Observer {
	return &Observer{live: live, wake: make(chan struct{}, 1)}
}

// Layout is the log's.
func (o *Observer) Layout() events.Layout { return o.live.Book().Layout() }

// observed is a record with its verdict, and its line once somebody wanted it.
type observed struct {
	events.Recorded
	verdict ledger.Verdict
	shown   Item
}

// Limits of what waits.
const (
	inboxRecords = 16384
	queueEvents  = 4096    // of a follower
	queueBytes   = 4 << 20 // likewise, of lines
)

// rest is how long the next round waits for more, so that a flood is handed on in
// few large pieces; what comes alone is handed on at once.
const rest = 10 * time.Millisecond

// Observe implements tail.Observer.
func (o *Observer) Observe(r events.Recorded, v ledger.Verdict) {
	if o.following.Load() == 0 {
		return
	}
	o.mu.Lock()
	first := len(o.inbox) == 0
	if len(o.inbox) < inboxRecords {
		o.inbox = append(o.inbox, observed{Recorded: r, verdict: v})
	} else {
		o.overflow = true
	}
	o.mu.Unlock()
	if first {
		select {
		case o.wake <- struct{}{}:
		default:
		}
	}
}

// join lets a follower in, and gives the cursor up to which it must read the log
// itself: what comes behind is put into its queue.
func (o *Observer) join(f *follower) (upTo events.Cursor) {
	f.empty()
	o.mu.Lock()
	o.followers = append(o.followers[:len(o.followers):len(o.followers)], f)
	if o.following.Add(1) == 1 {
		o.quit = make(chan struct{})
		go o.run(o.quit)
	}
	o.mu.Unlock()
	upTo = events.Cursor{}
	for p, at := range f.told {
		o.live.Between(p, func(folded int64) {
			upTo[p] = max(at, folded)
			f.join(p, upTo[p])
		})
	}
	return upTo
}

func (o *Observer) leave(f *follower) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var rest []*follower
	for _, other := range o.followers {
		if other != f {
			rest = append(rest, other)
		}
	}
	o.followers = rest
	if o.following.Add(-1) == 0 {
		close(o.quit)
		o.inbox, o.spare, o.overflow = nil, nil, false
	}
}

// run hands on what was observed, round by round, until nobody follows.
func (o *Observer) run(quit <-chan struct{}) {
	for {
		select {
		case <-o.wake:
		case <-quit:
			return
		}
		o.mu.Lock()
		batch, overflow, followers := o.inbox, o.overflow, o.followers
		o.inbox, o.spare, o.overflow = o.spare[:0], nil, false
		o.mu.Unlock()
		for _, f := range followers {
			f.consider(batch, overflow)
		}
		clear(batch)
		o.mu.Lock()
		o.spare = batch
		o.mu.Unlock()
		select {
		case <-time.After(rest):
		case <-quit:
			return
		}
	}
}

// item is what followers are told of the record.
func (r *observed) item() Item {
	if r.shown.Event == nil {
		e := of(&r.Recorded)
		e.judged(r.verdict)
		r.shown.Event = &e
		r.shown.line = r.shown.Line()
	}
	return r.shown
}

// Item is what a follower is told: an event, or how many were left out.
type Item struct {
	Event *Event `json:"event,omitempty"`
	// Skipped events passed the filter and were not shown, since more came than
	// the rate allows, or than the follower took.
	Skipped int64 `json:"skipped,omitempty"`
	// At is the cursor that was reached: told at the beginning, then now and then.
	At string `json:"at,omitempty"`

	line []byte
}

// Line is the item as a line of JSON. It must not be changed.
func (i Item) Line() []byte {
	if i.line != nil {
		return i.line
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(i) // plain fields; payloads are JSON
	return b.Bytes()
}
