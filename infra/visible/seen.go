package visible

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"lishi/events"
	"lishi/events/ledger"
	"lishi/infra/explore"
)

// Span is what was recorded after one cursor and up to another. A partition that
// After does not name begins with its first record, one that UpTo does not name
// ends with its last.
type Span struct{ After, UpTo events.Cursor }

// Between is what was recorded after a time and not after another; a zero time
// is no bound but what is folded.
func (x *Reader) Between(ctx context.Context, from, to time.Time) (s Span, err error) {
	if !from.IsZero() && !to.IsZero() && !from.Before(to) {
		return s, fmt.Errorf("%w: from is not before to", explore.ErrMisuse)
	}
	s.UpTo = events.Cursor{}
	for _, p := range x.Book.Layout().Partitions() {
		s.UpTo[p] = x.Book.Ledger(p).Folded()
	}
	if !to.IsZero() {
		if s.UpTo, err = x.AsOf(ctx, to); err != nil {
			return s, err
		}
	}
	if !from.IsZero() {
		s.After, err = x.AsOf(ctx, from)
	}
	return s, err
}

// Conversation is one of which a user could see something.
type Conversation struct {
	Stream    string `json:"stream"`
	Partition string `json:"partition"`
	// Memberships in a group that reach into the span, or friendships.
	Memberships []Membership `json:"memberships"`
	// What was said in the span and the user could see: messages, of which some
	// were recalled since, edits and recalls.
	Messages int64 `json:"messages"`
	Recalled int64 `json:"recalled"`
	Edits    int64 `json:"edits"`
	Recalls  int64 `json:"recalls"`
	// First and Last of those records; absent if there are none.
	First *events.Position `json:"first,omitempty"`
	Last  *events.Position `json:"last,omitempty"`

	stream events.Stream
	spells []ledger.Interval // as the ledger has them; nil: everything
}

// Membership is a time during which a user could see a conversation.
type Membership struct {
	Since Step  `json:"since"`
	Until *Step `json:"until,omitempty"`
}

var sentType, editedType, recalledType = []byte("lishi.message.sent."), []byte("lishi.message.edited."), []byte("lishi.message.recalled.")

// Seen are the conversations of which a user could see what was said in a span,
// by their streams' keys. progress is told how many records of how many were
// read; it may be nil. Groups of which the user was a member then are told also
// if nothing was said.
func (x *Reader) Seen(ctx context.Context, user string, span Span, progress func(done, total int64)) ([]Conversation, error) {
	ends, err := x.Log.Ends(ctx)
	if err != nil {
		return nil, err
	}
	found, key := map[string]*Conversation{}, []byte(events.UserStream(user).Key()[2:])
	var done, total int64
	var parts []events.Partition
	for _, p := range x.Book.Layout().Partitions() {
		if p.Topic == events.Conversations {
			parts = append(parts, p)
			from, end := span.of(p, ends)
			total += max(0, end-from)
		}
	}
	for _, p := range parts {
		from, end := span.of(p, ends)
		if l := x.Book.Ledger(p); l.Folded() < end-1 {
			return nil, fmt.Errorf("%w: %s is judged up to offset %d alone", events.ErrUnavailable, p, l.Folded())
		}
		x.groups(user, p, from, end, found)
		err := x.Log.Records(ctx, p, from, end, func(offset int64, r events.Record) error {
			if done++; progress != nil && done%4096 == 0 {
				progress(done, total)
			}
			return x.count(user, key, events.Position{Partition: p, Offset: offset}, r, found)
		})
		if err != nil {
			return nil, err
		}
	}
	if progress != nil {
		progress(done, total)
	}
	return x.told(ctx, user, span, ends, found)
}

// of gives the offsets of a partition that lie in the span: from, and behind the last.
func (s Span) of(p events.Partition, ends events.Cursor) (from, end int64) {
	if after, ok := s.After[p]; ok {
		from = after + 1
	}
	end = ends[p] + 1
	if upTo, ok := s.UpTo[p]; ok {
		end = min(end, upTo+1)
	}
	return max(from, 0), end
}

// groups enters those of which the user was a member.
func (x *Reader) groups(user string, p events.Partition, from, end int64, found map[string]*Conversation) {
	relations := x.Book.Ledger(p).Relations()
	for _, g := range relations.Groups(user) {
		c := &Conversation{Stream: g.Key(), Partition: p.String(), stream: g, spells: relations.Intervals(g, user)}
		if slices.ContainsFunc(c.spells, func(i ledger.Interval) bool { return reaches(i, from, end) }) {
			found[c.Stream] = c
		}
	}
}

// reaches tells whether an interval had begun before an offset and lasted to
// another at least.
func reaches(i ledger.Interval, from, end int64) bool {
	return i.From < end && (i.To == 0 || i.To >= from)
}

// saw tells whether a user who was in a group in some intervals could see a
// message, an edit or a recall that counts.
func saw(spells []ledger.Interval, user string, r *events.Recorded) bool {
	none := ledger.Interval{}
	return during(spells, r.Position.Offset) != none && (r.Actor == user || during(spells, saidAt(r)) != none)
}

// count takes a record of a conversation that the user could see.
func (x *Reader) count(user string, key []byte, at events.Position, r events.Record, found map[string]*Conversation) error {
	typ := typeOf(r)
	sent, edit, recall := bytes.HasPrefix(typ, sentType), bytes.HasPrefix(typ, editedType), bytes.HasPrefix(typ, recalledType)
	if !sent && !edit && !recall {
		return nil
	}
	c := found[string(r.Key)]
	if c == nil {
		if len(r.Key) == 0 || r.Key[0] != byte(events.Pair) || !bytes.Contains(r.Key, key) {
			return nil
		}
		s, err := events.ParseKey(string(r.Key))
		if err != nil || s.ID != user && s.Peer != user {
			return nil
		}
		c = &Conversation{Stream: s.Key(), Partition: at.Partition.String(), stream: s}
	}
	if c.spells != nil && during(c.spells, at.Offset) == (ledger.Interval{}) {
		return nil
	}
	l := x.Book.Ledger(at.Partition)
	if l.Void(at.Offset) {
		return nil
	}
	if c.spells != nil && !sent {
		e, err := events.Decode(at, r)
		if err != nil || !saw(c.spells, user, &e) {
			return err
		}
	}
	found[c.Stream] = c
	switch {
	case sent:
		c.Messages++
		if l.Recalled(at.Offset) {
			c.Recalled++
		}
	case edit:
		c.Edits++
	case recall:
		c.Recalls++
	}
	if c.First == nil {
		c.First = &at
	}
	c.Last = &at
	return nil
}

func typeOf(r events.Record) []byte {
	for i := range r.Headers {
		if r.Headers[i].Key == "ce_type" {
			return r.Headers[i].Value
		}
	}
	return nil
}

// told names the events that each conversation's memberships rest on.
func (x *Reader) told(ctx context.Context, user string, span Span, ends events.Cursor, found map[string]*Conversation) ([]Conversation, error) {
	out := []Conversation{}
	for _, c := range found {
		p := x.Book.Layout().Partition(c.stream)
		from, end := span.of(p, ends)
		spells := c.spells
		if c.stream.Kind == events.Pair {
			spells = x.Book.Relations(c.stream).Pair(c.stream).Intervals
		}
		spells = slices.DeleteFunc(slices.Clone(spells), func(i ledger.Interval) bool { return !reaches(i, from, end) })
		var err error
		if c.Memberships, err = x.memberships(ctx, p, spells); err != nil {
			return nil, err
		}
		out = append(out, *c)
	}
	slices.SortFunc(out, func(a, b Conversation) int { return strings.Compare(a.Stream, b.Stream) })
	return out, nil
}

// Messages are what a user could see of one conversation in a span, oldest first,
// after an offset: messages, edits and recalls, each with what it said.
func (x *Reader) Messages(ctx context.Context, user string, s events.Stream, span Span, after int64, limit int) (*explore.Events, error) {
	p := x.Book.Layout().Partition(s)
	ends, err := x.Log.Ends(ctx)
	if err != nil {
		return nil, err
	}
	var spells []ledger.Interval
	switch {
	case s.Kind == events.Group:
		spells = x.Book.Relations(s).Intervals(s, user)
	case s.Kind == events.Pair && (s.ID == user || s.Peer == user):
		spells = []ledger.Interval{{From: events.Start}}
	default:
		return nil, fmt.Errorf("%w: %s is no conversation of %s", explore.ErrMisuse, s.Key(), user)
	}
	from, end := span.of(p, ends)
	return x.Select(ctx, s, max(after+1, from), end, limit, func(e *explore.Event, r *events.Recorded) bool {
		return strings.HasPrefix(e.Type, "message.") && e.Judged && !e.Void && saw(spells, user, r)
	})
}
