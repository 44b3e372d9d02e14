package explore_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"lishi/events"
	"lishi/events/tail"
	"lishi/infra/explore"
	"lishi/infra/kafka"
)

// world is a log on a broker, with its tail, as a running server has them.
type world struct {
	*testing.T
	log      *kafka.Log
	tail     *tail.Tail
	observer *explore.Observer
	x        *explore.Reader
	no       int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	l, err := kafka.Open(t.Context(), kafka.Options{
		Brokers: c.ListenAddrs(), Layout: events.Layout{Conversations: 1, Users: 1}, Replication: 1, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, log: l, tail: tail.New(l, tail.Options{})}
	w.observer = explore.NewObserver(w.tail)
	w.tail.Observe(w.observer)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := w.tail.Run(ctx); err != nil {
			t.Errorf("the tail: %v", err)
		}
	})
	t.Cleanup(func() { cancel(); running.Wait(); l.Close() })
	w.x = &explore.Reader{Log: l, Book: w.tail.Book()}
	return w
}

// say appends an event as its writer would who has folded everything.
func (w *world) say(s events.Stream, actor string, b events.Body) events.Recorded {
	w.Helper()
	w.no++
	revision, head := w.tail.Book().Relations(s).Head(s)
	e := events.Event{
		ID: events.NewID(s.Key(), actor, string(rune('A'+w.no))), Stream: s, Actor: actor, ActorName: strings.ToUpper(actor),
		Request: string(rune('A' + w.no)), Time: time.UnixMilli(1_700_000_000_000 + int64(w.no)).UTC(), Body: b,
	}
	switch events.OrderingOf(b) {
	case events.ByRevision:
		e.Revision, e.Prev = revision+1, head
	case events.ByBasis:
		e.Basis = w.tail.Folded()[w.log.Layout().Partition(s)]
	}
	return w.put(e)
}

func (w *world) put(e events.Event) events.Recorded {
	w.Helper()
	ps, err := w.log.Append(w.Context(), e)
	if err != nil {
		w.Fatal(err)
	}
	if err := w.tail.Wait(w.Context(), events.Cursor{ps[0].Partition: ps[0].Offset}); err != nil {
		w.Fatal(err)
	}
	return events.Recorded{Event: e, Position: ps[0]}
}

func (w *world) read(at events.Position) *explore.Detail {
	w.Helper()
	d, err := w.x.Read(w.Context(), at)
	if err != nil {
		w.Fatal(err)
	}
	return d
}

func links(ls []explore.Link) (out []string) {
	for _, l := range ls {
		out = append(out, l.Relation+" "+l.Event.Position.String())
	}
	return out
}

func text(s string) events.MessageSent { return events.MessageSent{Content: events.Content{Plain: s}} }

func TestOneEventWithWhatStandsAroundIt(t *testing.T) {
	w := newWorld(t)
	pair, other := events.PairStream("ann", "bob"), events.PairStream("cat", "dan")
	applied := w.say(pair, "ann", events.FriendApplied{Note: "hi"})
	early := w.say(pair, "ann", text("too early"))
	agreed := w.say(pair, "bob", events.FriendAgreed{Application: applied.ID, Applicant: "ann"})
	first := w.say(pair, "ann", text("你好"))
	w.say(other, "cat", events.FriendApplied{})
	reply := w.say(pair, "bob", events.MessageSent{Content: events.Content{Plain: "hi"}, ReplyTo: first.Position.String()})
	edited := w.say(pair, "ann", events.MessageEdited{Message: first.Position, Content: events.Content{Plain: "您好"}})
	again := w.put(first.Event)
	mark := w.say(events.UserStream("bob"), "bob", events.ConversationRead{Conversation: pair.Key(), Read: first.Position})

	d := w.read(first.Position)
	if !d.Judged || d.Void || d.Verdict != "valid" || d.Type != "message.sent" || d.Written != "lishi.message.sent.v1" || d.Stream != "p|ann|bob" ||
		d.Actor != "ann" || d.Request != first.Request || !strings.Contains(string(d.Payload), "你好") || d.Raw == nil || d.Raw.Key != "p|ann|bob" ||
		!strings.Contains(d.Raw.Value, "你好") || d.Said != "2023-11-14T22:13:20.004Z" || d.Recorded == "" || !d.Searched.Whole {
		t.Errorf("%+v", d)
	}
	if !slices.ContainsFunc(d.Raw.Headers, func(h explore.Header) bool { return h.Name == "ce_recordedtime" && h.Value != "" }) {
		t.Errorf("%+v", d.Raw.Headers)
	}
	want := []string{"reply " + reply.Position.String(), "change " + edited.Position.String(), "same request " + again.Position.String()}
	if got := links(d.Effects); !slices.Equal(got, want) || len(d.Causes) != 0 {
		t.Errorf("effects %v, want %v; causes %v", got, want, links(d.Causes))
	}
	if len(d.Before) != 3 || len(d.After) != 3 || *d.PreviousInStream != agreed.Position || *d.NextInStream != reply.Position {
		t.Errorf("%v %v", d.PreviousInStream, d.NextInStream)
	}
	for at, want := range map[events.Position]string{
		agreed.Position: "application " + applied.Position.String(),
		edited.Position: "message " + first.Position.String(),
		again.Position:  "same request " + first.Position.String(),
		mark.Position:   "message " + first.Position.String(),
	} {
		if got := links(w.read(at).Causes); len(got) != 1 || got[0] != want {
			t.Errorf("causes of %s: %v, want %s", at, got, want)
		}
	}
	if got := links(w.read(applied.Position).Effects); len(got) != 1 || got[0] != "answer "+agreed.Position.String() {
		t.Errorf("%v", got)
	}
	for at, verdict := range map[events.Position]string{early.Position: "not friend", again.Position: "repeat"} {
		if d := w.read(at); !d.Void || d.Verdict != verdict || d.Why == "" {
			t.Errorf("%s: %+v", at, d.Event)
		}
	}
	opened := w.read(events.Position{Partition: events.Partition{Topic: events.Audit}})
	if opened.Type != "log.opened" || opened.Judged {
		t.Errorf("%+v", opened.Event)
	}
	for _, at := range []string{"c0-99", "c7-0", "u1-0"} {
		p, _ := events.ParsePosition(at)
		if _, err := w.x.Read(t.Context(), p); !errors.Is(err, explore.ErrNotThere) {
			t.Errorf("%s: %v", at, err)
		}
	}
}

func TestAStreamPageByPage(t *testing.T) {
	w := newWorld(t)
	g, other := events.GroupStream("g"), events.GroupStream("h")
	want := []events.Position{w.say(g, "ann", events.GroupCreated{GroupName: "g", JoinMode: "9"}).Position}
	w.say(other, "cat", events.GroupCreated{GroupName: "h", JoinMode: "9"})
	for i := range 20 {
		if i%3 > 0 {
			w.say(other, "cat", text("elsewhere"))
		}
		want = append(want, w.say(g, "ann", text("here")).Position)
	}
	for _, reach := range []int64{0, 5, 1} {
		w.x.Reach = reach
		var got []events.Position
		after, calls := events.Start, 0
		for {
			page, err := w.x.Stream(t.Context(), g, explore.Page{After: after, Limit: 4})
			if err != nil || len(page.Events) > 4 || reach > 0 && page.Scanned > reach {
				t.Fatalf("%+v %v", page, err)
			}
			for _, e := range page.Events {
				got = append(got, e.Position)
			}
			if calls++; page.Next == nil || calls > 100 {
				break
			}
			after = page.Next.Offset
		}
		if !slices.Equal(got, want) {
			t.Errorf("reach %d forwards: %v, want %v", reach, got, want)
		}
		got, calls = nil, 0
		for before := int64(1000); ; {
			page, err := w.x.Stream(t.Context(), g, explore.Page{After: events.Start, Before: before, Limit: 4})
			if err != nil || len(page.Events) > 4 {
				t.Fatalf("%+v %v", page, err)
			}
			var some []events.Position
			for _, e := range page.Events {
				some = append(some, e.Position)
			}
			got = append(some, got...)
			if calls++; page.Previous == nil || calls > 100 {
				break
			}
			before = page.Previous.Offset
		}
		if !slices.Equal(got, want) {
			t.Errorf("reach %d backwards: %v, want %v", reach, got, want)
		}
	}
	if _, err := w.x.Stream(t.Context(), g, explore.Page{Limit: 5000}); !errors.Is(err, explore.ErrMisuse) {
		t.Errorf("%v", err)
	}
	book, err := explore.Judge(t.Context(), w.log, []events.Partition{want[0].Partition}, nil)
	if err != nil || book.Ledger(want[0].Partition).Folded() != w.tail.Folded()[want[0].Partition] {
		t.Errorf("at rest: %v", err)
	}
}

func TestFollowersAreToldWhatPassesOrHowManyDidNot(t *testing.T) {
	w := newWorld(t)
	g := events.GroupStream("g")
	made := w.say(g, "ann", events.GroupCreated{GroupName: "g", JoinMode: "9"})
	follow := func(f explore.Filter, after events.Cursor, rate, enough int) (positions []string, skipped int64) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
		defer cancel()
		stop := errors.New("stop")
		err := w.observer.Follow(ctx, f, after, rate, func(items []explore.Item) error {
			for _, i := range items {
				if skipped += i.Skipped; i.Event != nil {
					if !i.Event.Judged {
						t.Errorf("%s was shown before its verdict", i.Event.Position)
					}
					positions = append(positions, i.Event.Position.String())
				}
			}
			if len(positions)+int(skipped) >= enough {
				return stop
			}
			return nil
		})
		if !errors.Is(err, stop) {
			t.Fatalf("%v: %v, %d skipped", err, positions, skipped)
		}
		return positions, skipped
	}
	var all []string
	for range 10 {
		all = append(all, w.say(g, "ann", text("x")).Position.String())
	}
	void := w.say(g, "eve", text("not a member")).Position.String()
	w.say(events.PairStream("ann", "bob"), "bob", events.FriendApplied{})
	from := events.Cursor{made.Position.Partition: made.Position.Offset}
	if got, _ := follow(explore.Filter{Group: "g", Type: "message", Void: "no"}, from, 0, 10); !slices.Equal(got, all) {
		t.Errorf("%v, want %v", got, all)
	}
	if got, _ := follow(explore.Filter{Void: "only"}, from, 0, 1); got[0] != void {
		t.Errorf("%v", got)
	}
	if got, _ := follow(explore.Filter{User: "bob"}, from, 0, 1); len(got) != 1 {
		t.Errorf("%v", got)
	}
	if got, skipped := follow(explore.Filter{Type: "message.sent"}, from, 3, 11); len(got) < 3 || int64(len(got))+skipped != 11 || skipped == 0 {
		t.Errorf("%v and %d skipped", got, skipped)
	}
	for _, f := range []explore.Filter{{Stream: "x"}, {Type: "messag"}, {Void: "yes"}} {
		if err := w.observer.Follow(t.Context(), f, nil, 0, nil); !errors.Is(err, explore.ErrMisuse) {
			t.Errorf("%+v: %v", f, err)
		}
	}
	late := events.Cursor{made.Position.Partition: 1000}
	if err := w.observer.Follow(t.Context(), explore.Filter{}, late, 0, nil); !errors.Is(err, explore.ErrMisuse) {
		t.Errorf("%v", err)
	}
}

// How far a log had come at a time is the same at rest as in a running server.
func TestAsOfIsTheTails(t *testing.T) {
	w := newWorld(t)
	g := events.GroupStream("g")
	made := w.say(g, "ann", events.GroupCreated{GroupName: "g", JoinMode: "9"})
	times := []time.Time{time.UnixMilli(0)}
	for range 12 {
		at := w.say(g, "ann", text("x")).Position
		r, err := w.log.At(t.Context(), at)
		if err != nil {
			t.Fatal(err)
		}
		times = append(times, r.At.Add(-time.Millisecond), r.At, r.At.Add(time.Hour))
	}
	book, err := explore.Judge(t.Context(), w.log, w.log.Layout().Partitions(), nil)
	if err != nil {
		t.Fatal(err)
	}
	x := &explore.Reader{Log: w.log, Book: book}
	for _, at := range times {
		want, err := w.tail.AsOf(t.Context(), at)
		got, err2 := x.AsOf(t.Context(), at)
		if err != nil || err2 != nil || got.String() != want.String() || !want.Covers(got) {
			t.Errorf("%s: %s, want %s (%v, %v)", at, got, want, err, err2)
		}
	}
	if end, _ := x.AsOf(t.Context(), times[len(times)-1]); end[made.Position.Partition] != book.Ledger(made.Position.Partition).Folded() {
		t.Errorf("%v", end)
	}
}
