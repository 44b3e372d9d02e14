package commands

import (
	"time"

	"lishi/events"
)

const urlBlockFriend = "/friend/blockFriend"

// BlockFriend stops everything that another user could send to the actor, and the
// other way round. It ends no friendship.
//
// url /friend/blockFriend · event friend.blocked · no push.
type BlockFriend struct {
	UserID string `param:"userId,id"`
}

// Stream implements Command.
func (c BlockFriend) Stream(_ Lookup, a Actor) (events.Stream, error) { return pairWith(a, c.UserID) }

// Decide implements Command.
func (c BlockFriend) Decide(s State, a Actor, now time.Time) (events.Body, error) {
	if err := s.knows(c.UserID); err != nil {
		return nil, err
	}
	stream := events.PairStream(a.ID, c.UserID)
	pair := s.relations(stream).Pair(stream)
	when := always
	if pair.Blocked(a.ID) {
		when = hasBlocked
	}
	if err := pairs.permit(urlBlockFriend, friendship(&pair, a.ID, now), when); err != nil {
		return nil, err
	}
	return events.FriendBlocked{}, nil
}
