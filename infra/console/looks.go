package console

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"lishi/infra/looks"
)

// Recorded is the Looker that records the console's looks in the log.
func Recorded(r *looks.Recorder) Looker { return recorded{r} }

type recorded struct{ *looks.Recorder }

// Look implements Looker.
func (r recorded) Look(ctx context.Context, l Look) error {
	what := l.Method + " " + l.Path
	if len(l.Params) > 0 {
		what += "?" + l.Params.Encode()
	}
	_, err := r.Record(ctx, looks.Look{
		Actor: l.Caller.ID, ActorName: l.Caller.Name, Role: string(l.Caller.Role), Reason: l.Caller.Reason, Way: wayOf(l.Route),
		What: what, Text: string(l.Body), From: l.From, Time: l.Time,
	})
	if errors.Is(err, looks.ErrNoReason) {
		return Refuse(ReasonMissing, "an auditor must say why, in the header Lishi-Reason")
	}
	return err
}

// wayOf tells what leaves the house as a file, and statements, from what is only
// shown.
func wayOf(route string) string {
	switch {
	case strings.HasPrefix(route, "/api/audit/exports"), strings.HasSuffix(route, "/download"):
		return looks.Export
	case strings.HasPrefix(route, "/api/sql/"):
		return looks.SQL
	}
	return looks.Console
}

// Looks are the routes that list looks.
func Looks(log looks.Records) []Route {
	return []Route{{
		Method: http.MethodGet, Path: "/api/audit/looks", Roles: []Role{Auditor}, Look: true,
		Doc: "who looked at what and why, newest first: filters `actor`, `role`, `way` (`console`, `sql`, `export`), `text`, `from`, `to`; `limit` (1000 at most), `before` a position",
		Handle: func(w http.ResponseWriter, r *http.Request, _ Caller) error {
			p := ParamsOf(r)
			f := looks.Filter{
				Actor: p.Text("actor", 64), Role: p.Text("role", 16), Way: p.Text("way", 16), Text: p.Text("text", 1000), From: p.Time("from"), To: p.Time("to"),
			}
			before, _ := p.Position("before")
			limit := p.Int("limit", 100, 1, looks.MostLooks)
			if err := p.Err(); err != nil {
				return err
			}
			if err := f.Check(); err != nil {
				return Refuse(BadRequest, "%s", err)
			}
			page, err := looks.List(r.Context(), log, f, before.Offset, limit)
			if err != nil {
				return explained(err)
			}
			return JSON(w, page)
		},
	}}
}
