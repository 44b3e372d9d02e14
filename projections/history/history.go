// Package history is the read model of what was said: every message, by
// conversation and offset.
package history

import (
	"lishi/events"
	"lishi/events/ledger"
	"lishi/projections"
)

// Name is the projection's.
const Name = "history"

// Projection makes a row of every message.
type Projection struct{}

func (Projection) Name() string { return Name }

func (Projection) Version() int { return 1 }

// Tables: a page is one short range of the key, so it costs the same in a long
// conversation as in a short one.
func (Projection) Tables() []projections.Table {
	return []projections.Table{{
		Name: "messages",
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
	}}
}

func (Projection) Apply(e events.Recorded, _ *ledger.Book, rows *projections.Rows) {
	m, ok := e.Body.(events.MessageSent)
	if !ok {
		return
	}
	receiver := e.Stream.Other(e.Actor)
	if e.Stream.Kind == events.Group {
		receiver = e.Stream.ID
	}
	rows.Row("messages").
		Text(e.Stream.Key()).
		Text(e.ID.String()).
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
