package projections

import (
	"fmt"

	"lishi/events"
	"lishi/events/ledger"
)

// mentions is a read model: who was named in a group's message, newest first.
type mentions struct{}

func (mentions) Name() string { return "mentions" }
func (mentions) Version() int { return 1 } // raised with Tables or Apply

func (mentions) Tables() []Table {
	return []Table{{
		Name:        "mentions",
		Fields:      []Field{{Name: "user", Type: "String"}, {Name: "conversation", Type: "String"}, {Name: "by", Type: "String"}},
		Key:         []string{"user", "conversation", "partition", "offset"},
		Granularity: 512,
	}}
}

func (mentions) Apply(e events.Recorded, _ *ledger.Book, rows *Rows) {
	m, ok := e.Body.(events.MessageSent)
	if !ok {
		return
	}
	for _, user := range m.AtUserIDs {
		rows.Row("mentions").Text(user).Text(e.Stream.Key()).Text(e.Actor)
	}
}

// A read model is a function from an event to rows. The engine makes its tables,
// calls Apply, adds partition and offset, inserts and keeps the checkpoint.
func ExampleProjection() {
	p := mentions{}
	rows, err := newRows(p.Tables(), 7) // as the engine does for build 7
	if err != nil {
		fmt.Println(err)
		return
	}
	at, _ := events.ParsePosition("c3-182736")
	e := events.Recorded{Position: at, Event: events.Event{
		Stream: events.GroupStream("g1"), Actor: "alice",
		Body: events.MessageSent{Content: events.Content{Plain: "@bob @carol 开会"}, AtUserIDs: []string{"bob", "carol"}},
	}}
	rows.begin(&e, at.Partition.String())
	p.Apply(e, nil, rows)
	rows.end()

	fmt.Println(rows.tables[0].table)
	for _, c := range rows.tables[0].gathered() {
		fmt.Println(c.Name, c.Data)
	}
	// Output:
	// mentions_b7
	// partition [c3 c3]
	// offset [182736 182736]
	// user [bob carol]
	// conversation [g|g1 g|g1]
	// by [alice alice]
}
