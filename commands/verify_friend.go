package commands

import (
	"time"

	"lishi/events"
	"lishi/events/ledger"
)

const urlVerifyFriend = "/friend/verifyFriend"

// VerifyFriend answers an application for friendship, by the one asked.
//
// url /friend/verifyFriend · event friend.agreed or friend.refused · push 9 to
// the applicant.
type VerifyFriend struct {
	ApplyFriendID string `param:"applyFriendId,id"`
	ApplyState    string `param:"applyState,state" values:"0,9"`
	Note          string `param:"note,note,optional"`
	FriendGroupID string `param:"friendGroupId,id,optional"`
}

// Stream implements Command.
func (c VerifyFriend) Stream(l Lookup, _ Actor) (events.Stream, error) {
	if err := answer(c.ApplyState); err != nil {
		return events.Stream{}, err
	}
	a, err := c.application(l)
	return a.Stream, err
}

func (c VerifyFriend) application(l Lookup) (ledger.Application, error) {
	return findApplication(l, c.ApplyFriendID, ledger.FriendApplication)
}

// Decide implements Command.
func (c VerifyFriend) Decide(s State, a Actor, now time.Time) (events.Body, error) {
	app, err := c.application(s)
	if err != nil {
		return nil, err
	}
	if err := s.knowsFolder(a.ID, c.FriendGroupID); err != nil {
		return nil, err
	}
	pair := s.relations(app.Stream).Pair(app.Stream)
	st := friendship(&pair, a.ID, now)
	if app.User != a.ID {
		return nil, pairs.permit(urlVerifyFriend, st, notAsked)
	}
	if err := verifiable(app, now, pair.Intervals); err != nil && !pair.Friends {
		return nil, because(pairs.permit(urlVerifyFriend, st, waitsNoLonger), err)
	}
	if err := pairs.permit(urlVerifyFriend, st, always); err != nil {
		return nil, err
	}
	if c.ApplyState == events.Agreed && (pair.Blocked(app.Actor) || pair.Blocked(app.User)) {
		return nil, pairs.permit(urlVerifyFriend, st, agreeingBlocked)
	}
	if c.ApplyState == events.Refused {
		return events.FriendRefused{Application: app.ID, Applicant: app.Actor, Note: c.Note}, nil
	}
	return events.FriendAgreed{
		Application: app.ID, Applicant: app.Actor, Note: c.Note, FriendGroupID: c.FriendGroupID,
	}, nil
}
