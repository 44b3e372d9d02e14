package commands

import (
	"time"

	"lishi/events"
)

// RemoveUserGroup ends another one's membership: an owner anybody's, an admin
// that of plain members.
//
// url /group/removeUserGroup · event group.memberRemoved · push 7 to the removed,
// 11 to the members.
type RemoveUserGroup struct {
	GroupID      string `param:"groupId,id"`
	RemoveUserID string `param:"removeUserId,id"`
	Note         string `param:"note,note,optional"`
}

// Stream implements Command.
func (c RemoveUserGroup) Stream(Lookup, Actor) (events.Stream, error) {
	return events.GroupStream(c.GroupID), nil
}

// Decide implements Command.
func (c RemoveUserGroup) Decide(s State, a Actor, _ time.Time) (events.Body, error) {
	stream := events.GroupStream(c.GroupID)
	group, err := s.group(stream)
	if err != nil {
		return nil, err
	}
	if err := s.knows(c.RemoveUserID); err != nil {
		return nil, err
	}
	actor, err := s.chief(stream, a)
	if err != nil {
		return nil, err
	}
	target, member := s.member(stream, c.RemoveUserID)
	switch {
	case !member:
		return nil, ErrNotMember.With("that user is not a member of this group")
	case c.RemoveUserID == a.ID:
		return nil, ErrForbidden.With("nobody can remove himself; a member quits, an owner deletes the group or transfers it")
	case target.Role >= actor.Role:
		return nil, ErrForbidden.With("an admin can remove plain members only")
	}
	return events.GroupMemberRemoved{GroupName: group.Name, UserID: c.RemoveUserID, Note: c.Note}, nil
}
