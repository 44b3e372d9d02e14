package projections_test

import (
	"context"
	"fmt"
	"os"
	"sort"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"lishi/events"
	"lishi/events/ledger"
	"lishi/projections"
	"lishi/projections/feed"
	"lishi/projections/friends"
	"lishi/projections/groups"
	"lishi/projections/history"
	"lishi/projections/projectiontest"
	"lishi/projections/recents"
	"lishi/projections/requests"
	"lishi/projections/search"
)

// million is a log of that many messages in 100 conversations, one of which has
// half of them. LISHI_BENCH_EVENTS changes the number.
var million = sync.OnceValue(func() *projectiontest.Log {
	n := 1_000_000
	if s := os.Getenv("LISHI_BENCH_EVENTS"); s != "" {
		n, _ = strconv.Atoi(s)
	}
	log := projectiontest.NewLog(events.Layout{Conversations: 4, Users: 1})
	log.Batch = 1024
	var batch []events.Event
	add := func(actor string, s events.Stream, revision uint64, prev events.ID, body events.Body) events.ID {
		id := events.NewID(s.Key(), actor, strconv.Itoa(len(batch)))
		batch = append(batch, events.Event{
			ID: id, Prev: prev, Stream: s, Revision: revision, Actor: actor, ActorName: "N" + actor, Request: strconv.Itoa(len(batch)),
			Fingerprint: events.Fingerprint(id), Time: time.UnixMilli(1763888400000 + int64(len(batch))), Body: body,
		})
		return id
	}
	pairs := make([]events.Stream, 100)
	for i := range pairs {
		a, b := fmt.Sprint("a", i), fmt.Sprint("b", i)
		add(a, events.UserStream(a), 1, events.ID{}, events.UserRegistered{NickName: "N" + a})
		add(b, events.UserStream(b), 1, events.ID{}, events.UserRegistered{NickName: "N" + b})
		pairs[i] = events.PairStream(a, b)
		add(a, pairs[i], 1, events.ID{}, events.FriendAgreed{})
	}
	offsets := map[events.Partition]int64{}
	for i := range n {
		s := pairs[0]
		if i%2 == 1 {
			s = pairs[i/2%100]
		}
		p := log.Layout().Partition(s)
		offsets[p]++
		add(s.ID, s, 0, events.ID{}, events.MessageSent{Content: events.Content{Plain: "消息 message number " + strconv.Itoa(i)}})
		batch[len(batch)-1].Basis = offsets[p]
	}
	if _, err := log.Append(context.Background(), batch...); err != nil {
		panic(err)
	}
	return log
})

func pushed(e events.Recorded, _ *ledger.Book) []feed.Audience {
	if _, ok := e.Body.(events.MessageSent); ok {
		return []feed.Audience{feed.Audience(events.UserStream(e.Stream.Other(e.Actor)).Key()), feed.Audience(events.UserStream(e.Actor).Key())}
	}
	return nil
}

func readModels() []projections.Projection {
	return []projections.Projection{
		history.Projection{}, recents.Projection{}, requests.Projection{}, feed.New(pushed), friends.Projection{}, groups.Projection{},
		search.Projection{},
	}
}

// processor is the time that this process has spent on any core.
func processor() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// BenchmarkReplay rebuilds each read model alone from a million events, and then
// all at once; events/s counts from the first event to the last checkpoint. It
// fails if a row is missing.
func BenchmarkReplay(b *testing.B) {
	log := million()
	end, _ := log.End(context.Background())
	total := int64(0)
	for _, o := range end {
		total += o + 1
	}
	run := func(name string, ps ...projections.Projection) {
		b.Run(name, func(b *testing.B) {
			var used time.Duration
			for b.Loop() {
				b.StopTimer()
				w := projectiontest.Still(b, projectiontest.DB(b), log, ps...)
				<-w.Tail.Ready()
				used -= processor()
				b.StartTimer()
				w.Start()
				w.Settle()
				b.StopTimer()
				used += processor()
				if ps[0].Name() == history.Name {
					n := projectiontest.Strings(b, w.DB, "SELECT toString(count()) FROM messages")
					if want := strconv.FormatInt(total-305, 10); n[0] != want {
						b.Fatalf("%s rows of %s", n, want)
					}
				}
				w.Stop()
				b.StartTimer()
			}
			b.ReportMetric(float64(total)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(float64(used.Nanoseconds())/1000/float64(total)/float64(b.N), "cpu-µs/event")
		})
	}
	for _, p := range readModels() {
		run(p.Name(), p)
	}
	run("all", readModels()...)
}

// BenchmarkHistoryPage reads pages all over a conversation of half a million
// messages beside as many others.
func BenchmarkHistoryPage(b *testing.B) {
	log := million()
	w := projectiontest.Still(b, projectiontest.DB(b), log, history.Projection{})
	w.Start()
	w.Settle()
	p := log.Layout().Partition(events.PairStream("a0", "b0"))
	end, _ := log.End(context.Background())
	for name, query := range map[string]func(i int) history.LoadPair{
		"newest": func(int) history.LoadPair { return history.LoadPair{UserID: "b0"} },
		"before": func(i int) history.LoadPair {
			return history.LoadPair{UserID: "b0", Before: events.Position{Partition: p, Offset: int64(i) * 7919 % end[p]}.String()}
		},
		"page 100": func(int) history.LoadPair { return history.LoadPair{UserID: "b0", Page: 100} },
	} {
		b.Run(name, func(b *testing.B) {
			var took []time.Duration
			for i := 0; b.Loop(); i++ {
				began := time.Now()
				page := w.Ask("a0", query(i))
				took = append(took, time.Since(began))
				if n := len(page.List.([]history.Message)); name != "before" && n != 50 {
					b.Fatalf("a page of %d", n)
				}
			}
			sort.Slice(took, func(i, j int) bool { return took[i] < took[j] })
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}

// BenchmarkRound is a light load: one message, until all read models show it.
func BenchmarkRound(b *testing.B) {
	w := projectiontest.New(b, readModels()...)
	talk(w, 0, 1)
	w.Settle()
	used := -processor()
	for b.Loop() {
		w.Say("a", "b", "hello")
		w.Settle()
	}
	used += processor()
	b.ReportMetric(float64(used.Microseconds())/1000/float64(b.N), "cpu-ms/round")
}
