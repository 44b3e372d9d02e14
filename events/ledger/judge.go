package ledger

import (
	"fmt"

	"lishi/events"
	"lishi/events/seededfault"
)

// judge applies the rules to the record after the folded ones. It changes
// nothing.
func (l *Ledger) judge(r *events.Recorded) (Verdict, error) {
	switch r.Body.(type) {
	case nil:
		return 0, fmt.Errorf("%w: %s has no body", events.ErrDamaged, r.Position)
	case events.Foreign:
		return NotLishi, nil
	case events.LogOpened:
		if r.Position.Offset == 0 {
			return Valid, nil
		}
		return Reopened, nil
	}
	switch events.OrderingOf(r.Body) {
	case events.ByRevision:
		return l.judgeRevision(r)
	case events.ByBasis:
		return l.judgeBasis(r)
	case events.ByMark:
		return l.judgeMark(r), nil
	}
	return NotLishi, nil
}

// judgeRevision: relation and user events. A prev that was never seen means that
// the log lost the event it was decided on; everything else that does not fit
// only lost a race.
func (l *Ledger) judgeRevision(r *events.Recorded) (Verdict, error) {
	s := l.state.streams[r.Stream]
	switch {
	case s != nil && s.group != nil && s.group.deleted:
		return Ended, nil
	case r.Revision == s.revision()+1 && r.Prev == s.head():
		return Valid, nil
	case !s.seen(r.Prev, r.Revision):
		return 0, fmt.Errorf("%w: %s is revision %d of %s, decided on event %s, which is not in this log",
			events.ErrDamaged, r.Position, r.Revision, r.Stream, r.Prev)
	}
	return Stale, nil
}

// judgeBasis: messages, edits and recalls.
func (l *Ledger) judgeBasis(r *events.Recorded) (Verdict, error) {
	offset := r.Position.Offset
	if r.Basis >= offset {
		return 0, fmt.Errorf("%w: the writer of %s had read up to offset %d, which is not in this log", events.ErrDamaged, r.Position, r.Basis)
	}
	if offset-r.Basis > l.window.width {
		return Late, nil
	}
	if seededfault.Planted(seededfault.VoidRule) {
		return Valid, nil
	}
	if _, _, ok := l.window.find(r.ID); ok {
		return Repeat, nil
	}
	if v := l.state.mayWrite(r); v.Void() {
		return v, nil
	}
	switch b := r.Body.(type) {
	case events.MessageEdited:
		return l.mayChange(r, b.Message, ""), nil
	case events.MessageRecalled:
		return l.mayChange(r, b.Message, b.Sender), nil
	}
	return Valid, nil
}

// mayWrite asks the relations as they are at the record's own offset.
func (st *state) mayWrite(r *events.Recorded) Verdict {
	s := st.streams[r.Stream]
	switch r.Stream.Kind {
	case events.Pair:
		friends, blocked := false, false
		if s != nil {
			friends, blocked = s.pair.friendsNow(), s.pair.blocked[0] || s.pair.blocked[1]
		}
		switch {
		case r.Stream.Other(r.Actor) == "" || !friends && !strangersAllowed(r.Body):
			return NotFriend
		case blocked:
			return Blocked
		}
		return Valid
	case events.Group:
		if s == nil {
			return NotMember
		}
		if s.group.deleted {
			return Ended
		}
		m := s.group.find(r.Actor)
		switch {
		case m == nil || m.now.role == events.NoRole:
			return NotMember
		case m.now.mutedUntil > r.At.UnixMilli():
			return Muted
		}
		return Valid
	}
	return NotLishi
}

func strangersAllowed(b events.Body) bool {
	switch b := b.(type) {
	case events.MessageSent:
		return b.Strangers
	case events.MessageEdited:
		return b.Strangers
	case events.MessageRecalled:
		return b.Strangers
	}
	return false
}

// mayChange judges an edit or a recall. That an edit is by the message's sender
// never changes, so the decider sees to it; sender is empty for an edit.
func (l *Ledger) mayChange(r *events.Recorded, message events.Position, sender string) Verdict {
	switch {
	case message.Partition != l.partition || message.Offset >= r.Position.Offset:
		return Forbidden
	case l.recalled.has(message.Offset):
		return Recalled
	case sender == "" || sender == r.Actor:
		return Valid
	}
	if s := l.state.streams[r.Stream]; s != nil && s.group != nil && s.group.role(r.Actor) > events.Member {
		return Valid
	}
	return Forbidden
}

// judgeMark: a read mark only moves forward, within the partition it is in.
func (l *Ledger) judgeMark(r *events.Recorded) Verdict {
	b, ok := r.Body.(events.ConversationRead)
	if !ok || r.Stream.Kind != events.User {
		return NotLishi
	}
	if s := l.state.streams[r.Stream]; s != nil {
		if mark, ok := s.user.marks[b.Conversation]; ok && (mark.Partition != b.Read.Partition || mark.Offset >= b.Read.Offset) {
			return NotGreater
		}
	}
	return Valid
}
