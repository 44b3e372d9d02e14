package explore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
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
}

// Filter says which events are wanted. What is empty lets everything pass.
type Filter struct {
	Stream string // key of the stream: "g|7", "p|a|b", "u|a"
	Type   string // a type, or the beginning of one that ends at a dot: "message", "message.sent"
	User   string // the actor, or named by the stream or the payload
	Group  string // id of a group
	Void   string // "only" or "no"; empty: with those that do not count
}

// Check tells whether the filter can be meant.
func (f Filter) Check() error {
	if f.Stream != "" {
		if _, err := events.ParseKey(f.Stream); err != nil {
			return fmt.Errorf("%w: %q is not the key of a stream (g|GROUP, p|USER|USER, u|USER)", ErrMisuse, f.Stream)
		}
	}
	if f.Type != "" && !knownType(f.Type) {
		return fmt.Errorf("%w: there is no type of event %q; there are: %s", ErrMisuse, f.Type, strings.Join(events.Types(), ", "))
	}
	switch f.Void {
	case "", "only", "no":
		return nil
	}
	return fmt.Errorf("%w: void is only or no, not %q", ErrMisuse, f.Void)
}

func knownType(typ string) bool {
	for _, t := range events.Types() {
		if isType(t, typ) {
			return true
		}
	}
	return false
}

func isType(typ, wanted string) bool { return typ == wanted || strings.HasPrefix(typ, wanted+".") }

// Wants tells whether an event passes, its verdict aside.
func (f Filter) Wants(r *events.Recorded) bool {
	if r.Body == nil {
		return false
	}
	switch {
	case f.Stream != "" && r.Stream.Key() != f.Stream,
		f.Type != "" && !isType(r.Body.Type(), f.Type),
		f.Group != "" && r.Stream != events.GroupStream(f.Group),
		f.User != "" && !touches(r, f.User):
		return false
	}
	return true
}

// touches tells whether an event is by a user or about one.
func touches(r *events.Recorded, user string) bool {
	s := r.Stream
	if r.Actor == user || s.Kind == events.User && s.ID == user || s.Other(user) != "" || s.Kind == events.Pair && s.ID == user {
		return true
	}
	switch b := r.Body.(type) {
	case events.GroupInvited:
		return b.UserID == user
	case events.GroupApplicationVerified:
		return b.UserID == user
	case events.GroupInvitationVerified:
		return b.Inviter == user
	case events.GroupMemberRemoved:
		return b.UserID == user
	case events.GroupOwnerChanged:
		return b.UserID == user
	case events.GroupRoleChanged:
		return b.UserID == user
	case events.GroupMemberMuted:
		return b.UserID == user
	case events.GroupCreated:
		for _, i := range b.Invitations {
			if i.UserID == user {
				return true
			}
		}
	}
	return false
}

// Item is what a follower is told: an event, or how many were left out.
type Item struct {
	Event *Event `json:"event,omitempty"`
	// Skipped events passed the filter and were not shown, since more came than
	// the rate allows.
	Skipped int64 `json:"skipped,omitempty"`
	// At is the cursor that was reached: told at the beginning, then now and then.
	At string `json:"at,omitempty"`
}

// beat is how often a follower is told where the reading is.
const beat = 5 * time.Second

// Follow hands on the events after a cursor (of partitions that it does not name:
// those that come from now on) that pass the filter, each once its verdict is known, until ctx ends or each
// fails. At most rate events a second are handed on (0: all, as fast as each
// takes them); the rest are counted, and told as skipped. Calls come one at a
// time. Events of one partition come in order.
func Follow(ctx context.Context, live Live, f Filter, after events.Cursor, rate int, each func(Item) error) error {
	if err := f.Check(); err != nil {
		return err
	}
	end, err := live.Log().End(ctx)
	if err != nil {
		return err
	}
	from := events.Cursor{}
	for p, last := range end {
		from[p] = last
		if o, ok := after[p]; ok {
			from[p] = o
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
	return follow(ctx, live, f, from, rate, each)
}

func follow(ctx context.Context, live Live, f Filter, from events.Cursor, rate int, each func(Item) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	t := &follower{rate: rate, each: each, at: from.Clone(), cancel: cancel}
	if err := each(Item{At: from.String()}); err != nil { // who is cut off before the first beat can go on too
		return err
	}
	var beats sync.WaitGroup
	beats.Go(func() { t.beat(ctx) })
	err := live.Log().Read(ctx, from, func(p events.Partition, batch []events.Recorded) error {
		if len(batch) == 0 {
			return nil
		}
		if err := live.Wait(ctx, events.Cursor{p: batch[len(batch)-1].Position.Offset}); err != nil {
			return err
		}
		l := live.Book().Ledger(p)
		for i := range batch {
			r := &batch[i]
			if !f.Wants(r) || f.Void != "" && l.Verdict(r.Position.Offset).Void() != (f.Void == "only") {
				continue
			}
			e := of(r)
			e.judge(l)
			if err := t.tell(e); err != nil {
				return err
			}
		}
		t.passed(batch[len(batch)-1].Position)
		return nil
	})
	cancel(nil)
	beats.Wait()
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

// follower tells one reader, from all partitions.
type follower struct {
	rate   int
	each   func(Item) error
	cancel context.CancelCauseFunc

	mu      sync.Mutex
	at      events.Cursor
	second  time.Time
	told    int // in this second
	skipped int64
}

func (t *follower) tell(e Event) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.rate > 0 {
		if now := time.Now(); now.Sub(t.second) >= time.Second {
			t.second, t.told = now, 0
		}
		if t.told >= t.rate {
			t.skipped++
			return nil
		}
		t.told++
	}
	if err := t.flush(); err != nil {
		return err
	}
	return t.each(Item{Event: &e})
}

// flush tells what was skipped. It needs the lock.
func (t *follower) flush() error {
	if t.skipped == 0 {
		return nil
	}
	n := t.skipped
	t.skipped = 0
	return t.each(Item{Skipped: n})
}

func (t *follower) passed(p events.Position) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.at.Advance(p)
}

// beat tells what was skipped once the flood is over, and where the reading is.
func (t *follower) beat(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		t.mu.Lock()
		err := t.flush()
		if err == nil && time.Since(last) >= beat {
			last = time.Now()
			err = t.each(Item{At: t.at.String()})
		}
		t.mu.Unlock()
		if err != nil {
			t.cancel(err)
			return
		}
	}
}
