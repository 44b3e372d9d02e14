package projections_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"lishi/events"
	"lishi/events/ledger"
	"lishi/events/tail"
	"lishi/projections"
	"lishi/projections/projectiontest"
)

func TestMain(m *testing.M) { projectiontest.Main(m) }

// words is a small projection that tests can change.
type words struct {
	name    string
	version int
	field   projections.Field
	apply   func(e events.Recorded, rows *projections.Rows)
}

func newWords(name string) *words {
	return &words{name: name, version: 1, field: projections.Field{Name: "word", Type: "String"}, apply: func(e events.Recorded, rows *projections.Rows) {
		if m, ok := e.Body.(events.MessageSent); ok {
			rows.Row(name).Text(e.Stream.Key()).Text(m.Content.Plain)
		}
	}}
}

func (w *words) Name() string { return w.name }
func (w *words) Version() int { return w.version }
func (w *words) Tables() []projections.Table {
	return []projections.Table{{
		Name: w.name, Fields: []projections.Field{{Name: "conversation", Type: "String"}, w.field}, Key: []string{"conversation", "offset"}, Granularity: 128,
	}}
}
func (w *words) Apply(e events.Recorded, _ *ledger.Book, rows *projections.Rows) { w.apply(e, rows) }

// said is every word in a view, in log order of its partition.
func said(t testing.TB, db projections.DB, view string) []string {
	t.Helper()
	return projectiontest.Strings(t, db, "SELECT word FROM "+view+" ORDER BY partition, offset")
}

func talk(w *projectiontest.World, from, n int) (all []string) {
	w.T.Helper()
	if from == 0 {
		w.Register("a", "b")
		w.Befriend("a", "b")
	}
	for i := range n {
		all = append(all, fmt.Sprint("w", from+i))
		w.Say("a", "b", all[i])
	}
	return all
}

func same(t testing.TB, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("%s: %d rows %.200q, want %d %.200q", what, len(got), got, len(want), want)
	}
}

// builds waits until the tables of words are those.
func builds(t testing.TB, db projections.DB, want ...string) {
	t.Helper()
	projectiontest.Eventually(t, fmt.Sprint("the tables are ", want), func() bool {
		return slices.Equal(want, projectiontest.Strings(t, db, `SELECT name FROM system.tables
			WHERE database = currentDatabase() AND startsWith(name, 'words_b') ORDER BY name`))
	})
}

func TestRowsReachTheViewAndSurviveARestart(t *testing.T) {
	w := projectiontest.New(t, newWords("words"))
	all := talk(w, 0, 5)
	w.Settle()
	same(t, "the view", said(t, w.DB, "words"), all)
	w.Stop()
	all = append(all, talk(w, 5, 5)...)
	w.Start()
	w.Settle()
	same(t, "the view after a restart", said(t, w.DB, "words"), all)
	if n := w.Engine.Live("words"); n != 1 {
		t.Errorf("build %d is live", n)
	}
	if p := w.Engine.Problems(); len(p) != 0 {
		t.Errorf("problems: %v", p)
	}
	for _, l := range w.Engine.Lag() {
		if l.Events != 0 || l.Seconds != 0 {
			t.Errorf("lag: %+v", l)
		}
	}
}

// A process that is killed at any statement, before or after it took effect,
// loses no row and shows none twice.
func TestKilledAtEveryPoint(t *testing.T) {
	log := projectiontest.NewLog(projectiontest.Layout)
	w := projectiontest.Still(t, projectiontest.DB(t), log, newWords("words"))
	all := talk(w, 0, 3)
	for _, after := range []bool{false, true} {
		for n := 0; ; n++ {
			faulty := &projectiontest.Faulty{DB: projectiontest.DB(t)}
			w.DB = faulty
			death := projectiontest.NewDeath(faulty, n, after)
			w.Start()
			died := false
			projectiontest.Eventually(t, "it dies or ends", func() bool {
				select {
				case <-death.Dead():
					died = true
				default:
				}
				end, _ := log.End(context.Background())
				return died || w.Engine.Covers([]string{"words"}, end)
			})
			w.Stop() // nothing was written since the death
			faulty.Set(nil, nil)
			if !died && len(projectiontest.Strings(t, faulty, "SELECT event FROM lishi_checkpoints FINAL")) >= 2 {
				break
			}
			w.Start()
			w.Settle()
			same(t, fmt.Sprintf("killed at statement %d (after: %v)", n, after), said(t, w.DB, "words"), all)
			if n > 100 {
				t.Fatal("it never gets through")
			}
			w.Stop()
		}
	}
}

func TestOutage(t *testing.T) {
	faulty := &projectiontest.Faulty{DB: projectiontest.DB(t)}
	w := projectiontest.Still(t, faulty, projectiontest.NewLog(projectiontest.Layout), newWords("words"))
	w.Options.MaxRows, w.Options.Patience = 50, 50*time.Millisecond
	pulled := &counting{Tail: w.Tail}
	w.Wrap = func(projections.Tail) projections.Tail { return pulled }
	w.Start()
	all := talk(w, 0, 3)
	projectiontest.Eventually(t, "it is live", func() bool { return w.Engine.Live("words") > 0 })
	w.Settle()

	var refused atomic.Int32
	faulty.Set(func(projectiontest.Call) error { refused.Add(1); return projections.ErrUnavailable }, nil)
	before := pulled.applied.Load()
	all = append(all, talk(w, 3, 500)...)
	projectiontest.Eventually(t, "it has tried often", func() bool { return refused.Load() > 5 })
	projectiontest.Eventually(t, "it is out of date", func() bool { return !w.Engine.Covers([]string{"words"}, nil) })
	if _, err := w.Engine.Wait(context.Background(), []string{"words"}, events.Cursor{}); !errors.Is(err, projections.ErrUnavailable) {
		t.Errorf("while ClickHouse is away, Wait gives %v", err)
	}
	lag := int64(0)
	for _, l := range w.Engine.Lag() {
		lag += l.Events
		if l.Events > 0 && l.Seconds <= 0 {
			t.Errorf("lag: %+v", l)
		}
	}
	if lag < 500 {
		t.Errorf("a lag of %d events", lag)
	}
	// Two sets of rows, one being written, and a batch that waits.
	if n := pulled.applied.Load() - before; n > 2*50+64 {
		t.Errorf("%d events were pulled while nothing could be written", n)
	}
	if p := w.Engine.Problems(); len(p) != 0 {
		t.Errorf("an outage is no fault: %v", p)
	}
	faulty.Set(nil, nil)
	w.Settle()
	same(t, "after the outage", said(t, w.DB, "words"), all)
}

// counting counts the events that were taken from the tail.
type counting struct {
	projections.Tail
	applied atomic.Int64
}

func (c *counting) Follow(ctx context.Context, p events.Partition, after int64, each tail.Each) error {
	return c.Tail.Follow(ctx, p, after, func(batch []events.Recorded, passed int64) error {
		c.applied.Add(int64(len(batch)))
		return each(batch, passed)
	})
}

// What is wrong with one projection stops that one, by name; the others go on.
func TestFaultsStopOneProjection(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(bad *words, db *projectiontest.Faulty)
		want  string
	}{
		"a type that rows can't hold": {func(bad *words, _ *projectiontest.Faulty) { bad.field.Type = "Decimal(9, 2)" }, "Decimal"},
		"a column that is none":       {func(bad *words, _ *projectiontest.Faulty) { bad.field.Name = "a b" }, "table bad"},
		"a panic": {func(bad *words, _ *projectiontest.Faulty) {
			bad.apply = func(e events.Recorded, _ *projections.Rows) {
				if _, ok := e.Body.(events.MessageSent); ok {
					panic("out of order")
				}
			}
		}, "out of order"},
		"half a row": {func(bad *words, _ *projectiontest.Faulty) {
			bad.apply = func(e events.Recorded, rows *projections.Rows) { rows.Row("bad").Text("x") }
		}, "has 1 values of 2"},
		"a refused insert": {func(_ *words, db *projectiontest.Faulty) {
			db.Set(func(c projectiontest.Call) error {
				if c.Table == "bad_b1" || c.Table == "bad_b2" {
					return errors.New("no such column")
				}
				return nil
			}, nil)
		}, "no such column"},
	} {
		t.Run(name, func(t *testing.T) {
			faulty := &projectiontest.Faulty{DB: projectiontest.DB(t)}
			bad := newWords("bad")
			c.spoil(bad, faulty)
			w := projectiontest.Still(t, faulty, projectiontest.NewLog(projectiontest.Layout), newWords("good"), bad)
			w.Start()
			all := talk(w, 0, 3)
			end, _ := w.Log.End(context.Background())
			projectiontest.Eventually(t, "the good one goes on", func() bool { return w.Engine.Covers([]string{"good"}, end) })
			projectiontest.Eventually(t, "the bad one stops", func() bool { return w.Engine.Problems()["bad"] != "" })
			same(t, "the good one", said(t, w.DB, "good"), all)
			if p := w.Engine.Problems(); len(p) != 1 || !strings.HasPrefix(p["bad"], "stopped: ") || !strings.Contains(p["bad"], c.want) {
				t.Errorf("problems: %v, want one with %q", p, c.want)
			}
			if w.Engine.Covers([]string{"bad"}, end) {
				t.Error("the bad one says that it has caught up")
			}
		})
	}
}

func TestWait(t *testing.T) {
	faulty := &projectiontest.Faulty{DB: projectiontest.DB(t)}
	w := projectiontest.Still(t, faulty, projectiontest.NewLog(projectiontest.Layout), newWords("words"))
	w.Options.Patience = 300 * time.Millisecond
	w.Start()
	talk(w, 0, 1)
	projectiontest.Eventually(t, "it is live", func() bool { return w.Engine.Live("words") > 0 })
	w.Settle()
	ctx := context.Background()

	began := time.Now()
	_, err := w.Engine.Wait(ctx, []string{"words"}, events.Cursor{{Topic: events.Conversations}: 1 << 40})
	if d := time.Since(began); !errors.Is(err, projections.ErrUnavailable) || d < 300*time.Millisecond {
		t.Errorf("of what does not exist: %v after %s", err, d)
	}
	if _, err := w.Engine.Wait(ctx, []string{"sentences"}, nil); !errors.Is(err, projections.ErrUnavailable) {
		t.Errorf("of a projection that does not exist: %v", err)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := w.Engine.Wait(cancelled, []string{"words"}, events.Cursor{{Topic: events.Users}: 1 << 40}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}

	// An insert is held back; the one who waits is woken by its commit.
	hold, held := make(chan struct{}), make(chan struct{}, 10)
	faulty.Set(func(c projectiontest.Call) error {
		if c.Table == "words_b1" {
			held <- struct{}{}
			<-hold
		}
		return nil
	}, nil)
	m := w.Say("a", "b", "held")
	<-held
	done := make(chan error, 1)
	go func() {
		tables, err := w.Engine.Wait(ctx, []string{"words"}, events.Cursor{m.Position.Partition: m.Position.Offset})
		if err == nil && tables["words"] != "`words_b1`" {
			err = fmt.Errorf("the table is %s", tables["words"])
		}
		done <- err
	}()
	select {
	case err := <-done:
		t.Errorf("it did not wait: %v", err)
	case <-time.After(10 * time.Millisecond):
	}
	close(hold)
	if err := <-done; err != nil {
		t.Errorf("after the commit: %v", err)
	}
}

// Rows that were made from another log are not added to, and not shown.
func TestAnotherLog(t *testing.T) {
	db := projectiontest.DB(t)
	w := projectiontest.Still(t, db, projectiontest.NewLog(projectiontest.Layout), newWords("words"))
	w.Start()
	talk(w, 0, 5)
	w.Settle()
	w.Stop()
	for name, n := range map[string]int{"shorter": 1, "longer": 50} {
		t.Run(name, func(t *testing.T) {
			w := projectiontest.Still(t, db, projectiontest.NewLog(projectiontest.Layout), newWords("words"))
			for i := range n { // so that no event has the other log's id
				w.Register(fmt.Sprint(name, i))
			}
			w.Register("a", "b")
			w.Befriend("a", "b")
			var all []string
			for i := range n {
				all = append(all, fmt.Sprint("other", i))
				w.Say("a", "b", all[i])
			}
			w.Start()
			projectiontest.Eventually(t, "it is noticed", func() bool { return strings.Contains(w.Engine.Problems()["words"], "another log") })
			if w.Engine.Live("words") != 0 {
				t.Error("the other log's rows are shown")
			}
			if err := w.Engine.Replay(context.Background(), []string{"words"}, projections.Replaying{}); err != nil {
				t.Fatal(err)
			}
			w.Settle()
			same(t, "after a replay", said(t, db, "words"), all)
			if p := w.Engine.Problems(); len(p) != 0 {
				t.Errorf("problems: %v", p)
			}
		})
	}
}
