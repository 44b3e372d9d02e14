package commands

import (
	"time"

	"lishi/events"
)

const urlDeleteFriend = "/friend/deleteFriend"

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
func (c DeleteFriend) Decide(s State, a Actor, now time.Time) (events.Body, error) {
	if err := s.knows(c.FriendID); err != nil {
		return nil, err
	}
	stream := events.PairStream(a.ID, c.FriendID)
	pair := s.relations(stream).Pair(stream)
	if err := pairs.permit(urlDeleteFriend, friendship(&pair, a.ID, now), always); err != nil {
		return nil, err
	}
	return events.FriendRemoved{}, nil
}
