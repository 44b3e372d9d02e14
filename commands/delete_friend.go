package commands

import (
	"time"

	"lishi/events"
)

// DeleteFriend ends a friendship for both.
//
// url /friend/deleteFriend · event friend.removed · push 6 to the removed.
type DeleteFriend struct {
	FriendID string `param:"friendId,id"` // the friend's user id
}

// Stream implements Command.
func (c DeleteFriend) Stream(_ Lookup, a Actor) (events.Stream, error) {
	return pairWith(a, c.FriendID)
}

// Decide implements Command.
func (c DeleteFriend) Decide(s State, a Actor, _ time.Time) (events.Body, error) {
	if err := s.knows(c.FriendID); err != nil {
		return nil, err
	}
	stream := events.PairStream(a.ID, c.FriendID)
	if !s.relations(stream).FriendsAt(stream, events.Now) {
		return nil, ErrNotFriend
	}
	return events.FriendRemoved{}, nil
}
