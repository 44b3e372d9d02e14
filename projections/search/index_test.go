package search_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"lishi/projections/history"
	"lishi/projections/projectiontest"
	"lishi/projections/recents"
	"lishi/projections/search"
)

// granules is what EXPLAIN says of a statement: how many the index was asked
// about, and how many it left.
func granules(t testing.TB, w *projectiontest.World, s *spied) (left, asked int) {
	t.Helper()
	plan := projectiontest.Strings(t, s.DB, "EXPLAIN indexes = 1 "+s.sql, s.args...)
	at := slices.IndexFunc(plan, func(line string) bool { return strings.HasSuffix(line, "Name: characters") })
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
	w := projectiontest.Still(t, projectiontest.DB(t), chat(t, 40_000), search.Projection{}, history.Projection{}, recents.Projection{})
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
		left, asked := granules(t, w, s)
		if asked < 10 && c.q.UserID == "" || float64(left) > c.most*float64(asked) {
			t.Errorf("%+v reads %d granules of %d", c.q, left, asked)
		}
		if n := len(page.List.([]history.Message)); c.rows > 0 && n != c.rows {
			t.Errorf("%+v finds %d", c.q, n)
		}
	}
}

// BenchmarkSearch looks for words in the conversations of somebody who has a
// third of a million messages in 120 of them: rare and common ones, with the
// index and without.
func BenchmarkSearch(b *testing.B) {
	n := 1_000_000
	if s := os.Getenv("LISHI_BENCH_EVENTS"); s != "" {
		n, _ = strconv.Atoi(s)
	}
	w := projectiontest.Still(b, projectiontest.DB(b), chat(b, n), search.Projection{}, history.Projection{}, recents.Projection{})
	s := &spied{DB: w.DB}
	w.DB = s
	w.Start()
	w.Settle()
	for _, table := range projectiontest.Strings(b, s.DB, `SELECT table || ': ' || toString(round(sum(bytes_on_disk) / sum(rows), 1)) || ' bytes a row, of the index '
		|| toString(round(sum(secondary_indices_compressed_bytes) / sum(rows), 1)) FROM system.parts WHERE active AND rows > 0 GROUP BY table HAVING sum(rows) > 100000`) {
		b.Log(table)
	}
	common := []string{"电影", "喜欢", "什么", "不知", "知道", "th", "the", "ubuntu"}
	for _, c := range []struct {
		name  string
		words []string
		in    search.Messages
	}{
		{"all/rare", []string{rare, unique}, search.Messages{}},
		{"all/common", common, search.Messages{}},
		{"one/rare", []string{rare, unique}, search.Messages{UserID: "friend3"}},
		{"one/common", common, search.Messages{UserID: "friend3"}},
	} {
		for _, unindexed := range []bool{false, true} {
			name := c.name
			if unindexed {
				name += "/unindexed"
			}
			b.Run(name, func(b *testing.B) {
				s.unindexed = unindexed
				defer func() { s.unindexed = false }()
				var took []time.Duration
				for i := 0; b.Loop(); i++ {
					q := c.in
					q.Text = c.words[i%len(c.words)]
					began := time.Now()
					page, err := w.Reader().Answer(context.Background(), q, "me", nil)
					if err != nil {
						b.Fatal(err)
					}
					took = append(took, time.Since(began))
					if q.Text == unique && len(page.List.([]history.Message)) != 1 {
						b.Fatalf("%s is found %d times", q.Text, len(page.List.([]history.Message)))
					}
				}
				slices.Sort(took)
				b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
				b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
			})
		}
	}
}
