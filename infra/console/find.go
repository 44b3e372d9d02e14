package console

import (
	"context"
	"net/http"

	"lishi/events"
	"lishi/infra/explore"
	"lishi/projections"
)

// Reader answers queries from the read models: projections.Reader.
type Reader interface {
	Answer(ctx context.Context, q projections.Query, caller string, seen events.Cursor) (projections.Page, error)
}

// Find are the routes that look for streams.
func Find(r Reader) []Route {
	return []Route{{
		Method: http.MethodGet, Path: "/api/streams", Roles: []Role{Auditor}, Look: true,
		Doc: "streams: `q` is the id or a part of the name of people and groups, or the key of a stream; without it the conversations, the one with the newest message first; `limit` (200 at most), `before` the `next` of a page",
		Handle: func(w http.ResponseWriter, req *http.Request, _ Caller) error {
			p := ParamsOf(req)
			q := explore.Find{Words: p.Text("q", 600), Limit: p.Int("limit", 50, 1, 200), Before: p.Text("before", 1200)}
			if err := p.Err(); err != nil {
				return err
			}
			page, err := r.Answer(req.Context(), q, "", nil)
			if err != nil {
				return err
			}
			return JSON(w, map[string]any{"streams": page.List, "next": page.Next})
		},
	}}
}
