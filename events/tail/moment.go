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

// AsOfPosition is how far the log had come when the record at a position was
// written: its own partition up to the record, the others as they were at that
// time. The time is the running maximum of recorded time there, so AsOf of it
// reaches at least as far. A position that is not folded is an error.
func (t *Tail) AsOfPosition(ctx context.Context, p events.Position) (events.Cursor, time.Time, error) {
	l := t.book.Ledger(p.Partition)
	if l == nil {
		return nil, time.Time{}, fmt.Errorf("the log has no partition %s", p.Partition)
	}
	if end := l.Folded(); p.Offset > end || p.Offset < 0 {
		return nil, time.Time{}, fmt.Errorf("the log has no record at %s; %s ends at %s", p, p.Partition, events.Position{Partition: p.Partition, Offset: end})
	}
	from, then := l.SpanOf(p.Offset)
	if p.Offset > from {
		err := t.records(ctx, p.Partition, from, p.Offset, func(r *events.Recorded) bool {
			if r.At.After(then) {
				then = r.At
			}
			return true
		})
		if err != nil {
			return nil, time.Time{}, err
		}
	}
	c, err := t.AsOf(ctx, then)
	if err != nil {
		return nil, time.Time{}, err
	}
	c[p.Partition] = p.Offset
	return c, then, nil
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
