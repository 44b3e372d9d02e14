package commands

import (
	"time"

	"lishi/events"
	"lishi/events/ledger"
)

const urlUserVerify = "/group/userVerify"

// UserVerify answers an invitation to a group, by the invited.
//
// url /group/userVerify · event group.invitationVerified · push 10 to the
// inviter; 11 to the members if agreed.
type UserVerify struct {
	ApplyGroupID string `param:"applyGroupId,id"`
	ApplyState   string `param:"applyState,state" values:"0,9"`
	Note         string `param:"note,note,optional"`
}

// Stream implements Command.
func (c UserVerify) Stream(l Lookup, _ Actor) (events.Stream, error) {
	if err := answer(c.ApplyState); err != nil {
		return events.Stream{}, err
	}
	a, err := c.application(l)
	return a.Stream, err
}

func (c UserVerify) application(l Lookup) (ledger.Application, error) {
	return findApplication(l, c.ApplyGroupID, ledger.GroupInvitation)
}

// Decide implements Command.
func (c UserVerify) Decide(s State, a Actor, now time.Time) (events.Body, error) {
	app, err := c.application(s)
	if err != nil {
		return nil, err
	}
	group, err := s.group(app.Stream)
	if err != nil {
		return nil, err
	}
	st, _ := s.standing(app.Stream, a.ID)
	if app.User != a.ID {
		return nil, groups.permit(urlUserVerify, st, anothersInvite)
	}
	if err := s.admissible(app, now); err != nil {
		return nil, because(groups.permit(urlUserVerify, st, waitsNoLonger), err)
	}
	if err := groups.permit(urlUserVerify, st, always); err != nil {
		return nil, err
	}
	return events.GroupInvitationVerified{
		GroupName: group.Name, Application: app.ID, Inviter: app.Actor, State: c.ApplyState, Note: c.Note,
	}, nil
}
