package commands

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"lishi/events"
)

func TestReadMarks(t *testing.T) {
	withNodes(t, Options{}, func(t *testing.T, log *faultyLog, one, two *node) {
		one.befriend("a", "b")
		one.befriend("a", "c")
		first, second := one.must("b", "1", hi("a")), one.must("b", "2", hi("a"))
		elsewhere := one.must("c", "1", hi("a"))
		mark := func(e events.Recorded) ReadMessage { return ReadMessage{UserID: "b", Position: e.Position.String()} }
		e := one.must("a", "3", mark(second))
		if b := e.Body.(events.ConversationRead); b.Conversation != "p|a|b" || b.Read != second.Position || e.Stream != events.UserStream("a") {
			t.Fatalf("%+v", e)
		}
		for i, c := range []Command{mark(first), mark(second)} {
			o := one.do("a", fmt.Sprint("back ", i), c)
			wantReason(t, o, "")
			if o.Event.Position != (events.Position{}) || o.Event.ID.IsZero() {
				t.Fatalf("moved back: %+v", o.Event)
			}
		}
		wantReason(t, one.do("a", "4", mark(elsewhere)), NotFound)
		beyond := second.Position
		beyond.Offset += 1000
		wantReason(t, one.do("a", "5", ReadMessage{UserID: "b", Position: beyond.String()}), NotFound)
		wantReason(t, one.do("a", "6", ReadMessage{UserID: "b", Position: "c9-1"}), NotFound)
		// Two nodes at once: the ledger keeps the greater, both are successes.
		third, fourth := one.must("b", "7", hi("a")), one.must("b", "8", hi("a"))
		two.catchUp()
		log.always(fine)
		x, y := one.submit("a", "9", mark(fourth)), two.submit("a", "10", mark(third))
		wantReason(t, <-x, "")
		wantReason(t, <-y, "")
		if p, _ := one.tail.Book().Mark("a", "p|a|b"); p != fourth.Position {
			t.Fatalf("the mark is at %s", p)
		}
	})
}

// A message that lost its relation while it was under way is refused by the log.
func TestVoidByRelation(t *testing.T) {
	withNodes(t, Options{}, func(t *testing.T, log *faultyLog, one, two *node) {
		one.befriend("a", "b")
		two.catchUp()
		release := log.hold(events.PairStream("a", "b"))
		end := one.submit("b", "1", DeleteFriend{FriendID: "a"})
		synctest.Wait()
		message := two.submit("a", "2", hi("b"))
		synctest.Wait()
		release()
		wantReason(t, <-end, "")
		wantReason(t, <-message, NotFriend)
		one.befriend("b", "a")
		// The void record decides for ever: the same uniqueNo is refused again.
		wantReason(t, two.do("a", "2", hi("b")), NotFriend)
		one.must("a", "3", hi("b"))
	})
}

// Somebody else is always faster: after 16 attempts nothing happened.
func TestCompetition(t *testing.T) {
	withNodes(t, Options{}, func(t *testing.T, log *faultyLog, one, two *node) {
		one.register("a", "b")
		stream := one.must("a", "g", AddGroup{GroupName: "G", UserIDs: []string{"b"}}).Stream
		rivals, always := 0, true
		log.set(func(l *faultyLog) {
			l.before = func(e events.Event) {
				if _, ok := e.Body.(events.GroupInfoChanged); ok || rivals == 15 && !always {
					return
				}
				rivals++
				rival := e
				rival.ID, rival.Fingerprint = events.NewID("rival", "", fmt.Sprint(rivals)), events.Fingerprint{}
				rival.Body = events.GroupInfoChanged{GroupName: fmt.Sprint("G", rivals), JoinMode: "1"}
				l.sneak(rival)
			}
		})
		wantReason(t, one.do("a", "1", DeleteGroup{GroupID: stream.ID}), Unavailable)
		if rivals != 16 {
			t.Fatalf("%d attempts", rivals)
		}
		rivals, always = 0, false
		one.must("a", "1", DeleteGroup{GroupID: stream.ID})
		if rivals != 15 {
			t.Fatalf("%d rivals", rivals)
		}
	})
}

func TestRegister(t *testing.T) {
	withNodes(t, Options{}, func(t *testing.T, log *faultyLog, one, two *node) {
		log.always(fine)
		ctx := context.Background()
		register := func(n *node, a Actor, errs chan<- error) { errs <- n.h.Register(ctx, a) }
		errs := make(chan error, 10)
		for i := range 10 {
			go register([]*node{one, two}[i%2], Actor{"a", "Anna"}, errs)
		}
		for range 10 {
			if err := <-errs; err != nil {
				t.Fatal(err)
			}
		}
		one.catchUp()
		if n := len(one.events("user.registered")); n != 1 {
			t.Fatalf("registered %d times", n)
		}
		for i := range 10 {
			go register([]*node{one, two}[i%2], Actor{"a", "Anne"}, errs)
		}
		for range 10 {
			if err := <-errs; err != nil {
				t.Fatal(err)
			}
		}
		one.catchUp()
		changed := one.events("user.profileChanged")
		if len(changed) != 1 || changed[0].Body != (events.UserProfileChanged{NickName: "Anne", FromToken: true}) {
			t.Fatalf("%+v", changed)
		}
		// Registered by one name here and by another there: both hold, one after the other.
		go register(one, Actor{"b", "Bo"}, errs)
		go register(two, Actor{"b", "Bob"}, errs)
		for range 2 {
			if err := <-errs; err != nil {
				t.Fatal(err)
			}
		}
		if err := one.h.Register(ctx, Actor{"a", ""}); err != nil {
			t.Fatal(err)
		}
		one.must("a", "1", UpdateUser{NickName: "Me"})
		if err := one.h.Register(ctx, Actor{"a", "Annabel"}); err != nil {
			t.Fatal(err)
		}
		if u, _ := one.tail.Book().User("a"); u.NickName != "Me" {
			t.Fatalf("%+v", u)
		}
		two.catchUp()
		known := Actor{"a", "Anne"}
		if n := testing.AllocsPerRun(100, func() {
			if err := two.h.Register(ctx, known); err != nil {
				t.Error(err)
			}
		}); n > 2 {
			t.Errorf("%v allocations with nothing to do", n)
		}
	})
}
