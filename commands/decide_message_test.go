package commands

import (
	"strings"
	"testing"
	"time"

	"lishi/events"
)

// remember gives the message at a position a name.
func (w *world) remember(name, position string) { w.ids["position "+name] = w.log[w.at(position)].ID }

func (w *world) at(position string) events.Position {
	w.t.Helper()
	p, err := events.ParsePosition(position)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// where is the position of the message that was remembered by a name.
func (w *world) where(name string) events.Position {
	w.t.Helper()
	for p, r := range w.log {
		if r.ID == w.ids["position "+name] {
			return p
		}
	}
	w.t.Fatalf("no message %s", name)
	return events.Position{}
}

func saidIn(stream events.Stream, by, name string) func(*world) {
	return func(w *world) { w.remember(name, w.said(by, stream, name)) }
}

func edit(name string) func(*world) Command {
	return func(w *world) Command { return EditMessage{Position: w.where(name).String(), Content: " new "} }
}

func recall(name string) func(*world) Command {
	return func(w *world) Command { return RecallMessage{Position: w.where(name).String()} }
}

func edited(name string, strangers bool) func(*world) events.Body {
	return func(w *world) events.Body {
		return events.MessageEdited{Message: w.where(name), Content: events.Content{Plain: " new "}, Strangers: strangers}
	}
}

func recalledBy(name, sender string, strangers bool) func(*world) events.Body {
	return func(w *world) events.Body {
		return events.MessageRecalled{Message: w.where(name), Sender: sender, Strangers: strangers}
	}
}

func TestEditAndRecallOfAPair(t *testing.T) {
	pair := all(friends, saidIn(pairAB, "a", "mine"), saidIn(pairAB, "b", "theirs"))
	strangers := Policy{Strangers: true}
	wait := func(d time.Duration) func(*world) { return func(w *world) { w.pass(d) } }
	runRows(t, []row{
		{name: "edit", actor: "a", setup: pair, do: edit("mine"), want: edited("mine", false)},
		{name: "edit long after", actor: "a", setup: all(pair, days8), do: edit("mine"), want: edited("mine", false)},
		{name: "edit once more", actor: "a", do: edit("mine"), want: edited("mine", false), setup: all(pair, func(w *world) {
			w.say("a", pairAB, events.MessageEdited{Message: w.where("mine"), Content: events.Content{Plain: "x"}})
		})},
		{name: "edit where strangers write", actor: "a", policy: strangers, setup: saidIn(pairAB, "a", "mine"), do: edit("mine"), want: edited("mine", true)},
		{name: "edit of an edit", actor: "a", reason: NotFound, do: edit("edit"), setup: all(pair, func(w *world) {
			r := w.say("a", pairAB, events.MessageEdited{Message: w.where("mine"), Content: events.Content{Plain: "x"}})
			w.ids["position edit"] = r.ID
		})},
		{name: "edit of a relation event", actor: "a", setup: all(friends, func(w *world) {
			w.ids["position event"] = w.say("a", pairAB, events.FriendViewChanged{}).ID
		}), do: edit("event"), reason: NotFound},
		{name: "edit by a third", actor: "c", setup: pair, do: edit("mine"), reason: NotFound},
		{name: "edit of nothing", actor: "a", setup: pair, do: cmd(EditMessage{Position: "c0-999", Content: "x"}), reason: NotFound},
		{name: "edit of no position", actor: "a", setup: pair, do: cmd(EditMessage{Position: "x", Content: "x"}), reason: BadRequest},

		{name: "recall", actor: "a", setup: pair, do: recall("mine"), want: recalledBy("mine", "a", false)},
		{name: "recall at the last moment", actor: "a", setup: all(pair, wait(2*time.Minute)), do: recall("mine"), want: recalledBy("mine", "a", false)},
		{name: "recall too late", actor: "a", setup: all(pair, wait(2*time.Minute+time.Millisecond)), do: recall("mine"), reason: Forbidden},
		{name: "a longer window", actor: "a", policy: Policy{RecallWindow: time.Hour}, setup: all(pair, wait(time.Hour)), do: recall("mine"), want: recalledBy("mine", "a", false)},
		{name: "no window", actor: "a", policy: Policy{RecallWindow: -1}, setup: pair, do: recall("mine"), reason: Forbidden},
		{name: "recall of another's", actor: "a", setup: pair, do: recall("theirs"), reason: Forbidden},
		{name: "recall where strangers write", actor: "a", policy: strangers, setup: saidIn(pairAB, "a", "mine"), do: recall("mine"), want: recalledBy("mine", "a", true)},
		{name: "recall by a third", actor: "c", setup: pair, do: recall("mine"), reason: NotFound},
		{name: "friends no more", actor: "a", do: recall("mine"), reason: NotFriend, setup: all(pair, func(w *world) {
			w.say("b", pairAB, events.FriendRemoved{})
		})},
	})
}

func TestEditAndRecallInAGroup(t *testing.T) {
	group := all(peopleOfG("1"), saidIn(groupG, "m", "mine"))
	late := func(w *world) { w.join("x"); w.admin("o", "x") }
	runRows(t, []row{
		{name: "edit", actor: "m", setup: group, do: edit("mine"), want: edited("mine", false)},
		{name: "no strangers in groups", actor: "m", policy: Policy{Strangers: true}, setup: group, do: edit("mine"), want: edited("mine", false)},
		{name: "an owner edits nobody's", actor: "o", setup: group, do: edit("mine"), reason: Forbidden},
		{name: "an admin recalls any time", actor: "a", setup: all(group, days8), do: recall("mine"), want: recalledBy("mine", "m", false)},
		{name: "an admin who came later", actor: "x", setup: all(group, late), do: recall("mine"), want: recalledBy("mine", "m", false)},
		{name: "another member", actor: "n", setup: group, do: recall("mine"), reason: Forbidden},
		{name: "no member", actor: "x", setup: group, do: recall("mine"), reason: NotMember},
		{name: "came back", actor: "m", setup: all(group, func(w *world) {
			w.say("m", groupG, events.GroupMemberQuit{})
			w.join("m")
		}), do: edit("mine"), want: edited("mine", false)},
	})
}

func TestReplies(t *testing.T) {
	reply := func(name string) func(*world) Command {
		return func(w *world) Command {
			return SendMessage{ReceiveUserID: "b", Content: "x", ReplyTo: w.where(name).String()}
		}
	}
	inG := func(name string) func(*world) Command {
		return func(w *world) Command {
			return SendGroupMessage{GroupID: "g", Content: "x", ReplyTo: w.where(name).String()}
		}
	}
	replied := func(name string) func(*world) events.Body {
		return func(w *world) events.Body {
			return events.MessageSent{Content: events.Content{Plain: "x"}, ReplyTo: w.where(name).String()}
		}
	}
	elsewhere := func(w *world) {
		w.befriend("a", "c")
		saidIn(events.PairStream("a", "c"), "c", "elsewhere")(w)
	}
	group := all(peopleOfG("1"), saidIn(groupG, "m", "said"))
	runRows(t, []row{
		{name: "to the other's", actor: "a", setup: all(friends, saidIn(pairAB, "b", "said")), do: reply("said"), want: replied("said")},
		{name: "to one's own", actor: "a", setup: all(friends, saidIn(pairAB, "a", "said")), do: reply("said"), want: replied("said")},
		{name: "of another conversation", actor: "a", setup: all(friends, elsewhere), do: reply("elsewhere"), reason: NotFound},
		{name: "to no message", actor: "a", setup: all(friends, func(w *world) {
			w.ids["position event"] = w.say("a", pairAB, events.FriendViewChanged{}).ID
		}), do: reply("event"), reason: NotFound},
		{name: "to nothing", actor: "a", setup: friends, do: cmd(SendMessage{ReceiveUserID: "b", Content: "x", ReplyTo: "c1-999"}), reason: NotFound},
		{name: "the message before the relation", actor: "a", do: cmd(SendMessage{ReceiveUserID: "b", Content: "x", ReplyTo: "c1-999"}), reason: NotFound},
		{name: "to no position", actor: "a", setup: friends, do: cmd(SendMessage{ReceiveUserID: "b", Content: "x", ReplyTo: "m1"}), reason: BadRequest},
		{name: "in a group", actor: "n", setup: group, do: inG("said"), want: replied("said")},
		{name: "said before one came", actor: "x", setup: all(group, func(w *world) { w.join("x") }), do: inG("said"), reason: NotFound},
		{name: "by no member", actor: "x", setup: group, do: inG("said"), reason: NotMember},
		{name: "a pair's in a group", actor: "a", setup: all(group, friends, saidIn(pairAB, "b", "pair")), do: inG("pair"), reason: NotFound},
	})
}

func TestMentions(t *testing.T) {
	at := func(users ...string) func(*world) Command {
		return cmd(SendGroupMessage{GroupID: "g", Content: "x", AtUserIDs: users})
	}
	sent := func(users ...string) func(*world) events.Body {
		return body(events.MessageSent{Content: events.Content{Plain: "x"}, AtUserIDs: users})
	}
	many := strings.Split(strings.Repeat("o,", MaxMentions), ",")[:MaxMentions]
	runRows(t, []row{
		{name: "members", actor: "m", setup: peopleOfG("1"), do: at("o", "m", "o"), want: sent("o", "m", "o")},
		{name: "as many as can be", actor: "m", setup: peopleOfG("1"), do: at(many...), want: sent(many...)},
		{name: "too many", actor: "m", setup: peopleOfG("1"), do: at(append(many, "o")...), reason: BadRequest},
		{name: "no member", actor: "m", setup: peopleOfG("1"), do: at("o", "x"), reason: BadRequest},
		{name: "by no member", actor: "x", setup: peopleOfG("1"), do: at("x"), reason: NotMember},
	})
	t.Run("names them", func(t *testing.T) {
		w := newWorld(t, "a", "b", "c", "d")
		peopleOfG("1")(w)
		_, err := w.decide(Policy{}, "m", at("z", "o", "x")(w), nil)
		if r := refusal(err); r.Detail != "atUserIds: no members of this group: z, x" {
			t.Fatal(r)
		}
	})
}
