package search

import (
	"context"
	"strings"
	"unicode/utf8"

	"lishi/commands"
	"lishi/events"
	"lishi/projections"
	"lishi/projections/history"
	"lishi/projections/recents"
)

// Messages is /chat/searchMessage: the messages that hold a text, in one of the
// caller's conversations or in all of them, the newest first. In one
// conversation the order is the log's, and before is a position; in all, newest
// is what was recorded last, an edited message at the time of its edit.
type Messages struct {
	Text    string `param:"text,name"`
	UserID  string `param:"userId,id,optional"`
	GroupID string `param:"groupId,id,optional"`
	Before  string `param:"before,next,optional"` // next of the page before
	Limit   int64  `param:"limit,int,optional" range:"0,200"`
}

// hit is a row that holds the text.
type hit struct {
	place    history.Place
	at       events.Position // of the message
	written  int64           // offset of the event that wrote the text
	recorded int64           // when it did
}

// Needs implements projections.Query.
func (Messages) Needs() []string { return []string{Name, history.Name, recents.Name} }

// Run implements projections.Query.
func (q Messages) Run(ctx context.Context, r projections.Reader, caller string) (projections.Page, error) {
	return look(ctx, r, caller, q.Text, q.Limit, func() (scope, error) { return q.scope(ctx, r, caller) })
}

// look fills a page with what is found in a scope.
func look(ctx context.Context, r projections.Reader, caller, text string, most int64, in func() (scope, error)) (projections.Page, error) {
	if utf8.RuneCountInString(text) < 2 {
		return projections.Page{}, commands.ErrBadRequest.With("text must have two characters or more")
	}
	limit, err := projections.Limit("limit", most)
	if err != nil {
		return projections.Page{}, err
	}
	where, err := in()
	if err != nil {
		return projections.Page{}, err
	}
	list, hits := []history.Message{}, []hit{}
	for { // one turn, unless texts were found that don't count any more
		want := int(limit) + 1 - len(list)
		found, err := where.find(ctx, r, holds(text), want)
		if err != nil {
			return projections.Page{}, err
		}
		if len(found) > 0 {
			where.before(found[len(found)-1])
		}
		rows, current, err := load(ctx, r, caller, found)
		if err != nil {
			return projections.Page{}, err
		}
		list, hits = append(list, rows...), append(hits, current...)
		if len(found) < want {
			return projections.Page{List: list}, nil
		}
		if len(list) > int(limit) {
			return projections.Page{List: list[:limit], Next: where.next(hits[limit-1])}, nil
		}
	}
}

// load reads the rows of hits on texts that the caller sees in history: not on
// those that an edit has replaced or a recall taken away, and not on edits made
// after the caller had left.
func load(ctx context.Context, r projections.Reader, caller string, found []hit) (list []history.Message, hits []hit, err error) {
	places := make([]history.Place, len(found))
	for i, h := range found {
		places[i] = h.place
	}
	rows, err := history.Load(ctx, r, caller, places)
	if err != nil {
		return nil, nil, err
	}
	for _, h := range found {
		if m, ok := rows[h.place]; ok && m.Written == h.written && !m.Recalled {
			list, hits = append(list, m), append(hits, h)
			delete(rows, h.place) // a row that was written twice comes once
		}
	}
	return list, hits, nil
}

// condition is what a text column has to fulfil.
type condition struct {
	sql  string
	args []projections.Arg
}

// holds is the condition of holding a text. The index answers LIKE, so LIKE gets
// the longest piece that means nothing special to it, and what else there is in
// the text is held against the rows. Escapes are no way: the index and LIKE do
// not agree on backslashes.
func holds(text string) condition {
	text = Fold(text)
	var piece string
	for _, p := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(`%_\`, r) }) {
		if len(p) > len(piece) {
			piece = p
		}
	}
	like := condition{"text LIKE {pattern:String}", []projections.Arg{{Name: "pattern", Value: "%" + piece + "%"}}}
	exact := condition{"position(text, {text:String}) > 0", []projections.Arg{{Name: "text", Value: text}}}
	switch {
	case piece == text:
		return like
	case utf8.RuneCountInString(piece) < 2:
		return exact
	}
	return condition{like.sql + " AND " + exact.sql, append(like.args, exact.args...)}
}

// scope is where to look.
type scope interface {
	// find gives the newest n hits, a row that was written twice once or twice.
	find(ctx context.Context, r projections.Reader, c condition, n int) ([]hit, error)
	// before cuts off everything from a hit on.
	before(h hit)
	// next is what a page ends with that ends with a hit.
	next(h hit) string
}

// scope reads what the query asks for and what the caller may see of it.
func (q Messages) scope(ctx context.Context, r projections.Reader, caller string) (scope, error) {
	switch {
	case q.UserID != "" && q.GroupID != "":
		return nil, commands.ErrBadRequest.With("userId and groupId do not go together")
	case q.UserID != "":
		s, seen, err := history.WithUser(ctx, r, caller, q.UserID)
		if err != nil {
			return nil, err
		}
		return newOne(r, s, seen, q.Before)
	case q.GroupID != "":
		s, seen, err := history.InGroup(r, caller, q.GroupID)
		if err != nil {
			return nil, err
		}
		return newOne(r, s, seen, q.Before)
	}
	return newAll(r, caller, q.Before)
}
