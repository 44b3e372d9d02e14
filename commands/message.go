package commands

import (
	"time"

	"lishi/events"
)

// mayWrite refuses whoever may not write to a conversation now. The other one of
// a pair is known already: messages have been said.
func (s State) mayWrite(url string, stream events.Stream, a Actor, now time.Time) (standing, error) {
	if stream.Kind == events.Group {
		if _, err := s.group(stream); err != nil {
			return outsider, err
		}
		st, m := s.standing(stream, a.ID)
		if err := groups.permit(url, st, always); err != nil {
			return st, err
		}
		if m.MutedUntil > now.UnixMilli() {
			return st, groups.permit(url, st, actorMuted)
		}
		return st, nil
	}
	pair := s.relations(stream).PairNow(stream)
	st := friendship(&pair, a.ID, now)
	if pair.Blocked(stream.ID) || pair.Blocked(stream.Peer) {
		return st, pairs.permit(url, st, blockedByOne)
	}
	return st, pairs.permit(url, st, s.friendsOnly())
}

// friendsOnly is which of the two rows the deployment has chosen.
func (s State) friendsOnly() string {
	if s.policy.Strangers {
		return strangersAllowed
	}
	return friendshipNeeded
}

// messageStream is the conversation of the message that a command is about. Of a
// pair's messages nobody else learns that they exist.
func messageStream(l Lookup, a Actor) (events.Stream, error) {
	r, ok := l.Record()
	if _, sent := r.Body.(events.MessageSent); !ok || !sent || r.Stream.Kind == events.Pair && r.Stream.Other(a.ID) == "" {
		return events.Stream{}, errUnknownMessage
	}
	return r.Stream, nil
}

// changeable finds the message that a command changes, and who the actor is to
// its conversation and may write there.
func (s State) changeable(url string, a Actor, now time.Time) (events.Recorded, standing, error) {
	stream, err := messageStream(s, a)
	if err != nil {
		return events.Recorded{}, outsider, err
	}
	st, err := s.mayWrite(url, stream, a, now)
	r, _ := s.Record()
	return r, st, err
}

// recalled tells whether a message has been recalled.
func (s State) recalled(message events.Position) bool {
	l := s.book.Ledger(message.Partition)
	return l != nil && l.Recalled(message.Offset)
}

// matrixOf is the table for a kind of conversation.
func matrixOf(stream events.Stream) *matrix {
	if stream.Kind == events.Group {
		return groups
	}
	return pairs
}

// strangersIn is what an event of a pair says of the deployment.
func (s State) strangersIn(stream events.Stream) bool {
	return stream.Kind == events.Pair && s.policy.Strangers
}

// knowsReply refuses a replyTo that names no message of the conversation.
func (s State) knowsReply(replyTo string, stream events.Stream, a Actor) error {
	if replyTo == "" {
		return nil
	}
	if of, err := messageStream(s, a); err != nil || of != stream {
		return errUnknownReply
	}
	return nil
}

// sawReply refuses a member who was none when the message was said.
func (s State) sawReply(replyTo string, stream events.Stream, a Actor) error {
	if r, ok := s.Record(); ok && replyTo != "" {
		if _, saw := s.relations(stream).Member(stream, a.ID, r.Position.Offset); !saw {
			return errUnknownReply
		}
	}
	return nil
}

// aboutReply is the record that a message answers; the zero position if none.
func aboutReply(replyTo string) (events.Position, error) {
	if replyTo == "" {
		return events.Position{}, nil
	}
	p, err := events.ParsePosition(replyTo)
	if err != nil {
		return p, ErrBadRequest.With("replyTo: " + err.Error())
	}
	return p, nil
}

// aboutMessage is the record that a command names by its position.
func aboutMessage(position string) (events.Position, error) {
	p, err := events.ParsePosition(position)
	if err != nil {
		return p, ErrBadRequest.With("position: " + err.Error())
	}
	return p, nil
}
