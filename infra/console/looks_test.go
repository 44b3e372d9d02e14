package console_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"lishi/events"
	"lishi/infra/console"
	"lishi/infra/kafka"
	record "lishi/infra/looks"
	"lishi/infra/tokens"
)

// A look that the log does not take is not granted: the route is never reached.
func TestNothingIsShownThatIsNotRecorded(t *testing.T) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	l, err := kafka.Open(t.Context(), kafka.Options{
		Brokers: c.ListenAddrs(), Layout: events.Layout{Conversations: 1, Users: 1}, Replication: 1,
		Patience: 200 * time.Millisecond, RequestTimeout: 200 * time.Millisecond, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	shown := 0
	var routes []console.Route
	for _, path := range []string{"/api/secrets/{name}", "/api/secrets/{name}/download", "/api/audit/exports", "/api/sql/run"} {
		routes = append(routes, console.Route{
			Method: http.MethodPost, Path: path, Roles: console.Everybody, Look: true,
			Handle: func(w http.ResponseWriter, r *http.Request, _ console.Caller) error {
				shown++
				page, err := record.List(r.Context(), l, record.Filter{}, 0, 10) // it is there already
				if err != nil {
					return err
				}
				return console.JSON(w, page.Looks[0])
			},
		})
	}
	s := console.New(console.Options{
		Verify: func(string, time.Time) (tokens.Claims, error) {
			return tokens.Claims{UserID: "eve", Name: "Eve", Role: "auditor"}, nil
		},
		Looker: console.Recorded(&record.Recorder{Log: l}),
	}, routes...)
	ask := func(path string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(`{"why":"not"}`))
		r.Header.Set("Authorization", "Bearer x")
		r.Header.Set("Lishi-Reason", "%E5%A5%BD%E5%A5%87")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w
	}
	w := ask("/api/secrets/one?deep=true")
	for _, part := range []string{`"position":"a0-1"`, `"actor":"eve"`, `"actorName":"Eve"`, `"role":"auditor"`, `"reason":"好奇"`, `"way":"console"`, `"what":"POST /api/secrets/one?deep=true"`, `"text":"{\"why\":\"not\"}"`, `"from":"192.0.2.1:1234"`} {
		if w.Code != http.StatusOK || shown != 1 || !strings.Contains(w.Body.String(), part) {
			t.Errorf("%d: %s lacks %s", w.Code, w.Body, part)
		}
	}
	for path, way := range map[string]string{"/api/secrets/one/download": record.Export, "/api/audit/exports": record.Export, "/api/sql/run": record.SQL} {
		if w := ask(path); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"way":"`+way+`"`) {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	c.Close()
	if w := ask("/api/secrets/one"); w.Code != http.StatusServiceUnavailable || shown != 4 || !strings.Contains(w.Body.String(), console.Unavailable) {
		t.Errorf("%d %s, shown %d times", w.Code, w.Body, shown)
	}
}
