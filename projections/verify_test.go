package projections_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"lishi/events"
	"lishi/projections"
	"lishi/projections/projectiontest"
)

// busy is a world in which every table of every read model has rows.
func busy(t *testing.T) *projectiontest.World {
	w := projectiontest.New(t, readModels()...)
	w.Register("a", "b", "c", "d")
	w.Befriend("a", "b")
	w.Befriend("a", "c")
	pair := events.PairStream("a", "b")
	w.Do("a", events.UserStream("a"), events.FolderCreated{Name: "family"})
	said := w.Say("a", "b", "hello")
	w.Do("a", pair, events.MessageEdited{Message: said.Position, Content: events.Content{Plain: "hello!"}})
	w.Do("b", events.UserStream("b"), events.ConversationRead{Conversation: pair.Key(), Read: said.Position})
	for i := range 200 { // some make a row of text_times
		w.Say("b", "a", fmt.Sprint("word ", i))
	}
	g := w.Create("g1", "a", "b", "c")
	w.Tell("b", g, "in the group")
	w.Do("a", events.PairStream("a", "c"), events.FriendBlocked{})
	w.Settle()
	return w
}

// Every fault in every table of every read model is found, where it is; and
// nothing is found where there is none.
func TestVerifyFindsFaults(t *testing.T) {
	w := busy(t)
	var names []string
	for _, p := range w.Projections {
		names = append(names, p.Name())
	}
	verify := func() projections.Verification {
		t.Helper()
		v, err := w.Engine.Verify(context.Background(), names, projections.Replaying{Throttle: 1})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	v := verify()
	if wrong := v.Wrong(); len(wrong) > 0 || len(v.Projections) != len(names) || len(v.Log) != 4 {
		t.Fatalf("nothing is wrong, but it says %q: %+v", wrong, v)
	}
	faults := 0
	for _, fault := range []string{"changed", "missing", "twice"} {
		want := map[string]string{}
		for _, p := range w.Projections {
			tables, _ := w.Engine.Shown(p.Name())
			for _, table := range p.Tables() {
				if where := spoil(t, w.DB, tables[table.Name], table, fault); where != "" {
					want[table.Name] = where
				}
			}
		}
		got := map[string]string{}
		v := verify()
		for _, p := range v.Projections {
			for _, table := range p.Tables {
				if table.First != nil {
					got[table.Table] = table.First.Position.String()
				}
			}
		}
		for name, where := range want {
			if faults++; got[name] != where {
				t.Errorf("%s in %s at %s: it finds %q", fault, name, where, got[name])
			}
		}
		if len(got) > len(want) || len(v.Wrong()) != len(got) {
			t.Errorf("it finds %v, want %v", got, want)
		}
		for _, p := range w.Projections {
			tables, _ := w.Engine.Shown(p.Name())
			for _, table := range p.Tables() {
				projectiontest.Exec(t, w.DB, "TRUNCATE TABLE "+tables[table.Name])
				projectiontest.Exec(t, w.DB, "INSERT INTO "+tables[table.Name]+" SELECT * FROM kept_"+table.Name)
			}
		}
	}
	if faults < 3*15 {
		t.Errorf("%d faults only were tried", faults)
	}
	if wrong := verify().Wrong(); len(wrong) > 0 {
		t.Errorf("all is mended, but it says %q", wrong)
	}
	if left := projectiontest.Strings(t, w.DB, "SELECT toString(build) FROM lishi_builds WHERE named != '' GROUP BY build HAVING max(dropped) = 0"); len(left) > 0 {
		t.Errorf("builds %v are left", left)
	}
}

// spoil lays a fault into a table's first row and says where; "" if it has none.
// The rows as they were are kept in kept_<name>.
func spoil(t *testing.T, db projections.DB, physical string, table projections.Table, fault string) string {
	t.Helper()
	kept := "kept_" + table.Name
	projectiontest.Exec(t, db, "DROP TABLE IF EXISTS "+kept)
	projectiontest.Exec(t, db, "CREATE TABLE "+kept+" AS "+physical)
	projectiontest.Exec(t, db, "INSERT INTO "+kept+" SELECT * FROM "+physical+" FINAL")
	first := projectiontest.Strings(t, db, "SELECT concat(partition, '-', toString(offset), ' ', toString(cityHash64(*))) FROM "+kept+" ORDER BY partition, offset, cityHash64(*) LIMIT 1")
	if len(first) == 0 {
		return ""
	}
	where, hash, _ := strings.Cut(first[0], " ")
	is := "cityHash64(*) = " + hash
	column := table.Fields[len(table.Fields)-1]
	other := projections.Field{Name: "offset", Type: "UInt64"} // the same row again, at the next event
	if i := slices.IndexFunc(table.Fields, func(f projections.Field) bool { return slices.Contains(table.Key, f.Name) && f.Type == "String" }); i >= 0 {
		other = table.Fields[i]
	}
	for _, f := range table.Fields {
		if !slices.Contains(table.Key, f.Name) {
			column = f
		}
	}
	if slices.Contains(table.Key, column.Name) {
		column = other
	}
	to := map[string]string{"String": "concat(%s, 'x')", "LowCardinality(String)": "concat(%s, 'x')", "Int64": "%s + 1", "UInt64": "%s + 1", "Bool": "not %s", "Array(String)": "arrayPushBack(%s, 'x')"}
	switch fault {
	case "changed":
		projectiontest.Exec(t, db, "TRUNCATE TABLE "+physical)
		projectiontest.Exec(t, db, fmt.Sprintf("INSERT INTO %s SELECT * REPLACE(if(%s, %s, %s) AS %s) FROM %s", physical, is, fmt.Sprintf(to[column.Type], column.Name), column.Name, column.Name, kept))
	case "missing":
		projectiontest.Exec(t, db, "TRUNCATE TABLE "+physical)
		projectiontest.Exec(t, db, fmt.Sprintf("INSERT INTO %s SELECT * FROM %s WHERE NOT (%s)", physical, kept, is))
	case "twice":
		projectiontest.Exec(t, db, fmt.Sprintf("INSERT INTO %s SELECT * REPLACE(%s AS %s) FROM %s WHERE %s", physical, fmt.Sprintf(to[other.Type], other.Name), other.Name, kept, is))
	}
	if fault == "twice" && other.Name == "offset" {
		at, _ := events.ParsePosition(where)
		at.Offset++
		return at.String()
	}
	return where
}

// Rows of events that the log does not have are found, however far beyond its end.
func TestVerifyFindsRowsBeyondTheLog(t *testing.T) {
	w := projectiontest.New(t, newWords("words"))
	talk(w, 0, 5)
	w.Settle()
	projectiontest.Exec(t, w.DB, "INSERT INTO words_b1 SELECT partition, 999999, conversation, word FROM words_b1 LIMIT 1")
	v, err := w.Engine.Verify(context.Background(), []string{"words"}, projections.Replaying{})
	if wrong := v.Wrong(); err != nil || len(wrong) != 1 || !strings.Contains(wrong[0], "999999 is extra") {
		t.Errorf("it finds %q: %v", wrong, err)
	}
}

// A job goes on whoever watches, can be stopped, and goes on where it was.
func TestJobs(t *testing.T) {
	faulty := &projectiontest.Faulty{DB: projectiontest.DB(t)}
	w := projectiontest.Still(t, faulty, projectiontest.NewLog(projectiontest.Layout), newWords("words"))
	w.Options.ReplayRows = 10
	w.Start()
	talk(w, 0, 50)
	w.Settle()
	held := make(chan struct{})
	inserts := 0
	faulty.Set(func(c projectiontest.Call) error {
		if c.Table == "words_b2" {
			if inserts++; inserts == 3 {
				<-held
			}
		}
		return nil
	}, nil)
	j, err := w.Engine.Begin("replay", []string{"words"}, projections.Replaying{Throttle: 1})
	if err != nil {
		t.Fatal(err)
	}
	projectiontest.Eventually(t, "it gets on", func() bool { ps, _ := j.Progress(); return len(ps) == 1 && ps[0].Events > 10 })
	if err := w.Engine.Replay(context.Background(), []string{"words"}, projections.Replaying{}); !errors.Is(err, projections.ErrBusy) {
		t.Errorf("a second replay: %v", err)
	}
	status, err := w.Engine.Status(context.Background())
	if err != nil || len(status) != 1 || len(status[0].Builds) != 2 || status[0].Builds[0].State != "live" || status[0].Builds[1].State != "filling" {
		t.Errorf("status %+v: %v", status, err)
	}
	go close(held)
	j.Stop()
	if _, err := j.Result(); !errors.Is(err, projections.ErrInterrupted) {
		t.Errorf("it ends with %v", err)
	}
	if status, _ = w.Engine.Status(context.Background()); status[0].Builds[1].State != "interrupted" || status[0].Builds[1].Events == 0 {
		t.Errorf("status %+v", status)
	}
	plan, err := w.Engine.Plan(context.Background(), []string{"words"}, projections.Replaying{})
	if err != nil || len(plan) != 1 || plan[0].Resumes != 2 || plan[0].Events <= 0 {
		t.Errorf("plan %+v: %v", plan, err)
	}
	j, err = w.Engine.Begin("replay", []string{"words"}, projections.Replaying{Throttle: 1})
	if err != nil {
		t.Fatal(err)
	}
	<-j.Done()
	ps, _ := j.Progress()
	if _, err := j.Result(); err != nil || len(ps) != 1 || ps[0].Phase != "live" || ps[0].From == 0 || w.Engine.Live("words") != 2 {
		t.Errorf("it ends with %v: %+v", err, ps)
	}
	if len(w.Engine.Jobs()) != 2 || w.Engine.Job(1) == nil || w.Engine.Job(3) != nil {
		t.Error("the jobs are not listed")
	}
}
