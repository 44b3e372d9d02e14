package commands

import (
	"time"

	"lishi/events"
)

// UpdateUser changes the actor's own nickname or avatar. What is not given stays
// as it is; an empty avatar takes it away.
//
// url /user/updateUser · event user.profileChanged · push 14 to own connections.
type UpdateUser struct {
	NickName string  `param:"nickName,name,optional"`
	Avatar   *string `param:"avatar,note,optional"`
}

// Stream implements Command.
func (c UpdateUser) Stream(_ Lookup, a Actor) (events.Stream, error) {
	if c.NickName == "" && c.Avatar == nil {
		return events.Stream{}, ErrBadRequest.With("give nickName or avatar")
	}
	return events.UserStream(a.ID), nil
}

// Decide implements Command.
func (c UpdateUser) Decide(s State, a Actor, _ time.Time) (events.Body, error) {
	u, ok := s.User(a.ID)
	if !ok {
		return nil, errUnknownUser
	}
	e := events.UserProfileChanged{NickName: u.NickName, Avatar: u.Avatar, FromToken: !u.NameSet}
	if c.NickName != "" {
		e.NickName, e.FromToken = c.NickName, false
	}
	if c.Avatar != nil {
		e.Avatar = *c.Avatar
	}
	return e, nil
}
