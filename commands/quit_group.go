package commands

import (
	"time"

	"lishi/events"
)

const urlQuitGroup = "/group/quitGroup"

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
	st, _ := s.standing(stream, a.ID)
	if err := groups.permit(urlQuitGroup, st, always); err != nil {
		return nil, err
	}
	return events.GroupMemberQuit{GroupName: group.Name}, nil
}
