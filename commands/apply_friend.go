package commands

import (
	"time"

	"lishi/events"
)

const urlApplyFriend = "/friend/applyFriend"

// ApplyFriend asks a user for friendship. Where that user has applied already,
// the two become friends at once.
//
// url /friend/applyFriend · event friend.applied, or friend.agreed (crossed) ·
// push 3 to that user; 9 to the earlier applicant.
type ApplyFriend struct {
	UserID        string `param:"userId,id"`
	Note          string `param:"note,note,optional"`
	Remark        string `param:"remark,name,optional"`
	FriendGroupID string `param:"friendGroupId,id,optional"`
}

// Stream implements Command.
func (c ApplyFriend) Stream(_ Lookup, a Actor) (events.Stream, error) { return pairWith(a, c.UserID) }

// Decide implements Command.
func (c ApplyFriend) Decide(s State, a Actor, now time.Time) (events.Body, error) {
	if err := s.knows(c.UserID); err != nil {
		return nil, err
	}
	if err := s.knowsFolder(a.ID, c.FriendGroupID); err != nil {
		return nil, err
	}
	stream := events.PairStream(a.ID, c.UserID)
	pair := s.relations(stream).Pair(stream)
	st := friendship(&pair, a.ID, now)
	if pair.Blocked(a.ID) || pair.Blocked(c.UserID) {
		return nil, pairs.permit(urlApplyFriend, st, blockedByOne)
	}
	if err := pairs.permit(urlApplyFriend, st, always); err != nil {
		if st == applied {
			err = ErrConflict.With("you have applied already; the application waits to be verified")
		}
		return nil, err
	}
	for _, w := range pair.Waiting {
		if waits(w, now) { // the other one's
			return events.FriendAgreed{
				Application: w.ID, Applicant: w.Actor, Note: c.Note, Remark: c.Remark, FriendGroupID: c.FriendGroupID, Crossed: true,
			}, nil
		}
	}
	return events.FriendApplied{
		Note: c.Note, Remark: c.Remark, FriendGroupID: c.FriendGroupID, ExpiresAt: s.expiresAt(now),
	}, nil
}
