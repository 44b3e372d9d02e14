package explore

import (
	"context"
	"errors"
	"time"

	"lishi/events"
)

// AsOf is how far the log had come at a time: the same as tail.Tail's, of a log
// that no tail follows. Partitions that the book has not folded are left out.
func (x *Reader) AsOf(ctx context.Context, then time.Time) (events.Cursor, error) {
	then = then.Truncate(time.Millisecond) // as recorded times are
	c := events.Cursor{}
	for _, p := range x.Log.Layout().Partitions() {
		l := x.Book.Ledger(p)
		if l.Folded() == events.Start {
			continue
		}
		after, upTo, _ := l.Span(then)
		c[p] = after
		err := x.Log.Records(ctx, p, after+1, upTo+1, func(offset int64, record events.Record) error {
			r, err := events.Decode(events.Position{Partition: p, Offset: offset}, record)
			if err != nil {
				return err
			}
			if r.At.After(then) {
				return errEnough
			}
			c[p] = offset
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			return nil, err
		}
	}
	return c, nil
}
