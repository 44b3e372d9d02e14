package commands

import (
	"time"

	"lishi/events"
	"lishi/events/ledger"
)

const urlGroupVerify = "/group/groupVerify"

// GroupVerify answers an application for membership, by the group's owner or an
// admin.
//
// url /group/groupVerify · event group.applicationVerified · push 10 to the
// applicant; 11 to the members if agreed.
type GroupVerify struct {
	ApplyGroupID string `param:"applyGroupId,id"`
	ApplyState   string `param:"applyState,state" values:"0,9"`
	Note         string `param:"note,note,optional"`
}

// Stream implements Command.
func (c GroupVerify) Stream(l Lookup, _ Actor) (events.Stream, error) {
	if err := answer(c.ApplyState); err != nil {
		return events.Stream{}, err
	}
	a, err := c.application(l)
	return a.Stream, err
}

func (c GroupVerify) application(l Lookup) (ledger.Application, error) {
	return findApplication(l, c.ApplyGroupID, ledger.GroupApplication)
}

// Decide implements Command.
func (c GroupVerify) Decide(s State, a Actor, now time.Time) (events.Body, error) {
	app, err := c.application(s)
	if err != nil {
		return nil, err
	}
	group, err := s.group(app.Stream)
	if err != nil {
		return nil, err
	}
	st, _ := s.standing(app.Stream, a.ID)
	if err := groups.permit(urlGroupVerify, st, always); err != nil {
		return nil, err
	}
	if err := s.admissible(app, now); err != nil {
		return nil, because(groups.permit(urlGroupVerify, st, waitsNoLonger), err)
	}
	return events.GroupApplicationVerified{
		GroupName: group.Name, Application: app.ID, UserID: app.User, State: c.ApplyState, Note: c.Note,
	}, nil
}
