package commands

import (
	"time"

	"lishi/events"
	"lishi/events/ledger"
)

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
	if _, err := s.chief(stream, a); err != nil {
		return nil, err
	}
	if _, member := s.member(stream, c.UserID); member {
		return nil, ErrConflict.With("that user is a member of this group already")
	}
	if w, ok := s.relations(stream).GroupApplication(stream, c.UserID); ok && waits(w, now) {
		if w.Kind == ledger.GroupApplication {
			return nil, ErrConflict.With("that user has applied to this group; verify the application")
		}
		return nil, ErrConflict.With("that user is invited already; the invitation waits to be verified")
	}
	return events.GroupInvited{GroupName: group.Name, UserID: c.UserID, Note: c.Note, ExpiresAt: s.expiresAt(now)}, nil
}
