// Package friends is the read model of people: who is registered, who is
// friends with whom, in which folders, and who has applied.
//
// What changes has a row for every change, told apart by its offset: the newest
// up to an offset is what was so then.
package friends

import (
	"lishi/events"
	"lishi/events/ledger"
	"lishi/projections"
)

// Name is the projection's.
const Name = "friends"

// Projection makes rows of user and friendship events.
type Projection struct{}

// Name implements projections.Projection.
func (Projection) Name() string { return Name }

// Version implements projections.Projection.
func (Projection) Version() int { return 5 }

// Tables implements projections.Projection.
func (Projection) Tables() []projections.Table {
	return []projections.Table{
		{
			Name: "users",
			Fields: []projections.Field{
				{Name: "user", Type: "String"},
				{Name: "nickname", Type: "String"},
				{Name: "avatar", Type: "String"},
				{Name: "named", Type: "Bool"}, // by the user; from then on a token's name counts no more
				{Name: "said", Type: "Int64"},
				{Name: "recorded", Type: "Int64"},
			},
			Key:         []string{"user", "offset"},
			Granularity: 512,
		},
		{
			// Each friendship from both sides.
			Name: "friends",
			Fields: []projections.Field{
				{Name: "user", Type: "String"},
				{Name: "friend", Type: "String"},
				{Name: "friends", Type: "Bool"},
				{Name: "said", Type: "Int64"},
				{Name: "recorded", Type: "Int64"},
				{Name: "imported", Type: "Bool"},
				{Name: "by", Type: "String"}, // who did it, and how: the event's type
				{Name: "how", Type: "LowCardinality(String)"},
			},
			Key:         []string{"user", "friend", "offset"},
			Granularity: 512,
		},
		{
			// What each keeps of the other; empty once they are no friends.
			Name: "friend_views",
			Fields: []projections.Field{
				{Name: "user", Type: "String"},
				{Name: "friend", Type: "String"},
				{Name: "remark", Type: "String"},
				{Name: "folder", Type: "String"}, // one that was deleted means the default one
				{Name: "recorded", Type: "Int64"},
			},
			Key:         []string{"user", "friend", "offset"},
			Granularity: 512,
		},
		{
			// Whom each has blocked, friend or not.
			Name: "blocks",
			Fields: []projections.Field{
				{Name: "user", Type: "String"},
				{Name: "other", Type: "String"},
				{Name: "blocked", Type: "Bool"},
				{Name: "recorded", Type: "Int64"},
			},
			Key:         []string{"user", "other", "offset"},
			Granularity: 512,
		},
		{
			Name: "folders",
			Fields: []projections.Field{
				{Name: "user", Type: "String"},
				{Name: "folder", Type: "String"}, // friendGroupId
				{Name: "name", Type: "String"},
				{Name: "deleted", Type: "Bool"}, // then the name is empty
				{Name: "recorded", Type: "Int64"},
			},
			Key:         []string{"user", "folder", "offset"},
			Granularity: 512,
		},
		{
			// Each application from both sides.
			Name: "friend_applications",
			Fields: []projections.Field{
				{Name: "user", Type: "String"},
				{Name: "application", Type: "String"},
				{Name: "applicant", Type: "String"},
				{Name: "applicant_name", Type: "String"}, // as it was then
				{Name: "receiver", Type: "String"},
				{Name: "note", Type: "String"},
				{Name: "expires", Type: "Int64"},
				{Name: "said", Type: "Int64"},
				{Name: "recorded", Type: "Int64"},
			},
			Key:         []string{"user", "application"},
			Granularity: 512,
		},
		{
			Name: "friend_verdicts",
			Fields: []projections.Field{
				{Name: "application", Type: "String"},
				{Name: "state", Type: "LowCardinality(String)"},
				{Name: "note", Type: "String"},
				{Name: "said", Type: "Int64"},
			},
			Key:         []string{"application"},
			Granularity: 512,
		},
	}
}

// Apply implements projections.Projection.
func (Projection) Apply(e events.Recorded, book *ledger.Book, rows *projections.Rows) {
	switch b := e.Body.(type) {
	case events.UserRegistered:
		profile(rows, e, b.NickName, "", false)
	case events.UserProfileChanged:
		profile(rows, e, b.NickName, b.Avatar, !b.FromToken)
	case events.FriendApplied:
		other := e.Stream.Other(e.Actor)
		for _, user := range []string{e.Actor, other} {
			rows.Row("friend_applications").
				Text(user).
				Text(e.ID.String()).
				Text(e.Actor).
				Text(e.ActorName).
				Text(other).
				Text(b.Note).
				Int(b.ExpiresAt).
				Int(e.Time.UnixMilli()).
				Int(e.At.UnixMilli())
		}
	case events.FriendAgreed:
		verdict(rows, e, b.Application, events.Agreed, b.Note)
		if book.Relations(e.Stream).FriendsAt(e.Stream, e.Position.Offset) {
			return // they agree once more: nothing changes
		}
		// The applicant's own remark came with the application.
		theirs, _ := book.Relations(e.Stream).Application(b.Application)
		other := e.Stream.Other(e.Actor)
		friend(rows, e, true)
		view(rows, e, e.Actor, other, b.Remark, b.FriendGroupID)
		view(rows, e, other, e.Actor, theirs.Remark, theirs.FriendGroupID)
	case events.FriendRefused:
		verdict(rows, e, b.Application, events.Refused, b.Note)
	case events.FriendRemoved:
		if !book.Relations(e.Stream).FriendsAt(e.Stream, e.Position.Offset) {
			return
		}
		other := e.Stream.Other(e.Actor)
		friend(rows, e, false)
		view(rows, e, e.Actor, other, "", "")
		view(rows, e, other, e.Actor, "", "")
	case events.FriendViewChanged:
		if book.Relations(e.Stream).FriendsAt(e.Stream, e.Position.Offset) { // else it says nothing
			view(rows, e, e.Actor, e.Stream.Other(e.Actor), b.Remark, b.FriendGroupID)
		}
	case events.FriendBlocked:
		block(rows, e, true)
	case events.FriendUnblocked:
		block(rows, e, false)
	case events.FolderCreated:
		folder(rows, e, e.ID, b.Name, false)
	case events.FolderDeleted:
		folder(rows, e, b.Folder, "", true)
	}
}

// friend says from both sides whether the pair are friends.
func friend(rows *projections.Rows, e events.Recorded, are bool) {
	row := func(user, other string) {
		rows.Row("friends").Text(user).Text(other).Flag(are).Int(e.Time.UnixMilli()).Int(e.At.UnixMilli()).Flag(e.Imported).Text(e.Actor).Text(e.Body.Type())
	}
	row(e.Stream.ID, e.Stream.Peer)
	row(e.Stream.Peer, e.Stream.ID)
}

func profile(rows *projections.Rows, e events.Recorded, name, avatar string, named bool) {
	rows.Row("users").Text(e.Stream.ID).Text(name).Text(avatar).Flag(named).Int(e.Time.UnixMilli()).Int(e.At.UnixMilli())
}

func view(rows *projections.Rows, e events.Recorded, user, other, remark, folder string) {
	rows.Row("friend_views").Text(user).Text(other).Text(remark).Text(folder).Int(e.At.UnixMilli())
}

func block(rows *projections.Rows, e events.Recorded, blocked bool) {
	rows.Row("blocks").Text(e.Actor).Text(e.Stream.Other(e.Actor)).Flag(blocked).Int(e.At.UnixMilli())
}

func folder(rows *projections.Rows, e events.Recorded, id events.ID, name string, deleted bool) {
	rows.Row("folders").Text(e.Stream.ID).Text(id.String()).Text(name).Flag(deleted).Int(e.At.UnixMilli())
}

func verdict(rows *projections.Rows, e events.Recorded, application events.ID, state, note string) {
	if !application.IsZero() { // imported friendships have none
		rows.Row("friend_verdicts").Text(application.String()).Text(state).Text(note).Int(e.Time.UnixMilli())
	}
}
