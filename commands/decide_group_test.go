package commands

import (
	"fmt"
	"testing"
	"time"

	"lishi/events"
)

// Roles in the tables: o owns the group "g", a is an admin, m and n are members,
// x is none, z is not registered.
type role = string

func peopleOfG(mode string) func(*world) {
	return func(w *world) {
		for _, u := range []string{"o", "m", "n", "x"} {
			w.say(u, events.UserStream(u), events.UserRegistered{NickName: u})
		}
		w.group("o", mode, "a", "m", "n")
		w.admin("o", "a")
	}
}

func deleted(w *world) { w.say("o", events.GroupStream("g"), events.GroupDeleted{GroupName: "G"}) }

// byRole is one command, tried by everybody.
func byRole(t *testing.T, setup func(*world), do func(*world) Command, want map[role]string, event func(*world) events.Body) {
	t.Helper()
	var rows []row
	for _, actor := range []role{"o", "a", "m", "x"} {
		reason, ok := want[actor]
		if !ok {
			t.Fatalf("the table says nothing of %s", actor)
		}
		rows = append(rows, row{name: actor, actor: actor, setup: setup, do: do, reason: reason, want: event})
	}
	runRows(t, rows)
}

func TestSendGroupMessage(t *testing.T) {
	send := func(w *world) Command {
		replyTo := w.said("o", events.GroupStream("g"), "?")
		w.ids["replyTo"] = events.NewID(replyTo, "", "")
		return SendGroupMessage{GroupID: "g", Content: "hi", ContentType: "text", ReplyTo: replyTo, AtUserIDs: []string{"o"}}
	}
	event := func(w *world) events.Body {
		for p := range w.log {
			if w.ids["replyTo"] == events.NewID(p.String(), "", "") {
				return events.MessageSent{Content: events.Content{Plain: "hi"}, ContentType: "text", ReplyTo: p.String(), AtUserIDs: []string{"o"}}
			}
		}
		return nil
	}
	byRole(t, peopleOfG("1"), send, map[role]string{"o": "", "a": "", "m": "", "x": NotMember}, event)
	mute := func(w *world) {
		w.say("o", events.GroupStream("g"), events.GroupMemberMuted{UserID: "m", MutedUntil: w.now.Add(time.Minute).UnixMilli()})
	}
	runRows(t, []row{
		{name: "muted", actor: "m", setup: all(peopleOfG("1"), mute), do: send, reason: Muted},
		{name: "no longer muted", actor: "m", setup: all(peopleOfG("1"), mute, days8), do: send, want: event},
		{name: "removed", actor: "m", do: send, reason: NotMember, setup: all(peopleOfG("1"), func(w *world) {
			w.say("o", events.GroupStream("g"), events.GroupMemberRemoved{UserID: "m"})
		})},
		{name: "deleted group", actor: "o", setup: all(peopleOfG("1"), deleted), do: cmd(SendGroupMessage{GroupID: "g", Content: "hi"}), reason: NotFound},
		{name: "no group", actor: "a", do: cmd(SendGroupMessage{GroupID: "g", Content: "hi"}), reason: NotFound},
	})
}

func TestAddGroup(t *testing.T) {
	id := events.NewID("u|a", "a", "1")
	invite := func(w *world, users ...string) (is []events.Invitation) {
		for _, u := range users {
			is = append(is, events.Invitation{ID: id.Derive(u), UserID: u, ExpiresAt: w.later()})
		}
		return is
	}
	many := func(n int) (users []string) {
		for i := range n {
			users = append(users, fmt.Sprint("u", i))
		}
		return users
	}
	runRows(t, []row{
		{name: "alone", actor: "a", do: cmd(AddGroup{GroupName: "G", GroupImg: "i"}),
			want: body(events.GroupCreated{GroupName: "G", GroupImg: "i", JoinMode: "1"})},
		{name: "open", actor: "a", do: cmd(AddGroup{GroupName: "G", JoinMode: "9"}), want: body(events.GroupCreated{GroupName: "G", JoinMode: "9"})},
		{name: "with people, no friends", actor: "a", do: cmd(AddGroup{GroupName: "G", UserIDs: []string{"b", "a", "c", "b"}}),
			want: func(w *world) events.Body {
				return events.GroupCreated{GroupName: "G", JoinMode: "1", Invitations: invite(w, "b", "c")}
			}},
		{name: "unknown people", actor: "a", do: cmd(AddGroup{GroupName: "G", UserIDs: []string{"b", "x", "y"}}), reason: NotFound},
		{name: "another join mode", actor: "a", do: cmd(AddGroup{GroupName: "G", JoinMode: "5"}), reason: BadRequest},
		{name: "too many", actor: "a", do: cmd(AddGroup{GroupName: "G", UserIDs: many(501)}), reason: BadRequest},
		{name: "500 and oneself twice", actor: "a", do: cmd(AddGroup{GroupName: "G", UserIDs: append(many(500), "a", "a", "u1")}), reason: NotFound},
		{name: "long ago", actor: "a", do: cmd(AddGroup{GroupName: "G"}), reason: Conflict, setup: func(w *world) {
			w.say("a", events.GroupStream(id.String()), events.GroupCreated{GroupName: "G", JoinMode: "1"})
		}},
	})
	t.Run("names the unknown", func(t *testing.T) {
		_, err := newWorld(t, "a", "b").decide(Policy{}, "a", AddGroup{GroupName: "G", UserIDs: []string{"x", "b", "y"}}, nil)
		if r := refusal(err); r.Detail != "no such users: x, y" {
			t.Fatal(r)
		}
	})
}

func TestApplyGroup(t *testing.T) {
	c := ApplyGroup{GroupID: "g", Note: "n"}
	applied := func(w *world) events.Body {
		return events.GroupApplied{GroupName: "G", Note: "n", ExpiresAt: w.later()}
	}
	joined := body(events.GroupJoined{GroupName: "G"})
	byRole(t, peopleOfG("1"), cmd(c), map[role]string{"o": Conflict, "a": Conflict, "m": Conflict, "x": ""}, applied)
	byRole(t, peopleOfG("9"), cmd(c), map[role]string{"o": Conflict, "a": Conflict, "m": Conflict, "x": ""}, joined)
	byRole(t, peopleOfG("0"), cmd(c), map[role]string{"o": Conflict, "a": Conflict, "m": Conflict, "x": Forbidden}, nil)
	asked := func(w *world) { w.askedIn("one", "x") }
	invited := func(w *world) { w.invited("one", "o", "x") }
	runRows(t, []row{
		{name: "applied already", actor: "x", setup: all(peopleOfG("1"), asked, minuteBefore), do: cmd(c), reason: Conflict},
		{name: "applied long ago", actor: "x", setup: all(peopleOfG("1"), asked, days8), do: cmd(c), want: applied},
		{name: "invited", actor: "x", setup: all(peopleOfG("1"), invited), do: cmd(c), reason: Conflict},
		{name: "invited long ago", actor: "x", setup: all(peopleOfG("1"), invited, days8), do: cmd(c), want: applied},
		{name: "invited before a membership that ended", actor: "x", setup: all(peopleOfG("1"), invited, cameAndWent("x")), do: cmd(c), want: applied},
		{name: "invited to an open group", actor: "x", setup: all(peopleOfG("9"), invited), do: cmd(c), want: joined},
		{name: "deleted group", actor: "x", setup: all(peopleOfG("9"), deleted), do: cmd(c), reason: NotFound},
		{name: "no group", actor: "a", do: cmd(c), reason: NotFound},
	})
}

// cameAndWent is a membership that overtakes what waited before it.
func cameAndWent(user string) func(*world) {
	return func(w *world) {
		w.join(user)
		w.say(user, events.GroupStream("g"), events.GroupMemberQuit{GroupName: "G"})
	}
}

func TestInvitationGroup(t *testing.T) {
	c := InvitationGroup{GroupID: "g", UserID: "b", Note: "n"}
	invites := func(w *world) events.Body {
		return events.GroupInvited{GroupName: "G", UserID: "b", Note: "n", ExpiresAt: w.later()}
	}
	byRole(t, peopleOfG("0"), cmd(c), map[role]string{"o": "", "a": "", "m": Forbidden, "x": NotMember}, invites)
	asked := func(w *world) { w.askedIn("one", "b") }
	invited := func(w *world) { w.invited("one", "a", "b") }
	runRows(t, []row{
		{name: "a member", actor: "a", setup: peopleOfG("0"), do: cmd(InvitationGroup{GroupID: "g", UserID: "m"}), reason: Conflict},
		{name: "oneself", actor: "a", setup: peopleOfG("0"), do: cmd(InvitationGroup{GroupID: "g", UserID: "a"}), reason: Conflict},
		{name: "invited already", actor: "o", setup: all(peopleOfG("0"), invited), do: cmd(c), reason: Conflict},
		{name: "invited long ago", actor: "o", setup: all(peopleOfG("0"), invited, days8), do: cmd(c), want: invites},
		{name: "invited before a membership that ended", actor: "o", setup: all(peopleOfG("0"), invited, cameAndWent("b")), do: cmd(c), want: invites},
		{name: "has applied", actor: "o", setup: all(peopleOfG("1"), asked), do: cmd(c), reason: Conflict},
		{name: "unknown user", actor: "o", setup: peopleOfG("0"), do: cmd(InvitationGroup{GroupID: "g", UserID: "z"}), reason: NotFound},
		{name: "unknown before relations", actor: "x", setup: peopleOfG("0"), do: cmd(InvitationGroup{GroupID: "g", UserID: "z"}), reason: NotFound},
		{name: "no group", actor: "a", do: cmd(c), reason: NotFound},
		{name: "deleted group", actor: "o", setup: all(peopleOfG("0"), deleted), do: cmd(c), reason: NotFound},
	})
}

func TestGroupVerify(t *testing.T) {
	verify := func(state string) func(*world) Command {
		return func(w *world) Command { return GroupVerify{ApplyGroupID: w.id("one"), ApplyState: state, Note: "n"} }
	}
	verified := func(state string) func(*world) events.Body {
		return func(w *world) events.Body {
			return events.GroupApplicationVerified{GroupName: "G", Application: w.ids["one"], UserID: "b", State: state, Note: "n"}
		}
	}
	asked := all(peopleOfG("1"), func(w *world) { w.askedIn("one", "b") })
	said := func(state string) func(*world) {
		return func(w *world) { w.say("o", events.GroupStream("g"), verified(state)(w)) }
	}
	removed := func(w *world) { w.say("o", events.GroupStream("g"), events.GroupMemberRemoved{UserID: "b"}) }
	byRole(t, asked, verify("9"), map[role]string{"o": "", "a": "", "m": Forbidden, "x": NotMember}, verified("9"))
	byRole(t, asked, verify("0"), map[role]string{"o": "", "a": "", "m": Forbidden, "x": NotMember}, verified("0"))
	runRows(t, []row{
		{name: "by the applicant", actor: "b", setup: asked, do: verify("9"), reason: NotMember},
		{name: "no answer", actor: "o", setup: asked, do: verify("1"), reason: BadRequest},
		{name: "expired", actor: "o", setup: all(asked, days8), do: verify("9"), reason: Conflict},
		{name: "agreed before", actor: "o", setup: all(asked, said("9")), do: verify("9"), reason: Conflict},
		{name: "refused before", actor: "o", setup: all(asked, said("0")), do: verify("9"), reason: Conflict},
		{name: "joined and removed since", actor: "o", do: verify("9"), reason: Conflict,
			setup: all(asked, func(w *world) { w.join("b") }, removed)},
		{name: "joined since", actor: "o", setup: all(asked, func(w *world) { w.join("b") }), do: verify("9"), reason: Conflict},
		{name: "an invitation", actor: "o", setup: all(peopleOfG("1"), func(w *world) { w.invited("one", "o", "b") }), do: verify("9"), reason: NotFound},
		{name: "deleted group", actor: "o", setup: all(asked, deleted), do: verify("9"), reason: NotFound},
		{name: "unknown", actor: "o", setup: peopleOfG("1"), do: cmd(GroupVerify{ApplyGroupID: "?", ApplyState: "9"}), reason: NotFound},
	})
}

func TestUserVerify(t *testing.T) {
	verify := func(state string) func(*world) Command {
		return func(w *world) Command { return UserVerify{ApplyGroupID: w.id("one"), ApplyState: state, Note: "n"} }
	}
	verified := func(state string) func(*world) events.Body {
		return func(w *world) events.Body {
			return events.GroupInvitationVerified{GroupName: "G", Application: w.ids["one"], Inviter: "a", State: state, Note: "n"}
		}
	}
	invited := all(peopleOfG("0"), func(w *world) { w.invited("one", "a", "b") })
	byRole(t, invited, verify("9"), map[role]string{"o": Forbidden, "a": Forbidden, "m": Forbidden, "x": Forbidden}, nil)
	runRows(t, []row{
		{name: "agree", actor: "b", setup: invited, do: verify("9"), want: verified("9")},
		{name: "refuse", actor: "b", setup: invited, do: verify("0"), want: verified("0")},
		{name: "no answer", actor: "b", setup: invited, do: verify("x"), reason: BadRequest},
		{name: "expired", actor: "b", setup: all(invited, days8), do: verify("9"), reason: Conflict},
		{name: "verified before", actor: "b", do: verify("9"), reason: Conflict, setup: all(invited, func(w *world) {
			w.say("b", events.GroupStream("g"), verified("0")(w))
		})},
		{name: "joined since", actor: "b", setup: all(invited, func(w *world) { w.join("b") }), do: verify("9"), reason: Conflict},
		{name: "an application", actor: "o", setup: all(peopleOfG("1"), func(w *world) { w.askedIn("one", "b") }), do: verify("9"), reason: NotFound},
		{name: "deleted group", actor: "b", setup: all(invited, deleted), do: verify("9"), reason: NotFound},
		{name: "invited with the group", actor: "b", do: verify("9"), setup: func(w *world) {
			id := events.NewID("u|a", "a", "7").Derive("b")
			w.ids["one"] = id
			w.say("a", events.GroupStream("g"), events.GroupCreated{GroupName: "G", JoinMode: "0",
				Invitations: []events.Invitation{{ID: id, UserID: "b", ExpiresAt: w.later()}}})
		}, want: verified("9")},
	})
}

func TestRemoveUserGroup(t *testing.T) {
	remove := func(u string) func(*world) Command {
		return cmd(RemoveUserGroup{GroupID: "g", RemoveUserID: u, Note: "n"})
	}
	removes := func(u string) func(*world) events.Body {
		return body(events.GroupMemberRemoved{GroupName: "G", UserID: u, Note: "n"})
	}
	byRole(t, peopleOfG("1"), remove("n"), map[role]string{"o": "", "a": "", "m": Forbidden, "x": NotMember}, removes("n"))
	byRole(t, peopleOfG("1"), remove("o"), map[role]string{"o": Forbidden, "a": Forbidden, "m": Forbidden, "x": NotMember}, nil)
	byRole(t, peopleOfG("1"), remove("a"), map[role]string{"o": "", "a": Forbidden, "m": Forbidden, "x": NotMember}, removes("a"))
	byRole(t, peopleOfG("1"), remove("x"), map[role]string{"o": NotMember, "a": NotMember, "m": Forbidden, "x": NotMember}, nil)
	byRole(t, peopleOfG("1"), remove("z"), map[role]string{"o": NotFound, "a": NotFound, "m": NotFound, "x": NotFound}, nil)
	byRole(t, all(peopleOfG("1"), deleted), remove("n"), map[role]string{"o": NotFound, "a": NotFound, "m": NotFound, "x": NotFound}, nil)
	runRows(t, []row{{name: "another admin", actor: "a", do: remove("n"), reason: Forbidden,
		setup: all(peopleOfG("1"), func(w *world) { w.admin("o", "n") })}})
}

func TestQuitGroup(t *testing.T) {
	quit := cmd(QuitGroup{GroupID: "g"})
	event := body(events.GroupMemberQuit{GroupName: "G"})
	byRole(t, peopleOfG("1"), quit, map[role]string{"o": Forbidden, "a": "", "m": "", "x": NotMember}, event)
	byRole(t, all(peopleOfG("1"), deleted), quit, map[role]string{"o": NotFound, "a": NotFound, "m": NotFound, "x": NotFound}, event)
	runRows(t, []row{
		{name: "an owner alone", actor: "a", setup: func(w *world) { w.group("a", "1") }, do: quit, reason: Forbidden},
		{name: "no group", actor: "a", do: quit, reason: NotFound},
	})
}

func TestDeleteGroup(t *testing.T) {
	del := cmd(DeleteGroup{GroupID: "g", Note: "n"})
	event := body(events.GroupDeleted{GroupName: "G", Note: "n"})
	byRole(t, peopleOfG("1"), del, map[role]string{"o": "", "a": Forbidden, "m": Forbidden, "x": NotMember}, event)
	byRole(t, all(peopleOfG("1"), deleted), del, map[role]string{"o": NotFound, "a": NotFound, "m": NotFound, "x": NotFound}, event)
	runRows(t, []row{{name: "no group", actor: "a", do: del, reason: NotFound}})
}
