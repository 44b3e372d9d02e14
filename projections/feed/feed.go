// Package feed is the read model that clients resume from: which events
// were pushed to whom.
package feed

import (
	"lishi/events"
	"lishi/events/ledger"
	"lishi/projections"
)

// Name is the projection's.
const Name = "feed"

// Audience is who an event was pushed to: the key of a user's stream ("u|id"),
// or of a group's ("g|id") for everybody who was a member then.
type Audience string

// Audiences names whom an event was pushed to, each once; a function of the log
// alone.
type Audiences func(events.Recorded, *ledger.Book) []Audience

// Projection makes the rows. Imported events were pushed to nobody.
type Projection struct{ audiences Audiences }

// New makes the projection.
func New(a Audiences) Projection { return Projection{a} }

// Name implements projections.Projection.
func (Projection) Name() string { return Name }

// Version implements projections.Projection.
func (Projection) Version() int { return 1 }

// Tables: the event stands once, however many audiences it has.
func (Projection) Tables() []projections.Table {
	return []projections.Table{
		{
			Name:        "feed",
			Fields:      []projections.Field{{Name: "audience", Type: "String"}},
			Key:         []string{"audience", "partition", "offset"},
			Granularity: 512,
		},
		{
			Name:        "feed_events",
			Fields:      []projections.Field{{Name: "event", Type: "String"}}, // as appendRecord writes it
			Key:         []string{"partition", "offset"},
			Granularity: 256,
		},
	}
}

// Apply implements projections.Projection.
func (f Projection) Apply(e events.Recorded, book *ledger.Book, rows *projections.Rows) {
	if e.Imported {
		return
	}
	audiences := f.audiences(e, book)
	if len(audiences) == 0 {
		return
	}
	r := rows.Record()
	rows.Row("feed_events").TextBy(func(b []byte) []byte { return appendRecord(b, r, e.At) })
	for _, a := range audiences {
		rows.Row("feed").Text(string(a))
	}
}
