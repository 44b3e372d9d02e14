// Package requests is the read model that remembers every request for ever: the
// ledger knows the latest ones, this knows the others.
package requests

import (
	"context"
	"encoding/hex"
	"fmt"

	"lishi/events"
	"lishi/events/ledger"
	"lishi/projections"
)

// Name is the projection's.
const Name = "requests"

// Projection makes a row of every event: which request made it, and where.
type Projection struct{}

// Name implements projections.Projection.
func (Projection) Name() string { return Name }

// Version implements projections.Projection.
func (Projection) Version() int { return 1 }

// Tables implements projections.Projection.
func (Projection) Tables() []projections.Table {
	return []projections.Table{{
		Name: "requests",
		Fields: []projections.Field{
			{Name: "event", Type: "String"},
			{Name: "fingerprint", Type: "String"},
		},
		// Ids are random, so the index leads straight to one granule. With the
		// partition in the key an id may come again in another one.
		Key:         []string{"event", "partition", "offset"},
		Granularity: 1024,
	}}
}

// Apply implements projections.Projection.
func (Projection) Apply(e events.Recorded, _ *ledger.Book, rows *projections.Rows) {
	if e.Stream.Kind == events.System {
		return
	}
	rows.Row("requests").Hex(e.ID[:]).Hex(e.Fingerprint[:])
}

// Memory answers whether a request was made before.
type Memory struct {
	Engine *projections.Engine
	DB     projections.DB
}

// Find gives the first event with an id in a partition, and its request's
// fingerprint. It answers only if the read model shows everything up to the
// offset; otherwise, and where ClickHouse is away, it gives ErrUnavailable.
func (m Memory) Find(ctx context.Context, p events.Partition, upTo int64, id events.ID) (events.Position, events.Fingerprint, bool, error) {
	at := events.Position{Partition: p, Offset: -1}
	var fp events.Fingerprint
	tables, err := m.Engine.Wait(ctx, []string{Name}, events.Cursor{p: upTo})
	if err != nil {
		return at, fp, false, err
	}
	rows, err := m.DB.Query(ctx, fmt.Sprintf(`SELECT offset, fingerprint FROM %s
		WHERE event = {event:String} AND partition = {partition:String} ORDER BY offset LIMIT 1`, tables["requests"]),
		projections.Arg{Name: "event", Value: id.String()}, projections.Arg{Name: "partition", Value: p.String()})
	if err != nil {
		return at, fp, false, err
	}
	defer rows.Close()
	found := false
	for rows.Next() {
		var offset uint64
		var text string
		if err := rows.Scan(&offset, &text); err != nil {
			return at, fp, false, err
		}
		if n, err := hex.Decode(fp[:], []byte(text)); err != nil || n != len(fp) {
			return at, fp, false, fmt.Errorf("requests: the row of %s at %s-%d holds no fingerprint", id, p, offset)
		}
		at.Offset, found = int64(offset), true
	}
	return at, fp, found, rows.Err()
}
