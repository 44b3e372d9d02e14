package search_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"lishi/projections/history"
	"lishi/projections/projectiontest"
	"lishi/projections/recents"
	"lishi/projections/search"
)

// granules is what EXPLAIN says of the last statement: how many an index was
// asked about, and how many it left.
func granules(t testing.TB, s *spied, index string) (left, asked int) {
	t.Helper()
	plan := projectiontest.Strings(t, s.DB, "EXPLAIN indexes = 1 "+s.sql, s.args...)
	at := slices.IndexFunc(plan, func(line string) bool { return strings.HasSuffix(line, "Name: "+index) })
	for at >= 0 && at < len(plan) {
		if _, counts, ok := strings.Cut(plan[at], "Granules: "); ok {
			if _, err := fmt.Sscanf(counts, "%d/%d", &left, &asked); err != nil {
				t.Fatal(err)
			}
			return left, asked
		}
		at++
	}
	t.Fatalf("no index in the plan of\n%s\n%s", s.sql, strings.Join(plan, "\n"))
	return 0, 0
}

func TestTheIndexIsUsed(t *testing.T) {
	w := projectiontest.Still(t, projectiontest.DB(t), chat(40_000), search.Projection{}, history.Projection{}, recents.Projection{})
	s := &spied{DB: w.DB}
	w.DB = s
	w.Start()
	w.Settle()
	for _, c := range []struct {
		q    search.Messages
		rows int
		most float64 // of the granules asked about
	}{
		{search.Messages{Text: unique}, 1, 0.05},
		{search.Messages{Text: unique, UserID: "friend3"}, 1, 0.2},
		{search.Messages{Text: "螣蛇螣蛇"}, 0, 0},
		{search.Messages{Text: "沒有"}, 0, 0.5},
	} {
		page := w.Ask("me", c.q)
		left, asked := granules(t, s, "characters")
		if asked < 10 && c.q.UserID == "" || float64(left) > max(float64(c.rows), c.most*float64(asked)) || left == asked { // a row lies in a granule
			t.Errorf("%+v reads %d granules of %d", c.q, left, asked)
		}
		if n := len(page.List.([]history.Message)); c.rows > 0 && n != c.rows {
			t.Errorf("%+v finds %d", c.q, n)
		}
	}
}

// A search for a common word reads the newest of the user's texts alone, on the
// first page and on later ones.
func TestTheNewestAreReadFirst(t *testing.T) {
	search.FirstWindow(t, 8192)
	w := projectiontest.Still(t, projectiontest.DB(t), chat(120_000), search.Projection{}, history.Projection{}, recents.Projection{})
	s := &spied{DB: w.DB}
	w.DB = s
	w.Start()
	w.Settle()
	projectiontest.Exec(t, s.DB, "OPTIMIZE TABLE "+table(t, s)+" FINAL")
	before := ""
	for range 3 {
		page := w.Ask("me", search.Messages{Text: "th", Before: before})
		if n := len(page.List.([]history.Message)); n != 50 {
			t.Fatalf("a page of a common word has %d messages", n)
		}
		if left, asked := granules(t, s, "newest"); asked < 50 || left*4 > asked*3 {
			t.Errorf("it reads %d granules of %d", left, asked)
		}
		if s.statements != 1 {
			t.Errorf("it takes %d statements", s.statements)
		}
		before, s.statements = page.Next, 0
	}
}

func table(t testing.TB, s *spied) string {
	t.Helper()
	return projectiontest.Strings(t, s.DB, "SELECT name FROM system.tables WHERE name LIKE 'texts\\_b%'")[0]
}
