// Package search is the read model that words are looked up in: every text that
// a message ever had, with an index of all pairs of neighbouring characters.
// Pairs need no notion of a word, so Chinese, English and emoji are all the
// same. Which of a message's texts counts for somebody, history knows.
package search

import (
	"lishi/events"
	"lishi/events/ledger"
	"lishi/projections"
)

// Name is the projection's.
const Name = "search"

// Projection makes a row of every message and of every edit.
type Projection struct{}

// Name implements projections.Projection.
func (Projection) Name() string { return Name }

// Version implements projections.Projection.
func (Projection) Version() int { return 2 }

// Tables: the index tells which granules may hold a text, so they are small.
func (Projection) Tables() []projections.Table {
	return []projections.Table{{
		Name: "texts",
		Fields: []projections.Field{
			{Name: "conversation", Type: "String"}, // the stream's key
			{Name: "message", Type: "UInt64"},      // its offset; offset is of the event that wrote the text
			{Name: "text", Type: "String"},         // folded
			{Name: "recorded", Type: "Int64"},
		},
		Key:         []string{"conversation", "message", "offset"},
		Granularity: 256,
		Index:       "characters text TYPE text(tokenizer = ngrams(2))",
	}}
}

// Apply implements projections.Projection.
func (Projection) Apply(e events.Recorded, _ *ledger.Book, rows *projections.Rows) {
	write := func(message events.Position, c events.Content) {
		rows.Row("texts").Text(e.Stream.Key()).Uint(uint64(message.Offset)).Text(Fold(c.Plain)).Int(e.At.UnixMilli())
	}
	switch b := e.Body.(type) {
	case events.MessageSent:
		write(e.Position, b.Content)
	case events.MessageEdited:
		write(b.Message, b.Content)
	}
}
