package explore

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"

	"lishi/events"
	"lishi/events/ledger"
)

// Log is where records are read as they stand.
type Log interface {
	Layout() events.Layout
	// Ends is the last offset of each partition that is there.
	Ends(ctx context.Context) (events.Cursor, error)
	// Records hands on the records from an offset up to and without end. The
	// record is each's until it returns.
	Records(ctx context.Context, p events.Partition, from, end int64, each func(offset int64, r events.Record) error) error
}

// Reader shows what a log holds. It is safe for concurrent use.
type Reader struct {
	Log  Log
	Book *ledger.Book // the verdicts, as far as it is folded
	// Reach bounds how many records of a partition one call reads at most; what
	// lies further away is reached by the cursor given back. 0: no bound.
	Reach int64
}

// ErrNotThere means that a position is not in the log.
var ErrNotThere = errors.New("no record there")

// ErrMisuse means that what was asked for can't be; the text says why.
var ErrMisuse = errors.New("misuse")

var errEnough = errors.New("enough")

func base64Of(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// view shows a record with its verdict.
func (x *Reader) view(at events.Position, r events.Record) (Event, events.Recorded) {
	rec, err := events.Decode(at, r)
	var e Event
	if err != nil {
		e = Event{Position: at, Stream: string(r.Key), Problem: err.Error()}
	} else {
		e = of(&rec)
	}
	if typ := header(r, "ce_type"); typ != "" {
		e.Written = typ
	}
	e.Raw = raw(r)
	e.judge(x.Book.Ledger(at.Partition))
	return e, rec
}

// end is the offset behind the last record of a partition.
func (x *Reader) end(ctx context.Context, p events.Partition) (int64, error) {
	ends, err := x.Log.Ends(ctx)
	if err != nil {
		return 0, err
	}
	last, ok := ends[p]
	if !ok {
		return 0, fmt.Errorf("the log has no partition %s: %w", p, ErrNotThere)
	}
	return last + 1, nil
}

// Event shows one event alone, and gives it decoded; without a body if it can't be.
func (x *Reader) Event(ctx context.Context, at events.Position) (e Event, r events.Recorded, err error) {
	end, err := x.end(ctx, at.Partition)
	if err != nil {
		return e, r, err
	}
	if at.Offset < 0 || at.Offset >= end {
		return e, r, fmt.Errorf("%s: %w: the partition has %d records", at, ErrNotThere, end)
	}
	err = x.Log.Records(ctx, at.Partition, at.Offset, at.Offset+1, func(_ int64, record events.Record) error {
		e, r = x.view(at, record)
		return nil
	})
	return e, r, err
}

// Read shows one event with everything around it.
func (x *Reader) Read(ctx context.Context, at events.Position) (*Detail, error) {
	e, r, err := x.Event(ctx, at)
	if err != nil {
		return nil, err
	}
	end, err := x.end(ctx, at.Partition)
	if err != nil {
		return nil, err
	}
	found := &Detail{Event: e, recorded: r}
	return found, x.around(ctx, found, end)
}

// Page is which part of a stream is wanted.
type Page struct {
	After  int64 // only offsets greater; events.Start for the beginning
	Before int64 // if not 0, only offsets less, and the last of them
	Limit  int   // at most so many events; 100 if 0
}

// Events are a part of a stream, oldest first.
type Events struct {
	Stream     string           `json:"stream"`
	Partition  string           `json:"partition"`
	Events     []Event          `json:"events"`
	Scanned    int64            `json:"scanned"`              // records looked at
	Next       *events.Position `json:"next,omitempty"`       // to be given as after: there may be more behind
	Previous   *events.Position `json:"previous,omitempty"`   // to be given as before: there may be more in front
	Incomplete bool             `json:"incomplete,omitempty"` // fewer than limit, since Reach was reached
}

// MostEvents is the most that a page holds.
const MostEvents = 1000

// Stream shows the events of a stream between two offsets.
func (x *Reader) Stream(ctx context.Context, s events.Stream, page Page) (*Events, error) {
	if page.Limit == 0 {
		page.Limit = 100
	}
	if page.Limit < 1 || page.Limit > MostEvents {
		return nil, fmt.Errorf("%w: limit is 1 to %d", ErrMisuse, MostEvents)
	}
	if s.Kind == events.System {
		return nil, fmt.Errorf("%w: the log's own records stand at offset 0 of each partition; ask for the position", ErrMisuse)
	}
	p := x.Log.Layout().Partition(s)
	end, err := x.end(ctx, p)
	if err != nil {
		return nil, err
	}
	if page.Before > 0 {
		out := &Events{Stream: s.Key(), Partition: p.String(), Events: []Event{}}
		return out, x.backwards(ctx, out, p, page, min(page.Before, end))
	}
	return x.Select(ctx, s, max(page.After, events.Start)+1, end, page.Limit, func(*Event, *events.Recorded) bool { return true })
}

// Select shows the events of a stream that are wanted, from an offset on and
// before another.
func (x *Reader) Select(ctx context.Context, s events.Stream, from, end int64, limit int, wanted func(*Event, *events.Recorded) bool) (*Events, error) {
	if limit < 1 || limit > MostEvents {
		return nil, fmt.Errorf("%w: limit is 1 to %d", ErrMisuse, MostEvents)
	}
	p := x.Log.Layout().Partition(s)
	out := &Events{Stream: s.Key(), Partition: p.String(), Events: []Event{}}
	to := end
	if x.Reach > 0 {
		to = min(to, from+x.Reach)
	}
	last := from - 1
	var err error
	if from < to {
		err = x.Log.Records(ctx, p, from, to, func(offset int64, r events.Record) error {
			last = offset
			out.Scanned++
			if string(r.Key) != out.Stream {
				return nil
			}
			e, rec := x.view(events.Position{Partition: p, Offset: offset}, r)
			if !wanted(&e, &rec) {
				return nil
			}
			if out.Events = append(out.Events, e); len(out.Events) == limit {
				return errEnough
			}
			return nil
		})
	}
	if err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	if last+1 < end {
		out.Next = &events.Position{Partition: p, Offset: last}
		out.Incomplete = len(out.Events) < limit
	}
	if from > 0 && len(out.Events) > 0 {
		out.Previous = &out.Events[0].Position
	}
	return out, nil
}

// stride is how many records are read at a time on the way back.
const stride = 4096

// backwards finds the last events before an offset.
func (x *Reader) backwards(ctx context.Context, out *Events, p events.Partition, page Page, before int64) error {
	lowest := page.After + 1
	if x.Reach > 0 {
		lowest = max(lowest, before-x.Reach)
	}
	lowest = max(lowest, 0)
	at := before
	for at > lowest && len(out.Events) < page.Limit {
		from := max(lowest, at-stride)
		var some []Event
		err := x.Log.Records(ctx, p, from, at, func(offset int64, r events.Record) error {
			out.Scanned++
			if string(r.Key) == out.Stream {
				e, _ := x.view(events.Position{Partition: p, Offset: offset}, r)
				some = append(some, e)
			}
			return nil
		})
		if err != nil {
			return err
		}
		if over := len(some) + len(out.Events) - page.Limit; over > 0 {
			some = some[over:]
			from = some[0].Position.Offset
		}
		out.Events = append(some, out.Events...)
		at = from
	}
	if at > max(page.After+1, 0) {
		out.Previous = &events.Position{Partition: p, Offset: at}
		out.Incomplete = len(out.Events) < page.Limit
	}
	if n := len(out.Events); n > 0 {
		out.Next = &out.Events[n-1].Position
	}
	return nil
}

// Judge folds partitions of a log that nobody else folds, so that there are
// verdicts: a log at rest. progress may be nil.
func Judge(ctx context.Context, log Log, parts []events.Partition, progress func(p events.Partition, done, total int64)) (*ledger.Book, error) {
	book := ledger.NewBook(log.Layout())
	ends, err := log.Ends(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range parts {
		l := book.Ledger(p)
		if l == nil || l.Folded() != events.Start { // no ledger's, or named twice
			continue
		}
		end := ends[p] + 1
		err := log.Records(ctx, p, 0, end, func(offset int64, r events.Record) error {
			rec, err := events.Decode(events.Position{Partition: p, Offset: offset}, r)
			if err != nil {
				return err
			}
			if progress != nil && (offset%1000 == 0 || offset == end-1) {
				progress(p, offset+1, end)
			}
			_, err = l.Admit(rec)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return book, nil
}
