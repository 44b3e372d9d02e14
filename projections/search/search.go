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
func (Projection) Version() int { return 3 }

// stride is how many events of a partition lie between two that make a row of
// text_times.
var stride int64 = 64 // changed by tests alone

// Tables: the indexes tell which granules may hold a text, and when their texts
// were written, so they are small.
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
		Indexes:     []string{"characters text TYPE text(tokenizer = ngrams(2))", "newest recorded TYPE minmax"},
	}, {
		// When a few of the texts were written: how far back so many texts lie.
		Name: "text_times",
		Fields: []projections.Field{
			{Name: "conversation", Type: "String"},
			{Name: "recorded", Type: "Int64"},
		},
		Key:         []string{"conversation", "offset"},
		Granularity: 512,
	}}
}

// Apply implements projections.Projection.
func (Projection) Apply(e events.Recorded, _ *ledger.Book, rows *projections.Rows) {
	write := func(message events.Position, c events.Content) {
		rows.Row("texts").Key(e.Stream).Uint(uint64(message.Offset)).Text(Fold(c.Plain)).Int(e.At.UnixMilli())
		if e.Position.Offset%stride == 0 {
			rows.Row("text_times").Key(e.Stream).Int(e.At.UnixMilli())
		}
	}
	switch b := e.Body.(type) {
	case events.MessageSent:
		write(e.Position, b.Content)
	case events.MessageEdited:
		write(b.Message, b.Content)
	}
}
