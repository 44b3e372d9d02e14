package feed

import (
	"context"
	"fmt"
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

// pageRows is how many rows one statement of Read fetches.
const pageRows = 4096

// Read hands on, in offset order and each once, the events of a partition in
// (after, upTo] that any of the audiences got. It goes as far as the read model
// does, and says how far that was: from there on, the log tells. passed is after
// where there is no read model yet.
func (b Backlog) Read(ctx context.Context, p events.Partition, after, upTo int64, wants []Want, each func(events.Recorded) error) (passed int64, err error) {
	tables, done := b.Engine.Shown(Name)
	upTo = min(upTo, done[p])
	if tables == nil || upTo <= after {
		return after, nil
	}
	byAudience := map[string]Want{}
	var audiences []string
	for _, w := range wants {
		byAudience[string(w.Audience)] = w
		audiences = append(audiences, string(w.Audience))
	}
	if len(audiences) == 0 {
		return upTo, nil
	}
	sql := fmt.Sprintf(`SELECT audience, offset, event FROM %s
		WHERE audience IN {audiences:Array(String)} AND partition = {partition:String} AND offset > {after:Int64} AND offset <= {upTo:Int64}
		ORDER BY offset LIMIT {limit:UInt32} WITH TIES`, tables["feed"])
	read := func() (rows int, last int64, err error) {
		scan, err := b.DB.Query(ctx, sql,
			projections.Arg{Name: "audiences", Value: audiences}, projections.Arg{Name: "partition", Value: p.String()},
			projections.Arg{Name: "after", Value: after}, projections.Arg{Name: "upTo", Value: upTo},
			projections.Arg{Name: "limit", Value: uint32(pageRows)})
		if err != nil {
			return 0, after, err
		}
		defer scan.Close()
		handed := after
		for scan.Next() {
			var audience, record string
			var offset uint64
			if err := scan.Scan(&audience, &offset, &record); err != nil {
				return rows, last, err
			}
			rows, last = rows+1, int64(offset)
			if last == handed || !byAudience[audience].covers(last) {
				continue
			}
			e, err := decode(events.Position{Partition: p, Offset: last}, []byte(record))
			if err != nil {
				return rows, last, err
			}
			handed = last
			if err := each(e); err != nil {
				return rows, last, err
			}
		}
		return rows, last, scan.Err()
	}
	for {
		rows, last, err := read()
		if err != nil {
			return after, err
		}
		if rows < pageRows {
			return upTo, nil
		}
		after = last
	}
}
