package exports

import (
	"context"
	"fmt"

	"lishi/cmd/lishi-verify/verify"
	"lishi/events"
	"lishi/events/merkle"
)

var accessColumns = []string{"position", "recorded", "actor", "role", "reason", "way", "what", "text_sha256"}

// looks reads the partition of looks and writes access.csv: who looked at the
// log, in the time that is asked for. None of it is in events.jsonl.
func (e *export) looks(ctx context.Context, log Log, logID string, p events.Partition, size int64, q Query, show func(done int64)) (*scan, error) {
	s := &scan{partition: p, size: size}
	var tree merkle.Tree
	var final []events.Hash
	var line []byte
	err := log.Records(ctx, p, 0, size, func(offset int64, raw events.Record) error {
		final = tree.Append(final[:0], events.LeafHash(raw))
		if offset%1000 == 0 || offset == size-1 {
			show(offset + 1)
		}
		r, err := events.Decode(events.Position{Partition: p, Offset: offset}, raw)
		if err != nil {
			return err
		}
		if _, foreign := r.Body.(events.Foreign); foreign {
			s.foreign++
		}
		look, ok := r.Body.(events.LookTaken)
		if !ok || !q.From.IsZero() && r.Time.Before(q.From) || !q.To.IsZero() && !r.Time.Before(q.To) {
			return nil
		}
		line = verify.AppendRow(line[:0], r.Position.String(), isoTime(r.At), r.Actor, look.Role, look.Reason, look.Way, look.What, look.TextSHA256)
		return e.out.access.row(line)
	})
	if err == nil && tree.Size() != size {
		err = fmt.Errorf("%w: %s has %d records, %d were asked for", errNoRange, p, tree.Size(), size)
	}
	s.head = merkle.Checkpoint{Origin: merkle.Origin(logID, p), Size: size, Root: tree.Root()}
	return s, err
}
