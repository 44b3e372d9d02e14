// Package records is the read model of the log itself: every valid event, as it
// was said, for those who ask with SQL.
package records

import (
	"lishi/events"
	"lishi/events/ledger"
	"lishi/projections"
)

// Name is the projection's.
const Name = "records"

// Projection makes one row of each valid event. Void records make none: they
// stand in the log alone, and lishi events shows them.
type Projection struct{}

// Name implements projections.Projection.
func (Projection) Name() string { return Name }

// Version implements projections.Projection.
func (Projection) Version() int { return 1 }

// Tables: in the order of the log, where neighbours are alike, so little is
// stored of what repeats. Ids are their 16 bytes.
func (Projection) Tables() []projections.Table {
	const packed, near, counting = "ZSTD(3)", "Delta, ZSTD(1)", "Delta, ZSTD(1)"
	return []projections.Table{{
		Name: "records",
		Fields: []projections.Field{
			{Name: "type", Type: "LowCardinality(String)"},
			{Name: "version", Type: "UInt64", Codec: counting},
			{Name: "stream", Type: "String", Codec: packed},
			{Name: "revision", Type: "UInt64", Codec: packed},
			{Name: "id", Type: "String", Codec: "ZSTD(1)"},
			{Name: "prev", Type: "String", Codec: packed},
			{Name: "basis", Type: "Int64", Codec: near},
			{Name: "actor", Type: "String", Codec: packed},
			{Name: "actor_name", Type: "String", Codec: packed},
			{Name: "request", Type: "String", Codec: packed},
			{Name: "fingerprint", Type: "String", Codec: "ZSTD(1)"},
			{Name: "imported", Type: "Bool"},
			{Name: "said", Type: "Int64", Codec: near},
			{Name: "recorded", Type: "Int64", Codec: near},
			{Name: "payload", Type: "String", Codec: packed},
		},
		Key: []string{"partition", "offset"},
	}}
}

// Apply implements projections.Projection.
func (Projection) Apply(e events.Recorded, _ *ledger.Book, rows *projections.Rows) {
	var print []byte
	if e.Fingerprint != (events.Fingerprint{}) {
		print = e.Fingerprint[:]
	}
	rows.Row("records").
		Text(e.Body.Type()).
		Uint(uint64(events.Version(e.Body.Type()))).
		Key(e.Stream).
		Uint(e.Revision).
		Bytes(raw(&e.ID)).
		Bytes(raw(&e.Prev)).
		Int(e.Basis).
		Text(e.Actor).
		Text(e.ActorName).
		Text(e.Request).
		Bytes(print).
		Flag(e.Imported).
		Int(e.Time.UnixMilli()).
		Int(e.At.UnixMilli()).
		Bytes(rows.Record().Value)
}

func raw(id *events.ID) []byte {
	if id.IsZero() {
		return nil
	}
	return id[:]
}

// Views implements projections.Viewer.
func (Projection) Views() []projections.View {
	return []projections.View{{
		Name:    "events",
		Comment: "Every valid event of the chat, raw. Void records are not here; `lishi events` shows them.",
		From:    "{records} AS r",
		Group:   projections.GroupOf("r.stream"),
		Columns: append(projections.Placed("r"), []projections.ViewColumn{
			{Name: "type", Type: "String", SQL: "toString(r.type)", Comment: "the event type: message.sent, group.created …"},
			{Name: "version", Type: "UInt16", SQL: "toUInt16(r.version)", Comment: "the version of the type that payload is in"},
			{Name: "stream", Type: "String", SQL: "r.stream", Comment: "the stream's key: p|a|b of a pair, g|id of a group, a user id"},
			{Name: "kind", Type: "String", SQL: "multiIf(startsWith(r.stream, 'p|'), 'pair', startsWith(r.stream, 'g|'), 'group', 'user')", Comment: "pair, group or user: what the stream is"},
			{Name: "revision", Type: "UInt64", SQL: "r.revision", Comment: "number of the relation event within its stream; 0 of messages and read marks"},
			{Name: "id", Type: "String", SQL: "lower(hex(r.id))", Comment: "the event's id"},
			{Name: "prev", Type: "String", SQL: "lower(hex(r.prev))", Comment: "id of the relation event that it was decided on; empty of the first and of messages"},
			{Name: "basis", Type: "Int64", SQL: "r.basis", Comment: "offset of its partition up to which its writer had read, of messages, edits and recalls"},
			{Name: "actor", Type: "String", SQL: "r.actor", Comment: "user id of who did it"},
			{Name: "actor_name", Type: "String", SQL: "r.actor_name", Comment: "the actor's nickname then", Written: true},
			{Name: "request", Type: "String", SQL: "r.request", Comment: "the uniqueNo of the request"},
			{Name: "fingerprint", Type: "String", SQL: "lower(hex(r.fingerprint))", Comment: "fingerprint of the request"},
			{Name: "imported", Type: "Bool", SQL: "r.imported", Comment: "it came by lishi import"},
			projections.Moment("said", "r.said", "when it was said, by the clock of the node that took it (of imported ones: by the file)"),
			projections.Moment("recorded", "r.recorded", "when it was put into the log"),
			{Name: "payload", Type: "String", SQL: "r.payload", Comment: "the event's JSON; JSONExtractString(payload, 'content', 'plain') or payload::JSON read it", Written: true},
		}...),
	}}
}
