package groups

import (
	"context"

	"lishi/commands"
	"lishi/events"
	"lishi/projections"
	"lishi/projections/friends"
)

// Facts is a group as those see it who look after the chat.
type Facts struct{ GroupID string }

// Members are all members of a group, by user id, for those who look after the
// chat.
type Members struct {
	GroupID string
	After   string
	Limit   int64
}

// Needs implements projections.Query.
func (Facts) Needs() []string { return []string{Name} }

// Needs implements projections.Query.
func (Members) Needs() []string { return []string{Name, friends.Name} }

// Run implements projections.Query. It asks for no rights: who may ask is decided
// before.
func (q Facts) Run(ctx context.Context, r projections.Reader, _ string) (projections.Page, error) {
	found, err := load(ctx, r, []string{q.GroupID})
	if err != nil {
		return projections.Page{}, err
	}
	g, ok := found[q.GroupID]
	if !ok {
		return projections.Page{}, commands.ErrNotFound.With("no such group")
	}
	return projections.Page{List: []Group{g}}, nil
}

// Run implements projections.Query. It asks for no rights: who may ask is decided
// before.
func (q Members) Run(ctx context.Context, r projections.Reader, _ string) (projections.Page, error) {
	limit, err := projections.Limit("limit", q.Limit)
	if err != nil {
		return projections.Page{}, err
	}
	s := events.GroupStream(q.GroupID)
	if deleted, ok := r.Group(s); !ok || deleted {
		return projections.Page{}, commands.ErrNotFound.With("no such group")
	}
	list, err := Users(q).page(ctx, r, limit)
	if err != nil {
		return projections.Page{}, err
	}
	page := projections.Page{List: list}
	if int64(len(list)) == limit {
		page.Next = list[limit-1].UserID
	}
	return page, dress(ctx, r, "", list)
}
