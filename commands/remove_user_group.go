package commands

import (
	"time"

	"lishi/events"
)

const urlRemoveUserGroup = "/group/removeUserGroup"

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
	st, _ := s.standing(stream, a.ID)
	if err := groups.permit(urlRemoveUserGroup, st, always, s.of(stream, a, c.RemoveUserID)); err != nil {
		return nil, err
	}
	return events.GroupMemberRemoved{GroupName: group.Name, UserID: c.RemoveUserID, Note: c.Note}, nil
}
