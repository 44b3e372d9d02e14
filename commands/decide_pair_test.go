package commands

import (
	"testing"
	"time"

	"lishi/events"
)

func block(by, other string) func(*world) {
	return func(w *world) { w.say(by, events.PairStream(by, other), events.FriendBlocked{}) }
}

func all(fs ...func(*world)) func(*world) {
	return func(w *world) {
		for _, f := range fs {
			f(w)
		}
	}
}

func friends(w *world) { w.befriend("a", "b") }
func unfriended(w *world) {
	w.befriend("a", "b")
	w.say("b", events.PairStream("a", "b"), events.FriendRemoved{})
}
func aApplied(w *world)     { w.applied("one", "a", "b") }
func bApplied(w *world)     { w.applied("one", "b", "a") }
func days8(w *world)        { w.pass(8 * 24 * time.Hour) }
func minuteBefore(w *world) { w.pass(7*24*time.Hour - time.Minute) }

func TestSendMessage(t *testing.T) {
	send := cmd(SendMessage{ReceiveUserID: "b", Content: " hi "})
	hi := events.MessageSent{Content: events.Content{Plain: " hi "}}
	strange := hi
	strange.Strangers = true
	strangers := Policy{Strangers: true}
	runRows(t, []row{
		{name: "strangers", actor: "a", do: send, reason: NotFriend},
		{name: "friends", actor: "a", setup: friends, do: send, want: body(hi)},
		{name: "everything is handed on", actor: "a", setup: friends,
			do: func(w *world) Command {
				return SendMessage{ReceiveUserID: "b", Content: "x", ContentType: "image", ReplyTo: w.said("b", events.PairStream("a", "b"), "?")}
			},
			want: body(events.MessageSent{Content: events.Content{Plain: "x"}, ContentType: "image", ReplyTo: "c1-2"})},
		{name: "an application is no friendship", actor: "a", setup: aApplied, do: send, reason: NotFriend},
		{name: "friends no more", actor: "a", setup: unfriended, do: send, reason: NotFriend},
		{name: "blocked by the receiver", actor: "a", setup: all(friends, block("b", "a")), do: send, reason: Blocked},
		{name: "blocked by the sender", actor: "a", setup: all(friends, block("a", "b")), do: send, reason: Blocked},
		{name: "strangers allowed", actor: "a", policy: strangers, do: send, want: body(strange)},
		{name: "strangers allowed, blocked", actor: "a", policy: strangers, setup: block("b", "a"), do: send, reason: Blocked},
		{name: "unknown receiver", actor: "a", do: cmd(SendMessage{ReceiveUserID: "x", Content: "hi"}), reason: NotFound},
		{name: "to oneself", actor: "a", do: cmd(SendMessage{ReceiveUserID: "a", Content: "hi"}), reason: BadRequest},
	})
}

func TestApplyFriend(t *testing.T) {
	apply := cmd(ApplyFriend{UserID: "b", Note: "n", Remark: "r", FriendGroupID: "0"})
	applied := func(w *world) events.Body {
		return events.FriendApplied{Note: "n", Remark: "r", FriendGroupID: "0", ExpiresAt: w.later()}
	}
	runRows(t, []row{
		{name: "strangers", actor: "a", do: apply, want: applied},
		{name: "a shorter expiry", actor: "a", do: apply, policy: Policy{Expiry: time.Hour}, want: func(w *world) events.Body {
			return events.FriendApplied{Note: "n", Remark: "r", FriendGroupID: "0", ExpiresAt: w.now.Add(time.Hour).UnixMilli()}
		}},
		{name: "friends", actor: "a", setup: friends, do: apply, reason: Conflict},
		{name: "friends no more", actor: "a", setup: unfriended, do: apply, want: applied},
		{name: "applied already", actor: "a", setup: all(aApplied, minuteBefore), do: apply, reason: Conflict},
		{name: "own application expired", actor: "a", setup: all(aApplied, days8), do: apply, want: applied},
		{name: "crossing", actor: "a", setup: all(bApplied, minuteBefore), do: apply, want: func(w *world) events.Body {
			return events.FriendAgreed{Application: w.ids["one"], Applicant: "b", Note: "n", Remark: "r", FriendGroupID: "0", Crossed: true}
		}},
		{name: "crossing an expired one", actor: "a", setup: all(bApplied, days8), do: apply, want: applied},
		{name: "crossing, own one expired", actor: "a", setup: all(func(w *world) { w.applied("old", "a", "b") }, days8, bApplied), do: apply,
			want: func(w *world) events.Body {
				return events.FriendAgreed{Application: w.ids["one"], Applicant: "b", Note: "n", Remark: "r", FriendGroupID: "0", Crossed: true}
			}},
		{name: "refused before", actor: "a", do: apply, want: applied, setup: all(aApplied, func(w *world) {
			w.say("b", events.PairStream("a", "b"), events.FriendRefused{Application: w.ids["one"], Applicant: "a"})
		})},
		{name: "blocked by the other", actor: "a", setup: block("b", "a"), do: apply, reason: Blocked},
		{name: "blocked by oneself", actor: "a", setup: block("a", "b"), do: apply, reason: Blocked},
		{name: "unblocked", actor: "a", do: apply, want: applied, setup: all(block("b", "a"), func(w *world) {
			w.say("b", events.PairStream("a", "b"), events.FriendUnblocked{})
		})},
		{name: "unknown user", actor: "a", do: cmd(ApplyFriend{UserID: "x"}), reason: NotFound},
		{name: "oneself", actor: "a", do: cmd(ApplyFriend{UserID: "a"}), reason: BadRequest},
	})
}

func TestVerifyFriend(t *testing.T) {
	verify := func(state string) func(*world) Command {
		return func(w *world) Command {
			return VerifyFriend{ApplyFriendID: w.id("one"), ApplyState: state, Note: "n", FriendGroupID: "0"}
		}
	}
	agreed := func(w *world) {
		w.say("a", events.PairStream("a", "b"), events.FriendAgreed{Application: w.ids["one"], Applicant: "b"})
	}
	refused := func(w *world) {
		w.say("a", events.PairStream("a", "b"), events.FriendRefused{Application: w.ids["one"], Applicant: "b"})
	}
	removed := func(w *world) { w.say("a", events.PairStream("a", "b"), events.FriendRemoved{}) }
	runRows(t, []row{
		{name: "agree", actor: "a", setup: all(bApplied, minuteBefore), do: verify("9"), want: func(w *world) events.Body {
			return events.FriendAgreed{Application: w.ids["one"], Applicant: "b", Note: "n", FriendGroupID: "0"}
		}},
		{name: "refuse", actor: "a", setup: bApplied, do: verify("0"), want: func(w *world) events.Body {
			return events.FriendRefused{Application: w.ids["one"], Applicant: "b", Note: "n"}
		}},
		{name: "pending is no answer", actor: "a", setup: bApplied, do: verify("1"), reason: BadRequest},
		{name: "expired is no answer", actor: "a", setup: bApplied, do: verify("2"), reason: BadRequest},
		{name: "no answer", actor: "a", setup: bApplied, do: verify(""), reason: BadRequest},
		{name: "by the applicant", actor: "b", setup: bApplied, do: verify("9"), reason: Forbidden},
		{name: "by a third", actor: "c", setup: bApplied, do: verify("9"), reason: Forbidden},
		{name: "expired", actor: "a", setup: all(bApplied, days8), do: verify("9"), reason: Conflict},
		{name: "refusing an expired one", actor: "a", setup: all(bApplied, days8), do: verify("0"), reason: Conflict},
		{name: "agreed before", actor: "a", setup: all(bApplied, agreed), do: verify("9"), reason: Conflict},
		{name: "agreed before, then ended", actor: "a", setup: all(bApplied, agreed, removed), do: verify("9"), reason: Conflict},
		{name: "refused before", actor: "a", setup: all(bApplied, refused), do: verify("9"), reason: Conflict},
		{name: "overtaken by a friendship that ended", actor: "a", setup: all(bApplied, friends, removed), do: verify("9"), reason: Conflict},
		{name: "friends by another way", actor: "a", setup: all(bApplied, friends), do: verify("9"), reason: Conflict},
		{name: "unknown", actor: "a", do: cmd(VerifyFriend{ApplyFriendID: events.NewID("a", "b", "c").String(), ApplyState: "9"}), reason: NotFound},
		{name: "not an id", actor: "a", do: cmd(VerifyFriend{ApplyFriendID: "nope", ApplyState: "9"}), reason: NotFound},
		{name: "a group's application", actor: "a", reason: NotFound, do: verify("9"),
			setup: func(w *world) { w.group("a", "1"); w.askedIn("one", "b") }},
	})
}

func TestDeleteFriend(t *testing.T) {
	del := cmd(DeleteFriend{FriendID: "b"})
	runRows(t, []row{
		{name: "friends", actor: "a", setup: friends, do: del, want: body(events.FriendRemoved{})},
		{name: "blocked friends", actor: "a", setup: all(friends, block("b", "a")), do: del, want: body(events.FriendRemoved{})},
		{name: "strangers", actor: "a", do: del, reason: NotFriend},
		{name: "applied only", actor: "a", setup: aApplied, do: del, reason: NotFriend},
		{name: "ended before", actor: "a", setup: unfriended, do: del, reason: NotFriend},
		{name: "unknown user", actor: "a", do: cmd(DeleteFriend{FriendID: "x"}), reason: NotFound},
		{name: "oneself", actor: "a", do: cmd(DeleteFriend{FriendID: "a"}), reason: BadRequest},
	})
}

func TestReadMessage(t *testing.T) {
	pair, group := events.PairStream("a", "b"), events.GroupStream("g")
	said := func(w *world, by string, s events.Stream) *events.Recorded {
		r := w.say(by, s, events.MessageSent{Content: events.Content{Plain: "x"}, Strangers: true})
		return &r
	}
	marked := func(w *world, r *events.Recorded) {
		w.say("a", events.UserStream("a"), events.ConversationRead{Conversation: r.Stream.Key(), Read: r.Position})
	}
	for _, r := range []struct {
		name   string
		setup  func(*world) (record *events.Recorded)
		cmd    func(events.Position) ReadMessage
		policy Policy
		reason string
		done   bool // nothing to do
	}{
		{name: "a friend's message", setup: func(w *world) *events.Recorded { friends(w); return said(w, "b", pair) }},
		{name: "moved already", done: true, setup: func(w *world) *events.Recorded {
			friends(w)
			r := said(w, "b", pair)
			marked(w, r)
			return r
		}},
		{name: "never back", done: true, setup: func(w *world) *events.Recorded {
			friends(w)
			first := said(w, "b", pair)
			marked(w, said(w, "b", pair))
			return first
		}},
		{name: "forward", setup: func(w *world) *events.Recorded {
			friends(w)
			marked(w, said(w, "b", pair))
			return said(w, "b", pair)
		}},
		{name: "friends no more", reason: NotFriend, setup: func(w *world) *events.Recorded {
			friends(w)
			r := said(w, "b", pair)
			w.say("b", pair, events.FriendRemoved{})
			return r
		}},
		{name: "a stranger's, where that is allowed", policy: Policy{Strangers: true},
			setup: func(w *world) *events.Recorded { return said(w, "b", pair) }},
		{name: "of another conversation", reason: NotFound, setup: func(w *world) *events.Recorded {
			friends(w)
			w.befriend("a", "c")
			return said(w, "c", events.PairStream("a", "c"))
		}},
		{name: "no such record", reason: NotFound, setup: func(w *world) *events.Recorded { friends(w); return nil }},
		{name: "message before relation", reason: NotFound, setup: func(w *world) *events.Recorded { return nil }},
		{name: "unknown user", reason: NotFound, setup: func(w *world) *events.Recorded { return nil },
			cmd: func(events.Position) ReadMessage { return ReadMessage{UserID: "x", Position: "c0-1"} }},
		{name: "oneself", reason: BadRequest, setup: func(w *world) *events.Recorded { return nil },
			cmd: func(events.Position) ReadMessage { return ReadMessage{UserID: "a", Position: "c0-1"} }},
		{name: "both", reason: BadRequest, setup: func(w *world) *events.Recorded { return nil },
			cmd: func(events.Position) ReadMessage { return ReadMessage{UserID: "b", GroupID: "g", Position: "c0-1"} }},
		{name: "neither", reason: BadRequest, setup: func(w *world) *events.Recorded { return nil },
			cmd: func(events.Position) ReadMessage { return ReadMessage{Position: "c0-1"} }},
		{name: "not a position", reason: BadRequest, setup: func(w *world) *events.Recorded { return nil },
			cmd: func(events.Position) ReadMessage { return ReadMessage{UserID: "b", Position: "c0-01"} }},
		{name: "a group's", setup: func(w *world) *events.Recorded { w.group("b", "1", "a"); return said(w, "b", group) },
			cmd: func(p events.Position) ReadMessage { return ReadMessage{GroupID: "g", Position: p.String()} }},
		{name: "no member", reason: NotMember, setup: func(w *world) *events.Recorded { w.group("b", "1"); return said(w, "b", group) },
			cmd: func(p events.Position) ReadMessage { return ReadMessage{GroupID: "g", Position: p.String()} }},
		{name: "no group", reason: NotFound, setup: func(w *world) *events.Recorded { return nil },
			cmd: func(p events.Position) ReadMessage { return ReadMessage{GroupID: "g", Position: "c0-1"} }},
	} {
		t.Run(r.name, func(t *testing.T) {
			w := newWorld(t, "a", "b", "c")
			record := r.setup(w)
			position := events.Position{Partition: events.Partition{Topic: events.Conversations}, Offset: 1}
			if record != nil {
				position = record.Position
			}
			c := ReadMessage{UserID: "b", Position: position.String()}
			if r.cmd != nil {
				c = r.cmd(position)
			}
			got, err := w.decide(r.policy, "a", c, record)
			want := func(*world) events.Body {
				return events.ConversationRead{Conversation: record.Stream.Key(), Read: position}
			}
			if r.done {
				want = nil
			}
			check(t, w, got, err, r.reason, want)
		})
	}
}

func TestUpdateUser(t *testing.T) {
	runRows(t, []row{
		{name: "name", actor: "a", do: cmd(UpdateUser{NickName: "A"}), want: body(events.UserProfileChanged{NickName: "A"})},
		{name: "avatar leaves the name the token's", actor: "a", do: cmd(UpdateUser{Avatar: some("p")}),
			want: body(events.UserProfileChanged{NickName: "a", Avatar: "p", FromToken: true})},
		{name: "avatar leaves a chosen name", actor: "a", do: cmd(UpdateUser{Avatar: some("p")}),
			setup: func(w *world) {
				w.say("a", events.UserStream("a"), events.UserProfileChanged{NickName: "A", Avatar: "o"})
			},
			want: body(events.UserProfileChanged{NickName: "A", Avatar: "p"})},
		{name: "name leaves the avatar", actor: "a", do: cmd(UpdateUser{NickName: "B"}),
			setup: func(w *world) {
				w.say("a", events.UserStream("a"), events.UserProfileChanged{NickName: "A", Avatar: "o"})
			},
			want: body(events.UserProfileChanged{NickName: "B", Avatar: "o"})},
		{name: "an empty avatar takes it away", actor: "a", do: cmd(UpdateUser{Avatar: some("")}),
			setup: func(w *world) {
				w.say("a", events.UserStream("a"), events.UserProfileChanged{NickName: "A", Avatar: "o"})
			},
			want: body(events.UserProfileChanged{NickName: "A"})},
		{name: "nothing given", actor: "a", do: cmd(UpdateUser{}), reason: BadRequest},
	})
}

func TestRegisterDecides(t *testing.T) {
	named := func(name string, fromToken bool) func(*world) {
		return func(w *world) {
			w.say("a", events.UserStream("a"), events.UserProfileChanged{NickName: name, Avatar: "o", FromToken: fromToken})
		}
	}
	for _, r := range []struct {
		name  string
		setup func(*world)
		actor Actor
		want  events.Body
	}{
		{"new", nil, Actor{"x", "X"}, events.UserRegistered{NickName: "X"}},
		{"new without a name", nil, Actor{"x", ""}, events.UserRegistered{}},
		{"known", nil, Actor{"a", "a"}, nil},
		{"known, without a name", nil, Actor{"a", ""}, nil},
		{"the token's name changed", nil, Actor{"a", "A"}, events.UserProfileChanged{NickName: "A", FromToken: true}},
		{"it changed again", named("A", true), Actor{"a", "B"}, events.UserProfileChanged{NickName: "B", Avatar: "o", FromToken: true}},
		{"a chosen name stays", named("A", false), Actor{"a", "B"}, nil},
	} {
		t.Run(r.name, func(t *testing.T) {
			w := newWorld(t, "a")
			if r.setup != nil {
				r.setup(w)
			}
			got, err := register{}.Decide(NewState(w.book, Policy{}, r.actor.ID, ""), r.actor, w.now)
			var want func(*world) events.Body
			if r.want != nil {
				want = body(r.want)
			}
			check(t, w, got, err, "", want)
		})
	}
}
