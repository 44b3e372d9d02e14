package events

import (
	"context"
	"errors"
)

// Log is the one source of truth: partitions of records that are only ever
// appended. Everything else is a view of it.
type Log interface {
	// Append makes the events durable, in the order given within a partition,
	// and returns their positions. ErrUnavailable: certainly nothing was
	// appended. ErrUnknown: it may have been; reading the log tells.
	Append(ctx context.Context, es ...Event) ([]Position, error)
	// Read hands on every record after the cursor, in offset order per
	// partition, follows the tail, and ends with ctx or each's error. Calls of
	// each are one at a time per partition; those of different partitions may
	// be concurrent. Only the partitions named in the cursor are read; Start
	// reads one from its beginning. The slice is each's to keep.
	Read(ctx context.Context, after Cursor, each func(Partition, []Recorded) error) error
	// End is the position of the last durable record of every partition, as of
	// some moment after the call began.
	End(ctx context.Context) (Cursor, error)
	// At reads one record.
	At(ctx context.Context, p Position) (Recorded, error)
	// Layout is the number of partitions, fixed for the log's life.
	Layout() Layout
}

// AsyncLog is a Log that also takes events without waiting for them.
type AsyncLog interface {
	Log
	// AppendAsync queues one event and keeps the order of calls within a
	// partition. done is called once, from the appender's goroutine, with what
	// Append would have returned; it must not block.
	AppendAsync(e Event, done func(Position, error))
}

var (
	// ErrUnavailable means that certainly nothing was appended, or that nothing
	// can be read now; trying again later is right.
	ErrUnavailable = errors.New("unavailable")
	// ErrUnknown means that the log's answer did not come: the event may or may
	// not be in it.
	ErrUnknown = errors.New("unknown")
	// ErrDamaged means that the log holds what it must not: a record of lishi
	// that can't be decoded, a gap, an event whose predecessor was never seen.
	// Whoever reads stops loudly at the position named.
	ErrDamaged = errors.New("log damaged")
)
