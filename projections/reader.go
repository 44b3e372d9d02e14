package projections

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"lishi/commands"
	"lishi/events"
	"lishi/events/ledger"
	"lishi/projections/dates"
)

// Query is a question of a user to the read models. Its params are struct fields
// with the tags that commands have.
type Query interface {
	// Needs names the projections that the answer rests on.
	Needs() []string
	// Run answers for the caller. Refusals are *commands.Refusal.
	Run(ctx context.Context, r Reader, caller string) (Page, error)
}

// Page is an answer: a slice of rows, and where they go on.
type Page struct {
	List any
	Next string // opaque; empty at the end, or where positions serve
}

// Reader is what queries are answered from. Copies are cheap and independent.
type Reader struct {
	Engine *Engine
	DB     DB
	// Book is the ledger: who knows whom and who is called what, as of now.
	// Rows never decide what somebody may see.
	Book *ledger.Book
	// Dates writes dates; the zero value is the seed's style in UTC.
	Dates dates.Format
	// Presence tells who has a connection; nil stands for nobody.
	Presence Presence
	// Now is the clock that applications expire by; nil is time.Now.
	Now func() time.Time
	// Timeout bounds one query (default 5 s).
	Timeout time.Duration
	Log     *slog.Logger

	tables Tables
	asOf   events.Cursor // nil for the present
}

// Answer runs a query once the read models it needs show everything up to the
// cursor seen. Errors are *commands.Refusal: unavailable where the read models
// lag, can't be asked, or refuse the query.
func (r Reader) Answer(ctx context.Context, q Query, caller string, seen events.Cursor) (Page, error) {
	for p := range seen {
		if r.Book.Ledger(p) == nil {
			return Page{}, commands.ErrBadRequest.With("seen names " + p.String() + ", which this log does not have")
		}
	}
	timeout := r.Timeout
	if timeout <= 0 {
		timeout = 5 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	tables, err := r.Engine.Wait(ctx, q.Needs(), seen)
	if err == nil {
		r.tables = tables
		var page Page
		if page, err = q.Run(ctx, r, caller); err == nil {
			return page, nil
		}
	}
	var refusal *commands.Refusal
	if errors.As(err, &refusal) {
		return Page{}, refusal
	}
	short := errors.Is(err, ErrMemory)
	if (short || !errors.Is(err, ErrUnavailable)) && ctx.Err() == nil && r.Log != nil {
		r.Log.Error("a query was refused", "needs", q.Needs(), "error", err)
	}
	if short {
		return Page{}, &commands.Refusal{Reason: commands.Unavailable, Detail: "the answer takes more memory than the read models have at the moment; ask for less (limit), or later"}
	}
	return Page{}, &commands.Refusal{Reason: commands.Unavailable, Detail: "the read models can't be asked at the moment, or have not caught up; try again later"}
}

// Table is a table's name in the build that the query rests on, quoted. It
// panics where the query does not name the table's projection in Needs.
func (r Reader) Table(name string) string {
	t, ok := r.tables[name]
	if !ok {
		panic("projections: a query reads " + name + " without needing its projection")
	}
	return t
}

// Select runs a statement and hands on its rows.
func (r Reader) Select(ctx context.Context, sql string, args []Arg, row func(RowScanner) error) error {
	return each(ctx, r.DB, sql, args, row)
}

// Nearby are settings for statements that read a few rows in the order of the
// key: without them ClickHouse reads far ahead in every part of the table, on
// every core, which takes eight times as long.
const Nearby = "SETTINGS max_threads = 1, max_block_size = 256, read_in_order_use_buffering = 0"

// Clock is Now, or the system's.
func (r Reader) Clock() time.Time {
	if r.Now == nil {
		return time.Now()
	}
	return r.Now()
}

// Presence knows who is connected, to this node or another.
type Presence interface {
	// Online gives those of the users who have a connection.
	Online(ctx context.Context, users []string) map[string]bool
}

// FriendStates gives users' friendState on the wire; empty of the past.
func (r Reader) FriendStates(ctx context.Context, users []string) map[string]string {
	if r.Past() {
		return nil
	}
	var online map[string]bool
	if r.Presence != nil && len(users) > 0 {
		online = r.Presence.Online(ctx, users)
	}
	states := make(map[string]string, len(users))
	for _, user := range users {
		if states[user] = "0"; online[user] {
			states[user] = "9"
		}
	}
	return states
}

// Limits of the pages of every query.
const (
	DefaultLimit = 50
	MaxLimit     = 200
)

// Limit checks a page's length; 0 is DefaultLimit.
func Limit(param string, n int64) (int64, error) {
	switch {
	case n == 0:
		return DefaultLimit, nil
	case n < 0 || n > MaxLimit:
		return 0, commands.ErrBadRequest.With(param + " must be from 1 to 200")
	}
	return n, nil
}
