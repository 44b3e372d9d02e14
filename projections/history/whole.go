package history

import (
	"context"
	"fmt"

	"lishi/commands"
	"lishi/events"
	"lishi/projections"
	"lishi/projections/friends"
)

// Whole is a conversation as those see it who look after the chat: every message
// and every text that it ever had, also of recalled ones.
type Whole struct {
	Conversation string // its stream's key: "g|GROUP" or "p|USER|USER"
	Before       string // a position
	After        string // a position
	Limit        int64
}

// Told is a message and what became of it.
type Told struct {
	Message
	Texts []Text `json:"texts"` // oldest first
	// Older tells that there are texts between the first and the next, which are
	// not listed: the message was edited more than 100 times.
	Older bool `json:"older,omitempty"`
}

// Text is one text of a message.
type Text struct {
	Position string `json:"position"` // of the event that wrote it
	Change   string `json:"change"`   // "sent", "edited", or "recalled", which has no text
	Content  string `json:"content"`
	UserID   string `json:"userId"` // who wrote it
	Time     int64  `json:"time"`
}

const sent = "sent"

// maxTexts is how many edits of a message are listed: the latest.
const maxTexts = 100

// Needs implements projections.Query.
func (Whole) Needs() []string { return []string{Name, friends.Name} }

// Run implements projections.Query. It asks for no rights: who may ask is decided
// before.
func (q Whole) Run(ctx context.Context, r projections.Reader, _ string) (projections.Page, error) {
	s, err := Conversation(ctx, r, q.Conversation)
	if err != nil {
		return projections.Page{}, err
	}
	w := window{before: q.Before, after: q.After, limit: q.Limit}
	page, err := w.load(ctx, r, "", s, Everything)
	if err != nil {
		return projections.Page{}, err
	}
	rows := page.List.([]Message)
	list := make([]Told, len(rows))
	for i, m := range rows {
		list[i] = Told{Message: m}
	}
	page.List = list
	return page, allTexts(ctx, r, s, list)
}

// Conversation finds a conversation by its stream's key.
func Conversation(ctx context.Context, r projections.Reader, key string) (events.Stream, error) {
	s, err := events.ParseKey(key)
	if err != nil || s.Kind != events.Group && s.Kind != events.Pair {
		return s, commands.ErrBadRequest.With("a conversation is the key of its stream: g|GROUP or p|USER|USER")
	}
	if s.Kind == events.Group {
		if _, ok := r.Group(s); !ok {
			return s, commands.ErrNotFound.With("no such group")
		}
		return s, nil
	}
	profile, err := friends.Profiles(ctx, r, func(yield func(string) bool) { _ = yield(s.ID) && yield(s.Peer) })
	if err != nil {
		return s, err
	}
	for _, user := range []string{s.ID, s.Peer} {
		if _, ok := profile(user); !ok {
			return s, commands.ErrNotFound.With("no such user: " + user)
		}
	}
	return s, nil
}

// allTexts adds the texts that the messages of a page had.
func allTexts(ctx context.Context, r projections.Reader, s events.Stream, list []Told) error {
	if len(list) == 0 {
		return nil
	}
	p := r.Book.Layout().Partition(s)
	at := func(offset uint64) string {
		return events.Position{Partition: p, Offset: int64(offset)}.String()
	}
	of, places := map[int64]*Told{}, []Place(nil)
	for i := range list {
		position, err := events.ParsePosition(list[i].Position)
		if err != nil {
			return err
		}
		of[position.Offset], places = &list[i], append(places, Place{s, position.Offset})
	}
	in, args := In(places)
	sql := fmt.Sprintf("SELECT offset, content, sender, said FROM %s WHERE (conversation, offset) IN %s LIMIT 1 BY offset", r.Table("messages"), in)
	err := r.Select(ctx, sql, args, func(row projections.RowScanner) error {
		var offset uint64
		t := Text{Change: sent}
		err := row.Scan(&offset, &t.Content, &t.UserID, &t.Time)
		t.Position = at(offset)
		of[int64(offset)].Texts = []Text{t}
		return err
	})
	if err != nil {
		return err
	}
	// The newest, which stand at the end of each message's rows.
	sql = fmt.Sprintf(`SELECT original, offset, toString(change), content, by, said, n FROM (
			SELECT *, row_number() OVER (PARTITION BY original ORDER BY offset DESC) AS n FROM (
				SELECT original, offset, change, content, by, said FROM %s WHERE (conversation, original) IN %s%s LIMIT 1 BY original, offset))
		WHERE n <= %d ORDER BY original, offset SETTINGS max_threads = 1`, r.Table("versions"), in, r.UpTo(), maxTexts+1)
	return r.Select(ctx, sql, args, func(row projections.RowScanner) error {
		var original, offset, n uint64
		var t Text
		if err := row.Scan(&original, &offset, &t.Change, &t.Content, &t.UserID, &t.Time, &n); err != nil {
			return err
		}
		m := of[int64(original)]
		if n > maxTexts {
			m.Older = true
			return nil
		}
		t.Position = at(offset)
		m.Texts = append(m.Texts, t)
		return nil
	})
}
