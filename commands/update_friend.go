package commands

import (
	"time"

	"lishi/events"
)

const urlUpdateFriend = "/friend/updateFriend"

// UpdateFriend changes the actor's own view of a friend: the remark, the folder.
// What is not given stays as it is; an empty remark takes it away.
//
// url /friend/updateFriend · event friend.viewChanged in the pair's stream · push
// 14 to own connections.
type UpdateFriend struct {
	FriendID      string  `param:"friendId,id"` // the friend's user id
	Remark        *string `param:"remark,name,optional"`
	FriendGroupID string  `param:"friendGroupId,id,optional"`
}

// Stream implements Command.
func (c UpdateFriend) Stream(_ Lookup, a Actor) (events.Stream, error) {
	if c.Remark == nil && c.FriendGroupID == "" {
		return events.Stream{}, ErrBadRequest.With("give remark or friendGroupId")
	}
	return pairWith(a, c.FriendID)
}

// Decide implements Command.
func (c UpdateFriend) Decide(s State, a Actor, now time.Time) (events.Body, error) {
	if err := s.knows(c.FriendID); err != nil {
		return nil, err
	}
	if err := s.knowsFolder(a.ID, c.FriendGroupID); err != nil {
		return nil, err
	}
	stream := events.PairStream(a.ID, c.FriendID)
	pair := s.relations(stream).Pair(stream)
	if err := pairs.permit(urlUpdateFriend, friendship(&pair, a.ID, now), always); err != nil {
		return nil, err
	}
	u, _ := s.User(a.ID)
	view := pair.View(a.ID)
	e := events.FriendViewChanged{Remark: view.Remark, FriendGroupID: view.FriendGroupID, Avatar: u.Avatar}
	if c.Remark != nil {
		e.Remark = *c.Remark
	}
	if c.FriendGroupID != "" {
		e.FriendGroupID = c.FriendGroupID
	}
	return e, nil
}
