package commands

import (
	"errors"
	"reflect"
	"strconv"
	"testing"
	"time"

	"lishi/events"
	"lishi/events/ledger"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// world is a ledger that a table row sets up, event by event.
type world struct {
	t    *testing.T
	book *ledger.Book
	now  time.Time
	n    int
	ids  map[string]events.ID // of applications, by the name the row gave them
	log  map[events.Position]events.Recorded
}

func newWorld(t *testing.T, users ...string) *world {
	w := &world{t: t, book: ledger.NewBook(events.Layout{Conversations: 2, Users: 1}), now: noon, ids: map[string]events.ID{}, log: map[events.Position]events.Recorded{}}
	for _, p := range w.book.Layout().Partitions() {
		w.admit(p, events.Event{Stream: events.SystemStream(), Body: events.LogOpened{LogID: "test", Format: 1}})
	}
	for _, u := range users {
		w.say(u, events.UserStream(u), events.UserRegistered{NickName: u})
	}
	return w
}

func (w *world) admit(p events.Partition, e events.Event) events.Recorded {
	w.t.Helper()
	w.n++
	if e.ID.IsZero() {
		e.ID = events.NewID("world", "", strconv.Itoa(w.n))
	}
	l := w.book.Ledger(p)
	e.Time = w.now
	r := events.Recorded{Event: e, Position: events.Position{Partition: p, Offset: l.Folded() + 1}, At: w.now}
	v, err := l.Admit(r)
	if err != nil || v.Void() {
		w.t.Fatalf("%s is %s (%v)", e.Body.Type(), v, err)
	}
	w.log[r.Position] = r
	return r
}

// say folds an event of an actor, as the handler would have built it.
func (w *world) say(actor string, s events.Stream, b events.Body) events.Recorded {
	w.t.Helper()
	e := events.Event{Stream: s, Actor: actor, Body: b}
	l := w.book.Of(s)
	switch events.OrderingOf(b) {
	case events.ByRevision:
		revision, prev := l.Relations().Head(s)
		e.Revision, e.Prev = revision+1, prev
	case events.ByBasis:
		e.Basis = l.Folded()
	}
	return w.admit(w.book.Layout().Partition(s), e)
}

func (w *world) later() int64 { return w.now.Add(defaultExpiry).UnixMilli() }

func (w *world) befriend(a, b string) {
	w.say(a, events.PairStream(a, b), events.FriendAgreed{})
}

func (w *world) applied(name, from, to string) {
	r := w.say(from, events.PairStream(from, to), events.FriendApplied{ExpiresAt: w.later()})
	w.ids[name] = r.ID
}

// group makes the group "g" that the user owns.
func (w *world) group(owner, mode string, members ...string) {
	w.say(owner, events.GroupStream("g"), events.GroupCreated{GroupName: "G", JoinMode: mode})
	for _, m := range members {
		w.join(m)
	}
}

func (w *world) join(user string) {
	w.say(user, events.GroupStream("g"), events.GroupJoined{GroupName: "G"})
}

func (w *world) admin(owner, user string) {
	w.say(owner, events.GroupStream("g"), events.GroupRoleChanged{UserID: user, Role: events.Admin})
}

func (w *world) askedIn(name, user string) {
	r := w.say(user, events.GroupStream("g"), events.GroupApplied{GroupName: "G", ExpiresAt: w.later()})
	w.ids[name] = r.ID
}

func (w *world) invited(name, by, user string) {
	r := w.say(by, events.GroupStream("g"), events.GroupInvited{GroupName: "G", UserID: user, ExpiresAt: w.later()})
	w.ids[name] = r.ID
}

// said folds a message, and gives its position by a name.
func (w *world) said(by string, s events.Stream, text string) string {
	return w.say(by, s, events.MessageSent{Content: events.Content{Plain: text}, Strangers: s.Kind == events.Pair}).Position.String()
}

// folder makes a folder of a user.
func (w *world) folder(user string) string {
	return w.say(user, events.UserStream(user), events.FolderCreated{Name: "f"}).ID.String()
}

func (w *world) id(name string) string { return w.ids[name].String() }

func (w *world) pass(d time.Duration) { w.now = w.now.Add(d) }

// decide runs a command as the handler does, without a log.
func (w *world) decide(policy Policy, actor string, c Command, record *events.Recorded) (events.Body, error) {
	s := NewState(w.book, policy, actor, "1")
	s.record = record
	a := Actor{ID: actor}
	if about, ok := c.(About); ok {
		p, err := about.About()
		if err != nil {
			return nil, err
		}
		if r, ok := w.log[p]; ok && record == nil {
			s.record = &r
		}
	}
	stream, err := c.Stream(&s, a)
	if err != nil {
		return nil, err
	}
	s.stream, s.own = stream, w.book.Relations(stream)
	return c.Decide(s, a, w.now)
}

// row is one line of a decider's table.
type row struct {
	name   string
	setup  func(*world)
	actor  string
	do     func(*world) Command
	policy Policy
	reason string                   // of the refusal; empty: want tells the event
	want   func(*world) events.Body // nil with an empty reason: nothing to do
}

func cmd(c Command) func(*world) Command          { return func(*world) Command { return c } }
func body(b events.Body) func(*world) events.Body { return func(*world) events.Body { return b } }

func runRows(t *testing.T, rows []row) {
	t.Helper()
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			w := newWorld(t, "a", "b", "c", "d")
			if r.setup != nil {
				r.setup(w)
			}
			got, err := w.decide(r.policy, r.actor, r.do(w), nil)
			check(t, w, got, err, r.reason, r.want)
		})
	}
}

func check(t *testing.T, w *world, got events.Body, err error, reason string, want func(*world) events.Body) {
	t.Helper()
	if reason != "" {
		var refusal *Refusal
		if !errors.As(err, &refusal) || refusal.Reason != reason || refusal.Detail == "" {
			t.Fatalf("got %v, %v; want a refusal %s with a detail", got, err, reason)
		}
		if got != nil {
			t.Fatalf("a refusal came with %v", got)
		}
		return
	}
	var b events.Body
	if want != nil {
		b = want(w)
	}
	if err != nil || !reflect.DeepEqual(got, b) {
		t.Fatalf("got %#v, %v; want %#v", got, err, b)
	}
}
