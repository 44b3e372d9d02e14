package commands

import (
	"time"

	"lishi/events"
)

const urlEditMessage = "/chat/editMessage"

// EditMessage gives a message another text, by its sender. Every version stays in
// the log; the message keeps its position.
//
// url /chat/editMessage · event message.edited in the conversation's stream ·
// push 12 to who could see the message and still belongs.
type EditMessage struct {
	Position string `param:"position,position"`
	Content  string `param:"messageContent,content"`
}

// Ordering implements Ordered.
func (EditMessage) Ordering() events.Ordering { return events.ByBasis }

// About implements About.
func (c EditMessage) About() (events.Position, error) { return aboutMessage(c.Position) }

// Stream implements Command.
func (c EditMessage) Stream(l Lookup, a Actor) (events.Stream, error) { return messageStream(l, a) }

// Decide implements Command.
func (c EditMessage) Decide(s State, a Actor, now time.Time) (events.Body, error) {
	r, st, err := s.changeable(urlEditMessage, a, now)
	if err != nil {
		return nil, err
	}
	m := matrixOf(r.Stream)
	if r.Actor != a.ID {
		if err := m.permit(urlEditMessage, st, anothersMessage); err != nil {
			return nil, err
		}
	}
	if s.recalled(r.Position) {
		if err := m.permit(urlEditMessage, st, messageRecalled); err != nil {
			return nil, err
		}
	}
	return events.MessageEdited{
		Message: r.Position, Content: events.Content{Plain: c.Content}, Strangers: s.strangersIn(r.Stream),
	}, nil
}
