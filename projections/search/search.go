// Package search is the read model that words are looked up in: the newest text
// of every message, with an index of all pairs of neighbouring characters. Pairs
// need no notion of a word, so Chinese, English and emoji are all the same.
package search

import (
	"lishi/events"
	"lishi/events/ledger"
	"lishi/projections"
)

// Name is the projection's.
const Name = "search"

// Projection makes a row of every message. An edit or a recall makes the row
// anew: what was replaced can't be found.
type Projection struct{}

func (Projection) Name() string { return Name }

func (Projection) Version() int { return 1 }

// Tables: the index tells which granules may hold a text, so they are small. That
// a text is no longer the newest stands in a table of its own, which is short:
// few messages are ever changed, and every search asks.
func (Projection) Tables() []projections.Table {
	return []projections.Table{
		{
			Name: "texts",
			Fields: []projections.Field{
				{Name: "conversation", Type: "String"}, // the stream's key
				{Name: "message", Type: "UInt64"},      // its offset; offset is of the event that wrote the text
				{Name: "text", Type: "String"},         // folded; empty once recalled
				{Name: "written", Type: "Int64"},       // when the text was recorded
			},
			Key:         []string{"conversation", "message"},
			Granularity: 256,
			Index:       "characters text TYPE text(tokenizer = ngrams(2))",
		},
		{
			Name: "rewritten",
			Fields: []projections.Field{
				{Name: "conversation", Type: "String"},
				{Name: "message", Type: "UInt64"},
			},
			Key:         []string{"conversation", "message"},
			Granularity: 256,
		},
	}
}

func (Projection) Apply(e events.Recorded, _ *ledger.Book, rows *projections.Rows) {
	key := e.Stream.Key()
	write := func(message events.Position, text string) {
		rows.Row("texts").Text(key).Uint(uint64(message.Offset)).Text(Fold(text)).Int(e.At.UnixMilli())
	}
	rewrite := func(message events.Position, text string) {
		write(message, text)
		rows.Row("rewritten").Text(key).Uint(uint64(message.Offset))
	}
	switch b := e.Body.(type) {
	case events.MessageSent:
		write(e.Position, b.Content.Plain)
	case events.MessageEdited:
		rewrite(b.Message, b.Content.Plain)
	case events.MessageRecalled:
		rewrite(b.Message, "")
	}
}
