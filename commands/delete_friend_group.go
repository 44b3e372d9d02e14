package commands

import (
	"time"

	"lishi/events"
)

// DeleteFriendGroup ends a folder; the friends in it are in the default one from
// then on, which nobody can delete.
//
// url /friend/deleteFriendGroup · event folder.deleted · push 14 to own
// connections.
type DeleteFriendGroup struct {
	FriendGroupID string `param:"friendGroupId,id"`
}

// Stream implements Command.
func (c DeleteFriendGroup) Stream(_ Lookup, a Actor) (events.Stream, error) {
	if c.FriendGroupID == events.DefaultFolder {
		return events.Stream{}, ErrForbidden.With("the default folder can't be deleted")
	}
	return events.UserStream(a.ID), nil
}

// Decide implements Command.
func (c DeleteFriendGroup) Decide(s State, a Actor, _ time.Time) (events.Body, error) {
	u, ok := s.User(a.ID)
	if !ok {
		return nil, errUnknownUser
	}
	if err := s.knowsFolder(a.ID, c.FriendGroupID); err != nil {
		return nil, err
	}
	id, err := events.ParseID(c.FriendGroupID)
	if err != nil {
		return nil, errUnknownFolder
	}
	return events.FolderDeleted{Folder: id, Avatar: u.Avatar}, nil
}
