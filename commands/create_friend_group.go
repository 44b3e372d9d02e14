package commands

import (
	"time"

	"lishi/events"
)

// CreateFriendGroup makes a folder for the actor's friends. Names may repeat.
//
// url /friend/createFriendGroup · event folder.created, whose id is the folder's ·
// push 14 to own connections.
type CreateFriendGroup struct {
	FriendGroupName string `param:"friendGroupName,name"`
}

// Stream implements Command.
func (CreateFriendGroup) Stream(_ Lookup, a Actor) (events.Stream, error) {
	return events.UserStream(a.ID), nil
}

// Decide implements Command.
func (c CreateFriendGroup) Decide(s State, a Actor, _ time.Time) (events.Body, error) {
	u, ok := s.User(a.ID)
	if !ok {
		return nil, errUnknownUser
	}
	return events.FolderCreated{Name: c.FriendGroupName, Avatar: u.Avatar}, nil
}
