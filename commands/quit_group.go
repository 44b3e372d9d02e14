package commands

import (
	"time"

	"lishi/events"
)

// QuitGroup ends the actor's own membership. An owner transfers the group first,
// or deletes it.
//
// url /group/quitGroup · event group.memberQuit · push 11 to the members.
type QuitGroup struct {
	GroupID string `param:"groupId,id"`
}

// Stream implements Command.
func (c QuitGroup) Stream(Lookup, Actor) (events.Stream, error) {
	return events.GroupStream(c.GroupID), nil
}

// Decide implements Command.
func (c QuitGroup) Decide(s State, a Actor, _ time.Time) (events.Body, error) {
	stream := events.GroupStream(c.GroupID)
	group, err := s.group(stream)
	if err != nil {
		return nil, err
	}
	m, member := s.member(stream, a.ID)
	switch {
	case !member:
		return nil, ErrNotMember
	case m.Role == events.Owner:
		return nil, ErrForbidden.With("the owner can't quit: transfer the group first, or delete it")
	}
	return events.GroupMemberQuit{GroupName: group.Name}, nil
}
