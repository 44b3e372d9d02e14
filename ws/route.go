package ws

import (
	"iter"

	"lishi/events"
	"lishi/events/ledger"
)

// Audience says whom a frame is for: one user, or the members of a group at the
// event's offset.
type Audience struct {
	User   string
	Group  events.Stream // where User is empty
	Except string        // not this member
	Saw    int64         // only those who were members at this offset as well; 0: no matter
	// Own: it tells the acting user of their own act with a frame that a client of
	// the seed would take for another's; only connections whose login asked for
	// such frames get it.
	Own bool
}

// Route says who is told what of an admitted event, the most specific first: a
// user gets the first frame whose audience names them, and no other. It is a
// function of the log alone; relations are asked as of the event's offset, so
// that live delivery, a resume and an auditor come to the same answer, whenever
// they ask. Imported events are told to nobody.
//
// See the tables of commands and pushes in docs/protocol.md.
func Route(e *events.Recorded, book *ledger.Book) iter.Seq2[Audience, *Frame] {
	return func(yield func(Audience, *Frame) bool) {
		if e.Imported {
			return
		}
		switch e.Stream.Kind {
		case events.Pair:
			routePair(e, yield)
		case events.Group:
			routeGroup(e, book.Relations(e.Stream), yield)
		case events.User:
			routeUser(e, yield)
		}
	}
}

func to(user string) Audience  { return Audience{User: user} }
func own(user string) Audience { return Audience{User: user, Own: true} }

func routePair(e *events.Recorded, yield func(Audience, *Frame) bool) {
	other := e.Stream.Other(e.Actor)
	both := func(first string, f *Frame, second Audience) {
		if yield(to(first), f) {
			yield(second, f)
		}
	}
	switch b := e.Body.(type) {
	case events.MessageSent:
		both(other, push("1", e,
			text("sendUserId", e.Actor),
			text("receiveUserId", other),
			text("messageContent", b.Content.Plain),
			date("receiveDate", e.Time),
			ident("messageId", e.ID),
			text("sendNickName", e.ActorName),
			optional("contentType", b.ContentType),
			optional("replyTo", b.ReplyTo),
		), to(e.Actor))
	case events.FriendApplied:
		both(other, push("3", e,
			ident("applyFriendId", e.ID),
			text("applyUserId", e.Actor),
			text("applyNickName", e.ActorName),
			text("note", b.Note),
			date("applyDate", e.Time),
			text("targetUserId", other),
		), own(e.Actor))
	case events.FriendAgreed:
		both(b.Applicant, verified(e, b.Application, events.Agreed, b.Applicant, b.Note), to(e.Actor))
	case events.FriendRefused:
		both(b.Applicant, verified(e, b.Application, events.Refused, b.Applicant, b.Note), to(e.Actor))
	case events.FriendRemoved:
		both(other, push("6", e,
			text("applyUserId", e.Actor),
			text("applyNickName", e.ActorName),
			date("applyDate", e.Time),
			text("targetUserId", other),
		), own(e.Actor))
	case events.FriendViewChanged:
		yield(to(e.Actor), push("14", e,
			text("userId", e.Actor),
			text("nickName", e.ActorName),
			text("avatar", b.Avatar),
			text("change", "friend"),
			text("friendId", other),
			text("remark", b.Remark),
			text("friendGroupId", b.FriendGroupID),
		))
	case events.MessageEdited:
		both(other, edited(e, b, text("receiveUserId", other)), to(e.Actor))
	case events.MessageRecalled:
		both(other, recalled(e, b, text("receiveUserId", e.Stream.Other(b.Sender))), to(e.Actor))
	}
}

// edited and recalled say where the message went: receiveUserId or groupId.
func edited(e *events.Recorded, b events.MessageEdited, where field) *Frame {
	return push("12", e,
		text("change", "edited"),
		text("messagePosition", b.Message.String()),
		text("messageContent", b.Content.Plain),
		text("sendUserId", e.Actor),
		where,
		text("operatorUserId", e.Actor),
		date("date", e.Time),
	)
}

func recalled(e *events.Recorded, b events.MessageRecalled, where field) *Frame {
	return push("12", e,
		text("change", "recalled"),
		text("messagePosition", b.Message.String()),
		text("sendUserId", b.Sender),
		where,
		text("operatorUserId", e.Actor),
		date("date", e.Time),
	)
}

func verified(e *events.Recorded, application events.ID, state, applicant, note string) *Frame {
	return push("9", e,
		ident("applyFriendId", application),
		text("applyState", state),
		date("verifyDate", e.Time),
		text("verifyUserId", e.Actor),
		text("verifyUserNickName", e.ActorName),
		text("note", note),
		text("targetUserId", applicant),
	)
}

func routeUser(e *events.Recorded, yield func(Audience, *Frame) bool) {
	switch b := e.Body.(type) {
	case events.UserRegistered:
		yield(to(e.Actor), profile(e, b.NickName, ""))
	case events.UserProfileChanged:
		yield(to(e.Actor), profile(e, b.NickName, b.Avatar))
	case events.FolderCreated:
		yield(to(e.Actor), folder(e, b.Avatar, e.ID, optional("friendGroupName", b.Name)))
	case events.FolderDeleted:
		yield(to(e.Actor), folder(e, b.Avatar, b.Folder, field{}))
	case events.ConversationRead:
		routeRead(e, b, yield)
	}
}

// folder is 14 where it tells of folders: with the name where one was made.
func folder(e *events.Recorded, avatar string, id events.ID, name field) *Frame {
	return push("14", e,
		text("userId", e.Actor), text("nickName", e.ActorName), text("avatar", avatar),
		text("change", "folders"), ident("friendGroupId", id), name,
	)
}

func profile(e *events.Recorded, nickName, avatar string) *Frame {
	return push("14", e, text("userId", e.Actor), text("nickName", nickName), text("avatar", avatar))
}

// routeRead tells own connections and, one to one, the peer.
func routeRead(e *events.Recorded, b events.ConversationRead, yield func(Audience, *Frame) bool) {
	conversation, err := events.ParseKey(b.Conversation)
	if err != nil {
		return
	}
	read := text("readPosition", b.Read.String())
	if conversation.Kind == events.Group {
		yield(to(e.Actor), push("13", e, text("userId", e.Actor), text("groupId", conversation.ID), read, date("date", e.Time)))
		return
	}
	peer := conversation.Other(e.Actor)
	f := push("13", e, text("userId", e.Actor), text("peerUserId", peer), read, date("date", e.Time))
	if yield(to(e.Actor), f) {
		yield(to(peer), f)
	}
}

// FeedAudiences names those who are told of an event as the feed's rows do:
// "u|id" for a user, "g|id" for the members of a group, both as keys of streams.
func FeedAudiences(e events.Recorded, book *ledger.Book) []string {
	var keys []string
	for a := range Route(&e, book) {
		if a.User != "" {
			keys = append(keys, events.UserStream(a.User).Key())
		} else {
			keys = append(keys, a.Group.Key())
		}
	}
	return keys
}

// names tells whether a user belongs to the audience of the event at an offset.
func (a *Audience) names(user string, at int64, book *ledger.Book) bool {
	if a.User != "" {
		return a.User == user
	}
	if a.Except == user {
		return false
	}
	r := book.Relations(a.Group)
	_, member := r.Member(a.Group, user, at)
	return member && a.saw(user, r)
}

// saw tells whether a user was a member already when what the event is about
// was said.
func (a *Audience) saw(user string, r *ledger.Relations) bool {
	if a.Saw == 0 {
		return true
	}
	_, was := r.Member(a.Group, user, a.Saw)
	return was
}

// frameFor is the one frame that a user's connection gets of an event; nil if
// there is none.
func frameFor(user string, wantsOwn bool, e *events.Recorded, book *ledger.Book) *Frame {
	for a, f := range Route(e, book) {
		if !a.names(user, e.Position.Offset, book) {
			continue
		}
		if a.Own && !wantsOwn {
			return nil
		}
		return f
	}
	return nil
}
