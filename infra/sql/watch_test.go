package sql_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"lishi/infra/chdb"
	"lishi/infra/sql"
)

// What a server says of its progress in the header arrives while the header is
// not whole yet, over plain connections and TLS, and answers are read as ever.
func TestProgressIsOverheard(t *testing.T) {
	next := make(chan struct{})
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w, r, end := chdb.Announce(w, r)
		defer end()
		if watcher := chdb.WatcherOf(r.Context()); watcher.Told != nil {
			if watcher.Every != 70*time.Millisecond {
				t.Errorf("every %s", watcher.Every)
			}
			for i := range uint64(3) {
				watcher.Told(chdb.Progress{ReadRows: i, TotalRows: 10})
				<-next // it has arrived
			}
		}
		w.Header().Set("X-ClickHouse-Summary", chdb.Progress{ReadRows: 10, TotalRows: 10}.Header())
		io.WriteString(w, "X-ClickHouse-Progress: {\"read_rows\":\"99\"}\nthe answer\n")
	})
	for _, server := range []*httptest.Server{httptest.NewServer(h), httptest.NewTLSServer(h)} {
		defer server.Close()
		way := sql.Watching(server.Client().Transport.(*http.Transport))
		var told []uint64
		for _, watched := range []bool{true, false, true, false, false} {
			told = nil
			ctx := t.Context()
			if watched {
				ctx = chdb.Watch(ctx, chdb.Watcher{Every: 70 * time.Millisecond, Told: func(p chdb.Progress) {
					if told = append(told, p.ReadRows); p.ReadRows < 3 {
						next <- struct{}{}
					}
				}})
			}
			r, _ := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+"/?query=x", nil)
			response, err := way.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(response.Body)
			response.Body.Close()
			if err != nil || string(body) != "X-ClickHouse-Progress: {\"read_rows\":\"99\"}\nthe answer\n" || response.StatusCode != 200 {
				t.Errorf("%q, %v", body, err)
			}
			want := 0
			if watched {
				want = 4
			}
			if len(told) != want || watched && told[3] != 10 {
				t.Errorf("%s, watched %v: told %v", server.URL, watched, told)
			}
		}
	}
}
