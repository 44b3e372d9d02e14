// Package groups is the read model of groups: their facts, members and
// applications. What changes has a row for every change, told apart by its
// offset: the newest up to an offset is what was so then.
package groups

import (
	"lishi/events"
	"lishi/events/ledger"
	"lishi/projections"
)

// Name is the projection's.
const Name = "groups"

// Projection makes rows of group events. What a member is after an event, the
// ledger says, as of that event.
type Projection struct{}

// Name implements projections.Projection.
func (Projection) Name() string { return Name }

// Version implements projections.Projection.
func (Projection) Version() int { return 3 }

// Tables implements projections.Projection.
func (Projection) Tables() []projections.Table {
	member := []projections.Field{
		{Name: "group_id", Type: "String"},
		{Name: "user", Type: "String"},
		{Name: "role", Type: "LowCardinality(String)"}, // empty: no member any more
		{Name: "muted_until", Type: "Int64"},
		{Name: "joined", Type: "Int64"}, // offset of the joining event
		{Name: "recorded", Type: "Int64"},
	}
	return []projections.Table{
		{
			Name: "groups",
			Fields: []projections.Field{
				{Name: "group_id", Type: "String"},
				{Name: "name", Type: "String"},
				{Name: "img", Type: "String"},
				{Name: "notice", Type: "String"},
				{Name: "join_mode", Type: "LowCardinality(String)"},
				{Name: "creator", Type: "String"},
				{Name: "created", Type: "Int64"},
				{Name: "deleted", Type: "Bool"},
				{Name: "said", Type: "Int64"},
				{Name: "recorded", Type: "Int64"},
			},
			Key:         []string{"group_id", "offset"},
			Granularity: 512,
		},
		{
			Name: "group_members",
			Fields: append(member[:len(member):len(member)],
				projections.Field{Name: "said", Type: "Int64"},
				projections.Field{Name: "imported", Type: "Bool"},
				projections.Field{Name: "by", Type: "String"}, // who did it, and how: the event's type
				projections.Field{Name: "how", Type: "LowCardinality(String)"}),
			Key:         []string{"group_id", "user", "offset"},
			Granularity: 512,
		},
		{Name: "user_groups", Fields: member, Key: []string{"user", "group_id", "offset"}, Granularity: 512},
		{
			// Each application and invitation once for everybody who sees it: the
			// users ("u|id") and the group's owner and admins ("g|id").
			Name: "group_applications",
			Fields: []projections.Field{
				{Name: "audience", Type: "String"},
				{Name: "application", Type: "String"},
				{Name: "type", Type: "LowCardinality(String)"},
				{Name: "group_id", Type: "String"},
				{Name: "group_name", Type: "String"},
				{Name: "actor", Type: "String"}, // who applied or invited
				{Name: "actor_name", Type: "String"},
				{Name: "target", Type: "String"}, // who is to become a member
				{Name: "note", Type: "String"},
				{Name: "expires", Type: "Int64"},
				{Name: "said", Type: "Int64"},
				{Name: "recorded", Type: "Int64"},
			},
			Key:         []string{"audience", "application"},
			Granularity: 512,
		},
		{
			Name: "group_verdicts",
			Fields: []projections.Field{
				{Name: "application", Type: "String"},
				{Name: "state", Type: "LowCardinality(String)"},
				{Name: "by", Type: "String"},
				{Name: "note", Type: "String"},
				{Name: "said", Type: "Int64"},
			},
			Key:         []string{"application"},
			Granularity: 512,
		},
	}
}

// Values of applyType.
const (
	invitation  = "1"
	application = "2"
)

// Apply implements projections.Projection.
func (Projection) Apply(e events.Recorded, book *ledger.Book, rows *projections.Rows) {
	if e.Stream.Kind != events.Group {
		return
	}
	w := writer{e, book.Relations(e.Stream), rows}
	switch b := e.Body.(type) {
	case events.GroupCreated:
		w.facts(b.GroupName, b.GroupImg, "", b.JoinMode, false)
		w.member(e.Actor)
		for _, inv := range b.Invitations {
			w.asked(inv.ID, invitation, inv.UserID, b.GroupName, "", inv.ExpiresAt)
		}
	case events.GroupInfoChanged:
		w.facts(b.GroupName, b.GroupImg, b.Notice, b.JoinMode, false)
	case events.GroupApplied:
		w.asked(e.ID, application, e.Actor, b.GroupName, b.Note, b.ExpiresAt)
	case events.GroupInvited:
		w.asked(e.ID, invitation, b.UserID, b.GroupName, b.Note, b.ExpiresAt)
	case events.GroupJoined:
		w.member(e.Actor)
	case events.GroupApplicationVerified:
		w.verdict(b.Application, b.State, b.Note)
		w.member(b.UserID)
	case events.GroupInvitationVerified:
		w.verdict(b.Application, b.State, b.Note)
		w.member(e.Actor)
	case events.GroupMemberRemoved:
		w.member(b.UserID)
	case events.GroupMemberQuit:
		w.member(e.Actor)
	case events.GroupOwnerChanged:
		w.member(b.UserID)
		if e.Actor != b.UserID { // who was the owner
			w.member(e.Actor)
		}
	case events.GroupRoleChanged:
		w.member(b.UserID)
	case events.GroupMemberMuted:
		w.member(b.UserID)
	case events.GroupDeleted:
		g, _ := w.relations.Group(e.Stream) // nothing changes it any more
		w.facts(g.Name, g.Img, g.Notice, g.JoinMode, true)
		w.relations.Members(e.Stream, e.Position.Offset, func(user string, _ events.Role) bool {
			w.member(user)
			return true
		})
	}
}

// writer makes the rows of one event.
type writer struct {
	e         events.Recorded
	relations *ledger.Relations
	rows      *projections.Rows
}

func (w writer) facts(name, img, notice, joinMode string, deleted bool) {
	g, _ := w.relations.Group(w.e.Stream) // for what never changes
	w.rows.Row("groups").
		Text(w.e.Stream.ID).
		Text(name).
		Text(img).
		Text(notice).
		Text(joinMode).
		Text(g.Creator).
		Int(g.CreatedAt).
		Flag(deleted).
		Int(w.e.Time.UnixMilli()).
		Int(w.e.At.UnixMilli())
}

// member writes what a user is right after the event.
func (w writer) member(user string) {
	m, _ := w.relations.Member(w.e.Stream, user, w.e.Position.Offset+1)
	row := func(table string) *projections.Row {
		return w.rows.Row(table).
			Text(w.e.Stream.ID).
			Text(user).
			Text(m.Role.String()).
			Int(m.MutedUntil).
			Int(m.From).
			Int(w.e.At.UnixMilli())
	}
	row("group_members").Int(w.e.Time.UnixMilli()).Flag(w.e.Imported).Text(w.e.Actor).Text(w.e.Body.Type())
	row("user_groups")
}

func (w writer) asked(id events.ID, kind, target, groupName, note string, expires int64) {
	audiences := []string{"g|" + w.e.Stream.ID, "u|" + target}
	if w.e.Actor != target {
		audiences = append(audiences, "u|"+w.e.Actor)
	}
	for _, audience := range audiences {
		w.rows.Row("group_applications").
			Text(audience).
			Text(id.String()).
			Text(kind).
			Text(w.e.Stream.ID).
			Text(groupName).
			Text(w.e.Actor).
			Text(w.e.ActorName).
			Text(target).
			Text(note).
			Int(expires).
			Int(w.e.Time.UnixMilli()).
			Int(w.e.At.UnixMilli())
	}
}

func (w writer) verdict(id events.ID, state, note string) {
	w.rows.Row("group_verdicts").Text(id.String()).Text(state).Text(w.e.Actor).Text(note).Int(w.e.Time.UnixMilli())
}
