// Package history is the read model of what was said: every message, by
// conversation and offset, and every version of it.
package history

import (
	"lishi/events"
	"lishi/events/ledger"
	"lishi/projections"
)

// Name is the projection's.
const Name = "history"

// Projection makes a row of every message, and one of every edit and recall.
type Projection struct{}

// Name implements projections.Projection.
func (Projection) Name() string { return Name }

// Version implements projections.Projection.
func (Projection) Version() int { return 3 }

// Tables: a page is one short range of the key, so it costs the same in a long
// conversation as in a short one.
func (Projection) Tables() []projections.Table {
	return []projections.Table{{
		Name: "messages", // as they were sent
		Fields: []projections.Field{
			{Name: "conversation", Type: "String"}, // the stream's key
			{Name: "id", Type: "String"},
			{Name: "sender", Type: "String"},
			{Name: "receiver", Type: "String"}, // a user, or the group
			{Name: "content", Type: "String"},
			{Name: "content_type", Type: "LowCardinality(String)"},
			{Name: "reply_to", Type: "String"},
			{Name: "at_users", Type: "Array(String)"},
			{Name: "said", Type: "Int64"},
			{Name: "recorded", Type: "Int64"},
			{Name: "imported", Type: "Bool"},
		},
		Key:         []string{"conversation", "offset"},
		Granularity: 256,
	}, {
		// What became of them since: offset is the version's own.
		Name: "versions",
		Fields: []projections.Field{
			{Name: "conversation", Type: "String"},
			{Name: "original", Type: "UInt64"},               // the message's offset
			{Name: "change", Type: "LowCardinality(String)"}, // edited or recalled
			{Name: "content", Type: "String"},                // empty of a recall
			{Name: "by", Type: "String"},
			{Name: "said", Type: "Int64"},
			{Name: "recorded", Type: "Int64"},
		},
		Key:         []string{"conversation", "original", "offset"},
		Granularity: 256,
	}}
}

// Values of change.
const (
	edited   = "edited"
	recalled = "recalled"
)

// Apply implements projections.Projection.
func (Projection) Apply(e events.Recorded, _ *ledger.Book, rows *projections.Rows) {
	switch b := e.Body.(type) {
	case events.MessageSent:
		message(e, b, rows)
	case events.MessageEdited:
		version(e, b.Message, edited, b.Content.Plain, rows)
	case events.MessageRecalled:
		version(e, b.Message, recalled, "", rows)
	}
}

func message(e events.Recorded, m events.MessageSent, rows *projections.Rows) {
	receiver := e.Stream.Other(e.Actor)
	if e.Stream.Kind == events.Group {
		receiver = e.Stream.ID
	}
	rows.Row("messages").
		Key(e.Stream).
		Hex(e.ID[:]).
		Text(e.Actor).
		Text(receiver).
		Text(m.Content.Plain).
		Text(m.ContentType).
		Text(m.ReplyTo).
		Texts(m.AtUserIDs).
		Int(e.Time.UnixMilli()).
		Int(e.At.UnixMilli()).
		Flag(e.Imported)
}

func version(e events.Recorded, original events.Position, change, content string, rows *projections.Rows) {
	rows.Row("versions").
		Key(e.Stream).
		Uint(uint64(original.Offset)).
		Text(change).
		Text(content).
		Text(e.Actor).
		Int(e.Time.UnixMilli()).
		Int(e.At.UnixMilli())
}
