package commands

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"lishi/events"
)

// The last edit that a client sent is the one that stands, and what it sends
// after a reply comes after it, though both ask the log for a message first.
func TestOrderOfEditsAndReplies(t *testing.T) {
	withNodes(t, Options{}, func(t *testing.T, log *faultyLog, one, two *node) {
		one.befriend("a", "b")
		said := one.must("a", "m", hi("b")).Position.String()
		resume := one.view.pause()
		var answers []<-chan Outcome
		send := func(c Command) { answers = append(answers, one.submit("a", fmt.Sprint(len(answers)), c)) }
		for i := range 20 {
			send(EditMessage{Position: said, Content: fmt.Sprint("edit ", i)})
			send(SendMessage{ReceiveUserID: "b", Content: fmt.Sprint("reply ", i), ReplyTo: said})
			send(SendMessage{ReceiveUserID: "b", Content: fmt.Sprint("plain ", i)})
		}
		synctest.Wait()
		resume()
		for _, a := range answers {
			wantReason(t, <-a, "")
		}
		one.catchUp()
		for i, e := range one.events("message.edited") {
			if got := e.Body.(events.MessageEdited).Content.Plain; got != fmt.Sprint("edit ", i) {
				t.Fatalf("edit %d is %q", i, got)
			}
		}
		for i, e := range one.events("message.sent")[1:] {
			want := fmt.Sprint([]string{"reply ", "plain "}[i%2], i/2)
			if got := e.Body.(events.MessageSent).Content.Plain; got != want {
				t.Fatalf("message %d is %q, want %q", i, got, want)
			}
		}
	})
}

// A node that is behind refuses no change of a message that it has not seen yet.
func TestChangesWaitForTheBarrier(t *testing.T) {
	withNodes(t, Options{}, func(t *testing.T, log *faultyLog, one, two *node) {
		resume := two.view.pause()
		one.befriend("a", "b")
		said := one.must("a", "m", hi("b")).Position.String()
		answers := []<-chan Outcome{
			two.submit("a", "1", EditMessage{Position: said, Content: "x"}),
			two.submit("b", "2", SendMessage{ReceiveUserID: "a", Content: "x", ReplyTo: said}),
			two.submit("a", "3", RecallMessage{Position: said}),
			two.submit("b", "4", RecallMessage{Position: said}),
			two.submit("c", "5", EditMessage{Position: said, Content: "x"}),
		}
		synctest.Wait()
		for i, a := range answers {
			if len(a) > 0 {
				t.Fatalf("%d was answered: %v", i, <-a)
			}
		}
		resume()
		for i, a := range answers {
			wantReason(t, <-a, []string{"", "", "", Forbidden, NotFound}[i])
		}
		log.set(func(l *faultyLog) { l.down = true })
		beyond := events.Position{Partition: two.tail.Book().Layout().Partition(pairAB), Offset: 1 << 40}.String()
		wantReason(t, two.do("a", "6", EditMessage{Position: beyond, Content: "x"}), Unavailable)
		wantReason(t, two.do("a", "7", SendMessage{ReceiveUserID: "b", Content: "x", ReplyTo: beyond}), Unavailable)
		wantReason(t, two.do("a", "8", EditMessage{Position: said, Content: "x"}), Unknown) // it can't be read
		log.set(func(l *faultyLog) { l.down = false })
		wantReason(t, two.do("a", "6", EditMessage{Position: beyond, Content: "x"}), NotFound)
		wantReason(t, two.do("a", "9", EditMessage{Position: "c9-1", Content: "x"}), NotFound)
		wantReason(t, two.do("a", "8", EditMessage{Position: said, Content: "x"}), Conflict)
	})
}

// An edit and a recall at once, on two nodes: whichever comes first into the log,
// nothing is edited after the recall, and repeats are answered as the first time.
func TestEditAgainstRecall(t *testing.T) {
	withNodes(t, Options{}, func(t *testing.T, log *faultyLog, one, two *node) {
		one.befriend("a", "b")
		said := one.must("a", "m", hi("b")).Position.String()
		two.catchUp()
		release := log.hold(pairAB)
		recall := one.submit("a", "1", RecallMessage{Position: said})
		synctest.Wait()
		late := two.submit("a", "2", EditMessage{Position: said, Content: "x"})
		again := two.submit("a", "3", RecallMessage{Position: said})
		synctest.Wait()
		release()
		first := <-recall
		wantReason(t, first, "")
		wantReason(t, <-late, Conflict)
		wantReason(t, <-again, Conflict)
		repeat := two.do("a", "1", RecallMessage{Position: said})
		wantReason(t, repeat, "")
		if repeat.Event.Position != first.Event.Position {
			t.Fatalf("the repeat is at %s, the first at %s", repeat.Event.Position, first.Event.Position)
		}
		wantReason(t, two.do("a", "1", RecallMessage{Position: one.must("a", "n", hi("b")).Position.String()}), Conflict)
	})
}

// The same edit, turned away while the first one's fate is open.
func TestEditInDoubtIsNotCalledUnavailable(t *testing.T) {
	// Two, since who was answered is under way for a moment more.
	withNodes(t, Options{UnderWay: 2}, func(t *testing.T, log *faultyLog, one, two *node) {
		one.befriend("a", "b")
		said := one.must("a", "m", hi("b")).Position.String()
		synctest.Wait()
		release := log.hold(pairAB)
		edit := EditMessage{Position: said, Content: "x"}
		other := one.submit("a", "0", EditMessage{Position: said, Content: "y"})
		first := one.submit("a", "1", edit)
		synctest.Wait()
		wantReason(t, one.do("a", "1", edit), Unknown)
		wantReason(t, one.do("a", "2", edit), Unavailable)
		wantReason(t, one.do("a", "1", EditMessage{Position: "c9-0", Content: "x"}), Unavailable)
		release()
		wantReason(t, <-other, "")
		wantReason(t, <-first, "")
	})
}

// Faults that are known of similar systems, tried on two nodes of a real handler:
// they are refused, and the log does not grow by them.
func TestKnownFaults(t *testing.T) {
	withNodes(t, Options{}, func(t *testing.T, log *faultyLog, one, two *node) {
		one.register("o", "a", "m", "x", "y")
		g := one.must("o", "g", AddGroup{GroupName: "G"}).Stream.ID
		join := func(user string) {
			app := one.must(user, "join", ApplyGroup{GroupID: g})
			one.must("o", "let in "+user, GroupVerify{ApplyGroupID: app.ID.String(), ApplyState: "9"})
		}
		join("m")
		join("a")
		one.must("o", "role", SetGroupRole{GroupID: g, UserID: "a", Role: "5"})
		asked := one.must("x", "ask", ApplyGroup{GroupID: g})
		invited := one.must("a", "invite", InvitationGroup{GroupID: g, UserID: "y"})
		friend := one.must("x", "friend", ApplyFriend{UserID: "y"})
		said := one.must("o", "said", SendGroupMessage{GroupID: g, Content: "x"})
		two.catchUp()
		n := 0
		refused := func(actor, reason string, c Command) {
			t.Helper()
			n++
			before := log.records()
			for _, node := range []*node{one, two} {
				if o := node.do(actor, fmt.Sprint("fault ", n), c); reasonOf(o) != reason {
					t.Errorf("%s: %T %+v: %v, want %s", actor, c, c, o.Err, reason)
				}
			}
			if log.records() != before {
				t.Errorf("%s: a refused %T was appended", actor, c)
			}
		}
		// Somebody else verifies, or deletes.
		for _, who := range []struct{ id, reason string }{{"m", Forbidden}, {"x", NotMember}, {"y", NotMember}} {
			refused(who.id, who.reason, GroupVerify{ApplyGroupID: asked.ID.String(), ApplyState: "9"})
			refused(who.id, who.reason, DeleteGroup{GroupID: g})
		}
		refused("a", Forbidden, DeleteGroup{GroupID: g})
		refused("o", Forbidden, UserVerify{ApplyGroupID: invited.ID.String(), ApplyState: "9"})
		refused("x", Forbidden, VerifyFriend{ApplyFriendID: friend.ID.String(), ApplyState: "9"})
		refused("m", Forbidden, VerifyFriend{ApplyFriendID: friend.ID.String(), ApplyState: "9"})
		// Verified once.
		one.must("y", "yes", VerifyFriend{ApplyFriendID: friend.ID.String(), ApplyState: "9"})
		one.must("o", "yes", GroupVerify{ApplyGroupID: asked.ID.String(), ApplyState: "9"})
		two.catchUp()
		for _, state := range []string{"0", "9"} {
			refused("y", Conflict, VerifyFriend{ApplyFriendID: friend.ID.String(), ApplyState: state})
			refused("a", Conflict, GroupVerify{ApplyGroupID: asked.ID.String(), ApplyState: state})
		}
		// A friendship has both directions, and ends in both.
		one.must("x", "hi", hi("y"))
		one.must("y", "hi", hi("x"))
		one.must("x", "end", DeleteFriend{FriendID: "y"})
		two.catchUp()
		refused("x", NotFriend, hi("y"))
		refused("y", NotFriend, hi("x"))
		refused("y", NotFriend, DeleteFriend{FriendID: "x"})
		// Removed or muted, and still sending.
		one.must("a", "remove", RemoveUserGroup{GroupID: g, RemoveUserID: "x"})
		one.must("a", "mute", MuteMember{GroupID: g, UserID: "m", Minutes: 1})
		two.catchUp()
		refused("x", NotMember, SendGroupMessage{GroupID: g, Content: "still here"})
		refused("a", Conflict, GroupVerify{ApplyGroupID: asked.ID.String(), ApplyState: "9"}) // the old door
		refused("m", Muted, SendGroupMessage{GroupID: g, Content: "still here"})
		refused("m", Muted, EditMessage{Position: said.Position.String(), Content: "still here"})
		time.Sleep(time.Minute + time.Second)
		one.must("m", "free", SendGroupMessage{GroupID: g, Content: "back"})
	})
}

// Who was never registered may do nothing, and becomes nobody by trying.
func TestTheUnregisteredMayDoNothing(t *testing.T) {
	withNodes(t, Options{}, func(t *testing.T, log *faultyLog, one, two *node) {
		one.befriend("a", "b")
		said := one.must("a", "m", hi("b")).Position.String()
		g := one.must("a", "g", AddGroup{GroupName: "G", JoinMode: "9"}).Stream.ID
		app := one.must("b", "f", ApplyGroup{GroupID: g})
		before := log.records()
		for i, c := range []Command{
			hi("a"), SendGroupMessage{GroupID: g, Content: "x"}, EditMessage{Position: said, Content: "x"}, RecallMessage{Position: said},
			ReadMessage{UserID: "a", Position: said}, ApplyFriend{UserID: "a"}, VerifyFriend{ApplyFriendID: app.ID.String(), ApplyState: "9"},
			DeleteFriend{FriendID: "a"}, BlockFriend{UserID: "a"}, UnblockFriend{UserID: "a"}, UpdateFriend{FriendID: "a", Remark: some("x")},
			CreateFriendGroup{FriendGroupName: "x"}, DeleteFriendGroup{FriendGroupID: "x"}, AddGroup{GroupName: "x"},
			UpdateGroup{GroupID: g, GroupName: "x"}, ApplyGroup{GroupID: g}, InvitationGroup{GroupID: g, UserID: "b"},
			GroupVerify{ApplyGroupID: app.ID.String(), ApplyState: "9"}, UserVerify{ApplyGroupID: app.ID.String(), ApplyState: "9"},
			RemoveUserGroup{GroupID: g, RemoveUserID: "b"}, QuitGroup{GroupID: g}, TransferGroup{GroupID: g, UserID: "b"},
			SetGroupRole{GroupID: g, UserID: "b", Role: "5"}, MuteMember{GroupID: g, UserID: "b"}, DeleteGroup{GroupID: g}, UpdateUser{NickName: "x"},
		} {
			if o := one.do("ghost", fmt.Sprint(i), c); reasonOf(o) != NotFound {
				t.Errorf("%T: %v", c, o.Err)
			}
		}
		if log.records() != before {
			t.Error("the log has grown")
		}
		if _, known := one.tail.Book().User("ghost"); known {
			t.Error("the ghost is somebody")
		}
	})
}
