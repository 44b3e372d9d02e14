package feed

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"lishi/events"
	"lishi/events/ledger"
	"lishi/projections"
)

// Want is an audience that a user belongs to: always, or in the intervals given.
type Want struct {
	Audience  Audience
	Intervals []ledger.Interval // nil: always
}

func (w Want) covers(offset int64) bool {
	return w.Intervals == nil || slices.ContainsFunc(w.Intervals, func(i ledger.Interval) bool {
		return i.From < offset && (i.To == 0 || offset <= i.To)
	})
}

// Backlog reads what was pushed to somebody.
type Backlog struct {
	Engine *projections.Engine
	DB     projections.DB
}

// pageRows is how many rows of the feed one statement of Read fetches.
const pageRows = 1024

// Read hands on, in offset order and each once, the events of a partition in
// (after, upTo] that any of the audiences got; an audience may stand among them
// several times, with the intervals of several users. It goes as far as the read model
// does, and says how far that was: from there on, the log tells. passed is after
// where there is no read model yet.
func (b Backlog) Read(ctx context.Context, p events.Partition, after, upTo int64, wants []Want, each func(events.Recorded) error) (passed int64, err error) {
	tables, done := b.Engine.Shown(Name)
	upTo = min(upTo, done[p])
	if tables == nil || upTo <= after {
		return after, nil
	}
	for len(wants) > 0 && after < upTo {
		offsets, last, err := b.offsets(ctx, tables, p, after, upTo, wants)
		if err == nil {
			err = b.hand(ctx, tables, p, offsets, each)
		}
		if err != nil {
			return after, err
		}
		after = last
	}
	return upTo, nil
}

// offsets finds which events, from after on, the audiences got. last is how far
// it looked.
func (b Backlog) offsets(ctx context.Context, tables projections.Tables, p events.Partition, after, upTo int64, wants []Want) (offsets []uint64, last int64, err error) {
	byAudience := map[string][]Want{}
	for _, w := range wants {
		byAudience[string(w.Audience)] = append(byAudience[string(w.Audience)], w)
	}
	audiences := slices.Sorted(maps.Keys(byAudience))
	rows, err := b.DB.Query(ctx, fmt.Sprintf(`SELECT audience, offset FROM %s
		WHERE audience IN {audiences:Array(String)} AND partition = {partition:String} AND offset > {after:Int64} AND offset <= {upTo:Int64}
		ORDER BY offset LIMIT {limit:UInt32} WITH TIES`, tables["feed"]),
		projections.Arg{Name: "audiences", Value: audiences}, projections.Arg{Name: "partition", Value: p.String()},
		projections.Arg{Name: "after", Value: after}, projections.Arg{Name: "upTo", Value: upTo},
		projections.Arg{Name: "limit", Value: uint32(pageRows)})
	if err != nil {
		return nil, 0, err
	}
	defer rows.Close()
	n := 0
	for ; rows.Next(); n++ {
		var audience string
		var offset uint64
		if err := rows.Scan(&audience, &offset); err != nil {
			return nil, 0, err
		}
		last = int64(offset)
		known := len(offsets) > 0 && offsets[len(offsets)-1] == offset
		if !known && slices.ContainsFunc(byAudience[audience], func(w Want) bool { return w.covers(last) }) {
			offsets = append(offsets, offset)
		}
	}
	if n < pageRows {
		last = upTo
	}
	return offsets, last, rows.Err()
}

// hand reads the events at the offsets and hands them on.
func (b Backlog) hand(ctx context.Context, tables projections.Tables, p events.Partition, offsets []uint64, each func(events.Recorded) error) error {
	if len(offsets) == 0 {
		return nil
	}
	rows, err := b.DB.Query(ctx, fmt.Sprintf(`SELECT offset, event FROM %s
		WHERE partition = {partition:String} AND offset IN {offsets:Array(UInt64)} ORDER BY offset LIMIT 1 BY offset`, tables["feed_events"]),
		projections.Arg{Name: "partition", Value: p.String()}, projections.Arg{Name: "offsets", Value: offsets})
	if err != nil {
		return err
	}
	defer rows.Close()
	n := 0
	for ; rows.Next(); n++ {
		var offset uint64
		var record string
		if err := rows.Scan(&offset, &record); err != nil {
			return err
		}
		e, err := decode(events.Position{Partition: p, Offset: int64(offset)}, []byte(record))
		if err != nil {
			return err
		}
		if err := each(e); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if n != len(offsets) {
		return fmt.Errorf("feed: %d events of %d are there, between %s-%d and %d", n, len(offsets), p, offsets[0], offsets[len(offsets)-1])
	}
	return nil
}
