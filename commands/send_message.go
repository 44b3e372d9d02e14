package commands

import (
	"time"

	"lishi/events"
)

const urlSendMessage = "/chat/sendMessage"

// SendMessage sends a message to one person.
//
// url /chat/sendMessage · event message.sent in the pair's stream · push 1 to
// the receiver.
type SendMessage struct {
	ReceiveUserID string `param:"receiveUserId,id"`
	Content       string `param:"messageContent,content"`
	ContentType   string `param:"contentType,name,optional"`
	ReplyTo       string `param:"replyTo,position,optional"`
}

// Ordering implements Ordered.
func (SendMessage) Ordering() events.Ordering { return events.ByBasis }

// About implements About: the message that this one answers.
func (c SendMessage) About() (events.Position, error) { return aboutReply(c.ReplyTo) }

// Stream implements Command.
func (c SendMessage) Stream(_ Lookup, a Actor) (events.Stream, error) {
	return pairWith(a, c.ReceiveUserID)
}

// Decide implements Command.
func (c SendMessage) Decide(s State, a Actor, now time.Time) (events.Body, error) {
	if err := s.knows(c.ReceiveUserID); err != nil {
		return nil, err
	}
	stream := events.PairStream(a.ID, c.ReceiveUserID)
	if err := s.knowsReply(c.ReplyTo, stream, a); err != nil {
		return nil, err
	}
	if _, err := s.mayWrite(urlSendMessage, stream, a, now); err != nil {
		return nil, err
	}
	return events.MessageSent{
		Content: events.Content{Plain: c.Content}, ContentType: c.ContentType, ReplyTo: c.ReplyTo,
		Strangers: s.policy.Strangers,
	}, nil
}
