package commands

import (
	"time"

	"lishi/events"
)

const urlMuteMember = "/group/muteMember"

// MuteMember silences a member for some minutes from now on; 0 lifts it. Leaving
// and coming back does not.
//
// url /group/muteMember · event group.memberMuted · push 11 to the members.
type MuteMember struct {
	GroupID string `param:"groupId,id"`
	UserID  string `param:"userId,id"`
	Minutes int64  `param:"minutes,int" range:"0,5270400"`
}

// Stream implements Command.
func (c MuteMember) Stream(Lookup, Actor) (events.Stream, error) {
	if c.Minutes < 0 || c.Minutes > MaxMute {
		return events.Stream{}, ErrBadRequest.With("minutes must be 0, which lifts it, or more, and ten years at most")
	}
	return events.GroupStream(c.GroupID), nil
}

// Decide implements Command.
func (c MuteMember) Decide(s State, a Actor, now time.Time) (events.Body, error) {
	stream := events.GroupStream(c.GroupID)
	if _, err := s.group(stream); err != nil {
		return nil, err
	}
	if err := s.knows(c.UserID); err != nil {
		return nil, err
	}
	st, _ := s.standing(stream, a.ID)
	if err := groups.permit(urlMuteMember, st, always, s.of(stream, a, c.UserID)); err != nil {
		return nil, err
	}
	e := events.GroupMemberMuted{UserID: c.UserID}
	if c.Minutes > 0 {
		e.MutedUntil = now.Add(time.Duration(c.Minutes) * time.Minute).UnixMilli()
	}
	return e, nil
}
