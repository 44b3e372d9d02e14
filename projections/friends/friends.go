// Package friends is the read model of people: who is registered, who is
// friends with whom, in which folders, and who has applied.
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
func (Projection) Version() int { return 3 }

// Tables implements projections.Projection.
func (Projection) Tables() []projections.Table {
	return []projections.Table{
		{
			Name: "users",
			Fields: []projections.Field{
				{Name: "user", Type: "String"},
				{Name: "nickname", Type: "String"},
				{Name: "avatar", Type: "String"},
			},
			Key: []string{"user"},
		},
		{
			// Each friendship from both sides.
			Name: "friends",
			Fields: []projections.Field{
				{Name: "user", Type: "String"},
				{Name: "friend", Type: "String"},
				{Name: "friends", Type: "Bool"},
				{Name: "recorded", Type: "Int64"},
			},
			Key:         []string{"user", "friend"},
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
			Key:         []string{"user", "friend"},
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
			Key:         []string{"user", "other"},
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
			Key:         []string{"user", "folder"},
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
		rows.Row("users").Text(e.Stream.ID).Text(b.NickName).Text("")
	case events.UserProfileChanged:
		rows.Row("users").Text(e.Stream.ID).Text(b.NickName).Text(b.Avatar)
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
		// The applicant's own remark came with the application.
		theirs, _ := book.Relations(e.Stream).Application(b.Application)
		other := e.Stream.Other(e.Actor)
		friend(rows, e, true)
		view(rows, e, e.Actor, other, b.Remark, b.FriendGroupID)
		view(rows, e, other, e.Actor, theirs.Remark, theirs.FriendGroupID)
	case events.FriendRefused:
		verdict(rows, e, b.Application, events.Refused, b.Note)
	case events.FriendRemoved:
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
	rows.Row("friends").Text(e.Stream.ID).Text(e.Stream.Peer).Flag(are).Int(e.At.UnixMilli())
	rows.Row("friends").Text(e.Stream.Peer).Text(e.Stream.ID).Flag(are).Int(e.At.UnixMilli())
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
