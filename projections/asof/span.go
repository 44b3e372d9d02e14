package asof

import (
	"context"
	"fmt"
	"strings"

	"lishi/events"
	"lishi/projections"
	"lishi/projections/dates"
	"lishi/projections/friends"
	"lishi/projections/groups"
	"lishi/projections/history"
)

// Span is a conversation's whole life, and where a moment lies in it.
type Span struct {
	First    *Step `json:"first,omitempty"` // nil: nothing ever happened
	Last     *Step `json:"last,omitempty"`
	At       *Step `json:"at,omitempty"` // what had happened last
	Previous *Step `json:"previous,omitempty"`
	Next     *Step `json:"next,omitempty"`
}

// Step is an event that changed the conversation: a message, an edit, a recall, a
// member's coming, going or standing, a group's facts, the beginning and the end
// of a friendship or a block.
type Step struct {
	Position string     `json:"position"`
	Time     dates.Date `json:"time"` // recorded
}

// Span tells of a conversation, by its stream's key. Refusals are
// *commands.Refusal.
func (p *Past) Span(ctx context.Context, conversation string, m Moment) (Span, error) {
	page, err := p.Reader.Answer(ctx, span{conversation, m}, "", p.Tail.Folded())
	if err != nil {
		return Span{}, err
	}
	return page.List.(Span), nil
}

type span struct {
	conversation string
	at           Moment
}

func (span) Needs() []string { return []string{history.Name, groups.Name, friends.Name} }

func (q span) Run(ctx context.Context, r projections.Reader, _ string) (projections.Page, error) {
	s, err := history.Conversation(ctx, r, q.conversation)
	if err != nil {
		return projections.Page{}, err
	}
	last := q.at.Positions[r.Book.Layout().Partition(s)]
	all, err := candidates(ctx, r, s, last)
	if err != nil {
		return projections.Page{}, err
	}
	step := func(c change) *Step {
		p := events.Position{Partition: r.Book.Layout().Partition(s), Offset: int64(c.offset)}
		return &Step{p.String(), r.Dates.At(c.recorded)}
	}
	var found Span
	for _, c := range all { // the oldest first
		if found.First == nil {
			found.First = step(c)
		}
		switch {
		case int64(c.offset) <= last:
			found.Previous, found.At = found.At, step(c)
		case found.Next == nil:
			found.Next = step(c)
		}
		found.Last = step(c)
	}
	return projections.Page{List: found}, nil
}

type change struct {
	offset   uint64
	recorded int64
}

// candidates are some changes of a conversation, the oldest first: the first, the
// last, the last two up to an offset and the first after it are among them.
func candidates(ctx context.Context, r projections.Reader, s events.Stream, last int64) ([]change, error) {
	var parts []string
	part := func(format string, args ...any) {
		parts = append(parts, "SELECT o, t FROM ("+fmt.Sprintf(format, args...)+")")
	}
	upTo, after := fmt.Sprintf("offset < %d", last+1), fmt.Sprintf("offset > %d", max(last, 0))
	// Messages lie in the order of the log: a few are read, however many there are.
	for _, edge := range [][3]string{{"1", "ASC", "1"}, {"1", "DESC", "1"}, {upTo, "DESC", "2"}, {after, "ASC", "1"}} {
		part("SELECT offset AS o, recorded AS t FROM %s WHERE conversation = {c:String} AND %s ORDER BY conversation %s, offset %[3]s LIMIT %s", r.Table("messages"), edge[0], edge[1], edge[2])
	}
	table := func(name, of string) {
		part(`SELECT arrayJoin([(min(offset), argMin(recorded, offset)), (max(offset), argMax(recorded, offset)),
			(minIf(offset, %s), argMinIf(recorded, offset, %[1]s))]) AS c, c.1 AS o, c.2 AS t FROM %[2]s WHERE %[3]s`, after, r.Table(name), of)
		part("SELECT offset AS o, recorded AS t FROM %s WHERE %s AND %s ORDER BY offset DESC LIMIT 2", r.Table(name), of, upTo)
	}
	table("versions", "conversation = {c:String}")
	if s.Kind == events.Group {
		table("groups", "group_id = {a:String}")
		table("group_members", "group_id = {a:String}")
	} else {
		table("friends", "user = {a:String} AND friend = {b:String}")
		table("blocks", "user = {a:String} AND other = {b:String}")
		table("blocks", "user = {b:String} AND other = {a:String}")
	}
	sql := fmt.Sprintf("SELECT DISTINCT o, t FROM (%s) WHERE o > 0 ORDER BY o %s", strings.Join(parts, " UNION ALL "), projections.Nearby)
	args := []projections.Arg{{Name: "c", Value: s.Key()}, {Name: "a", Value: s.ID}, {Name: "b", Value: s.Peer}}
	var all []change
	err := r.Select(ctx, sql, args, func(row projections.RowScanner) error {
		var c change
		err := row.Scan(&c.offset, &c.recorded)
		all = append(all, c)
		return err
	})
	return all, err
}
