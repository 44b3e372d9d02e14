package commands

import (
	"testing"
	"time"

	"lishi/events"
)

func some(s string) *string { return &s }

func TestBlocks(t *testing.T) {
	blockB, unblockB := cmd(BlockFriend{UserID: "b"}), cmd(UnblockFriend{UserID: "b"})
	runRows(t, []row{
		{name: "a stranger", actor: "a", do: blockB, want: body(events.FriendBlocked{})},
		{name: "a friend", actor: "a", setup: friends, do: blockB, want: body(events.FriendBlocked{})},
		{name: "back", actor: "a", setup: block("b", "a"), do: blockB, want: body(events.FriendBlocked{})},
		{name: "twice", actor: "a", setup: block("a", "b"), do: blockB, reason: Conflict},
		{name: "oneself", actor: "a", do: cmd(BlockFriend{UserID: "a"}), reason: BadRequest},
		{name: "nobody", actor: "a", do: cmd(BlockFriend{UserID: "x"}), reason: NotFound},
		{name: "lift", actor: "a", setup: block("a", "b"), do: unblockB, want: body(events.FriendUnblocked{})},
		{name: "lift the other's", actor: "a", setup: block("b", "a"), do: unblockB, reason: Conflict},
		{name: "lift nothing", actor: "a", do: unblockB, reason: Conflict},
		{name: "lift from nobody", actor: "a", do: cmd(UnblockFriend{UserID: "x"}), reason: NotFound},
		{name: "lift from oneself", actor: "a", do: cmd(UnblockFriend{UserID: "a"}), reason: BadRequest},
		{name: "a refusal needs no unblocking", actor: "a", setup: all(bApplied, block("a", "b")),
			do: func(w *world) Command { return VerifyFriend{ApplyFriendID: w.id("one"), ApplyState: "0"} },
			want: func(w *world) events.Body {
				return events.FriendRefused{Application: w.ids["one"], Applicant: "b"}
			}},
	})
}

func TestFoldersOfFriends(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.say("a", events.UserStream("a"), events.UserProfileChanged{NickName: "A", Avatar: "p"})
	work := w.folder("a")
	want := func(actor string, c Command, reason string, b events.Body) {
		t.Helper()
		got, err := w.decide(Policy{}, actor, c, nil)
		check(t, w, got, err, reason, func(*world) events.Body { return b })
	}
	id, _ := events.ParseID(work)
	want("a", CreateFriendGroup{FriendGroupName: "f"}, "", events.FolderCreated{Name: "f", Avatar: "p"})
	want("a", DeleteFriendGroup{FriendGroupID: work}, "", events.FolderDeleted{Folder: id, Avatar: "p"})
	want("b", DeleteFriendGroup{FriendGroupID: work}, NotFound, nil)
	want("a", DeleteFriendGroup{FriendGroupID: "none"}, NotFound, nil)
	want("a", DeleteFriendGroup{FriendGroupID: events.DefaultFolder}, Forbidden, nil)

	want("a", ApplyFriend{UserID: "b", FriendGroupID: "none"}, NotFound, nil)
	want("b", ApplyFriend{UserID: "a", FriendGroupID: work}, NotFound, nil)
	want("a", ApplyFriend{UserID: "b", FriendGroupID: work}, "", events.FriendApplied{FriendGroupID: work, ExpiresAt: w.later()})
	w.applied("one", "b", "a")
	want("a", VerifyFriend{ApplyFriendID: w.id("one"), ApplyState: "9", FriendGroupID: "none"}, NotFound, nil)

	want("a", UpdateFriend{FriendID: "b", Remark: some("B")}, NotFriend, nil)
	w.say("a", pairAB, events.FriendAgreed{Application: w.ids["one"], Applicant: "b", Remark: "B", FriendGroupID: work})
	want("a", UpdateFriend{FriendID: "b", Remark: some("BB")}, "", events.FriendViewChanged{Remark: "BB", FriendGroupID: work, Avatar: "p"})
	want("a", UpdateFriend{FriendID: "b", Remark: some("")}, "", events.FriendViewChanged{FriendGroupID: work, Avatar: "p"})
	want("a", UpdateFriend{FriendID: "b", FriendGroupID: "0"}, "", events.FriendViewChanged{Remark: "B", FriendGroupID: "0", Avatar: "p"})
	want("b", UpdateFriend{FriendID: "a", Remark: some("A")}, "", events.FriendViewChanged{Remark: "A"})
	want("b", UpdateFriend{FriendID: "a", FriendGroupID: work}, NotFound, nil)
	want("a", UpdateFriend{FriendID: "b"}, BadRequest, nil)
	want("a", UpdateFriend{FriendID: "a", Remark: some("me")}, BadRequest, nil)
	want("a", UpdateFriend{FriendID: "x", Remark: some("B")}, NotFound, nil)

	w.say("a", events.UserStream("a"), events.FolderDeleted{Folder: id})
	want("a", DeleteFriendGroup{FriendGroupID: work}, NotFound, nil)
	want("a", UpdateFriend{FriendID: "b", FriendGroupID: work}, NotFound, nil)
}

func TestUpdateGroup(t *testing.T) {
	info := func(w *world) {
		w.say("o", groupG, events.GroupInfoChanged{GroupName: "G", GroupImg: "i", Notice: "n", JoinMode: "1"})
	}
	group := all(peopleOfG("1"), info)
	update := func(c UpdateGroup) func(*world) Command {
		c.GroupID = "g"
		return cmd(c)
	}
	runRows(t, []row{
		{name: "name", actor: "a", setup: group, do: update(UpdateGroup{GroupName: "H"}), want: body(events.GroupInfoChanged{GroupName: "H", GroupImg: "i", Notice: "n", JoinMode: "1"})},
		{name: "notice", actor: "a", setup: group, do: update(UpdateGroup{Notice: some("m")}), want: body(events.GroupInfoChanged{GroupName: "G", GroupImg: "i", Notice: "m", JoinMode: "1"})},
		{name: "no notice, no picture", actor: "o", setup: group, do: update(UpdateGroup{Notice: some(""), GroupImg: some("")}), want: body(events.GroupInfoChanged{GroupName: "G", JoinMode: "1"})},
		{name: "who is let in", actor: "o", setup: group, do: update(UpdateGroup{JoinMode: "0"}), want: body(events.GroupInfoChanged{GroupName: "G", GroupImg: "i", Notice: "n", JoinMode: "0"})},
		{name: "nothing", actor: "o", setup: group, do: update(UpdateGroup{}), reason: BadRequest},
		{name: "no joinMode", actor: "o", setup: group, do: update(UpdateGroup{JoinMode: "2"}), reason: BadRequest},
		{name: "no group", actor: "a", do: update(UpdateGroup{GroupName: "H"}), reason: NotFound},
	})
}

func TestAdministration(t *testing.T) {
	role := func(user, role string) func(*world) Command {
		return cmd(SetGroupRole{GroupID: "g", UserID: user, Role: role})
	}
	mute := func(user string, minutes int64) func(*world) Command {
		return cmd(MuteMember{GroupID: "g", UserID: user, Minutes: minutes})
	}
	group := peopleOfG("1")
	runRows(t, []row{
		{name: "transfer", actor: "o", setup: group, do: cmd(TransferGroup{GroupID: "g", UserID: "m"}), want: body(events.GroupOwnerChanged{UserID: "m"})},
		{name: "transfer to nobody", actor: "o", setup: group, do: cmd(TransferGroup{GroupID: "g", UserID: "z"}), reason: NotFound},
		{name: "the old owner may not", actor: "o", setup: all(group, func(w *world) {
			w.say("o", groupG, events.GroupOwnerChanged{UserID: "m"})
		}), do: role("n", "5"), reason: Forbidden},
		{name: "an admin made", actor: "o", setup: group, do: role("m", "5"), want: body(events.GroupRoleChanged{UserID: "m", Role: events.Admin})},
		{name: "an admin no more", actor: "o", setup: group, do: role("a", "1"), want: body(events.GroupRoleChanged{UserID: "a", Role: events.Member})},
		{name: "an owner made", actor: "o", setup: group, do: role("m", "9"), reason: BadRequest},
		{name: "no role", actor: "o", setup: group, do: role("m", "x"), reason: BadRequest},
		{name: "a role for nobody", actor: "o", setup: group, do: role("z", "5"), reason: NotFound},
		{name: "muted", actor: "a", setup: group, do: mute("m", 5), want: func(w *world) events.Body {
			return events.GroupMemberMuted{UserID: "m", MutedUntil: w.now.Add(5 * time.Minute).UnixMilli()}
		}},
		{name: "lifted", actor: "a", setup: group, do: mute("m", 0), want: body(events.GroupMemberMuted{UserID: "m"})},
		{name: "muted for ever", actor: "a", setup: group, do: mute("m", MaxMute+1), reason: BadRequest},
		{name: "muted backwards", actor: "a", setup: group, do: mute("m", -1), reason: BadRequest},
		{name: "nobody muted", actor: "a", setup: group, do: mute("z", 5), reason: NotFound},
	})
}
