package projectiontest

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"lishi/events"
	"lishi/events/tail"
	"lishi/projections"
	"lishi/projections/dates"
)

// World is a log, its tail, and an engine that can be stopped and started.
type World struct {
	T      testing.TB
	DB     projections.DB
	Log    *Log
	Tail   *tail.Tail
	Engine *projections.Engine

	Projections []projections.Projection
	Options     projections.Options
	// Wrap, if set, stands between engine and tail.
	Wrap func(projections.Tail) projections.Tail

	// Clock is the time that the next event is said at; it moves on a second
	// each.
	Clock time.Time

	stop   func()
	number int
}

// Layout is that of the logs of tests.
var Layout = events.Layout{Conversations: 3, Users: 1}

// New is a world with the projections running on the embedded engine.
func New(t testing.TB, ps ...projections.Projection) *World {
	w := Still(t, DB(t), NewLog(Layout), ps...)
	w.Start()
	return w
}

// Still is a world whose engine does not run yet.
func Still(t testing.TB, db projections.DB, log *Log, ps ...projections.Projection) *World {
	t.Helper()
	w := &World{
		T: t, DB: db, Log: log, Projections: ps, Clock: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC),
		Options: projections.Options{Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Backoff: time.Millisecond, Patience: 20 * time.Second},
	}
	w.Tail = tail.New(log, tail.Options{Ring: 64, MaxBatch: 64})
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := w.Tail.Run(ctx); err != nil {
			t.Errorf("the tail: %v", err)
		}
	})
	t.Cleanup(func() { w.Stop(); cancel(); wg.Wait() })
	return w
}

// Start runs an engine over what is there.
func (w *World) Start() {
	var from projections.Tail = w.Tail
	if w.Wrap != nil {
		from = w.Wrap(from)
	}
	w.Engine = projections.New(w.DB, from, w.Projections, w.Options)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := w.Engine.Run(ctx); err != nil {
			w.T.Errorf("the engine: %v", err)
		}
	}()
	w.stop = func() { cancel(); <-done }
}

// Stop ends the engine.
func (w *World) Stop() {
	if w.stop != nil {
		w.stop()
		w.stop = nil
	}
}

// Settle waits until every projection shows everything that is in the log.
func (w *World) Settle() {
	w.T.Helper()
	end, _ := w.Log.End(context.Background())
	Eventually(w.T, "the read models catch up", func() bool {
		_, err := w.Engine.Wait(context.Background(), w.names(), end)
		return err == nil
	})
}

func (w *World) names() []string {
	var names []string
	for _, p := range w.Projections {
		names = append(names, p.Name())
	}
	return names
}

// Reader answers queries, dates in Shanghai's zone.
func (w *World) Reader() projections.Reader {
	f, err := dates.New("", "")
	if err != nil {
		w.T.Fatal(err)
	}
	return projections.Reader{
		Engine: w.Engine, DB: w.DB, Book: w.Tail.Book(), Dates: f, Now: func() time.Time { return w.Clock },
		Presence: present{"online"}, Timeout: 20 * time.Second,
	}
}

// present are the users who have a connection.
type present []string

func (p present) Online(_ context.Context, users []string) map[string]bool {
	online := map[string]bool{}
	for _, user := range users {
		online[user] = slices.Contains(p, user)
	}
	return online
}

// Ask runs a query that must succeed and sees everything in the log.
func (w *World) Ask(caller string, q projections.Query) projections.Page {
	w.T.Helper()
	page, err := w.Try(caller, q)
	if err != nil {
		w.T.Fatalf("%T of %s: %v", q, caller, err)
	}
	return page
}

// Try runs a query that sees everything in the log.
func (w *World) Try(caller string, q projections.Query) (projections.Page, error) {
	w.T.Helper()
	end, _ := w.Log.End(context.Background())
	return w.Reader().Answer(context.Background(), q, caller, end)
}

// Do appends an event of an actor and returns it once it is folded. It fails
// the test if the ledger finds it void.
func (w *World) Do(actor string, s events.Stream, body events.Body) events.Recorded {
	w.T.Helper()
	r := w.Record(w.Event(actor, s, body))
	if w.Tail.Book().Of(s).Void(r.Position.Offset) {
		w.T.Fatalf("%s by %s is void at %s", body.Type(), actor, r.Position)
	}
	return r
}

// Record appends an event as it is and returns it once it is folded.
func (w *World) Record(e events.Event) events.Recorded {
	w.T.Helper()
	ps, err := w.Log.Append(context.Background(), e)
	if err != nil {
		w.T.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := w.Tail.Wait(ctx, events.Cursor{ps[0].Partition: ps[0].Offset}); err != nil {
		w.T.Fatal(err)
	}
	r, _ := w.Log.At(ctx, ps[0])
	return r
}

// Event is an event as a command would make it now.
func (w *World) Event(actor string, s events.Stream, body events.Body) events.Event {
	w.number++
	e := events.Event{
		ID: events.NewID(s.Key(), actor, fmt.Sprint(w.number)), Stream: s, Actor: actor, Request: fmt.Sprint(w.number), Time: w.Clock, Body: body,
		Fingerprint: events.Fingerprint{1, byte(w.number), byte(w.number >> 8)},
	}
	if u, ok := w.Tail.Book().User(actor); ok {
		e.ActorName = u.NickName
	}
	w.Clock = w.Clock.Add(time.Second)
	switch events.OrderingOf(body) {
	case events.ByRevision:
		revision, head := w.Tail.Book().Relations(s).Head(s)
		e.Revision, e.Prev = revision+1, head
	case events.ByBasis:
		e.Basis = w.Tail.Book().Of(s).Folded()
	}
	return e
}

// Register makes users who are called like their ids, with a capital "N" before.
func (w *World) Register(users ...string) {
	w.T.Helper()
	for _, u := range users {
		w.Do(u, events.UserStream(u), events.UserRegistered{NickName: "N" + u})
	}
}

// Befriend makes two users friends by application and agreement.
func (w *World) Befriend(a, b string) {
	w.T.Helper()
	s := events.PairStream(a, b)
	apply := w.Do(a, s, events.FriendApplied{Note: "hello " + b, Remark: "my " + b, ExpiresAt: w.Clock.Add(7 * 24 * time.Hour).UnixMilli()})
	w.Do(b, s, events.FriendAgreed{Application: apply.ID, Applicant: a, Remark: "my " + a})
}

// Say sends a message to a user.
func (w *World) Say(from, to, text string) events.Recorded {
	w.T.Helper()
	return w.Do(from, events.PairStream(from, to), events.MessageSent{Content: events.Content{Plain: text}})
}

// Create makes a group whose members join at once.
func (w *World) Create(id, owner string, members ...string) events.Stream {
	w.T.Helper()
	s := events.GroupStream(id)
	w.Do(owner, s, events.GroupCreated{GroupName: "G" + id, GroupImg: id + ".png", JoinMode: events.JoinOpen})
	for _, m := range members {
		w.Do(m, s, events.GroupJoined{GroupName: "G" + id})
	}
	return s
}

// Tell sends a message to a group.
func (w *World) Tell(from string, group events.Stream, text string) events.Recorded {
	w.T.Helper()
	return w.Do(from, group, events.MessageSent{Content: events.Content{Plain: text}})
}
