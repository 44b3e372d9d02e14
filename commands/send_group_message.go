package commands

import (
	"time"

	"lishi/events"
)

// SendGroupMessage sends a message to everybody in a group.
//
// url /chat/sendGroupMessage · event message.sent in the group's stream · push 2
// to the members at its offset but the sender.
type SendGroupMessage struct {
	GroupID     string   `param:"groupId,id"`
	Content     string   `param:"messageContent,content"`
	ContentType string   `param:"contentType,name,optional"`
	ReplyTo     string   `param:"replyTo,id,optional"`
	AtUserIDs   []string `param:"atUserIds,ids,optional"`
}

// Ordering implements Ordered.
func (SendGroupMessage) Ordering() events.Ordering { return events.ByBasis }

// Stream implements Command.
func (c SendGroupMessage) Stream(Lookup, Actor) (events.Stream, error) {
	return events.GroupStream(c.GroupID), nil
}

// Decide implements Command.
func (c SendGroupMessage) Decide(s State, a Actor, now time.Time) (events.Body, error) {
	stream := events.GroupStream(c.GroupID)
	if _, err := s.group(stream); err != nil {
		return nil, err
	}
	m, ok := s.member(stream, a.ID)
	switch {
	case !ok:
		return nil, ErrNotMember
	case m.MutedUntil > now.UnixMilli():
		return nil, ErrMuted
	}
	return events.MessageSent{
		Content: events.Content{Plain: c.Content}, ContentType: c.ContentType, ReplyTo: c.ReplyTo, AtUserIDs: c.AtUserIDs,
	}, nil
}
