package tail

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sort"

	"lishi/events"
)

// Each takes admitted events in offset order. passed is the offset up to which
// everything was considered: at least the last event's, more where void records
// follow it. The batch may be empty, and must not be changed.
type Each func(batch []events.Recorded, passed int64) error

var errStop = errors.New("tail: enough")

// Follow hands on the admitted events of a partition after an offset: from the
// log, then from memory, then live, without gap or repeat. Calls of each come one
// at a time. It ends with ctx's error or each's.
func (t *Tail) Follow(ctx context.Context, p events.Partition, after int64, each Each) error {
	return t.follow(ctx, p, after, math.MaxInt64, each)
}

// Range does the same for the events in (after, upTo] and then returns nil. It
// waits where upTo is not folded yet.
func (t *Tail) Range(ctx context.Context, p events.Partition, after, upTo int64, each Each) error {
	return t.follow(ctx, p, after, upTo, each)
}

func (t *Tail) follow(ctx context.Context, p events.Partition, after, upTo int64, each Each) error {
	part := t.parts[p]
	if part == nil {
		return fmt.Errorf("tail: the log has no partition %s", p)
	}
	for after < upTo {
		if err := ctx.Err(); err != nil {
			return err
		}
		batch, passed, state := part.take(after, upTo, t.options.MaxBatch)
		var err error
		switch state {
		case inRing:
			err = each(batch, passed)
			after = passed
		case nothingNew:
			err = part.wait(ctx, after+1)
		case beforeRing:
			after, err = t.fromLog(ctx, part, after, upTo, each)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

type ringState int

const (
	inRing ringState = iota
	nothingNew
	beforeRing
)

// take is what the ring holds in (after, upTo], at most limit events.
func (p *part) take(after, upTo int64, limit int) ([]events.Recorded, int64, ringState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case after >= p.passed:
		return nil, after, nothingNew
	case after < p.base:
		return nil, after, beforeRing
	}
	end := min(upTo, p.passed)
	i := sort.Search(len(p.ring), func(i int) bool { return p.ring[i].Position.Offset > after })
	j := i + sort.Search(len(p.ring)-i, func(j int) bool { return p.ring[i+j].Position.Offset > end })
	if j-i > limit {
		j = i + limit
		end = p.ring[j-1].Position.Offset
	}
	return p.ring[i:j:j], end, inRing
}

// fromLog reads what the ring no longer holds. The ledger remembers for ever
// which records were void, so nothing is judged a second time.
func (t *Tail) fromLog(ctx context.Context, part *part, after, upTo int64, each Each) (int64, error) {
	err := t.log.Read(ctx, events.Cursor{part.partition: after}, func(_ events.Partition, batch []events.Recorded) error {
		limit := min(upTo, part.progress())
		admitted := make([]events.Recorded, 0, len(batch))
		passed := after
		for i := range batch {
			offset := batch[i].Position.Offset
			if offset > limit {
				break
			}
			passed = offset
			if !part.ledger.Void(offset) {
				admitted = append(admitted, batch[i])
			}
		}
		if passed > after {
			if err := each(admitted, passed); err != nil {
				return err
			}
			after = passed
		}
		if after >= limit || part.holds(after) {
			return errStop
		}
		return nil
	})
	if errors.Is(err, errStop) {
		err = nil
	}
	return after, err
}

// holds tells whether the ring has everything after the offset.
func (p *part) holds(after int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return after >= p.base
}

// Holds tells whether everything that a partition got after the offset is in
// memory.
func (t *Tail) Holds(p events.Partition, after int64) bool {
	part := t.parts[p]
	return part != nil && part.holds(after)
}

// At is the record at a position: from memory while it is recent and was
// admitted, else from the log.
func (t *Tail) At(ctx context.Context, p events.Position) (events.Recorded, error) {
	if part := t.parts[p.Partition]; part != nil {
		if r, ok := part.recent(p.Offset); ok {
			return r, nil
		}
	}
	return t.log.At(ctx, p)
}

func (p *part) recent(offset int64) (events.Recorded, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := sort.Search(len(p.ring), func(i int) bool { return p.ring[i].Position.Offset >= offset })
	if i == len(p.ring) || p.ring[i].Position.Offset != offset {
		return events.Recorded{}, false
	}
	return p.ring[i], true
}
