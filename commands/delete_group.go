package commands

import (
	"time"

	"lishi/events"
)

const urlDeleteGroup = "/group/deleteGroup"

// DeleteGroup ends a group, by its owner. What is said stays readable for those
// who could read it.
//
// url /group/deleteGroup · event group.deleted, the last of its stream · push 7
// to every other member.
type DeleteGroup struct {
	GroupID string `param:"groupId,id"`
	Note    string `param:"note,note,optional"`
}

// Stream implements Command.
func (c DeleteGroup) Stream(Lookup, Actor) (events.Stream, error) {
	return events.GroupStream(c.GroupID), nil
}

// Decide implements Command.
func (c DeleteGroup) Decide(s State, a Actor, _ time.Time) (events.Body, error) {
	stream := events.GroupStream(c.GroupID)
	group, err := s.group(stream)
	if err != nil {
		return nil, err
	}
	st, _ := s.standing(stream, a.ID)
	if err := groups.permit(urlDeleteGroup, st, always); err != nil {
		return nil, err
	}
	return events.GroupDeleted{GroupName: group.Name, Note: c.Note}, nil
}
