package commands

import (
	"time"

	"lishi/events"
)

const urlRecallMessage = "/chat/recallMessage"

// RecallMessage takes a message back: its sender for a while after it was said
// (Policy.RecallWindow), a group's owner and admins at any time.
//
// url /chat/recallMessage · event message.recalled in the conversation's stream ·
// push 12 to who could see the message and still belongs.
type RecallMessage struct {
	Position string `param:"position,position"`
}

// Ordering implements Ordered.
func (RecallMessage) Ordering() events.Ordering { return events.ByBasis }

// About implements About.
func (c RecallMessage) About() (events.Position, error) { return aboutMessage(c.Position) }

// Stream implements Command.
func (c RecallMessage) Stream(l Lookup, a Actor) (events.Stream, error) { return messageStream(l, a) }

// Decide implements Command.
func (c RecallMessage) Decide(s State, a Actor, now time.Time) (events.Body, error) {
	r, st, err := s.changeable(urlRecallMessage, a, now)
	if err != nil {
		return nil, err
	}
	m, recalled := matrixOf(r.Stream), s.recalled(r.Position)
	switch {
	case r.Actor != a.ID:
		err = m.permit(urlRecallMessage, st, anothersMessage)
	case now.Sub(r.Time) > s.policy.RecallWindow && !recalled:
		err = m.permit(urlRecallMessage, st, recallOver)
	}
	if err == nil && recalled {
		err = m.permit(urlRecallMessage, st, messageRecalled)
	}
	if err != nil {
		return nil, err
	}
	return events.MessageRecalled{Message: r.Position, Sender: r.Actor, Strangers: s.strangersIn(r.Stream)}, nil
}
