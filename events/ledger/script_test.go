package ledger

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"lishi/events"
)

var (
	c0    = events.Partition{Topic: events.Conversations}
	duo   = events.PairStream("an", "bo")
	club  = events.GroupStream("club")
	begun = time.UnixMilli(1_795_000_000_000).UTC()
)

// testing.TB and *rapid.T both.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
}

// script writes one partition and admits every record at once.
type script struct {
	t       tester
	l       *Ledger
	records []events.Recorded
	now     time.Time
}

func newScript(t tester, width int64) *script {
	s := &script{t: t, l: newLedger(c0, width), now: begun}
	s.want(Valid, events.Event{ID: events.NewID("log", "", "0"), Stream: events.SystemStream(), Body: events.LogOpened{LogID: "x", Partitions: 1, Format: 1}})
	return s
}

// record makes the next record of an event; one second passes between two.
func (s *script) record(e events.Event) events.Recorded {
	s.now = s.now.Add(time.Second)
	if e.Time.IsZero() {
		e.Time = s.now
	}
	return events.Recorded{Event: e, At: s.now, Position: events.Position{Partition: c0, Offset: s.l.Folded() + 1}}
}

func (s *script) admit(e events.Event) (Verdict, error) {
	r := s.record(e)
	v, err := s.l.Admit(r)
	if err == nil {
		s.records = append(s.records, r)
	}
	return v, err
}

// want appends an event and checks its verdict; it returns the event's position.
func (s *script) want(v Verdict, e events.Event) events.Position {
	s.t.Helper()
	got, err := s.admit(e)
	if err != nil {
		s.t.Fatalf("%T: %v", e.Body, err)
	}
	if got != v {
		s.t.Fatalf("offset %d: %T by %s is %s, want %s", s.l.Folded(), e.Body, e.Actor, got, v)
	}
	return events.Position{Partition: c0, Offset: s.l.Folded()}
}

// damaged wants the refusal, and the ledger unchanged by it.
func (s *script) damaged(e events.Event) {
	s.t.Helper()
	before := s.bytes()
	_, err := s.admit(e)
	if !errors.Is(err, events.ErrDamaged) {
		s.t.Fatalf("%T: error %v, want ErrDamaged", e.Body, err)
	}
	if p := fmt.Sprintf("c0-%d", s.l.Folded()+1); !contains(err.Error(), p) {
		s.t.Fatalf("error %q does not name %s", err, p)
	}
	if s.bytes() != before {
		s.t.Fatalf("a refused record changed the ledger")
	}
}

func (s *script) bytes() string {
	b, err := s.l.snapshot()
	if err != nil {
		s.t.Fatalf("snapshot: %v", err)
	}
	return string(b)
}

// relation decides an event on everything folded.
func (s *script) relation(to events.Stream, actor string, b events.Body) events.Event {
	revision, head := s.l.Relations().Head(to)
	return events.Event{
		ID: events.NewID(to.Key(), actor, fmt.Sprint("r", s.l.Folded())), Stream: to, Actor: actor,
		Revision: revision + 1, Prev: head, Body: b,
	}
}

// do appends a valid relation event and returns its id.
func (s *script) do(to events.Stream, actor string, b events.Body) events.ID {
	s.t.Helper()
	e := s.relation(to, actor, b)
	s.want(Valid, e)
	return e.ID
}

// message is one that its writer decided on everything folded.
func (s *script) message(to events.Stream, actor string, b events.Body) events.Event {
	return events.Event{
		ID: events.NewID(to.Key(), actor, fmt.Sprint("m", s.l.Folded())), Stream: to, Actor: actor, Basis: s.l.Folded(), Body: b,
	}
}

func (s *script) say(v Verdict, to events.Stream, actor string) events.Position {
	s.t.Helper()
	return s.want(v, s.message(to, actor, sent("hi")))
}

// pass lets n records go by that concern nobody.
func (s *script) pass(n int) {
	s.t.Helper()
	for range n {
		s.want(NotLishi, events.Event{Body: events.Foreign{}})
	}
}

func sent(text string) events.MessageSent {
	return events.MessageSent{Content: events.Content{Plain: text}}
}

func befriended(t testing.TB, width int64) *script {
	s := newScript(t, width)
	s.do(duo, "an", events.FriendAgreed{})
	return s
}

// grouped makes a club: olga owns it, adam is admin, mia and max are members.
func grouped(t testing.TB, width int64) *script {
	s := newScript(t, width)
	s.do(club, "olga", events.GroupCreated{GroupName: "club", JoinMode: events.JoinOpen})
	for _, user := range []string{"adam", "mia", "max"} {
		s.do(club, user, events.GroupJoined{GroupName: "club"})
	}
	s.do(club, "olga", events.GroupRoleChanged{UserID: "adam", Role: events.Admin})
	return s
}

func contains(s, part string) bool {
	for i := 0; i+len(part) <= len(s); i++ {
		if s[i:i+len(part)] == part {
			return true
		}
	}
	return false
}
