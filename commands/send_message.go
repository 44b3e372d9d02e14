package commands

import (
	"time"

	"lishi/events"
)

// SendMessage sends a message to one person.
//
// url /chat/sendMessage · event message.sent in the pair's stream · push 1 to
// the receiver.
type SendMessage struct {
	ReceiveUserID string `param:"receiveUserId,id"`
	Content       string `param:"messageContent,content"`
	ContentType   string `param:"contentType,name,optional"`
	ReplyTo       string `param:"replyTo,id,optional"`
}

// Ordering implements Ordered.
func (SendMessage) Ordering() events.Ordering { return events.ByBasis }

// Stream implements Command.
func (c SendMessage) Stream(_ Lookup, a Actor) (events.Stream, error) {
	return pairWith(a, c.ReceiveUserID)
}

// Decide implements Command.
func (c SendMessage) Decide(s State, a Actor, _ time.Time) (events.Body, error) {
	if err := s.knows(c.ReceiveUserID); err != nil {
		return nil, err
	}
	stream := events.PairStream(a.ID, c.ReceiveUserID)
	pair := s.relations(stream).Pair(stream)
	switch {
	case pair.Blocked(a.ID) || pair.Blocked(c.ReceiveUserID):
		return nil, ErrBlocked
	case !pair.Friends && !s.policy.Strangers:
		return nil, ErrNotFriend
	}
	return events.MessageSent{
		Content: events.Content{Plain: c.Content}, ContentType: c.ContentType, ReplyTo: c.ReplyTo,
		Strangers: s.policy.Strangers,
	}, nil
}
