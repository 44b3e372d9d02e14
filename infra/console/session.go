package console

import (
	"net/http"
	"time"
)

// own are the routes that the server has of itself.
func own(s *Server) []Route {
	return []Route{
		{
			Method: http.MethodGet, Path: "/api/session", Roles: Everybody,
			Doc:    "who the token says one is, until when, and which program, node and log answer",
			Handle: s.session,
		},
		{
			Method: http.MethodGet, Path: "/api/routes", Roles: Everybody,
			Doc:    "the urls of this interface, and whether one may ask them",
			Handle: s.listRoutes,
		},
	}
}

func (s *Server) session(w http.ResponseWriter, r *http.Request, c Caller) error {
	claims := r.Context().Value(admitted{}).(bearer).claims
	var expires *string
	if !claims.Expires.IsZero() {
		text := Time(claims.Expires)
		expires = &text
	}
	return JSON(w, struct {
		UserID  string  `json:"userId"`
		Name    string  `json:"name,omitempty"`
		Role    Role    `json:"role"`
		Expires *string `json:"expires"` // null: never
		// Whether looks want a reason of this caller.
		ReasonWanted bool   `json:"reasonWanted"`
		Time         string `json:"time"`
		About
	}{c.ID, c.Name, c.Role, expires, c.Role == Auditor, Time(time.Now()), s.o.About})
}

func (s *Server) listRoutes(w http.ResponseWriter, _ *http.Request, c Caller) error {
	type route struct {
		Method string `json:"method"`
		Path   string `json:"path"`
		Doc    string `json:"doc"`
		Look   bool   `json:"look"`
		Stream bool   `json:"stream"`
		May    bool   `json:"may"`
	}
	all := make([]route, len(s.routes))
	for i, r := range s.routes {
		all[i] = route{r.Method, r.Path, r.Doc, r.Look, r.Stream, r.allows(c.Role)}
	}
	return JSON(w, map[string]any{"routes": all})
}
