// Package asof answers the questions of users, and those about whole
// conversations, as they would have been answered at a moment in the past. A
// moment becomes a position of every partition once; everything after works on
// positions. Nothing is rebuilt: rows and ledger keep every change.
package asof

import (
	"context"
	"errors"
	"slices"
	"time"

	"lishi/commands"
	"lishi/events"
	"lishi/events/tail"
	"lishi/projections"
	"lishi/projections/friends"
)

// Moment is what is asked about: the log ended with the records at these
// positions, and the clock showed that time.
type Moment struct {
	Positions events.Cursor
	Time      time.Time
}

// Tail is what knows when the log had come how far.
type Tail interface {
	Folded() events.Cursor
	AsOf(ctx context.Context, then time.Time) (events.Cursor, error)
	AsOfPositions(ctx context.Context, at events.Cursor) (events.Cursor, time.Time, error)
}

// Past answers for moments. It is safe for concurrent use.
type Past struct {
	Tail   Tail
	Reader *projections.Reader // that answers for the present
}

// Moment reads "2026-01-02T15:04:05.000Z", a position ("c3-182736"), several
// joined by commas, or "", which is now. A position says it of its own partition;
// the others are taken as they were when its record was written. The records of a
// time are those that were recorded by then: of the last seconds some may still
// be on their way, so who asks again asks by positions. Refusals are
// *commands.Refusal.
func (p *Past) Moment(ctx context.Context, at string) (Moment, error) {
	now := p.Reader.Clock()
	if at == "" {
		return Moment{p.Tail.Folded(), now}, nil
	}
	then, err := time.Parse(time.RFC3339Nano, at)
	if err == nil {
		if then.After(now) {
			return Moment{}, commands.ErrBadRequest.With("that time has not come yet")
		}
		c, err := p.Tail.AsOf(ctx, then)
		return Moment{c, then}, err
	}
	c, err := events.ParseCursor(at)
	if err != nil {
		return Moment{}, commands.ErrBadRequest.With("a moment is a time like 2026-01-02T15:04:05Z, or a position like c3-182736, several joined by commas")
	}
	c, then, err = p.Tail.AsOfPositions(ctx, c)
	if errors.Is(err, tail.ErrNotFolded) {
		return Moment{}, commands.ErrNotFound.With(err.Error())
	}
	return Moment{c, then}, err
}

// Answer is what the query would have been answered then, to the caller or, where
// it needs none, to "". Of who was online nothing is known.
func (p *Past) Answer(ctx context.Context, q projections.Query, caller string, m Moment) (projections.Page, error) {
	return p.Reader.Answer(ctx, query{q, m}, caller, m.Positions)
}

// Nobody is the refusal of a question of somebody who was not registered then.
func Nobody(user string) error {
	return commands.ErrNotFound.With("no such user then: " + user)
}

// query is another one, asked in the past.
type query struct {
	of projections.Query
	at Moment
}

// Needs adds the rows of what people were called: of the present the ledger
// knows.
func (q query) Needs() []string {
	names := q.of.Needs()
	if !slices.Contains(names, friends.Name) {
		names = append(slices.Clip(names), friends.Name)
	}
	return names
}

func (q query) Run(ctx context.Context, r projections.Reader, caller string) (projections.Page, error) {
	r = r.Then(q.at.Positions, q.at.Time)
	if caller != "" {
		profile, err := friends.Profiles(ctx, r, slices.Values([]string{caller}))
		if err != nil {
			return projections.Page{}, err
		}
		if _, ok := profile(caller); !ok {
			return projections.Page{}, Nobody(caller)
		}
	}
	return q.of.Run(ctx, r, caller)
}
