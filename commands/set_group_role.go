package commands

import (
	"time"

	"lishi/events"
)

const urlSetGroupRole = "/group/setGroupRole"

// SetGroupRole makes a member an admin, or an admin a member.
//
// url /group/setGroupRole · event group.roleChanged · push 11 to the members.
type SetGroupRole struct {
	GroupID string `param:"groupId,id"`
	UserID  string `param:"userId,id"`
	Role    string `param:"role,state" values:"1,5"`
}

// Stream implements Command.
func (c SetGroupRole) Stream(Lookup, Actor) (events.Stream, error) {
	if c.Role != events.Member.String() && c.Role != events.Admin.String() {
		return events.Stream{}, ErrBadRequest.With(`role must be "1" (member) or "5" (admin); an owner is made by transferGroup`)
	}
	return events.GroupStream(c.GroupID), nil
}

// Decide implements Command.
func (c SetGroupRole) Decide(s State, a Actor, _ time.Time) (events.Body, error) {
	stream := events.GroupStream(c.GroupID)
	if _, err := s.group(stream); err != nil {
		return nil, err
	}
	if err := s.knows(c.UserID); err != nil {
		return nil, err
	}
	st, _ := s.standing(stream, a.ID)
	when := s.of(stream, a, c.UserID)
	if m, ok := s.member(stream, c.UserID); ok && m.Role.String() == c.Role {
		when = roleAlready
	} else if when == ofAdmin {
		when = always
	}
	if err := groups.permit(urlSetGroupRole, st, always, when); err != nil {
		return nil, err
	}
	return events.GroupRoleChanged{UserID: c.UserID, Role: events.Role(c.Role[0])}, nil
}
