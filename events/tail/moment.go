package tail

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"lishi/events"
)

// AsOf is how far the log had come at a time: of every partition the last record
// before the first one that was recorded later. Recorded times are the clocks' of
// those who wrote; what counts is their running maximum, so a record that
// follows a later one is later too. events.Start stands for a partition that
// held nothing yet.
//
// The ledgers know it but for some hundred records of each partition, which are
// read again.
func (t *Tail) AsOf(ctx context.Context, then time.Time) (events.Cursor, error) {
	then = then.Truncate(time.Millisecond) // as recorded times are
	all, ctx := errgroup.WithContext(ctx)
	all.SetLimit(8)
	parts := t.log.Layout().Partitions()
	last := make([]int64, len(parts))
	for i, p := range parts {
		all.Go(func() (err error) {
			from, upTo, _ := t.book.Ledger(p).Span(then)
			last[i] = from
			err = t.records(ctx, p, from, upTo, func(r *events.Recorded) bool {
				if r.At.After(then) {
					return false
				}
				last[i] = r.Position.Offset
				return true
			})
			return err
		})
	}
	if err := all.Wait(); err != nil {
		return nil, err
	}
	c := events.Cursor{}
	for i, p := range parts {
		c[p] = last[i]
	}
	return c, nil
}

// ErrNotFolded means that a position is not, or not yet, one of the log.
var ErrNotFolded = errors.New("the log has no such record")

// AsOfPositions is how far the log had come when the records at these positions,
// at most one of a partition, were written: their partitions up to them, the
// others as they were at the time of the latest. That time is the running maximum
// of recorded time there. ErrNotFolded where one is not in the log.
func (t *Tail) AsOfPositions(ctx context.Context, at events.Cursor) (events.Cursor, time.Time, error) {
	var then time.Time
	for p, offset := range at {
		when, err := t.recorded(ctx, events.Position{Partition: p, Offset: offset})
		if err != nil {
			return nil, time.Time{}, err
		}
		if when.After(then) {
			then = when
		}
	}
	c, err := t.AsOf(ctx, then)
	if err != nil {
		return nil, time.Time{}, err
	}
	for p, offset := range at {
		c[p] = offset
	}
	return c, then, nil
}

// recorded is the running maximum of recorded time at a position.
func (t *Tail) recorded(ctx context.Context, p events.Position) (then time.Time, err error) {
	l := t.book.Ledger(p.Partition)
	if l == nil {
		return then, fmt.Errorf("%w at %s: there is no partition %s", ErrNotFolded, p, p.Partition)
	}
	if end := l.Folded(); p.Offset > end || p.Offset < 0 {
		return then, fmt.Errorf("%w at %s: %s ends at %s", ErrNotFolded, p, p.Partition, events.Position{Partition: p.Partition, Offset: end})
	}
	from, then := l.SpanOf(p.Offset)
	if p.Offset <= from {
		return then, nil
	}
	err = t.records(ctx, p.Partition, from, p.Offset, func(r *events.Recorded) bool {
		if r.At.After(then) {
			then = r.At
		}
		return true
	})
	return then, err
}

// records hands on the records in (after, upTo], void ones too, until each says
// no.
func (t *Tail) records(ctx context.Context, p events.Partition, after, upTo int64, each func(*events.Recorded) bool) error {
	if after >= upTo {
		return nil
	}
	err := t.log.Read(ctx, events.Cursor{p: after}, func(_ events.Partition, batch []events.Recorded) error {
		for i := range batch {
			if batch[i].Position.Offset > upTo || !each(&batch[i]) || batch[i].Position.Offset == upTo {
				return errStop
			}
		}
		return nil
	})
	if errors.Is(err, errStop) {
		err = nil
	}
	return err
}
