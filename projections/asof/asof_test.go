package asof_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"lishi/commands"
	"lishi/events"
	"lishi/projections"
	"lishi/projections/asof"
	"lishi/projections/friends"
	"lishi/projections/groups"
	"lishi/projections/history"
	"lishi/projections/projectiontest"
	"lishi/projections/recents"
	"lishi/projections/search"
)

func TestMain(m *testing.M) { projectiontest.Main(m) }

func models() []projections.Projection {
	return []projections.Projection{friends.Projection{}, groups.Projection{}, history.Projection{}, recents.Projection{}, search.Projection{}}
}

// question is a query and who asks it.
type question struct {
	who string
	projections.Query
}

// questions are all that can be asked of the past, by everybody.
func questions() []question {
	var qs []question
	for _, me := range people {
		qs = append(qs, question{me, friends.List{}}, question{me, groups.List{}},
			question{me, search.Messages{Text: "天气"}}, question{me, search.Messages{Text: "hello"}})
		for _, you := range people {
			qs = append(qs, question{me, history.LoadPair{UserID: you}})
		}
		for _, g := range clubs {
			qs = append(qs, question{me, history.LoadGroup{GroupID: g.ID}}, question{me, history.LoadGroup{GroupID: g.ID, Page: 2, PageSize: 3}},
				question{me, history.LoadGroup{GroupID: g.ID, Before: place(g, 20), Limit: 1}}, question{me, history.LoadGroup{GroupID: g.ID, After: place(g, 9), Limit: 4}},
				question{me, groups.Users{GroupID: g.ID, After: "ann", Limit: 1}},
				question{me, groups.Users{GroupID: g.ID}}, question{me, groups.Get{GroupID: g.ID}},
				question{me, search.Messages{Text: "天气", GroupID: g.ID}})
		}
		qs = append(qs, question{me, search.Messages{Text: "天气", UserID: "ann"}})
	}
	for _, g := range clubs {
		qs = append(qs, question{"", history.Whole{Conversation: g.Key()}}, question{"", groups.Members{GroupID: g.ID}}, question{"", groups.Facts{GroupID: g.ID}},
			question{"", search.Whole{Conversation: g.Key(), Text: "天气"}})
	}
	pair := events.PairStream("ann", "bob")
	return append(qs, question{"", history.Whole{Conversation: pair.Key()}}, question{"", friends.Pair{Stream: pair}},
		question{"", search.Whole{Conversation: pair.Key(), Text: "hello"}})
}

// place is a position in the partition of a conversation.
func place(s events.Stream, offset int64) string {
	return events.Position{Partition: projectiontest.Layout.Partition(s), Offset: offset}.String()
}

// told is an answer as its caller gets it, but for who was online.
func told(page projections.Page, err error) string {
	var refusal *commands.Refusal
	if errors.As(err, &refusal) && refusal.Reason != commands.Unavailable {
		return refusal.Error()
	}
	if err != nil {
		return "no answer: " + err.Error()
	}
	b, _ := json.MarshalIndent(page, "", " ")
	return strings.ReplaceAll(string(b), `"friendState": "0"`, `"friendState": ""`)
}

// checks bounds how many histories are tried: each takes a few engines.
func checks(t *testing.T, n string) {
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		if err := flag.Set("rapid.checks", n); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = flag.Set("rapid.checks", f.DefValue) })
	}
}

// What is answered as of a moment is what a system answers whose log ends there,
// filled from its first record.
func TestAnswersOfThePast(t *testing.T) {
	checks(t, "2")
	rapid.Check(t, func(rt *rapid.T) {
		log := projectiontest.NewLog(projectiontest.Layout)
		w := projectiontest.Still(t, projectiontest.DB(t), log, models()...)
		// Clocks of those who write run apart.
		log.Now = func() time.Time {
			return w.Clock.Add(time.Duration(rapid.IntRange(-2000, 2000).Draw(rt, "clock")) * time.Millisecond)
		}
		began := w.Clock
		w.Start()
		l := &life{World: w, rt: rt}
		l.begin()
		for range rapid.IntRange(50, 150).Draw(rt, "events") {
			l.step()
		}
		w.Settle()
		r := w.Reader()
		past := &asof.Past{Tail: w.Tail, Reader: &r}
		end := w.Tail.Folded()
		ask := func(at string) (m asof.Moment, all map[question]string) {
			m, err := past.Moment(t.Context(), at)
			if err != nil {
				rt.Fatalf("%s: %v", at, err)
			}
			all = map[question]string{}
			for _, q := range questions() {
				all[q] = told(past.Answer(t.Context(), q.Query, q.who, m))
			}
			return m, all
		}
		anywhere := func() events.Position {
			p := rapid.SampledFrom(projectiontest.Layout.Partitions()).Draw(rt, "partition")
			return events.Position{Partition: p, Offset: int64(rapid.IntRange(0, int(end[p])).Draw(rt, "offset"))}
		}
		moments := map[string]string{
			"now":        "",
			"a time":     began.Add(time.Duration(rapid.Int64Range(0, w.Clock.Sub(began).Milliseconds()).Draw(rt, "ms")) * time.Millisecond).Format(time.RFC3339Nano),
			"a position": anywhere().String(),
		}
		all := events.Cursor{}
		for p, last := range end {
			all[p] = int64(rapid.IntRange(0, int(last)).Draw(rt, "offset"))
		}
		moments["positions"] = all.String()
		for range 2 { // two of them
			delete(moments, rapid.SampledFrom(slices.Sorted(maps.Keys(moments))).Draw(rt, "left out"))
		}
		answers, at := map[string]map[question]string{}, map[string]asof.Moment{}
		for name, moment := range moments {
			at[name], answers[name] = ask(moment)
		}
		w.Stop()
		for name, m := range at {
			cut := m.Positions.Clone()
			then := projectiontest.Still(t, projectiontest.DB(t), log.Cut(cut), models()...)
			then.Start()
			then.Settle()
			reader := then.Reader()
			reader.Now, reader.Presence = func() time.Time { return m.Time }, nil
			for _, q := range questions() {
				want := told(reader.Answer(context.Background(), q.Query, q.who, cut))
				if _, known := reader.Book.User(q.who); q.who != "" && !known {
					want = told(projections.Page{}, asof.Nobody(q.who))
				}
				if diff := cmp.Diff(want, answers[name][q]); diff != "" {
					rt.Errorf("%s (%s, %s): %T%+v of %q:\n%s", name, moments[name], m.Positions, q.Query, q.Query, q.who, diff)
				}
			}
			then.Stop()
		}
	})
}

func TestMoments(t *testing.T) {
	w := projectiontest.New(t, models()...)
	w.Register("ann")
	w.Settle()
	r := w.Reader()
	past := &asof.Past{Tail: w.Tail, Reader: &r}
	for at, want := range map[string]error{
		"": nil, "u0-1": nil, "u0-1,c0-0": nil, "1970-01-01T00:00:00Z": nil,
		"u0-99": commands.ErrNotFound, "u7-1": commands.ErrNotFound, "a0-1": commands.ErrNotFound,
		"yesterday": commands.ErrBadRequest, "u0-1,u0-1": commands.ErrBadRequest, "2999-01-01T00:00:00Z": commands.ErrBadRequest,
	} {
		_, err := past.Moment(t.Context(), at)
		if want == nil && err != nil || want != nil && !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", at, err, want)
		}
	}
	if m, err := past.Moment(t.Context(), "1960-01-01T00:00:00Z"); err != nil || fmt.Sprint(m.Positions) != "" {
		t.Errorf("before everything: %+v, %v", m, err)
	}
}
