package commands

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"lishi/events"
)

var small = events.Layout{Conversations: 2, Users: 1}

// withNodes runs a test in a bubble of its own time, on two nodes of one log.
func withNodes(t *testing.T, o Options, f func(t *testing.T, log *faultyLog, one, two *node)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		log := newFaultyLog(small)
		defer log.lanes.Wait()
		one, two := newNode(t, log, o), newNode(t, log, o)
		defer two.stop()
		defer one.stop()
		f(t, log, one, two)
	})
}

func hi(to string) SendMessage { return SendMessage{ReceiveUserID: to, Content: "hi"} }

func TestMessageIsAnsweredFromTheLog(t *testing.T) {
	withNodes(t, Options{}, func(t *testing.T, log *faultyLog, one, two *node) {
		one.befriend("a", "b")
		resume := one.view.pause()
		r := request("a", "1", hi("b"))
		r.Origin = "connection 7"
		answer := one.send(r)
		synctest.Wait()
		two.catchUp()
		if len(two.events("message.sent")) != 1 {
			t.Fatal("not appended")
		}
		select {
		case o := <-answer:
			t.Fatalf("answered %v before it was read back", o)
		default:
		}
		resume()
		o := <-answer
		wantReason(t, o, "")
		e := o.Event
		if e.Actor != "a" || e.ActorName != "a" || e.Request != "1" || e.Stream != events.PairStream("a", "b") ||
			e.ID != events.NewID("p|a|b", "a", "1") || !e.Time.Equal(r.Time.UTC().Truncate(time.Millisecond)) ||
			e.Body.(events.MessageSent).Content.Plain != "hi" || e.Basis < 0 {
			t.Fatalf("%+v", e)
		}
		one.catchUp()
		if got := fmt.Sprint(one.originsOf(e.Position)); got != "[connection 7]" {
			t.Fatalf("origins %s", got)
		}
		if len(two.originsOf(e.Position)) != 0 {
			t.Fatal("another node has origins")
		}
	})
}

func TestFiveAtOnce(t *testing.T) {
	withNodes(t, Options{}, func(t *testing.T, log *faultyLog, one, two *node) {
		one.befriend("a", "b")
		log.always(fine)
		for round, c := range []Command{hi("b"), DeleteFriend{FriendID: "b"}, AddGroup{GroupName: "G"}} {
			no := fmt.Sprint("again ", round)
			var answers []<-chan Outcome
			for i := range 5 {
				answers = append(answers, []*node{one, two}[i%2].submit("a", no, c))
			}
			first := <-answers[0]
			wantReason(t, first, "")
			for _, a := range answers[1:] {
				o := <-a
				wantReason(t, o, "")
				if o.Event.Position != first.Event.Position || o.Event.ID != first.Event.ID {
					t.Fatalf("%T: %s and %s", c, o.Event.Position, first.Event.Position)
				}
			}
			one.catchUp()
			if n := len(one.events(first.Event.Body.Type())); n != 1 {
				t.Fatalf("%T: %d events", c, n)
			}
			// And again, much later, on both.
			for _, n := range []*node{one, two} {
				if e := n.must("a", no, c); e.Position != first.Event.Position {
					t.Fatalf("%T: later %s, was %s", c, e.Position, first.Event.Position)
				}
			}
			for _, a := range answers {
				if len(a) > 0 {
					t.Fatal("answered twice")
				}
			}
		}
	})
}

func TestOneUniqueNoTwoContents(t *testing.T) {
	withNodes(t, Options{}, func(t *testing.T, log *faultyLog, one, two *node) {
		one.befriend("a", "b")
		log.always(fine)
		synctest.Wait() // the stream's queue is over: the first is appended by submit itself
		first := one.submit("a", "1", hi("b"))
		other := SendMessage{ReceiveUserID: "b", Content: "ho"}
		wantReason(t, one.do("a", "1", other), Conflict)
		onTwo := two.submit("a", "1", other) // not read yet there: the ledger finds out
		e := <-first
		wantReason(t, e, "")
		wantReason(t, <-onTwo, Conflict)
		wantReason(t, one.do("a", "1", other), Conflict)
		wantReason(t, one.do("a", "1", DeleteFriend{FriendID: "b"}), Conflict)
		wantReason(t, one.do("a", "1", ReadMessage{UserID: "b", Position: e.Event.Position.String()}), Conflict)
		one.must("a", "2", ReadMessage{UserID: "b", Position: e.Event.Position.String()})
		wantReason(t, one.do("a", "2", hi("b")), Conflict)
		// Another actor, or another conversation, is another scope.
		one.must("b", "1", hi("a"))
		one.befriend("a", "c")
		one.must("a", "1", hi("c"))
		// The actor's own scope.
		one.must("a", "1", AddGroup{GroupName: "G"})
		wantReason(t, one.do("a", "1", UpdateUser{NickName: "A"}), Conflict)
		one.must("a", "3", UpdateUser{NickName: "A"})
		wantReason(t, one.do("a", "3", AddGroup{GroupName: "G"}), Conflict)
	})
}

func TestDoubleClicks(t *testing.T) {
	withNodes(t, Options{}, func(t *testing.T, log *faultyLog, one, two *node) {
		one.register("a", "b", "c")
		log.always(fine)
		check := func(event string, answers ...<-chan Outcome) {
			t.Helper()
			reasons := map[string]int{}
			for _, a := range answers {
				reasons[reasonOf(<-a)]++
			}
			one.catchUp()
			if reasons[""] != 1 || reasons[Conflict]+reasons[NotFriend]+reasons[NotMember] != len(answers)-1 || len(one.events(event)) != 1 {
				t.Fatalf("%s: %v, %d events", event, reasons, len(one.events(event)))
			}
		}
		apply := ApplyFriend{UserID: "b"}
		check("friend.applied", one.submit("a", "1", apply), one.submit("a", "2", apply), two.submit("a", "3", apply), two.submit("a", "4", apply))
		verify := VerifyFriend{ApplyFriendID: one.events("friend.applied")[0].ID.String(), ApplyState: events.Agreed}
		check("friend.agreed", one.submit("b", "1", verify), two.submit("b", "2", verify), two.submit("b", "3", verify))
		del := DeleteFriend{FriendID: "b"}
		check("friend.removed", one.submit("a", "5", del), two.submit("b", "6", DeleteFriend{FriendID: "a"}))
		group := one.must("a", "g", AddGroup{GroupName: "G"}).Stream.ID
		join := ApplyGroup{GroupID: group}
		check("group.applied", one.submit("b", "1", join), two.submit("b", "2", join), two.submit("b", "3", join))
		agree := GroupVerify{ApplyGroupID: one.events("group.applied")[0].ID.String(), ApplyState: events.Agreed}
		check("group.applicationVerified", one.submit("a", "1", agree), two.submit("a", "2", agree))
		quit := QuitGroup{GroupID: group}
		check("group.memberQuit", one.submit("b", "7", quit), two.submit("b", "8", quit))
	})
}

func TestCrossingApplications(t *testing.T) {
	withNodes(t, Options{}, func(t *testing.T, log *faultyLog, one, two *node) {
		one.register("a", "b")
		log.always(fine)
		fromA, fromB := one.submit("a", "1", ApplyFriend{UserID: "b"}), two.submit("b", "1", ApplyFriend{UserID: "a"})
		a, b := <-fromA, <-fromB
		wantReason(t, a, "")
		wantReason(t, b, "")
		first, second := a.Event, b.Event
		if first.Position.Offset > second.Position.Offset {
			first, second = second, first
		}
		agreed, ok := second.Body.(events.FriendAgreed)
		if _, applied := first.Body.(events.FriendApplied); !applied || !ok || !agreed.Crossed || agreed.Application != first.ID || agreed.Applicant != first.Actor {
			t.Fatalf("%+v, then %+v", first, second)
		}
		one.must("a", "2", hi("b"))
		two.must("b", "2", hi("a"))
	})
}

func TestOrderOfOneSender(t *testing.T) {
	withNodes(t, Options{}, func(t *testing.T, log *faultyLog, one, two *node) {
		one.befriend("a", "b")
		log.set(func(l *faultyLog) {
			l.plan = func() (time.Duration, fault) { return rand.N(3 * time.Millisecond), fine }
		})
		// Between messages: a relation command that succeeds, and messages that
		// are refused and have to wait for the barrier.
		var sent, refused []<-chan Outcome
		for i := range 300 {
			if i == 100 || i == 200 {
				refused = append(refused, one.submit("a", fmt.Sprint("apply", i), ApplyFriend{UserID: "b"}))
			}
			sent = append(sent, one.submit("a", fmt.Sprint(i), SendMessage{ReceiveUserID: "b", Content: fmt.Sprint(i)}))
			if i == 150 {
				time.Sleep(time.Millisecond)
			}
		}
		last := int64(-1)
		for i, a := range sent {
			o := <-a
			wantReason(t, o, "")
			if o.Event.Position.Offset <= last || o.Event.Body.(events.MessageSent).Content.Plain != fmt.Sprint(i) {
				t.Fatalf("message %d at %s, after %d", i, o.Event.Position, last)
			}
			last = o.Event.Position.Offset
		}
		for _, a := range refused {
			wantReason(t, <-a, Conflict)
		}
	})
}

func TestMessagesWaitForRelationCommands(t *testing.T) {
	withNodes(t, Options{}, func(t *testing.T, log *faultyLog, one, two *node) {
		one.befriend("a", "b")
		one.befriend("a", "c")
		release := log.hold(events.PairStream("a", "b"))
		before := one.submit("a", "1", hi("b"))
		end := one.submit("a", "2", DeleteFriend{FriendID: "b"})
		after := one.submit("a", "3", hi("b"))
		apply := one.submit("a", "4", ApplyFriend{UserID: "b"})
		crossing := one.submit("b", "4", ApplyFriend{UserID: "a"})
		friendsAgain := one.submit("b", "5", hi("a"))
		synctest.Wait()
		release()
		for i, a := range []<-chan Outcome{before, end, after, apply, crossing, friendsAgain} {
			wantReason(t, <-a, []string{"", "", NotFriend, "", "", ""}[i])
		}
	})
}

// A refusal is only given on a state that is at least as new as the request.
func TestRefusalsWaitForTheBarrier(t *testing.T) {
	withNodes(t, Options{}, func(t *testing.T, log *faultyLog, one, two *node) {
		resume := two.view.pause()
		one.register("a", "b", "c")
		app := one.must("a", "1", ApplyFriend{UserID: "b"})
		group := one.must("a", "g", AddGroup{GroupName: "G", JoinMode: "9"}).Stream.ID
		said := one.must("a", "2", SendGroupMessage{GroupID: group, Content: "x"})
		// Node two has seen none of that: not even who these people are.
		answers := []<-chan Outcome{
			two.submit("b", "1", VerifyFriend{ApplyFriendID: app.ID.String(), ApplyState: events.Agreed}),
			two.submit("b", "2", ApplyGroup{GroupID: group}),
			two.submit("a", "3", SendGroupMessage{GroupID: group, Content: "y"}),
			two.submit("a", "4", ReadMessage{GroupID: group, Position: said.Position.String()}),
			two.submit("a", "5", AddGroup{GroupName: "H", UserIDs: []string{"b", "c"}}),
			two.submit("c", "6", ApplyFriend{UserID: "b"}),
		}
		synctest.Wait()
		for i, a := range answers {
			if len(a) > 0 {
				t.Fatalf("%d was answered: %v", i, <-a)
			}
		}
		resume()
		for i, a := range answers {
			if o := <-a; o.Err != nil {
				t.Fatalf("%d: %v", i, o.Err)
			}
		}
		for i, o := range []Outcome{
			two.do("b", "9", VerifyFriend{ApplyFriendID: events.NewID("no", "such", "one").String(), ApplyState: events.Agreed}),
			two.do("b", "9", ApplyFriend{UserID: "nobody"}),
			two.do("nobody", "9", ApplyFriend{UserID: "b"}),
			two.do("b", "9", ApplyGroup{GroupID: "none"}),
		} {
			if reasonOf(o) != NotFound {
				t.Fatalf("%d: %v", i, o.Err)
			}
		}
	})
}

// The log's end can't be learned: then no refusal is given that rests on state,
// and those that do not are.
func TestNoBarrierNoRefusal(t *testing.T) {
	withNodes(t, Options{}, func(t *testing.T, log *faultyLog, one, two *node) {
		one.befriend("a", "b")
		log.set(func(l *faultyLog) { l.down = true })
		wantReason(t, one.do("a", "1", ApplyFriend{UserID: "b"}), Unavailable)
		wantReason(t, one.do("a", "2", VerifyFriend{ApplyFriendID: events.NewID("no", "", "").String(), ApplyState: "9"}), Unavailable)
		wantReason(t, one.do("a", "3", SendMessage{ReceiveUserID: "x", Content: "x"}), Unavailable)
		wantReason(t, one.do("a", "4", ApplyFriend{UserID: "a"}), BadRequest)
		wantReason(t, one.do("a", "5", VerifyFriend{ApplyFriendID: "x", ApplyState: "3"}), BadRequest)
		one.must("a", "6", hi("b"))                       // a success needs no end
		wantReason(t, one.do("a", "6", hi("b")), Unknown) // it did happen
		log.set(func(l *faultyLog) { l.down = false })
		one.must("a", "6", hi("b"))
	})
}

func TestManyRefusalsAtOnce(t *testing.T) {
	withNodes(t, Options{}, func(t *testing.T, log *faultyLog, one, two *node) {
		one.befriend("a", "b")
		var answers []<-chan Outcome
		for i := range 200 {
			answers = append(answers, one.submit("a", fmt.Sprint(i), SendMessage{ReceiveUserID: fmt.Sprint("x", i), Content: "x"}))
		}
		for _, a := range answers {
			wantReason(t, <-a, NotFound)
		}
	})
}
