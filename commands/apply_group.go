package commands

import (
	"time"

	"lishi/events"
	"lishi/events/ledger"
)

// ApplyGroup asks to become a member of a group, and becomes one at once where
// the group is open.
//
// url /group/applyGroup · event group.applied, or group.joined · push 4 to owner
// and admins; 11 to the members.
type ApplyGroup struct {
	GroupID string `param:"groupId,id"`
	Note    string `param:"note,note,optional"`
}

// Stream implements Command.
func (c ApplyGroup) Stream(Lookup, Actor) (events.Stream, error) {
	return events.GroupStream(c.GroupID), nil
}

// Decide implements Command.
func (c ApplyGroup) Decide(s State, a Actor, now time.Time) (events.Body, error) {
	stream := events.GroupStream(c.GroupID)
	group, err := s.group(stream)
	if err != nil {
		return nil, err
	}
	if _, member := s.member(stream, a.ID); member {
		return nil, ErrConflict.With("you are a member of this group already")
	}
	switch group.JoinMode {
	case events.JoinOpen:
		return events.GroupJoined{GroupName: group.Name}, nil
	case events.JoinByInvitation:
		return nil, ErrForbidden.With("people join this group by invitation only")
	}
	if w, ok := s.relations(stream).GroupApplication(stream, a.ID); ok && waits(w, now) {
		if w.Kind == ledger.GroupInvitation {
			return nil, ErrConflict.With("you are invited to this group; verify the invitation")
		}
		return nil, ErrConflict.With("you have applied already; the application waits to be verified")
	}
	return events.GroupApplied{GroupName: group.Name, Note: c.Note, ExpiresAt: s.expiresAt(now)}, nil
}
