package commands

import (
	"time"

	"lishi/events"
)

const urlReadMessage = "/chat/readMessage"

// ReadMessage moves the read mark of a conversation forward, never back.
//
// url /chat/readMessage · event conversation.read in the reader's stream, or
// none where the mark is there already · push 13 to own connections and, one to
// one, to the peer.
type ReadMessage struct {
	UserID   string `param:"userId,id,optional"`  // one of the two
	GroupID  string `param:"groupId,id,optional"` // must be given
	Position string `param:"position,position"`
}

// Ordering implements Ordered.
func (ReadMessage) Ordering() events.Ordering { return events.ByMark }

// Stream implements Command.
func (c ReadMessage) Stream(_ Lookup, a Actor) (events.Stream, error) {
	switch {
	case (c.UserID == "") == (c.GroupID == ""):
		return events.Stream{}, ErrBadRequest.With("give either userId or groupId")
	case c.UserID == a.ID:
		return pairWith(a, c.UserID)
	}
	return events.UserStream(a.ID), nil
}

// Scope implements Scoped: the conversation.
func (c ReadMessage) Scope(_ events.Stream, a Actor) events.Stream { return c.conversation(a) }

// About implements About.
func (c ReadMessage) About() (events.Position, error) {
	return aboutMessage(c.Position)
}

func (c ReadMessage) conversation(a Actor) events.Stream {
	if c.GroupID != "" {
		return events.GroupStream(c.GroupID)
	}
	return events.PairStream(a.ID, c.UserID)
}

// Decide implements Command.
func (c ReadMessage) Decide(s State, a Actor, now time.Time) (events.Body, error) {
	conversation := c.conversation(a)
	if err := c.exists(s, conversation); err != nil {
		return nil, err
	}
	record, ok := s.Record()
	if !ok || record.Stream != conversation {
		return nil, errUnknownMessage
	}
	if err := c.belongs(s, conversation, a, now); err != nil {
		return nil, err
	}
	key := conversation.Key()
	if mark, ok := s.relations(events.UserStream(a.ID)).Mark(a.ID, key); ok && mark.Offset >= record.Position.Offset {
		return nil, nil
	}
	return events.ConversationRead{Conversation: key, Read: record.Position}, nil
}

func (c ReadMessage) exists(s State, conversation events.Stream) error {
	if c.GroupID != "" {
		_, err := s.group(conversation)
		return err
	}
	return s.knows(c.UserID)
}

func (c ReadMessage) belongs(s State, conversation events.Stream, a Actor, now time.Time) error {
	if c.GroupID != "" {
		st, _ := s.standing(conversation, a.ID)
		return groups.permit(urlReadMessage, st, always)
	}
	pair := s.relations(conversation).Pair(conversation)
	return pairs.permit(urlReadMessage, friendship(&pair, a.ID, now), s.friendsOnly())
}
