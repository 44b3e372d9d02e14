// Package projections turns admitted events into rows, and rows into answers.
//
//	tail.Follow ─▶ Projection.Apply ─▶ rows ─▶ one INSERT a table ─▶ checkpoint ─▶ queries
//
// A projection is a pure function. The engine does the rest: it keeps each
// build of a projection in tables of its own, writes what has gathered, marks
// how far it came, and puts a finished build in the place of the live one.
package projections

import (
	"slices"

	"lishi/events"
	"lishi/events/ledger"
)

// Projection is a named, versioned, deterministic function from admitted
// events to rows, with no I/O. Raise Version whenever Tables or Apply change
// what is in the rows: the engine then fills a new build beside the live one.
type Projection interface {
	// Name is the projection's name: "history".
	Name() string
	// Version tells one set of rows from another; from 1 upwards.
	Version() int
	// Tables are the projection's tables; their names are unique among all
	// projections.
	Tables() []Table
	// Apply adds the rows that an event makes. It reads no clock and no
	// configuration. The book may have folded more than the event: relations
	// are asked as of the event's offset, or for facts that never change.
	// Calls are one at a time, in offset order per partition.
	Apply(e events.Recorded, book *ledger.Book, rows *Rows)
}

// Table is a table as a projection describes it. The engine adds the columns
// partition and offset, the address of the event that made the row, to each.
//
// Rows are idempotent: of several rows with the same key the one with the
// greatest offset counts, so everything with one key must come from one
// partition, and one event must not make two rows with the same key.
type Table struct {
	Name   string
	Fields []Field
	// Key lists the columns that rows are sorted and told apart by. It may name
	// partition and offset.
	Key []string
	// Granularity is the number of rows between two marks of the index: small
	// where single rows are looked up, at the price of memory. 0 is 8192.
	Granularity int
	// Indexes are data skipping indexes, each as a CREATE statement has it after
	// the word INDEX: "words text TYPE text(tokenizer = ngrams(2))".
	Indexes []string
}

// distinct tells whether a key is one event's: of that there is one row.
func (t Table) distinct() bool { return slices.Contains(t.Key, "offset") }

// Field is one column: its name and its ClickHouse type, one of String,
// LowCardinality(String), Int64, UInt64, Bool and Array(String). Times are
// Int64 milliseconds since 1970.
type Field struct {
	Name  string
	Type  string
	Codec string // how the column is compressed, as CODEC(…) has it; empty: LZ4
}
