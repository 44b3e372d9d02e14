package ledger

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"lishi/events"
)

// Ledger folds one partition. Admit is for one goroutine; everything else is
// safe for any.
type Ledger struct {
	partition events.Partition
	snapshots sync.Mutex // one at a time; taken before mu

	mu       sync.RWMutex // held for writing by Admit alone
	folded   int64
	at       time.Time
	clock    clock
	last     events.Recorded // the record at folded; without body if none was admitted since the start
	restored tip             // of the record at folded when the ledger was restored
	window   window
	voids    offsets
	reasons  []Verdict // of the voids, in their order
	recalled offsets   // of recalled messages
	state    state

	relations Relations
}

// New is a ledger that has seen nothing of a partition.
func New(p events.Partition) *Ledger { return newLedger(p, W) }

// newLedger takes another width than the format's, so that tests reach its end.
func newLedger(p events.Partition, width int64) *Ledger {
	l := &Ledger{partition: p, folded: events.Start, window: newWindow(width), state: newState()}
	l.relations.l = l
	return l
}

// Partition is the one it folds.
func (l *Ledger) Partition() events.Partition { return l.partition }

// Admit judges the next record and, if it is valid, folds it. Offsets must be
// consecutive from 0. An error is events.ErrDamaged, names the position, and
// leaves the ledger as it was.
func (l *Ledger) Admit(r events.Recorded) (Verdict, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.Position.Partition != l.partition || r.Position.Offset != l.folded+1 {
		return 0, fmt.Errorf("%w: %s came where %s was due", events.ErrDamaged, r.Position, events.Position{Partition: l.partition, Offset: l.folded + 1})
	}
	v, err := l.judge(&r)
	if err != nil {
		return 0, err
	}
	offset := r.Position.Offset
	l.remember(&r, v)
	switch {
	case v.Void():
		l.voids.add(offset)
		l.reasons = append(l.reasons, v)
		l.lost(&r)
	default:
		if b, ok := r.Body.(events.MessageRecalled); ok {
			l.recalled.add(b.Message.Offset)
		}
		if _, ok := r.Body.(events.LogOpened); !ok {
			l.state.fold(&r)
		}
	}
	l.folded = offset
	l.last = r
	if r.At.After(l.at) {
		l.at = r.At
	}
	l.clock.tick(offset, l.at)
	return v, nil
}

// remember enters the record's id into the window. Of a message's occurrences
// the first decides; of a relation event's the valid one, which comes after the
// attempts that lost.
func (l *Ledger) remember(r *events.Recorded, v Verdict) {
	offset := r.Position.Offset
	if l.state.copying != nil {
		l.state.copying.keepEntry(&l.window, offset-l.window.width)
	}
	if _, opened := r.Body.(events.LogOpened); opened || v == Late || v == NotLishi {
		l.window.skip(offset)
		return
	}
	first, fv, ok := l.window.find(r.ID)
	if !ok || (v == Valid && fv.Void()) {
		first, fv = offset, v
	}
	l.window.put(offset, r.ID, first, fv)
}

// lost keeps the ids of void relation events: who decided on one of them was
// not told of a loss.
func (l *Ledger) lost(r *events.Recorded) {
	if r.Revision > 0 {
		s := l.state.stream(r.Stream)
		s.void = append(s.void, r.ID)
	}
}

// Folded is the last offset admitted; events.Start before the first.
func (l *Ledger) Folded() int64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.folded
}

// At is the greatest recorded time so far.
func (l *Ledger) At() time.Time {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.at
}

// Find gives the occurrence that decides for an id which occurred within the
// last W offsets: for messages the first, valid or void; for relation events the
// valid one, or the first of those that lost. Its offset may be older than the
// window where the id was repeated within it.
func (l *Ledger) Find(id events.ID) (offset int64, v Verdict, ok bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.window.find(id)
}

// Void tells whether the record at a folded offset does not count; it knows for
// ever.
func (l *Ledger) Void(offset int64) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.voids.has(offset)
}

// Verdict is that on the record at a folded offset, for ever: Valid, or why it
// does not count.
func (l *Ledger) Verdict(offset int64) Verdict {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if i, void := slices.BinarySearch(l.voids, offset); void {
		return l.reasons[i]
	}
	return Valid
}

// Recalled tells whether the message at an offset has been recalled.
func (l *Ledger) Recalled(offset int64) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.recalled.has(offset)
}

// Relations is what the valid records say about people and groups.
func (l *Ledger) Relations() *Relations { return &l.relations }
