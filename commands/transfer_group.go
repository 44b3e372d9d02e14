package commands

import (
	"time"

	"lishi/events"
)

const urlTransferGroup = "/group/transferGroup"

// TransferGroup hands a group to one of its members; the old owner stays as an
// admin.
//
// url /group/transferGroup · event group.ownerChanged · push 11 to the members.
type TransferGroup struct {
	GroupID string `param:"groupId,id"`
	UserID  string `param:"userId,id"`
}

// Stream implements Command.
func (c TransferGroup) Stream(Lookup, Actor) (events.Stream, error) {
	return events.GroupStream(c.GroupID), nil
}

// Decide implements Command.
func (c TransferGroup) Decide(s State, a Actor, _ time.Time) (events.Body, error) {
	stream := events.GroupStream(c.GroupID)
	if _, err := s.group(stream); err != nil {
		return nil, err
	}
	if err := s.knows(c.UserID); err != nil {
		return nil, err
	}
	st, _ := s.standing(stream, a.ID)
	when := s.of(stream, a, c.UserID)
	if when == ofAdmin {
		when = always
	}
	if err := groups.permit(urlTransferGroup, st, always, when); err != nil {
		return nil, err
	}
	return events.GroupOwnerChanged{UserID: c.UserID}, nil
}
