package console

import (
	"context"
	"net/http"
	"time"

	"lishi/events"
	"lishi/infra/explore"
	"lishi/infra/visible"
)

// Visible are the routes that say who could see what, and why.
func Visible(x *visible.Reader) []Route {
	return []Route{
		{
			Method: http.MethodGet, Path: "/api/audit/who/{position}", Roles: []Role{Auditor}, Look: true,
			Doc: "who could see a message, edit or recall: the members at its offset, the event that made each one, and whether they read it; `limit` (1000 at most), `skip`",
			Handle: func(w http.ResponseWriter, r *http.Request, _ Caller) error {
				p := ParamsOf(r)
				skip, limit := p.Int("skip", 0, 0, 1<<30), p.Int("limit", 100, 1, visible.MostViewers)
				if err := p.Err(); err != nil {
					return err
				}
				at, err := events.ParsePosition(r.PathValue("position"))
				if err != nil {
					return Refuse(BadRequest, "a position is like c3-182736")
				}
				v, err := x.Who(r.Context(), at, skip, limit)
				if err != nil {
					return explained(err)
				}
				return JSON(w, v)
			},
		},
		{
			Method: http.MethodGet, Path: "/api/audit/seen", Roles: []Role{Auditor}, Look: true, Stream: true,
			Doc: "lines: of which conversations `user` could see what was recorded after `from` and not after `to`, with counts and memberships: `progress`, then each `conversation`, then `end`",
			Handle: func(w http.ResponseWriter, r *http.Request, _ Caller) error {
				p := ParamsOf(r)
				user, span, err := seenOf(r.Context(), x, p)
				if err != nil {
					return err
				}
				out := NewLines(w)
				var told time.Time
				found, err := x.Seen(r.Context(), user, span, func(done, total int64) {
					if time.Since(told) > time.Second/4 {
						told = time.Now()
						out.Send(SeenLine{Progress: &SeenProgress{done, total}})
						out.Flush()
					}
				})
				if err != nil {
					return explained(err)
				}
				for i := range found {
					if err := out.Send(SeenLine{Conversation: &found[i]}); err != nil {
						return err
					}
				}
				return out.Send(SeenLine{End: &SeenEnd{len(found), span.After.String(), span.UpTo.String()}})
			},
		},
		{
			Method: http.MethodGet, Path: "/api/audit/seen/messages", Roles: []Role{Auditor}, Look: true,
			Doc: "what `user` could see of one `stream`, recorded after `from` and not after `to`, oldest first: `limit` (1000 at most), `after` a position",
			Handle: func(w http.ResponseWriter, r *http.Request, _ Caller) error {
				p := ParamsOf(r)
				key, limit := p.Text("stream", 600), p.Int("limit", 100, 1, explore.MostEvents)
				after, ok := p.Position("after")
				user, span, err := seenOf(r.Context(), x, p)
				if err != nil {
					return err
				}
				s, err := events.ParseKey(key)
				if err != nil || s.Kind != events.Group && s.Kind != events.Pair {
					return Refuse(BadRequest, "stream is the key of a conversation: g|GROUP or p|USER|USER")
				}
				if !ok {
					after.Offset = events.Start
				}
				found, err := x.Messages(r.Context(), user, s, span, after.Offset, limit)
				if err != nil {
					return explained(err)
				}
				return JSON(w, found)
			},
		},
	}
}

// SeenLine is one line of /api/audit/seen.
type SeenLine struct {
	Progress     *SeenProgress         `json:"progress,omitempty"`
	Conversation *visible.Conversation `json:"conversation,omitempty"`
	End          *SeenEnd              `json:"end,omitempty"`
}

// SeenProgress counts the records that were read.
type SeenProgress struct {
	Done  int64 `json:"done"`
	Total int64 `json:"total"`
}

// SeenEnd says how many conversations there were, and which records were looked at.
type SeenEnd struct {
	Conversations int    `json:"conversations"`
	After         string `json:"after"`
	UpTo          string `json:"upTo"`
}

// seenOf reads whom is asked about, and the span.
func seenOf(ctx context.Context, x *visible.Reader, p *Params) (user string, s visible.Span, err error) {
	user = p.Text("user", 64)
	from, to := p.Time("from"), p.Time("to")
	if err := p.Err(); err != nil {
		return "", s, err
	}
	if user == "" {
		return "", s, Refuse(BadRequest, "user is missing")
	}
	s, err = x.Between(ctx, from, to)
	return user, s, explained(err)
}
