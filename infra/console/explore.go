package console

import (
	"errors"
	"math"
	"net/http"
	"strings"

	"lishi/events"
	"lishi/infra/explore"
)

// Explore are the routes that show events as they stand in the log.
func Explore(x *explore.Reader, live *explore.Observer) []Route {
	return []Route{
		{
			Method: http.MethodGet, Path: "/api/events/{position}", Roles: Everybody[:2], Look: true,
			Doc: "one event: envelope, raw and upcast payload, verdict and why, neighbours, cause and effects",
			Handle: func(w http.ResponseWriter, r *http.Request, _ Caller) error {
				if err := ParamsOf(r).Err(); err != nil {
					return err
				}
				at, err := events.ParsePosition(r.PathValue("position"))
				if err != nil {
					return Refuse(BadRequest, "a position is like c3-182736")
				}
				d, err := x.Read(r.Context(), at)
				if err != nil {
					return explained(err)
				}
				return JSON(w, d)
			},
		},
		{
			Method: http.MethodGet, Path: "/api/streams/events", Roles: Everybody[:2], Look: true,
			Doc: "the events of a stream: `stream` (`g|GROUP`, `p|USER|USER`, `u|USER`), `after` or `before` a position, `limit` (1000 at most); without either, the newest",
			Handle: func(w http.ResponseWriter, r *http.Request, _ Caller) error {
				p := ParamsOf(r)
				key := p.Text("stream", 600)
				page := explore.Page{Limit: p.Int("limit", 100, 1, explore.MostEvents), After: events.Start}
				after, up := p.Position("after")
				before, down := p.Position("before")
				from := p.One("from", "end", "start")
				if err := p.Err(); err != nil {
					return err
				}
				s, err := events.ParseKey(key)
				if err != nil {
					return Refuse(BadRequest, "stream is the key of a stream: g|GROUP, p|USER|USER or u|USER")
				}
				switch {
				case up && down:
					return Refuse(BadRequest, "give after or before, not both")
				case up:
					page.After = after.Offset
				case down:
					page.Before = max(before.Offset, 1)
				case from == "end":
					page.Before = math.MaxInt64
				}
				found, err := x.Stream(r.Context(), s, page)
				if err != nil {
					return explained(err)
				}
				return JSON(w, found)
			},
		},
		{
			Method: http.MethodGet, Path: "/api/tail", Roles: Everybody[:2], Look: true, Stream: true,
			Doc: "lines: events as they come, each once judged; filters `stream`, `type`, `user`, `group`, `void` (`only` or `no`); `from` a position or `start`; `rate` events a second at most, the rest, and what the reader is too slow for, counted as skipped (0: all, none skipped)",
			Handle: func(w http.ResponseWriter, r *http.Request, _ Caller) error {
				p := ParamsOf(r)
				f := explore.Filter{
					Stream: p.Text("stream", 600), Type: p.Text("type", 64), User: p.Text("user", 64), Group: p.Text("group", 64), Void: p.Text("void", 8),
				}
				from, rate := p.Text("from", 16<<10), p.Int("rate", 50, 0, 100_000)
				if err := p.Err(); err != nil {
					return err
				}
				if err := f.Check(); err != nil {
					return explained(err)
				}
				after, err := cursor(from, live)
				if err != nil {
					return err
				}
				out := NewLines(w)
				var lines []byte
				return explained(live.Follow(r.Context(), f, after, rate, func(items []explore.Item) error {
					lines = lines[:0]
					for _, i := range items {
						lines = append(lines, i.Line()...)
					}
					if err := out.Write(lines); err != nil {
						return err
					}
					return out.Flush()
				}))
			},
		},
	}
}

// cursor reads where a follower begins: at a position, or those joined by commas;
// at the start; or, without any, now.
func cursor(from string, live *explore.Observer) (events.Cursor, error) {
	if from == "start" {
		all := events.Cursor{}
		for _, p := range live.Layout().Partitions() {
			all[p] = events.Start
		}
		return all, nil
	}
	c, err := events.ParseCursor(from)
	if err != nil {
		return nil, Refuse(BadRequest, "from is a position like c3-182736, several joined by commas, or start")
	}
	for p := range c {
		c[p]-- // the event there is wanted too
	}
	return c, nil
}

// explained turns what the explorer says into a refusal.
func explained(err error) error {
	switch {
	case errors.Is(err, explore.ErrNotThere):
		return Refuse(NotFound, "%s", err)
	case errors.Is(err, explore.ErrMisuse):
		return Refuse(BadRequest, "%s", strings.TrimPrefix(err.Error(), explore.ErrMisuse.Error()+": "))
	case errors.Is(err, events.ErrUnavailable):
		return Refuse(Unavailable, "the log can't be read now")
	}
	return err
}
