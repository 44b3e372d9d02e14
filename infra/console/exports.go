package console

import (
	"errors"
	"fmt"
	"net/http"

	"lishi/events"
	"lishi/infra/exports"
)

// wantedExport is the body of POST /api/audit/exports.
type wantedExport struct {
	Users         []string `json:"users"`
	Participants  []string `json:"participants"`
	Groups        []string `json:"groups"`
	Conversations []string `json:"conversations"`
	From          string   `json:"from"`
	To            string   `json:"to"`
	Text          string   `json:"text"`
	All           bool     `json:"all"`
	Formats       []string `json:"formats"`
	Until         string   `json:"until"`
	Reason        string   `json:"reason"`
}

// Exports are the routes that make audit packages. zone is that of days, and of
// times without one. Without jobs they say that nothing can be signed.
func Exports(jobs *exports.Jobs, zone string) []Route {
	routes := exportRoutes(jobs, zone)
	for i := range routes {
		if jobs == nil {
			routes[i].Handle = func(http.ResponseWriter, *http.Request, Caller) error {
				return Refuse(Unavailable, "this server has no audit-key to sign a package with")
			}
		}
	}
	return routes
}

func exportRoutes(jobs *exports.Jobs, zone string) []Route {
	roles := []Role{Auditor}
	return []Route{
		{
			Method: http.MethodPost, Path: "/api/audit/exports", Roles: roles, Look: true,
			Doc: "make an audit package: `users`, `participants`, `groups`, `conversations` (`g|GROUP`, `p|USER|USER`), `from`, `to`, `text`, or `all`; `formats` (`actiance`, `eml`, `parquet`, `all`), `until`; `reason`, or the header. Answers with the job",
			Handle: func(w http.ResponseWriter, r *http.Request, c Caller) error {
				request, err := wanted(r, c, zone)
				if err != nil {
					return err
				}
				job, err := jobs.Start(r.Context(), request, string(c.Role))
				if err != nil {
					return refusedExport(err)
				}
				return JSON(w, job)
			},
		},
		{
			Method: http.MethodGet, Path: "/api/audit/exports", Roles: roles,
			Doc: "the exports of this node, the newest first, with state (`waiting`, `running`, `done`, `failed`) and progress",
			Handle: func(w http.ResponseWriter, r *http.Request, _ Caller) error {
				if err := ParamsOf(r).Err(); err != nil {
					return err
				}
				return JSON(w, map[string]any{"exports": jobs.List()})
			},
		},
		{
			Method: http.MethodGet, Path: "/api/audit/exports/{id}", Roles: roles,
			Doc: "one export",
			Handle: func(w http.ResponseWriter, r *http.Request, _ Caller) error {
				job, err := jobs.Job(r.PathValue("id"))
				if err != nil {
					return refusedExport(err)
				}
				return JSON(w, job)
			},
		},
		{
			Method: http.MethodGet, Path: "/api/audit/exports/{id}/download", Roles: roles, Look: true, Stream: true,
			Doc: "the package as a .zip",
			Handle: func(w http.ResponseWriter, r *http.Request, _ Caller) error {
				job, err := jobs.Job(r.PathValue("id"))
				if err != nil {
					return refusedExport(err)
				}
				if job.State != exports.Done {
					return refusedExport(exports.ErrNotDone)
				}
				w.Header().Set("Content-Type", "application/zip")
				w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="lishi-export-%s.zip"`, job.ID))
				return jobs.Zip(r.Context(), job.ID, w)
			},
		},
		{
			Method: http.MethodDelete, Path: "/api/audit/exports/{id}",
			Doc: "end an export, and remove its package from this node",
			Handle: func(w http.ResponseWriter, r *http.Request, _ Caller) error {
				if err := jobs.Remove(r.PathValue("id")); err != nil {
					return refusedExport(err)
				}
				return JSON(w, map[string]any{})
			},
		},
	}
}

// wanted reads what is asked for; the asking is written into the package.
func wanted(r *http.Request, c Caller, zone string) (request exports.Request, err error) {
	var b wantedExport
	if err := ReadJSON(r, &b); err != nil {
		return request, err
	}
	request = exports.Request{AskedBy: c.ID, Reason: b.Reason, Query: exports.Query{
		Users: b.Users, Participants: b.Participants, Conversations: b.Conversations, Text: b.Text, All: b.All, Formats: b.Formats, Zone: zone,
	}}
	if c.Reason != "" {
		request.Reason = c.Reason
	}
	for _, g := range b.Groups {
		request.Query.Conversations = append(request.Query.Conversations, events.GroupStream(g).Key())
	}
	if request.Query.From, err = exports.ParseTimeIn(b.From, zone); err != nil {
		return request, refusedExport(err)
	}
	if request.Query.To, err = exports.ParseTimeIn(b.To, zone); err != nil {
		return request, refusedExport(err)
	}
	if request.Until, err = events.ParseCursor(b.Until); err != nil {
		return request, Refuse(BadRequest, "until is positions joined by commas, as a manifest has them")
	}
	return request, nil
}

func refusedExport(err error) error {
	var bad *exports.QueryError
	switch {
	case errors.As(err, &bad):
		return Refuse(BadRequest, "%s", bad.Problem)
	case errors.Is(err, exports.ErrNoJob):
		return Refuse(NotFound, "%s", err)
	case errors.Is(err, exports.ErrNotDone), errors.Is(err, exports.ErrTooMany):
		return Refuse(Conflict, "%s", err)
	}
	return err
}
