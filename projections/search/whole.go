package search

import (
	"context"

	"lishi/projections"
	"lishi/projections/history"
)

// Whole looks for a text in all of a conversation, for those who look after the
// chat. Recalled texts and those that were edited away are not found.
type Whole struct {
	Conversation string // its stream's key
	Text         string
	Before       string // next of the page before
	Limit        int64
}

// Needs implements projections.Query.
func (Whole) Needs() []string { return Messages{}.Needs() }

// Run implements projections.Query. It asks for no rights: who may ask is decided
// before.
func (q Whole) Run(ctx context.Context, r projections.Reader, _ string) (projections.Page, error) {
	return look(ctx, r, "", q.Text, q.Limit, func() (scope, error) {
		s, err := history.Conversation(ctx, r, q.Conversation)
		if err != nil {
			return nil, err
		}
		return newOne(r, s, history.Everything, q.Before)
	})
}
