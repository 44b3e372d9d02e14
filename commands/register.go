package commands

import (
	"time"

	"lishi/events"
)

// register makes a user exist, or takes over the name of a new token. No client
// sends it: it comes with a login or a user's first command.
//
// event user.registered, user.profileChanged, or none · push 14 to own
// connections where the name changed.
type register struct{}

// Stream implements Command.
func (register) Stream(_ Lookup, a Actor) (events.Stream, error) { return events.UserStream(a.ID), nil }

// Decide implements Command.
func (register) Decide(s State, a Actor, _ time.Time) (events.Body, error) {
	u, known := s.User(a.ID)
	switch {
	case !known:
		return events.UserRegistered{NickName: a.Name}, nil
	case a.Name == "" || u.NameSet || u.TokenName == a.Name:
		return nil, nil
	}
	return events.UserProfileChanged{NickName: a.Name, Avatar: u.Avatar, FromToken: true}, nil
}
