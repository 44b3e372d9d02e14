package ws

import (
	"lishi/events"
	"lishi/events/ledger"
)

// quietAbove is the size of a group from which nobody is told who joins and who
// leaves: each would cost as many frames as there are members.
const quietAbove = 1000

func routeGroup(e *events.Recorded, r *ledger.Relations, yield func(Audience, *Frame) bool) {
	switch b := e.Body.(type) {
	case events.MessageSent:
		// The sender is a member at the offset too: own connections get the same.
		yield(Audience{Group: e.Stream}, push("2", e,
			text("sendUserId", e.Actor),
			hole("receiveUserId"),
			text("messageContent", b.Content.Plain),
			date("receiveDate", e.Time),
			text("groupId", e.Stream.ID),
			ident("messageId", e.ID),
			text("sendNickName", e.ActorName),
			optional("contentType", b.ContentType),
			optional("replyTo", b.ReplyTo),
			optionalTexts("atUserIds", b.AtUserIDs),
		))
	case events.MessageEdited:
		change(e, b.Message, edited(e, b, text("groupId", e.Stream.ID)), yield)
	case events.MessageRecalled:
		change(e, b.Message, recalled(e, b, text("groupId", e.Stream.ID)), yield)
	case events.GroupCreated:
		for _, i := range b.Invitations {
			if !yield(to(i.UserID), invited(e, i.ID, i.UserID, b.GroupName, "")) {
				return
			}
		}
		yield(own(e.Actor), changed(e, "created", e.Actor))
	case events.GroupInvited:
		f := invited(e, e.ID, b.UserID, b.GroupName, b.Note)
		if yield(to(b.UserID), f) {
			yield(own(e.Actor), f)
		}
	case events.GroupApplied:
		f := push("4", e,
			ident("applyGroupId", e.ID),
			text("applyUserId", e.Actor),
			text("applyNickName", e.ActorName),
			date("applyDate", e.Time),
			text("note", b.Note),
			text("groupId", e.Stream.ID),
			text("groupName", b.GroupName),
		)
		for _, admin := range r.Admins(e.Stream, e.Position.Offset) {
			if !yield(to(admin), f) {
				return
			}
		}
	case events.GroupJoined:
		movement(e, r, "joined", e.Actor, yield)
	case events.GroupApplicationVerified:
		routeVerified(e, r, b.UserID, b.UserID, b.Application, b.GroupName, b.State, b.Note, yield)
	case events.GroupInvitationVerified:
		routeVerified(e, r, b.Inviter, e.Actor, b.Application, b.GroupName, b.State, b.Note, yield)
	case events.GroupMemberRemoved:
		f := push("7", e, append(ended(e, b.Note, b.GroupName), text("targetUserId", b.UserID))...)
		if yield(to(b.UserID), f) && yield(own(e.Actor), f) {
			yield(others(e), changed(e, "removed", b.UserID))
		}
	case events.GroupMemberQuit:
		movement(e, r, "quit", e.Actor, yield)
	case events.GroupInfoChanged:
		all(e, changed(e, "info", e.Actor), yield)
	case events.GroupOwnerChanged:
		all(e, changed(e, "owner", b.UserID), yield)
	case events.GroupRoleChanged:
		all(e, changed(e, "role", b.UserID), yield)
	case events.GroupMemberMuted:
		all(e, changed(e, "muted", b.UserID), yield)
	case events.GroupDeleted:
		all(e, push("7", e, ended(e, b.Note, b.GroupName)...), yield)
	}
}

// change tells the acting user, and the members who could see the message.
func change(e *events.Recorded, message events.Position, f *Frame, yield func(Audience, *Frame) bool) {
	if yield(to(e.Actor), f) {
		yield(Audience{Group: e.Stream, Except: e.Actor, Saw: message.Offset}, f)
	}
}

func others(e *events.Recorded) Audience { return Audience{Group: e.Stream, Except: e.Actor} }

// all tells every member, the acting user only where the login asked for it.
func all(e *events.Recorded, f *Frame, yield func(Audience, *Frame) bool) {
	if yield(own(e.Actor), f) {
		yield(others(e), f)
	}
}

// movement is all, but silent in a large group.
func movement(e *events.Recorded, r *ledger.Relations, change, user string, yield func(Audience, *Frame) bool) {
	if r.Count(e.Stream, e.Position.Offset) <= quietAbove {
		all(e, changed(e, change, user), yield)
	}
}

func changed(e *events.Recorded, change, user string) *Frame {
	return push("11", e,
		text("groupId", e.Stream.ID),
		text("change", change),
		text("userId", user),
		text("operatorUserId", e.Actor),
		date("date", e.Time),
	)
}

func invited(e *events.Recorded, id events.ID, user, groupName, note string) *Frame {
	return push("5", e,
		ident("applyGroupId", id),
		text("applyUserId", e.Actor),
		text("applyNickName", e.ActorName),
		date("applyDate", e.Time),
		text("note", note),
		text("groupId", e.Stream.ID),
		text("groupName", groupName),
		text("targetUserId", user),
	)
}

// ended are 7's fields, of a removal and of a group's end alike.
func ended(e *events.Recorded, note, groupName string) []field {
	return []field{
		text("applyUserId", e.Actor),
		text("applyNickName", e.ActorName),
		date("applyDate", e.Time),
		text("note", note),
		text("groupId", e.Stream.ID),
		text("groupName", groupName),
	}
}

// routeVerified tells the one who asked, the verifying user's own connections,
// and, where somebody joined by it, the other members.
func routeVerified(e *events.Recorded, r *ledger.Relations, asked, joins string, id events.ID, groupName, state, note string,
	yield func(Audience, *Frame) bool) {
	f := push("10", e,
		ident("applyGroupId", id),
		text("groupId", e.Stream.ID),
		text("groupName", groupName),
		text("applyState", state),
		date("verifyDate", e.Time),
		text("verifyUserId", e.Actor),
		text("note", note),
		text("targetUserId", asked),
	)
	if !yield(to(asked), f) || !yield(to(e.Actor), f) || state != events.Agreed {
		return
	}
	if r.Count(e.Stream, e.Position.Offset) <= quietAbove {
		yield(others(e), changed(e, "joined", joins))
	}
}
