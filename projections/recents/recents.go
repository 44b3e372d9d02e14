// Package recents is the read model of a user's conversations: which there are,
// what was said last, and how far it was read.
package recents

import (
	"lishi/events"
	"lishi/events/ledger"
	"lishi/projections"
)

// Name is the projection's.
const Name = "recents"

// Projection makes rows of messages, read marks, and of what begins a
// conversation for somebody.
type Projection struct{}

// Name implements projections.Projection.
func (Projection) Name() string { return Name }

// Version implements projections.Projection.
func (Projection) Version() int { return 1 }

// Tables implements projections.Projection.
func (Projection) Tables() []projections.Table {
	return []projections.Table{
		{
			// Every conversation that a user ever was in.
			Name: "conversations",
			Fields: []projections.Field{
				{Name: "user", Type: "String"},
				{Name: "conversation", Type: "String"},
			},
			Key:         []string{"user", "conversation"},
			Granularity: 512,
		},
		{
			Name: "last_messages",
			Fields: []projections.Field{
				{Name: "conversation", Type: "String"},
				{Name: "sender", Type: "String"},
				{Name: "content", Type: "String"},
				{Name: "said", Type: "Int64"},
				{Name: "recorded", Type: "Int64"},
			},
			Key:         []string{"conversation"},
			Granularity: 256,
		},
		{
			Name: "read_marks",
			Fields: []projections.Field{
				{Name: "user", Type: "String"},
				{Name: "conversation", Type: "String"},
				{Name: "read", Type: "String"}, // a position
				{Name: "recorded", Type: "Int64"},
			},
			Key:         []string{"user", "conversation"},
			Granularity: 512,
		},
	}
}

// Apply implements projections.Projection.
func (Projection) Apply(e events.Recorded, _ *ledger.Book, rows *projections.Rows) {
	begins := func(users ...string) {
		for _, user := range users {
			rows.Row("conversations").Text(user).Key(e.Stream)
		}
	}
	switch b := e.Body.(type) {
	case events.MessageSent:
		rows.Row("last_messages").
			Key(e.Stream).
			Text(e.Actor).
			Text(b.Content.Plain).
			Int(e.Time.UnixMilli()).
			Int(e.At.UnixMilli())
		if b.Strangers { // friends have begun already
			begins(e.Actor, e.Stream.Other(e.Actor))
		}
	case events.FriendAgreed:
		begins(e.Actor, e.Stream.Other(e.Actor))
	case events.GroupCreated, events.GroupJoined:
		begins(e.Actor)
	case events.GroupApplicationVerified:
		if b.State == events.Agreed {
			begins(b.UserID)
		}
	case events.GroupInvitationVerified:
		if b.State == events.Agreed {
			begins(e.Actor)
		}
	case events.ConversationRead:
		rows.Row("read_marks").Text(e.Actor).Text(b.Conversation).Text(b.Read.String()).Int(e.At.UnixMilli())
	}
}
