// Package visible says who could see what, and why: from the log and its ledgers
// alone, so that every answer names the events it rests on, which can be proved.
//
// A message is seen by the two of its conversation, or by those who were members
// of its group at its offset. They may read it for ever, also after they left;
// who came later may not. An edit or a recall is seen by those of them who are
// members at its own offset, and by who made it. Blocking somebody, recalling a
// message and deleting a group take nothing back of who could see. What does not
// count nobody saw.
package visible

import (
	"context"
	"fmt"
	"slices"

	"lishi/events"
	"lishi/events/ledger"
	"lishi/infra/explore"
)

// Reader answers. It is safe for concurrent use. The ledgers must have folded
// what is asked for.
type Reader struct{ *explore.Reader }

// Viewers are those who could see a message, or a part of them.
type Viewers struct {
	Event   explore.Event `json:"event"`            // the message, edit or recall
	Nobody  string        `json:"nobody,omitempty"` // why nobody could see it
	Total   int           `json:"total"`
	Skipped int           `json:"skipped"`
	Viewers []Viewer      `json:"viewers"`
}

// Viewer is one who could see a message.
type Viewer struct {
	User   string      `json:"user"`
	Name   string      `json:"name,omitempty"` // the nickname now
	Role   events.Role `json:"role,omitempty"` // in the group, then
	Sender bool        `json:"sender,omitempty"`
	// Since is the event that let the user see: the one that made them a member,
	// or the two friends. For a message that a deployment let strangers send it
	// is the message itself.
	Since Step `json:"since"`
	// Until is the event that ended the membership or friendship, if it ended.
	Until *Step `json:"until,omitempty"`
	// Read tells whether the user's read mark has reached the message; absent
	// where it is not known, and for the sender. Mark is the newest message that
	// it has reached.
	Read *bool            `json:"read,omitempty"`
	Mark *events.Position `json:"mark,omitempty"`
}

// Step is an event that let somebody see, or no longer.
type Step struct {
	Position events.Position `json:"position"`
	Type     string          `json:"type"`
	By       string          `json:"by"`
	Recorded string          `json:"recorded"`
}

func (s Step) String() string {
	return s.Position.String() + " " + s.Type + " by " + s.By + " at " + s.Recorded
}

// MostViewers is the most that are told at once.
const MostViewers = 1000

// Who could see the message, edit or recall at a position: of a group its
// members in the order they first came, from one on and so many.
func (x *Reader) Who(ctx context.Context, at events.Position, skip, limit int) (*Viewers, error) {
	if skip < 0 || limit < 1 || limit > MostViewers {
		return nil, fmt.Errorf("%w: limit is 1 to %d, skip is not negative", explore.ErrMisuse, MostViewers)
	}
	e, r, err := x.Event(ctx, at)
	if err != nil {
		return nil, err
	}
	out := &Viewers{Event: e, Skipped: skip, Viewers: []Viewer{}}
	if r.Body == nil || events.OrderingOf(r.Body) != events.ByBasis {
		return nil, fmt.Errorf("%w: %s is no message, edit or recall", explore.ErrMisuse, at)
	}
	switch {
	case !e.Judged:
		return nil, fmt.Errorf("%w: %s is not judged yet", events.ErrUnavailable, at)
	case e.Void:
		out.Nobody = "It does not count. " + e.Why
		return out, nil
	}
	relations := x.Book.Relations(r.Stream)
	var spells []ledger.Interval // of the viewers told
	add := func(v Viewer, i ledger.Interval) {
		defer func() { out.Total++ }()
		if out.Total < skip || len(out.Viewers) == limit {
			return
		}
		if u, ok := x.Book.User(v.User); ok {
			v.Name = u.NickName
		}
		v.Sender = v.User == r.Actor
		x.mark(&v, at, r.Stream)
		if i == (ledger.Interval{}) {
			i.From = at.Offset // the deployment let strangers write
		}
		out.Viewers, spells = append(out.Viewers, v), append(spells, i)
	}
	if r.Stream.Kind == events.Pair {
		i := during(relations.Pair(r.Stream).Intervals, at.Offset)
		for _, user := range pair(r.Stream) {
			add(Viewer{User: user}, i)
		}
	} else {
		said := saidAt(&r)
		relations.Members(r.Stream, at.Offset, func(user string, role events.Role) bool {
			if _, saw := relations.Member(r.Stream, user, said); saw || user == r.Actor {
				m, _ := relations.Member(r.Stream, user, at.Offset)
				add(Viewer{User: user, Role: role}, m.Interval)
			}
			return ctx.Err() == nil
		})
	}
	told, err := x.memberships(ctx, at.Partition, spells)
	if err != nil {
		return nil, err
	}
	for i := range told {
		out.Viewers[i].Since, out.Viewers[i].Until = told[i].Since, told[i].Until
	}
	return out, ctx.Err()
}

// pair are the two of a conversation; one, if somebody writes to themselves.
func pair(s events.Stream) []string {
	if s.ID == s.Peer {
		return []string{s.ID}
	}
	return []string{s.ID, s.Peer}
}

// saidAt is the offset of the message that a record is a version of.
func saidAt(r *events.Recorded) int64 {
	switch b := r.Body.(type) {
	case events.MessageEdited:
		return b.Message.Offset
	case events.MessageRecalled:
		return b.Message.Offset
	}
	return r.Position.Offset
}

// during is the interval that a record falls in; the zero one if none.
func during(is []ledger.Interval, offset int64) ledger.Interval {
	for _, i := range is {
		if covers(i, offset) {
			return i
		}
	}
	return ledger.Interval{}
}

func covers(i ledger.Interval, offset int64) bool {
	return i.From < offset && (i.To == 0 || offset <= i.To)
}

// memberships names the events at the ends of intervals of one partition.
func (x *Reader) memberships(ctx context.Context, p events.Partition, is []ledger.Interval) ([]Membership, error) {
	var wanted []int64
	for _, i := range is {
		if wanted = append(wanted, i.From); i.To != 0 {
			wanted = append(wanted, i.To)
		}
	}
	steps, err := x.steps(ctx, p, wanted)
	if err != nil {
		return nil, err
	}
	out := make([]Membership, len(is))
	for n, i := range is {
		if out[n].Since = steps[i.From]; i.To != 0 {
			until := steps[i.To]
			out[n].Until = &until
		}
	}
	return out, nil
}

// apart is how many records lie between two that are worth reading by themselves.
const apart = 4096

// steps reads the events at some offsets, those close to one another at once.
func (x *Reader) steps(ctx context.Context, p events.Partition, offsets []int64) (map[int64]Step, error) {
	steps := map[int64]Step{}
	slices.Sort(offsets)
	offsets = slices.Compact(offsets)
	for len(offsets) > 0 {
		n := 1
		for n < len(offsets) && offsets[n]-offsets[n-1] < apart {
			n++
		}
		run := offsets[:n]
		offsets = offsets[n:]
		err := x.Log.Records(ctx, p, run[0], run[n-1]+1, func(offset int64, record events.Record) error {
			if _, is := slices.BinarySearch(run, offset); !is {
				return nil
			}
			at := events.Position{Partition: p, Offset: offset}
			r, err := events.Decode(at, record)
			if err != nil {
				return err
			}
			steps[offset] = Step{at, r.Body.Type(), r.Actor, explore.Moment(r.At)}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return steps, nil
}

// mark enters how far the viewer has read, as far as it is known.
func (x *Reader) mark(v *Viewer, at events.Position, s events.Stream) {
	if v.Sender || x.Book.Ledger(x.Book.Layout().Partition(events.UserStream(v.User))).Folded() == events.Start {
		return
	}
	read := false
	if m, ok := x.Book.Mark(v.User, s.Key()); ok && m.Partition == at.Partition {
		read, v.Mark = m.Offset >= at.Offset, &m
	}
	v.Read = &read
}
