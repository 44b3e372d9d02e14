package asof

import (
	"context"
	"fmt"
	"math"
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
	var found Span
	last := q.at.Positions[r.Book.Layout().Partition(s)]
	edges := []struct {
		of **Step
		at edge
	}{
		{&found.First, edge{from: 0}}, {&found.Last, edge{below: math.MaxInt64}},
		{&found.At, edge{below: last + 1}}, {&found.Next, edge{from: last + 1}},
	}
	for _, e := range edges {
		if *e.of, err = e.at.find(ctx, r, s); err != nil {
			return projections.Page{}, err
		}
	}
	if found.At != nil {
		at, err := events.ParsePosition(found.At.Position)
		if err != nil {
			return projections.Page{}, err
		}
		if found.Previous, err = (edge{below: at.Offset}).find(ctx, r, s); err != nil {
			return projections.Page{}, err
		}
	}
	return projections.Page{List: found}, nil
}

// edge asks for the last change below an offset or, where below is 0, for the
// first from one on.
type edge struct{ from, below int64 }

func (e edge) find(ctx context.Context, r projections.Reader, s events.Stream) (found *Step, err error) {
	where, which, order := fmt.Sprintf("offset < %d", e.below), "ax", "DESC"
	if e.below == 0 {
		where, which, order = fmt.Sprintf("offset >= %d", e.from), "in", "ASC"
	}
	// Messages lie in the order of the log: one is read, however many there are.
	parts := []string{fmt.Sprintf("SELECT * FROM (SELECT offset AS o, recorded AS t FROM %s WHERE conversation = {c:String} AND %s ORDER BY conversation %s, offset %s LIMIT 1)",
		r.Table("messages"), where, order, order)}
	part := func(table, of string) {
		parts = append(parts, fmt.Sprintf("SELECT m%s(offset) AS o, argM%[1]s(recorded, offset) AS t FROM %s WHERE %s AND %s HAVING count() > 0",
			which, r.Table(table), of, where))
	}
	part("versions", "conversation = {c:String}")
	if s.Kind == events.Group {
		part("groups", "group_id = {a:String}")
		part("group_members", "group_id = {a:String}")
	} else {
		part("friends", "user = {a:String} AND friend = {b:String}")
		part("blocks", "user = {a:String} AND other = {b:String}")
		part("blocks", "user = {b:String} AND other = {a:String}")
	}
	sql := fmt.Sprintf("SELECT o, t FROM (%s) ORDER BY o %s LIMIT 1 %s", strings.Join(parts, " UNION ALL "), order, projections.Nearby)
	args := []projections.Arg{{Name: "c", Value: s.Key()}, {Name: "a", Value: s.ID}, {Name: "b", Value: s.Peer}}
	err = r.Select(ctx, sql, args, func(row projections.RowScanner) error {
		var offset uint64
		var recorded int64
		err := row.Scan(&offset, &recorded)
		p := events.Position{Partition: r.Book.Layout().Partition(s), Offset: int64(offset)}
		found = &Step{p.String(), r.Dates.At(recorded)}
		return err
	})
	return found, err
}
