package commands

import (
	"fmt"
	"strings"
	"time"

	"lishi/events"
)

const urlSendGroupMessage = "/chat/sendGroupMessage"

// SendGroupMessage sends a message to everybody in a group.
//
// url /chat/sendGroupMessage · event message.sent in the group's stream · push 2
// to the members at its offset but the sender.
type SendGroupMessage struct {
	GroupID     string   `param:"groupId,id"`
	Content     string   `param:"messageContent,content"`
	ContentType string   `param:"contentType,name,optional"`
	ReplyTo     string   `param:"replyTo,position,optional"`
	AtUserIDs   []string `param:"atUserIds,ids,optional"`
}

// Ordering implements Ordered.
func (SendGroupMessage) Ordering() events.Ordering { return events.ByBasis }

// About implements About: the message that this one answers.
func (c SendGroupMessage) About() (events.Position, error) { return aboutReply(c.ReplyTo) }

// Stream implements Command.
func (c SendGroupMessage) Stream(Lookup, Actor) (events.Stream, error) {
	if n := len(c.AtUserIDs); n > MaxMentions {
		return events.Stream{}, ErrBadRequest.With(fmt.Sprintf("atUserIds: %d people, at most %d can be named", n, MaxMentions))
	}
	return events.GroupStream(c.GroupID), nil
}

// mentions refuses to name people who are no members.
func (c SendGroupMessage) mentions(s State, stream events.Stream) error {
	var strangers []string
	for _, u := range c.AtUserIDs {
		if _, ok := s.member(stream, u); !ok {
			strangers = append(strangers, u)
		}
	}
	if len(strangers) > 0 {
		return ErrBadRequest.With("atUserIds: no members of this group: " + strings.Join(strangers, ", "))
	}
	return nil
}

// Decide implements Command.
func (c SendGroupMessage) Decide(s State, a Actor, now time.Time) (events.Body, error) {
	stream := events.GroupStream(c.GroupID)
	if _, err := s.group(stream); err != nil {
		return nil, err
	}
	if err := s.knowsReply(c.ReplyTo, stream, a); err != nil {
		return nil, err
	}
	if _, err := s.mayWrite(urlSendGroupMessage, stream, a, now); err != nil {
		return nil, err
	}
	if err := s.sawReply(c.ReplyTo, stream, a); err != nil {
		return nil, err
	}
	if err := c.mentions(s, stream); err != nil {
		return nil, err
	}
	return events.MessageSent{
		Content: events.Content{Plain: c.Content}, ContentType: c.ContentType, ReplyTo: c.ReplyTo, AtUserIDs: c.AtUserIDs,
	}, nil
}
