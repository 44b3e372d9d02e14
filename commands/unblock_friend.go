package commands

import (
	"time"

	"lishi/events"
)

const urlUnblockFriend = "/friend/unblockFriend"

// UnblockFriend takes the actor's own block back; that of the other one stays.
//
// url /friend/unblockFriend · event friend.unblocked · no push.
type UnblockFriend struct {
	UserID string `param:"userId,id"`
}

// Stream implements Command.
func (c UnblockFriend) Stream(_ Lookup, a Actor) (events.Stream, error) {
	return pairWith(a, c.UserID)
}

// Decide implements Command.
func (c UnblockFriend) Decide(s State, a Actor, now time.Time) (events.Body, error) {
	if err := s.knows(c.UserID); err != nil {
		return nil, err
	}
	stream := events.PairStream(a.ID, c.UserID)
	pair := s.relations(stream).Pair(stream)
	when := always
	if !pair.Blocked(a.ID) {
		when = hasNotBlocked
	}
	if err := pairs.permit(urlUnblockFriend, friendship(&pair, a.ID, now), when); err != nil {
		return nil, err
	}
	return events.FriendUnblocked{}, nil
}
