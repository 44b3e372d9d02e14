package explore

import (
	"bytes"
	"context"
	"slices"
	"strings"

	"lishi/events"
)

// Detail is one event with what stands around it.
type Detail struct {
	Event
	// Neighbours in the partition: whatever stands at the offsets beside it.
	Before []Event `json:"before"`
	After  []Event `json:"after"`
	// Neighbours in the stream; absent if there is none within what was searched.
	PreviousInStream *events.Position `json:"previousInStream,omitempty"`
	NextInStream     *events.Position `json:"nextInStream,omitempty"`
	// Causes are what it rests on, Effects what rests on it.
	Causes  []Link `json:"causes"`
	Effects []Link `json:"effects"`
	// Searched are the offsets of the partition in which all that was looked for;
	// Whole tells that it was the whole partition.
	Searched Span `json:"searched"`

	recorded events.Recorded
}

// Span is a range of offsets, both ends in it.
type Span struct {
	From  int64 `json:"from"`
	To    int64 `json:"to"`
	Whole bool  `json:"whole"`
}

// Link is how another event belongs to one.
type Link struct {
	Relation string `json:"relation"`
	Event    Event  `json:"event"`
}

// The relations of a link. Causes: the event of the stream it was decided on, the
// message it changes, answers or marks as read, the application or invitation it
// answers. Effects: the same the other way. Either: a record of the same request.
const (
	DecidedOn   = "decided on"
	Message     = "message"
	Application = "application"
	SameRequest = "same request"
	Next        = "next decision"
	Change      = "change"
	Reply       = "reply"
	Answer      = "answer"
)

// besides is how many neighbours on each side are shown.
const besides = 3

// mostLinks bounds the effects of one event that are shown.
const mostLinks = 200

// around fills in the neighbours and links of a detail.
func (x *Reader) around(ctx context.Context, d *Detail, end int64) error {
	at := d.Position
	from, to := int64(0), end
	if x.Reach > 0 {
		from, to = max(0, at.Offset-x.Reach/2), min(end, at.Offset+x.Reach/2+1)
	}
	d.Searched = Span{from, to - 1, from == 0 && to == end}
	d.Before, d.After, d.Causes, d.Effects = []Event{}, []Event{}, []Link{}, []Link{}
	key, previous, next := "", int64(-1), int64(-1)
	if d.Raw != nil {
		key = d.Raw.Key
	}
	may := relatives(&d.recorded)
	err := x.Log.Records(ctx, at.Partition, from, to, func(offset int64, r events.Record) error {
		if offset == at.Offset {
			return nil
		}
		near := offset >= at.Offset-besides && offset <= at.Offset+besides
		same := d.Stream != "" && string(r.Key) == key
		if !near && !same {
			return nil
		}
		p := events.Position{Partition: at.Partition, Offset: offset}
		if near {
			e, _ := x.view(p, r)
			if offset < at.Offset {
				d.Before = append(d.Before, e)
			} else {
				d.After = append(d.After, e)
			}
		}
		if !same {
			return nil
		}
		if offset < at.Offset {
			previous = offset
		} else if next < 0 {
			next = offset
		}
		if !may.relate(p, r) {
			return nil
		}
		rec, err := events.Decode(p, r)
		if err != nil {
			return nil // what can't be decoded rests on nothing
		}
		if relation := rests(&d.recorded, &rec); relation != "" {
			e, _ := x.view(p, r)
			d.Causes = append(d.Causes, Link{relation, e})
		} else if relation := rests(&rec, &d.recorded); relation != "" && len(d.Effects) < mostLinks {
			e, _ := x.view(p, r)
			d.Effects = append(d.Effects, Link{reverse[relation](&rec), e})
		}
		return nil
	})
	if err != nil {
		return err
	}
	if previous >= 0 {
		d.PreviousInStream = &events.Position{Partition: at.Partition, Offset: previous}
	}
	if next >= 0 {
		d.NextInStream = &events.Position{Partition: at.Partition, Offset: next}
	}
	return x.read(ctx, d)
}

// candidates tells, without decoding, which records can have to do with an event:
// most of a conversation are messages that name no other.
type candidates struct {
	id    []byte          // of the event
	place []byte          // its position, quoted
	cause events.Position // that it names itself
}

func relatives(r *events.Recorded) candidates {
	c := candidates{id: []byte(r.ID.String()), place: []byte(`"` + r.Position.String() + `"`)}
	switch b := r.Body.(type) {
	case events.MessageSent:
		c.cause, _ = events.ParsePosition(b.ReplyTo)
	case events.MessageEdited:
		c.cause = b.Message
	case events.MessageRecalled:
		c.cause = b.Message
	}
	return c
}

func (c candidates) relate(at events.Position, r events.Record) bool {
	if !strings.HasPrefix(header(r, "ce_type"), "lishi.message.") {
		return true
	}
	return at == c.cause || bytes.Contains(r.Value, c.place) || header(r, "ce_id") == string(c.id)
}

// read adds the message that a read mark speaks of: it stands in another topic.
func (x *Reader) read(ctx context.Context, d *Detail) error {
	b, ok := d.recorded.Body.(events.ConversationRead)
	if !ok {
		return nil
	}
	end, err := x.end(ctx, b.Read.Partition)
	if err != nil || b.Read.Offset < 0 || b.Read.Offset >= end {
		return nil // a mark of a message that this log does not have
	}
	return x.Log.Records(ctx, b.Read.Partition, b.Read.Offset, b.Read.Offset+1, func(_ int64, r events.Record) error {
		e, _ := x.view(b.Read, r)
		d.Causes = append(d.Causes, Link{Message, e})
		return nil
	})
}

// rests tells how an event rests on another of the same stream; empty if it
// does not.
func rests(e, on *events.Recorded) string {
	if e.Body == nil || on.Body == nil {
		return ""
	}
	later := e.Position.Offset > on.Position.Offset
	if e.ID == on.ID && !e.ID.IsZero() {
		if later {
			return SameRequest
		}
		return ""
	}
	if !later {
		return ""
	}
	switch b := e.Body.(type) {
	case events.MessageEdited:
		if b.Message == on.Position {
			return Message
		}
	case events.MessageRecalled:
		if b.Message == on.Position {
			return Message
		}
	case events.MessageSent:
		if b.ReplyTo != "" && b.ReplyTo == on.Position.String() {
			return Message
		}
	case events.FriendAgreed:
		if is(b.Application, on) {
			return Application
		}
	case events.FriendRefused:
		if is(b.Application, on) {
			return Application
		}
	case events.GroupApplicationVerified:
		if is(b.Application, on) {
			return Application
		}
	case events.GroupInvitationVerified:
		if is(b.Application, on) {
			return Application
		}
	}
	if !e.Prev.IsZero() && e.Prev == on.ID {
		return DecidedOn
	}
	return ""
}

// is tells whether an event made the application or invitation.
func is(application events.ID, e *events.Recorded) bool {
	if application.IsZero() {
		return false
	}
	if b, ok := e.Body.(events.GroupCreated); ok {
		return slices.ContainsFunc(b.Invitations, func(i events.Invitation) bool { return i.ID == application })
	}
	return application == e.ID
}

// reverse names a relation from its other end.
var reverse = map[string]func(e *events.Recorded) string{
	SameRequest: func(*events.Recorded) string { return SameRequest },
	DecidedOn:   func(*events.Recorded) string { return Next },
	Application: func(*events.Recorded) string { return Answer },
	Message: func(e *events.Recorded) string {
		if _, ok := e.Body.(events.MessageSent); ok {
			return Reply
		}
		return Change
	},
}
