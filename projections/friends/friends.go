// Package friends is the read model of people: who is registered, who is
// friends with whom, and who has applied.
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

func (Projection) Name() string { return Name }

func (Projection) Version() int { return 1 }

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
				{Name: "remark", Type: "String"}, // the user's, for the friend
				{Name: "folder", Type: "String"}, // friendGroupId
				{Name: "recorded", Type: "Int64"},
			},
			Key:         []string{"user", "friend"},
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
		friend(rows, e, e.Actor, other, true, b.Remark, b.FriendGroupID)
		friend(rows, e, other, e.Actor, true, theirs.Remark, theirs.FriendGroupID)
	case events.FriendRefused:
		verdict(rows, e, b.Application, events.Refused, b.Note)
	case events.FriendRemoved:
		other := e.Stream.Other(e.Actor)
		friend(rows, e, e.Actor, other, false, "", "")
		friend(rows, e, other, e.Actor, false, "", "")
	}
}

func friend(rows *projections.Rows, e events.Recorded, user, other string, are bool, remark, folder string) {
	rows.Row("friends").Text(user).Text(other).Flag(are).Text(remark).Text(folder).Int(e.At.UnixMilli())
}

func verdict(rows *projections.Rows, e events.Recorded, application events.ID, state, note string) {
	if !application.IsZero() { // imported friendships have none
		rows.Row("friend_verdicts").Text(application.String()).Text(state).Text(note).Int(e.Time.UnixMilli())
	}
}
