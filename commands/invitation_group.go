package commands

import (
	"time"

	"lishi/events"
	"lishi/events/ledger"
)

const urlInvitationGroup = "/group/invitationGroup"

// InvitationGroup invites a user, who need not be a friend, to a group.
//
// url /group/invitationGroup · event group.invited · push 5 to that user.
type InvitationGroup struct {
	GroupID string `param:"groupId,id"`
	UserID  string `param:"userId,id"`
	Note    string `param:"note,note,optional"`
}

// Stream implements Command.
func (c InvitationGroup) Stream(Lookup, Actor) (events.Stream, error) {
	return events.GroupStream(c.GroupID), nil
}

// Decide implements Command.
func (c InvitationGroup) Decide(s State, a Actor, now time.Time) (events.Body, error) {
	stream := events.GroupStream(c.GroupID)
	group, err := s.group(stream)
	if err != nil {
		return nil, err
	}
	if err := s.knows(c.UserID); err != nil {
		return nil, err
	}
	st, _ := s.standing(stream, a.ID)
	if err := groups.permit(urlInvitationGroup, st, always, c.target(s, stream, now)); err != nil {
		return nil, err
	}
	return events.GroupInvited{GroupName: group.Name, UserID: c.UserID, Note: c.Note, ExpiresAt: s.expiresAt(now)}, nil
}

// target is what the invited is to the group.
func (c InvitationGroup) target(s State, stream events.Stream, now time.Time) string {
	if _, is := s.member(stream, c.UserID); is {
		return ofMember
	}
	w, ok := s.pending(stream, c.UserID, now)
	switch {
	case !ok:
		return always
	case w.Kind == ledger.GroupApplication:
		return ofApplicant
	}
	return ofInvited
}
