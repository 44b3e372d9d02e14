package search_test

import (
	"context"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"lishi/events"
	"lishi/projections"
	"lishi/projections/history"
	"lishi/projections/projectiontest"
	"lishi/projections/recents"
	"lishi/projections/search"
)

// talk is a million messages; LISHI_BENCH_EVENTS changes the number.
var talk = sync.OnceValue(func() *projectiontest.Log {
	n := 1_000_000
	if s := os.Getenv("LISHI_BENCH_EVENTS"); s != "" {
		n, _ = strconv.Atoi(s)
	}
	return chat(n)
})

// BenchmarkSearch looks for words in the conversations of somebody who has a
// third of all messages, in 120 of them, and in one: words that stand in one
// message, in one of a thousand, in many; with the index and without.
func BenchmarkSearch(b *testing.B) {
	w := projectiontest.Still(b, projectiontest.DB(b), talk(), search.Projection{}, history.Projection{}, recents.Projection{})
	s := &spied{DB: w.DB}
	w.DB = s
	w.Start()
	w.Settle()
	projectiontest.Eventually(b, "merges end", func() bool {
		return projectiontest.Strings(b, s.DB, "SELECT toString(count()) FROM system.merges")[0] == "0"
	})
	common := []string{"电影", "喜欢", "什么", "不知", "知道", "th", "the", "ubuntu"}
	for _, c := range []struct {
		name  string
		words []string
		in    search.Messages
	}{
		{"all/unique", []string{unique}, search.Messages{}},
		{"all/rare", []string{rare}, search.Messages{}},
		{"all/common", common, search.Messages{}},
		{"all/nowhere", []string{"沒有"}, search.Messages{}},
		{"one/unique", []string{unique}, search.Messages{UserID: "friend3"}},
		{"one/rare", []string{rare}, search.Messages{UserID: "friend3"}},
		{"one/common", common, search.Messages{UserID: "friend3"}},
	} {
		for _, unindexed := range []bool{false, true} {
			name := c.name
			if unindexed {
				name += "/unindexed"
			}
			b.Run(name, func(b *testing.B) {
				s.unindexed = unindexed
				var took []time.Duration
				used := -projectiontest.Processor()
				for i := 0; b.Loop(); i++ {
					q := c.in
					q.Text = c.words[i%len(c.words)]
					began := time.Now()
					page, err := w.Reader().Answer(context.Background(), q, "me", nil)
					if err != nil {
						b.Fatal(err)
					}
					took = append(took, time.Since(began))
					if n := len(page.List.([]history.Message)); q.Text == unique && n != 1 {
						b.Fatalf("%s is found %d times", q.Text, n)
					}
				}
				used += projectiontest.Processor()
				slices.Sort(took)
				b.ReportMetric(float64(used.Microseconds())/1000/float64(b.N), "cpu-ms/op")
				b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
				b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
			})
		}
	}
}

// BenchmarkFill is what the index costs: search beside history, which holds the
// same texts.
func BenchmarkFill(b *testing.B) {
	log := talk()
	end, _ := log.End(context.Background())
	total := 0.0
	for p, o := range end {
		if p.Topic == events.Conversations {
			total += float64(o)
		}
	}
	for _, p := range []projections.Projection{history.Projection{}, search.Projection{}} {
		b.Run(p.Name(), func(b *testing.B) {
			var used time.Duration
			for b.Loop() {
				b.StopTimer()
				w := projectiontest.Still(b, projectiontest.DB(b), log, p)
				<-w.Tail.Ready()
				used -= projectiontest.Processor()
				b.StartTimer()
				w.Start()
				w.Settle()
				b.StopTimer()
				used += projectiontest.Processor()
				bytes, _ := strconv.ParseFloat(projectiontest.Strings(b, w.DB, "SELECT toString(sum(bytes_on_disk)) FROM system.parts WHERE active AND database = currentDatabase()")[0], 64)
				b.ReportMetric(bytes/total, "disk-B/message")
				w.Stop()
				b.StartTimer()
			}
			b.ReportMetric(total*float64(b.N)/b.Elapsed().Seconds(), "messages/s")
			b.ReportMetric(float64(used.Microseconds())/total/float64(b.N), "cpu-µs/message")
		})
	}
}
