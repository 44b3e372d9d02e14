package ledger

import (
	"slices"

	"lishi/events"
)

// oracle judges by looking through the whole log again for every record: slow,
// without any index, and written from the rules alone.
type oracle struct {
	width    int64
	records  []events.Recorded
	verdicts []Verdict
}

func (o *oracle) admit(r events.Recorded) Verdict {
	v := o.judge(r)
	o.records = append(o.records, r)
	o.verdicts = append(o.verdicts, v)
	return v
}

// valid are the bodies of the stream's valid records with their actors, oldest first.
func (o *oracle) valid(s events.Stream, each func(r events.Recorded)) {
	for i, r := range o.records {
		if o.verdicts[i] == Valid && r.Stream == s {
			each(r)
		}
	}
}

func (o *oracle) judge(r events.Recorded) Verdict {
	switch r.Body.(type) {
	case events.Foreign:
		return NotLishi
	case events.LogOpened:
		if r.Position.Offset == 0 {
			return Valid
		}
		return Reopened
	case events.ConversationRead:
		return o.judgeMark(r)
	case events.MessageSent, events.MessageEdited, events.MessageRecalled:
		return o.judgeMessage(r)
	}
	revision, head, ended := uint64(0), events.ID{}, false
	o.valid(r.Stream, func(e events.Recorded) {
		if e.Revision > 0 {
			revision, head = e.Revision, e.ID
		}
		if _, ok := e.Body.(events.GroupDeleted); ok {
			ended = true
		}
	})
	switch {
	case ended:
		return Ended
	case r.Revision == revision+1 && r.Prev == head:
		return Valid
	}
	return Stale
}

func (o *oracle) judgeMark(r events.Recorded) Verdict {
	b, v := r.Body.(events.ConversationRead), Valid
	o.valid(r.Stream, func(e events.Recorded) {
		if m, ok := e.Body.(events.ConversationRead); ok && m.Conversation == b.Conversation {
			if m.Read.Partition != b.Read.Partition || m.Read.Offset >= b.Read.Offset {
				v = NotGreater
			}
		}
	})
	return v
}

func (o *oracle) judgeMessage(r events.Recorded) Verdict {
	offset := r.Position.Offset
	if offset-r.Basis > o.width {
		return Late
	}
	for i := max(0, offset-o.width); i < offset; i++ {
		if o.records[i].ID == r.ID && !slices.Contains([]Verdict{Late, NotLishi, Reopened}, o.verdicts[i]) {
			return Repeat
		}
	}
	if v := o.relation(r); v != Valid {
		return v
	}
	var message events.Position
	sender := r.Actor
	switch b := r.Body.(type) {
	case events.MessageSent:
		return Valid
	case events.MessageEdited:
		message = b.Message
	case events.MessageRecalled:
		message, sender = b.Message, b.Sender
	}
	for i, e := range o.records {
		if b, ok := e.Body.(events.MessageRecalled); ok && o.verdicts[i] == Valid && b.Message == message {
			return Recalled
		}
	}
	if sender != r.Actor && (r.Stream.Kind != events.Group || o.roles(r.Stream)[r.Actor] < events.Admin) {
		return Forbidden
	}
	return Valid
}

func (o *oracle) relation(r events.Recorded) Verdict {
	if r.Stream.Kind == events.Pair {
		friends, blocks := false, map[string]bool{}
		o.valid(r.Stream, func(e events.Recorded) {
			switch e.Body.(type) {
			case events.FriendAgreed:
				friends = true
			case events.FriendRemoved:
				friends = false
			case events.FriendBlocked:
				blocks[e.Actor] = true
			case events.FriendUnblocked:
				blocks[e.Actor] = false
			}
		})
		sent, _ := r.Body.(events.MessageSent)
		switch {
		case !friends && !sent.Strangers, r.Actor != r.Stream.ID && r.Actor != r.Stream.Peer:
			return NotFriend
		case blocks[r.Stream.ID] || blocks[r.Stream.Peer]:
			return Blocked
		}
		return Valid
	}
	ended, muted := false, int64(0)
	o.valid(r.Stream, func(e events.Recorded) {
		switch b := e.Body.(type) {
		case events.GroupDeleted:
			ended = true
		case events.GroupMemberMuted:
			if b.UserID == r.Actor && o.roleBefore(e, b.UserID) != events.NoRole {
				muted = b.MutedUntil
			}
		}
	})
	switch {
	case ended:
		return Ended
	case o.roles(r.Stream)[r.Actor] == events.NoRole:
		return NotMember
	case muted > r.At.UnixMilli():
		return Muted
	}
	return Valid
}

// roleBefore is a user's role just before a record.
func (o *oracle) roleBefore(r events.Recorded, user string) events.Role {
	before := oracle{records: o.records[:r.Position.Offset], verdicts: o.verdicts[:r.Position.Offset]}
	return before.roles(r.Stream)[user]
}

// roles are those of a group's members after everything admitted. Before it is
// created nobody is a member of it.
func (o *oracle) roles(s events.Stream) map[string]events.Role {
	roles, exists := map[string]events.Role{}, false
	join := func(user string) {
		if roles[user] == events.NoRole {
			roles[user] = events.Member
		}
	}
	o.valid(s, func(r events.Recorded) {
		if _, ok := r.Body.(events.GroupCreated); ok && !exists {
			exists, roles[r.Actor] = true, events.Owner
		}
		if !exists {
			return
		}
		switch b := r.Body.(type) {
		case events.GroupJoined:
			join(r.Actor)
		case events.GroupApplicationVerified:
			if b.State == events.Agreed {
				join(b.UserID)
			}
		case events.GroupInvitationVerified:
			if b.State == events.Agreed {
				join(r.Actor)
			}
		case events.GroupMemberRemoved:
			delete(roles, b.UserID)
		case events.GroupMemberQuit:
			delete(roles, r.Actor)
		case events.GroupRoleChanged:
			if roles[b.UserID] == events.Member || roles[b.UserID] == events.Admin {
				roles[b.UserID] = b.Role
			}
		case events.GroupOwnerChanged:
			if roles[b.UserID] == events.Member || roles[b.UserID] == events.Admin {
				for user, role := range roles {
					if role == events.Owner {
						roles[user] = events.Admin
					}
				}
				roles[b.UserID] = events.Owner
			}
		}
	})
	return roles
}
