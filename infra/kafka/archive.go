package kafka

import (
	"context"
	"fmt"

	"lishi/events"
)

// Archive is a log of which records are read as they stand there, and nothing
// else is done: nothing is made, appended or repaired. Auditors read it.
type Archive struct {
	Info
	log *Log
}

// OpenArchive finds a log that is there, whole and of one piece.
func OpenArchive(ctx context.Context, o Options) (*Archive, error) {
	l := attachReader(o)
	info, err := l.look(ctx)
	if err != nil {
		l.conn.close()
		return nil, err
	}
	return &Archive{info, l}, nil
}

// Close ends the connections.
func (a *Archive) Close() error {
	a.log.conn.close()
	return nil
}

// Read hands on the records of a partition from an offset up to and without
// end. The record is each's until it returns. events.ErrDamaged: there is
// something in the log that no reader can read past; the error names the place.
func (a *Archive) Read(ctx context.Context, p events.Partition, from, end int64, each func(offset int64, r events.Record) error) error {
	return a.log.Records(ctx, p, from, end, each)
}

// Records hands on the records of a partition from an offset up to and without
// end, as they stand there. The record is each's until it returns. What is not
// there is asked for again for a minute, so end is at most what End told.
// events.ErrDamaged: there is something in the log that no reader can read past;
// the error names the place.
func (l *Log) Records(ctx context.Context, p events.Partition, from, end int64, each func(offset int64, r events.Record) error) error {
	var headers []events.Header
	return l.records(ctx, p, from, end, func(c copiedRecord) error {
		r, room, err := parsePayload(c.payload, headers[:0])
		if err != nil {
			return fmt.Errorf("%w: %s: %w", events.ErrDamaged, events.Position{Partition: p, Offset: c.offset}, err)
		}
		headers = room
		return each(c.offset, r)
	})
}

// AtRest is an archive with the methods by which a running log is read.
type AtRest struct{ *Archive }

// Layout is the log's.
func (a AtRest) Layout() events.Layout { return a.Archive.Layout }

// Ends is the last offset of each partition that is there.
func (a AtRest) Ends(context.Context) (events.Cursor, error) {
	c := events.Cursor{}
	for p, n := range a.Archive.Records {
		c[p] = n - 1
	}
	return c, nil
}

// Records is Archive.Read.
func (a AtRest) Records(ctx context.Context, p events.Partition, from, end int64, each func(offset int64, r events.Record) error) error {
	return a.Read(ctx, p, from, end, each)
}
