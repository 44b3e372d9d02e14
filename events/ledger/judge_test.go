package ledger

import (
	"testing"
	"time"

	"lishi/events"
)

func TestRevisions(t *testing.T) {
	s := newScript(t, W)
	first := s.relation(duo, "an", events.FriendApplied{})
	s.want(Valid, first)

	// Two who decided on the same state: the second one's record is void, and so
	// is what was decided on it.
	one := s.relation(duo, "bo", events.FriendAgreed{Application: first.ID})
	two := s.relation(duo, "an", events.FriendBlocked{})
	two.ID = events.NewID("other", "an", "1")
	three := events.Event{ID: events.NewID("other", "an", "2"), Stream: duo, Actor: "an", Revision: 3, Prev: two.ID, Body: events.FriendRemoved{}}
	four := three
	four.ID, four.Revision, four.Prev = events.NewID("other", "an", "3"), 4, three.ID
	s.want(Valid, one)
	s.want(Stale, two)
	s.want(Stale, three) // revision current+1, but prev lost
	s.want(Stale, four)  // revision beyond, prev lost
	if p := s.l.Relations().Pair(duo); p.Revision != 2 || p.Head != one.ID || !p.Friends || p.Blocked("an") {
		t.Fatalf("the losers left a trace: %+v", p)
	}

	// The same once more, long after: what lost is known for ever.
	s.l.window = newWindow(4)
	s.pass(10)
	late := four
	late.ID = events.NewID("other", "an", "4")
	s.want(Stale, late)

	// A first event for a stream that has begun.
	again := s.relation(duo, "an", events.FriendApplied{})
	again.Revision, again.Prev = 1, events.ID{}
	s.want(Stale, again)
}

func TestARevisionDecidedOnWhatTheLogLostStopsTheReader(t *testing.T) {
	lost := events.NewID("lost", "an", "1")
	for name, change := range map[string]func(*events.Event){
		"the next revision":   func(e *events.Event) { e.Prev = lost },
		"a revision beyond":   func(e *events.Event) { e.Revision, e.Prev = 7, lost },
		"a revision before":   func(e *events.Event) { e.Revision, e.Prev = 2, lost },
		"a stream not begun":  func(e *events.Event) { e.Stream, e.Revision, e.Prev = club, 2, lost },
		"a message, for prev": func(e *events.Event) { e.Prev = events.NewID(duo.Key(), "an", "said") },
	} {
		t.Run(name, func(t *testing.T) {
			s := befriended(t, W)
			s.do(duo, "an", events.FriendBlocked{})
			s.do(duo, "an", events.FriendUnblocked{})
			m := s.message(duo, "an", sent("hi"))
			m.ID = events.NewID(duo.Key(), "an", "said")
			s.want(Valid, m)
			e := s.relation(duo, "bo", events.FriendRemoved{})
			change(&e)
			s.damaged(e)
			s.do(duo, "bo", events.FriendRemoved{}) // and goes on where it was
		})
	}
}

func TestAfterGroupDeletedEverythingEnded(t *testing.T) {
	s := grouped(t, W)
	said := s.say(Valid, club, "mia")
	s.do(club, "olga", events.GroupDeleted{GroupName: "club"})
	s.want(Ended, s.relation(club, "olga", events.GroupInfoChanged{GroupName: "club 2"}))
	s.say(Ended, club, "mia")
	s.want(Ended, s.message(club, "olga", events.MessageRecalled{Message: said, Sender: "mia"}))
	if g, _ := s.l.Relations().Group(club); !g.Deleted || g.Name != "club" || g.Members != 0 {
		t.Fatalf("%+v", g)
	}
}

func TestLateIsNoOccurrence(t *testing.T) {
	const width = 8
	s := befriended(t, width)
	basis := s.l.Folded()
	e := s.message(duo, "an", sent("hi"))
	s.pass(width - 1)
	at := e
	at.ID = events.NewID("at", "an", "1")
	s.want(Valid, at) // exactly width behind
	s.want(Late, e)
	if e.Basis != basis {
		t.Fatal("the event was changed")
	}
	if _, _, ok := s.l.Find(e.ID); ok {
		t.Fatal("a late record is remembered")
	}
	e.Basis = s.l.Folded()
	s.want(Valid, e)
}

func TestABasisBeyondTheLogStopsTheReader(t *testing.T) {
	s := befriended(t, W)
	e := s.message(duo, "an", sent("hi"))
	e.Basis = s.l.Folded() + 1 // the record's own offset: its writer had read another record there
	s.damaged(e)
	e.Basis--
	s.want(Valid, e)
}

func TestRepeats(t *testing.T) {
	const width = 8
	s := befriended(t, width)
	e := s.message(duo, "an", sent("hi"))
	again := func() events.Event { e := e; e.Basis = s.l.Folded(); return e }
	first := s.want(Valid, e).Offset
	find := func(want int64, v Verdict) {
		t.Helper()
		if offset, got, ok := s.l.Find(e.ID); !ok || offset != want || got != v {
			t.Fatalf("Find gives %d %s %v, want %d %s", offset, got, ok, want, v)
		}
	}
	find(first, Valid)
	s.want(Repeat, again())
	s.pass(width - 1)
	s.want(Repeat, again()) // width after the repeat, more than that after the first
	find(first, Valid)      // which still decides
	s.pass(width)
	if _, _, ok := s.l.Find(e.ID); ok {
		t.Fatal("remembered beyond the window")
	}
	first = s.want(Valid, again()).Offset
	find(first, Valid)

	// The first decides also if it is void.
	s.do(duo, "bo", events.FriendRemoved{})
	e = s.message(duo, "an", sent("still there?"))
	first = s.want(NotFriend, e).Offset
	s.do(duo, "bo", events.FriendAgreed{})
	s.want(Repeat, again())
	find(first, NotFriend)
}

func TestFindGivesTheValidRelationEvent(t *testing.T) {
	s := newScript(t, W)
	e := s.relation(duo, "an", events.FriendApplied{})
	other := s.relation(duo, "bo", events.FriendBlocked{})
	s.want(Valid, other)
	lost := s.want(Stale, e).Offset
	if offset, v, ok := s.l.Find(e.ID); !ok || offset != lost || v != Stale {
		t.Fatalf("%d %s %v", offset, v, ok)
	}
	e.Revision, e.Prev = 2, other.ID // decided again
	won := s.want(Valid, e).Offset
	e.Revision, e.Prev = 2, other.ID
	s.want(Stale, e) // another node's attempt
	if offset, v, ok := s.l.Find(e.ID); !ok || offset != won || v != Valid {
		t.Fatalf("%d %s %v", offset, v, ok)
	}
}

func TestWhoMayWriteToAPair(t *testing.T) {
	stranger := func(b events.Body) events.Body {
		switch m := b.(type) {
		case events.MessageSent:
			m.Strangers = true
			return m
		case events.MessageEdited:
			m.Strangers = true
			return m
		case events.MessageRecalled:
			m.Strangers = true
			return m
		}
		return b
	}
	for name, test := range map[string]struct {
		before    []events.Body // by an
		friendly  Verdict
		strangers Verdict
	}{
		"nothing yet":          {nil, NotFriend, Valid},
		"applied":              {[]events.Body{events.FriendApplied{}}, NotFriend, Valid},
		"friends":              {[]events.Body{events.FriendAgreed{}}, Valid, Valid},
		"no friends any more":  {[]events.Body{events.FriendAgreed{}, events.FriendRemoved{}}, NotFriend, Valid},
		"friends again":        {[]events.Body{events.FriendAgreed{}, events.FriendRemoved{}, events.FriendAgreed{}}, Valid, Valid},
		"blocked friends":      {[]events.Body{events.FriendAgreed{}, events.FriendBlocked{}}, Blocked, Blocked},
		"blocked strangers":    {[]events.Body{events.FriendBlocked{}}, NotFriend, Blocked},
		"blocked and let go":   {[]events.Body{events.FriendAgreed{}, events.FriendBlocked{}, events.FriendUnblocked{}}, Valid, Valid},
		"removed, then refuse": {[]events.Body{events.FriendApplied{}, events.FriendRefused{}}, NotFriend, Valid},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScript(t, W)
			for _, b := range test.before {
				s.do(duo, "an", b)
			}
			said := events.Position{Partition: c0, Offset: 0}
			for _, actor := range []string{"an", "bo"} { // either way
				for _, b := range []events.Body{sent("hi"), events.MessageEdited{Message: said}, events.MessageRecalled{Message: said, Sender: actor}} {
					s.want(test.friendly, s.message(duo, actor, b))
					s.l.recalled = nil // each recall as if it were the first
					s.want(test.strangers, s.message(duo, actor, stranger(b)))
					s.l.recalled = nil
				}
			}
			s.want(NotFriend, s.message(duo, "eve", sent("hi")))
			s.want(NotFriend, s.message(duo, "eve", stranger(sent("hi"))))
		})
	}
}

func TestWhoMayWriteToAGroup(t *testing.T) {
	s := newScript(t, W)
	s.say(NotMember, club, "olga") // no such group
	s = grouped(t, W)
	for _, user := range []string{"olga", "adam", "mia", "max"} {
		s.say(Valid, club, user)
	}
	s.say(NotMember, club, "eve")
	s.do(club, "max", events.GroupMemberQuit{})
	s.say(NotMember, club, "max")
	s.do(club, "adam", events.GroupMemberRemoved{UserID: "mia"})
	s.say(NotMember, club, "mia")
	s.do(club, "mia", events.GroupJoined{})
	s.say(Valid, club, "mia")
}

func TestMuted(t *testing.T) {
	s := grouped(t, W)
	until := s.now.Add(4 * time.Second)
	s.do(club, "adam", events.GroupMemberMuted{UserID: "mia", MutedUntil: until.UnixMilli()}) // 1 s
	said := s.say(Muted, club, "mia")                                                         // 2 s
	s.want(Muted, s.message(club, "mia", events.MessageEdited{Message: said}))                // 3 s
	s.say(Valid, club, "mia")                                                                 // 4 s: the mute is over at its very end

	s.do(club, "adam", events.GroupMemberMuted{UserID: "mia", MutedUntil: s.now.Add(time.Hour).UnixMilli()})
	s.say(Muted, club, "mia")
	s.say(Valid, club, "max")
	s.do(club, "mia", events.GroupMemberQuit{})
	s.do(club, "mia", events.GroupJoined{})
	s.say(Muted, club, "mia") // coming back does not help
	s.do(club, "adam", events.GroupMemberMuted{UserID: "mia", MutedUntil: 0})
	s.say(Valid, club, "mia")
}

func TestRecalls(t *testing.T) {
	s := grouped(t, W)
	by := func(v Verdict, actor string, b events.Body) { t.Helper(); s.want(v, s.message(club, actor, b)) }
	one, two, three := s.say(Valid, club, "mia"), s.say(Valid, club, "mia"), s.say(Valid, club, "mia")

	by(Valid, "mia", events.MessageEdited{Message: one, Content: events.Content{Plain: "ho"}})
	by(Forbidden, "max", events.MessageRecalled{Message: one, Sender: "mia"})
	by(Valid, "mia", events.MessageRecalled{Message: one, Sender: "mia"})
	by(Recalled, "mia", events.MessageRecalled{Message: one, Sender: "mia"})
	by(Recalled, "adam", events.MessageRecalled{Message: one, Sender: "mia"})
	by(Recalled, "mia", events.MessageEdited{Message: one})
	by(Valid, "adam", events.MessageRecalled{Message: two, Sender: "mia"})
	s.do(club, "olga", events.GroupRoleChanged{UserID: "adam", Role: events.Member})
	by(Forbidden, "adam", events.MessageRecalled{Message: three, Sender: "mia"}) // no admin at its offset
	by(Valid, "olga", events.MessageRecalled{Message: three, Sender: "mia"})
	if !s.l.Recalled(one.Offset) || !s.l.Recalled(two.Offset) || !s.l.Recalled(three.Offset) || s.l.Recalled(one.Offset-1) {
		t.Fatal("recalled positions are wrong")
	}

	ahead := one
	ahead.Offset = s.l.Folded() + 1
	by(Forbidden, "mia", events.MessageRecalled{Message: ahead, Sender: "mia"})
	elsewhere := one
	elsewhere.Number = 5
	by(Forbidden, "mia", events.MessageEdited{Message: elsewhere})

	s = befriended(t, W)
	said := s.say(Valid, duo, "an")
	s.want(Forbidden, s.message(duo, "bo", events.MessageRecalled{Message: said, Sender: "an"}))
	s.want(Valid, s.message(duo, "an", events.MessageRecalled{Message: said, Sender: "an"}))
}

func TestReadMarksOnlyMoveForward(t *testing.T) {
	s := newScript(t, W)
	mark := func(v Verdict, reader, conversation, at string) {
		t.Helper()
		p, err := events.ParsePosition(at)
		if err != nil {
			t.Fatal(err)
		}
		s.want(v, events.Event{
			ID: events.NewID(conversation, reader, at), Stream: events.UserStream(reader), Actor: reader,
			Body: events.ConversationRead{Conversation: conversation, Read: p},
		})
	}
	mark(Valid, "an", "p|an|bo", "c3-10")
	mark(NotGreater, "an", "p|an|bo", "c3-10")
	mark(NotGreater, "an", "p|an|bo", "c3-9")
	mark(Valid, "an", "p|an|bo", "c3-11")
	mark(NotGreater, "an", "p|an|bo", "c2-99") // the conversation lives in c3
	mark(Valid, "an", "g|club", "c2-4")
	mark(Valid, "bo", "p|an|bo", "c3-1")
	r := s.l.Relations()
	if p, ok := r.Mark("an", "p|an|bo"); !ok || p.String() != "c3-11" {
		t.Fatalf("%s %v", p, ok)
	}
	if _, ok := r.Mark("cy", "p|an|bo"); ok {
		t.Fatal("a mark of nobody")
	}
	if _, ok := r.User("an"); ok {
		t.Fatal("reading does not register")
	}
}

func TestOffsetsAreConsecutive(t *testing.T) {
	s := newScript(t, W)
	for _, p := range []events.Position{{Partition: c0, Offset: 0}, {Partition: c0, Offset: 2}, {Partition: events.Partition{Topic: events.Users}, Offset: 1}} {
		before := s.bytes()
		if _, err := s.l.Admit(events.Recorded{Event: events.Event{Body: events.Foreign{}}, Position: p}); err == nil || s.bytes() != before {
			t.Fatalf("%s was admitted", p)
		}
	}
	if _, err := s.l.Admit(events.Recorded{Position: events.Position{Partition: c0, Offset: 1}}); err == nil {
		t.Fatal("a record without body was admitted")
	}
}

func TestForeignAndReopened(t *testing.T) {
	s := newScript(t, W)
	s.want(NotLishi, events.Event{Body: events.Foreign{Reason: "x"}})
	s.want(Reopened, events.Event{ID: events.NewID("log", "", "1"), Stream: events.SystemStream(), Body: events.LogOpened{LogID: "y"}})
	for offset, void := range []bool{false, true, true} {
		if s.l.Void(int64(offset)) != void {
			t.Errorf("Void(%d) is %v", offset, !void)
		}
	}
}

func TestAtIsARunningMaximum(t *testing.T) {
	s := newScript(t, W)
	s.pass(1)
	high := s.l.At()
	s.now = s.now.Add(-time.Hour)
	s.pass(1)
	if !s.l.At().Equal(high) {
		t.Fatalf("At went back to %s", s.l.At())
	}
}

func TestImportedRecordsFollowTheSameRules(t *testing.T) {
	s := newScript(t, W)
	imported := func(e events.Event) events.Event { e.Imported = true; e.Time = begun.AddDate(-5, 0, 0); return e }
	s.want(NotFriend, imported(s.message(duo, "an", sent("hi"))))
	s.want(Valid, imported(s.relation(duo, "an", events.FriendAgreed{})))
	s.want(Valid, imported(s.message(duo, "an", sent("hi"))))
	s.want(Valid, imported(s.relation(club, "an", events.GroupCreated{GroupName: "club"})))
	s.want(NotMember, imported(s.message(club, "bo", sent("hi"))))
	s.want(Valid, imported(s.relation(club, "bo", events.GroupJoined{})))
	s.want(Valid, imported(s.message(club, "bo", sent("hi"))))
	if g, _ := s.l.Relations().Group(club); g.CreatedAt != begun.AddDate(-5, 0, 0).UnixMilli() {
		t.Fatalf("created at %d", g.CreatedAt)
	}
}

func TestVerdictsHaveNames(t *testing.T) {
	words := map[string]bool{
		"": true, "not_friend": true, "not_member": true, "blocked": true, "muted": true, "conflict": true, "not_found": true, "forbidden": true,
	}
	seen := map[string]bool{}
	for v := range verdicts {
		if v.String() == "" || seen[v.String()] || !words[v.Reason()] || v.Void() != (v != Valid) {
			t.Errorf("%d: %q, reason %q", v, v, v.Reason())
		}
		seen[v.String()] = true
	}
	if verdicts.String() != "unknown verdict" {
		t.Error(verdicts.String())
	}
}
