package commands

import (
	"time"

	"lishi/events"
	"lishi/events/ledger"
)

const urlApplyGroup = "/group/applyGroup"

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
	st, _ := s.standing(stream, a.ID)
	if err := groups.permit(urlApplyGroup, st, letsIn(group)); err != nil {
		return nil, err
	}
	if group.JoinMode == events.JoinOpen {
		return events.GroupJoined{GroupName: group.Name}, nil
	}
	if w, ok := s.pending(stream, a.ID, now); ok {
		when := hasApplied
		if w.Kind == ledger.GroupInvitation {
			when = isInvited
		}
		return nil, groups.permit(urlApplyGroup, st, when)
	}
	return events.GroupApplied{GroupName: group.Name, Note: c.Note, ExpiresAt: s.expiresAt(now)}, nil
}

// letsIn is the condition that a group's joinMode stands for.
func letsIn(g ledger.Group) string {
	switch g.JoinMode {
	case events.JoinOpen:
		return openGroup
	case events.JoinByInvitation:
		return byInvitation
	}
	return byApplication
}
