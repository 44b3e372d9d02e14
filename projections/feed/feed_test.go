package feed_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lishi/events"
	"lishi/events/ledger"
	"lishi/projections/feed"
	"lishi/projections/projectiontest"
)

func TestMain(m *testing.M) { projectiontest.Main(m) }

// audiences are as delivery's, for what these tests say.
func audiences(e events.Recorded, _ *ledger.Book) []feed.Audience {
	switch b := e.Body.(type) {
	case events.MessageSent:
		if e.Stream.Kind == events.Group {
			return []feed.Audience{feed.Audience(e.Stream.Key())}
		}
		return []feed.Audience{"u|" + feed.Audience(e.Stream.Other(e.Actor)), "u|" + feed.Audience(e.Actor)}
	case events.GroupMemberRemoved:
		return []feed.Audience{"u|" + feed.Audience(b.UserID), feed.Audience(e.Stream.Key())}
	}
	return nil
}

func read(t *testing.T, w *projectiontest.World, p events.Partition, after, upTo int64, wants ...feed.Want) (got []events.Recorded, passed int64) {
	t.Helper()
	passed, err := feed.Backlog{Engine: w.Engine, DB: w.DB}.Read(context.Background(), p, after, upTo, wants, func(e events.Recorded) error {
		got = append(got, e)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got, passed
}

func TestBacklog(t *testing.T) {
	w := projectiontest.New(t, feed.New(audiences))
	w.Register("a", "b", "o")
	w.Befriend("a", "b")
	m := w.Do("a", events.PairStream("a", "b"), events.MessageSent{
		Content: events.Content{Plain: "你好\n\x00"}, ContentType: "text", ReplyTo: "c0-1", AtUserIDs: []string{"b"},
	})
	imported := w.Event("a", events.PairStream("a", "b"), events.MessageSent{Content: events.Content{Plain: "old"}})
	imported.Imported = true
	w.Record(imported)
	w.Settle()
	p := m.Position.Partition
	got, passed := read(t, w, p, events.Start, events.Now, feed.Want{Audience: "u|b"})
	if diff := cmp.Diff([]events.Recorded{m}, got); diff != "" {
		t.Errorf("what b missed is not what the log holds:\n%s", diff)
	}
	if end, _ := w.Log.End(context.Background()); passed != end[p] {
		t.Errorf("read up to %d, the log has %d", passed, end[p])
	}
	if got, passed := read(t, w, p, m.Position.Offset, events.Now, feed.Want{Audience: "u|b"}); len(got) != 0 || passed <= m.Position.Offset {
		t.Errorf("after it: %v up to %d", got, passed)
	}
	if got, passed := read(t, w, p, events.Start, m.Position.Offset-1, feed.Want{Audience: "u|b"}); len(got) != 0 || passed != m.Position.Offset-1 {
		t.Errorf("before it: %v up to %d", got, passed)
	}
	if got, passed := read(t, w, p, events.Start, events.Now); len(got) != 0 || passed <= m.Position.Offset {
		t.Errorf("for nobody: %v up to %d", got, passed)
	}
	stop := errors.New("enough")
	if _, err := (feed.Backlog{Engine: w.Engine, DB: w.DB}).Read(context.Background(), p, events.Start, events.Now,
		[]feed.Want{{Audience: "u|b"}}, func(events.Recorded) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("each's error becomes %v", err)
	}
}

func TestBacklogOfAGroupIsCutByMembership(t *testing.T) {
	w := projectiontest.New(t, feed.New(audiences))
	w.Register("o", "m")
	g := w.Create("g", "o")
	w.Tell("o", g, "before")
	w.Do("m", g, events.GroupJoined{})
	one := w.Tell("o", g, "one")
	gone := w.Do("o", g, events.GroupMemberRemoved{UserID: "m"})
	w.Tell("o", g, "away")
	w.Do("m", g, events.GroupJoined{})
	two := w.Tell("m", g, "two")
	w.Settle()
	wants := []feed.Want{{Audience: "u|m"}, {Audience: feed.Audience(g.Key()), Intervals: w.Tail.Book().Relations(g).Intervals(g, "m")}}
	got, _ := read(t, w, one.Position.Partition, events.Start, events.Now, wants...)
	if diff := cmp.Diff([]events.Recorded{one, gone, two}, got); diff != "" {
		t.Error(diff)
	}
	if got, _ := read(t, w, one.Position.Partition, one.Position.Offset, gone.Position.Offset, wants...); len(got) != 1 || got[0].ID != gone.ID {
		t.Errorf("a piece of it: %v", got)
	}
}

// A backlog longer than a statement's rows comes whole and in order, also where
// an event has a row for two of the user's audiences.
func TestLongBacklog(t *testing.T) {
	log := projectiontest.NewLog(projectiontest.Layout)
	w := projectiontest.Still(t, projectiontest.DB(t), log, feed.New(audiences))
	w.Register("a", "b")
	w.Befriend("a", "b")
	s := events.PairStream("a", "b")
	const n = 10_000
	var batch []events.Event
	for i := range n {
		e := w.Event("a", s, events.MessageSent{Content: events.Content{Plain: fmt.Sprint(i)}})
		batch = append(batch, e)
	}
	ps, err := log.Append(context.Background(), batch...)
	if err != nil {
		t.Fatal(err)
	}
	w.Start()
	w.Settle()
	got, passed := read(t, w, ps[0].Partition, events.Start, events.Now, feed.Want{Audience: "u|a"}, feed.Want{Audience: "u|b"})
	offsets := make([]int64, len(got))
	for i := range got {
		offsets[i] = got[i].Position.Offset
	}
	if len(got) != n || !slices.IsSorted(offsets) || passed != ps[n-1].Offset || got[n-1].Body.(events.MessageSent).Content.Plain != fmt.Sprint(n-1) {
		t.Errorf("%d events up to %d", len(got), passed)
	}
}

func TestBacklogWithoutReadModel(t *testing.T) {
	w := projectiontest.Still(t, projectiontest.DB(t), projectiontest.NewLog(projectiontest.Layout), feed.New(audiences))
	w.Start()
	w.Stop()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	b := feed.Backlog{Engine: w.Engine, DB: w.DB}
	if w.Engine.Live(feed.Name) == 0 {
		passed, err := b.Read(ctx, events.Partition{Topic: events.Conversations}, 3, 9, []feed.Want{{Audience: "u|a"}}, nil)
		if passed != 3 || err != nil {
			t.Errorf("it has come to %d, %v", passed, err)
		}
	}
}
