package projections_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"lishi/commands"
	"lishi/events"
	"lishi/events/ledger"
	"lishi/projections"
	"lishi/projections/projectiontest"
)

// hours is a read model: how many messages each group had in which hour.
type hours struct{}

func (hours) Name() string { return "hours" }
func (hours) Version() int { return 1 } // raised with Tables or Apply

func (hours) Tables() []projections.Table {
	return []projections.Table{{
		Name: "hours",
		Fields: []projections.Field{
			{Name: "group_id", Type: "String"},
			{Name: "hour", Type: "Int64"}, // its beginning
		},
		Key:         []string{"group_id", "hour", "offset"}, // a message is one row, however often it is written
		Granularity: 512,
	}}
}

func (hours) Apply(e events.Recorded, _ *ledger.Book, rows *projections.Rows) {
	if _, ok := e.Body.(events.MessageSent); ok && e.Stream.Kind == events.Group {
		rows.Row("hours").Text(e.Stream.ID).Int(e.Time.Truncate(time.Hour).UnixMilli())
	}
}

// Busy asks for the hours of a group, the latest first.
type Busy struct {
	GroupID string `param:"groupId,id"`
}

// Hour is a row of the answer.
type Hour struct {
	Time     int64  `json:"time"`
	Messages uint64 `json:"messages"`
}

// Needs implements projections.Query.
func (Busy) Needs() []string { return []string{"hours"} }

// Run implements projections.Query. Members alone may ask: the ledger knows them.
func (q Busy) Run(ctx context.Context, r projections.Reader, caller string) (projections.Page, error) {
	s := events.GroupStream(q.GroupID)
	if _, ok := r.Book.Relations(s).Member(s, caller, events.Now); !ok {
		return projections.Page{}, commands.ErrNotMember
	}
	list := []Hour{}
	sql := fmt.Sprintf(`SELECT hour, uniqExact(offset) FROM %s WHERE group_id = {group:String}
		GROUP BY hour ORDER BY hour DESC LIMIT 200`, r.Table("hours"))
	err := r.Select(ctx, sql, []projections.Arg{{Name: "group", Value: q.GroupID}}, func(row projections.RowScanner) error {
		var h Hour
		err := row.Scan(&h.Time, &h.Messages)
		list = append(list, h)
		return err
	})
	return projections.Page{List: list}, err
}

// What was said is counted, and a replay counts the same.
func TestHours(t *testing.T) {
	w := projectiontest.New(t, hours{}) // a log, and the engine that follows it
	w.Register("ann", "bob")
	w.Befriend("ann", "bob")
	group := w.Create("g", "ann", "bob")
	w.Clock = time.Date(2026, 11, 23, 9, 59, 58, 0, time.UTC) // a second passes with each event
	for range 3 {
		w.Tell("bob", group, "hello")
	}
	w.Say("ann", "bob", "in no group")
	check := func() {
		t.Helper()
		if got := fmt.Sprint(w.Ask("ann", Busy{GroupID: "g"}).List); got != "[{1795428000000 1} {1795424400000 2}]" {
			t.Errorf("the hours are %s", got)
		}
	}
	check()
	if err := w.Engine.Replay(context.Background(), []string{"hours"}, projections.Replaying{}); err != nil {
		t.Fatal(err) // also where the new rows are not the old ones
	}
	check()
}
