// Package tail reads every partition of the log once. Each record is judged by
// the ledger, shown to the observers in offset order, and kept for a while in
// memory, where projections and resuming clients pick it up.
//
//	log ─▶ ledger.Admit ─▶ observers (results, pushes)
//	                    └▶ ring ─▶ Follow (projections, resume)
package tail

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"lishi/events"
	"lishi/events/ledger"
)

// Observer sees every record with its verdict, in offset order per partition and
// before anybody else can see that it was folded. Partitions call concurrently.
// It must not block: it holds up its partition.
type Observer interface {
	Observe(r events.Recorded, v ledger.Verdict)
}

// Options are the tail's limits.
type Options struct {
	// Ring is how many admitted events a partition keeps in memory (default 32768).
	Ring int
	// RingBytes bounds the same in bytes of content (default 16 MiB).
	RingBytes int
	// MaxBatch is the most records that are folded, or handed to a follower,
	// without letting others in between (default 1024).
	MaxBatch int
	// Restored are ledgers that have folded a part of this log already. Their
	// partitions are read from there on.
	Restored []*ledger.Ledger
}

// Tail is safe for concurrent use.
type Tail struct {
	log       events.Log
	book      *ledger.Book
	options   Options
	observers []Observer
	parts     map[events.Partition]*part
	ready     chan struct{}
}

// New makes a tail over the log, with an empty ledger for each partition of which
// none was restored. Observers do not see what a restored ledger has folded.
func New(log events.Log, o Options, observers ...Observer) *Tail {
	if o.Ring <= 0 {
		o.Ring = 32768
	}
	if o.RingBytes <= 0 {
		o.RingBytes = 16 << 20
	}
	if o.MaxBatch <= 0 {
		o.MaxBatch = 1024
	}
	t := &Tail{
		log: log, book: ledger.NewBook(log.Layout()), options: o, observers: observers,
		parts: map[events.Partition]*part{}, ready: make(chan struct{}),
	}
	for _, l := range o.Restored {
		_ = t.book.Replace(l) // one of a partition that the log does not have has no place
	}
	t.options.Restored = nil
	for _, p := range log.Layout().Partitions() {
		t.parts[p] = newPart(p, t.book.Ledger(p))
	}
	return t
}

// Observe adds observers. It must be called before Run: observers need the tail,
// and the tail needs them.
func (t *Tail) Observe(os ...Observer) { t.observers = append(t.observers, os...) }

// Book is the ledger of all partitions.
func (t *Tail) Book() *ledger.Book { return t.book }

// Log is the log that the tail reads.
func (t *Tail) Log() events.Log { return t.log }

// Ready is closed once everything that was in the log when Run began is folded.
func (t *Tail) Ready() <-chan struct{} { return t.ready }

// Run folds the log, from its first record or from where the ledgers were
// restored, and follows it until ctx ends or a partition turns out to be damaged;
// then it says where.
func (t *Tail) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	from := events.Cursor{}
	for p := range t.parts {
		from[p] = t.book.Ledger(p).Folded()
	}
	go t.becomeReady(ctx)
	err := t.log.Read(ctx, from, t.fold)
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

// becomeReady closes ready once everything up to the end found first is folded.
func (t *Tail) becomeReady(ctx context.Context) {
	for {
		end, err := t.log.End(ctx)
		if err == nil && t.Wait(ctx, end) == nil {
			close(t.ready)
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(endPause): // the log is away; asking faster brings it back no sooner
		}
	}
}

const endPause = 100 * time.Millisecond

func (t *Tail) fold(p events.Partition, batch []events.Recorded) error {
	part := t.parts[p]
	if part == nil {
		return fmt.Errorf("tail: the log has no partition %s", p)
	}
	for len(batch) > 0 {
		n := min(len(batch), t.options.MaxBatch)
		if err := t.foldSome(part, batch[:n]); err != nil {
			return err
		}
		batch = batch[n:]
	}
	return nil
}

func (t *Tail) foldSome(part *part, batch []events.Recorded) error {
	part.folding.Lock()
	defer part.folding.Unlock()
	admitted := make([]events.Recorded, 0, len(batch))
	var err error
	passed := part.ledger.Folded()
	for i := range batch {
		var v ledger.Verdict
		if v, err = part.ledger.Admit(batch[i]); err != nil {
			break
		}
		passed = batch[i].Position.Offset
		for _, o := range t.observers {
			o.Observe(batch[i], v)
		}
		if !v.Void() {
			admitted = append(admitted, batch[i])
		}
	}
	part.publish(admitted, passed, t.options)
	return err
}

// Folded is the cursor up to which everything was judged and observed.
func (t *Tail) Folded() events.Cursor {
	c := events.Cursor{}
	for p, part := range t.parts {
		c[p] = part.progress()
	}
	return c
}

// Wait returns once everything up to the cursor is folded, or with ctx's error.
func (t *Tail) Wait(ctx context.Context, c events.Cursor) error {
	for p, offset := range c {
		part := t.parts[p]
		if part == nil {
			return fmt.Errorf("tail: the log has no partition %s", p)
		}
		if err := part.wait(ctx, offset); err != nil {
			return err
		}
	}
	return nil
}

// CatchUp is the barrier before a refusal: it learns where the partition ends
// now, from the log, and returns once everything up to there is folded.
func (t *Tail) CatchUp(ctx context.Context, p events.Partition) error {
	part := t.parts[p]
	if part == nil {
		return fmt.Errorf("tail: the log has no partition %s", p)
	}
	end, err := t.log.End(ctx)
	if err != nil {
		return err
	}
	return part.wait(ctx, end[p])
}

// Between runs f between two records of a partition: folded is the offset of the
// last record that was observed, and the next is observed after f returned.
func (t *Tail) Between(p events.Partition, f func(folded int64)) {
	part := t.parts[p]
	part.folding.Lock()
	defer part.folding.Unlock()
	f(part.progress())
}

// part is one partition's progress and its ring.
type part struct {
	partition events.Partition
	ledger    *ledger.Ledger
	folding   sync.Mutex // held while records are folded and observed; taken before mu

	mu      sync.Mutex
	passed  int64         // everything up to here is folded and observed
	changed chan struct{} // closed when passed moves; nil while nobody waits
	ring    []events.Recorded
	bytes   int
	base    int64 // every admitted event after this offset, up to passed, is in the ring
}

func newPart(p events.Partition, l *ledger.Ledger) *part {
	return &part{partition: p, ledger: l, passed: l.Folded(), base: l.Folded()}
}

func (p *part) progress() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.passed
}

// publish makes a folded batch visible to those who wait. The ring only ever
// grows at its end and is cut at its front, so slices of it stay valid.
func (p *part) publish(admitted []events.Recorded, passed int64, o Options) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ring = append(p.ring, admitted...)
	for i := range admitted {
		p.bytes += size(&admitted[i])
	}
	cut := 0
	for n := len(p.ring); cut < n && (n-cut > o.Ring || p.bytes > o.RingBytes); cut++ {
		p.bytes -= size(&p.ring[cut])
		p.base = p.ring[cut].Position.Offset
	}
	p.ring = p.ring[cut:]
	p.passed = passed
	if p.changed != nil {
		close(p.changed)
		p.changed = nil
	}
}

// size estimates what an event holds in memory.
func size(r *events.Recorded) int {
	n := 320 + len(r.Actor) + len(r.ActorName) + len(r.Request)
	if m, ok := r.Body.(events.MessageSent); ok {
		n += len(m.Content.Plain)
	}
	return n
}

func (p *part) waiter() chan struct{} {
	if p.changed == nil {
		p.changed = make(chan struct{})
	}
	return p.changed
}

func (p *part) wait(ctx context.Context, offset int64) error {
	for {
		p.mu.Lock()
		if p.passed >= offset {
			p.mu.Unlock()
			return nil
		}
		changed := p.waiter()
		p.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
