package system

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lishi/infra/console"
	"lishi/projections/analytics"
)

const figuresChat = `{"time":"2026-11-02 10:00:00","from":"ann","to":"bob","text":"are you there?"}
{"time":"2026-11-02 10:05:00","from":"bob","to":"ann","text":"yes"}
{"time":"2026-11-03 00:30:00","from":"ann","group":"tea","text":"tea?"}
`

// Every figure of the running program: its columns are those that are described,
// its SQL gives the same rows when it is run by hand, and downloads are whole.
func TestFigures(t *testing.T) {
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "chat.jsonl")
	if err := os.WriteFile(file, []byte(figuresChat), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := lishi("import", file, "--data", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	_, as := consoleOver(t, dir)
	c := as("analyst")
	asked := url.Values{"from": {"2026-11-01"}, "to": {"2026-11-08"}, "zone": {"Asia/Shanghai"}}
	for _, f := range analytics.Figures() {
		var a struct {
			SQL     string
			Columns []struct{ Name string }
			Rows    [][]any
		}
		if err := c.Get(t.Context(), "/api/analytics/"+f.Name, asked, &a); err != nil {
			t.Errorf("%s: %v", f.Name, err)
			continue
		}
		var got, want []string
		for _, column := range a.Columns {
			got = append(got, column.Name)
		}
		for _, column := range f.Columns {
			want = append(want, column.Name)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s has the columns %v, described are %v", f.Name, got, want)
		}
		rows := 0
		err := c.Lines(t.Context(), "POST", "/api/sql/run", nil, map[string]any{"sql": a.SQL}, func(line []byte) error {
			if strings.HasPrefix(string(line), `{"row":`) {
				rows++
			}
			return nil
		})
		if err != nil || rows != len(a.Rows) {
			t.Errorf("%s has %d rows, its SQL gives %d: %v", f.Name, len(a.Rows), rows, err)
		}
		if f.Name == "messages" {
			text, _ := json.Marshal(a.Rows[:3])
			if want := `[["2026-11-01",0,0,0,0,0,0,0],["2026-11-02",2,2,0,1,0,0,2],["2026-11-03",1,0,1,1,0,0,1]]`; string(text) != want {
				t.Errorf("messages are %s, want %s", text, want)
			}
		}
	}
	for format, begins := range map[string]string{"csv": `"group_id","name","messages"`, "parquet": "PAR1"} {
		asked := url.Values{"format": {format}, "from": {"2026-11-01"}, "to": {"2026-11-08"}}
		body, err := c.Do(t.Context(), "GET", "/api/analytics/top_groups/download", asked, nil)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(body)
		if body.Close(); err != nil || !strings.HasPrefix(string(raw), begins) {
			t.Errorf("%s begins with %.40q: %v", format, raw, err)
		}
	}
	for path, reason := range map[string]string{
		"/api/analytics/weather": console.NotFound, "/api/analytics/messages?zone=Mars": console.BadRequest, "/api/analytics/messages?period=x": console.BadRequest,
		"/api/analytics/messages/download": console.BadRequest, "/api/analytics/messages/download?format=csv&from=x": console.BadRequest,
	} {
		where, query, _ := strings.Cut(path, "?")
		values, _ := url.ParseQuery(query)
		var refused *console.Error
		if err := c.Get(t.Context(), where, values, nil); !errors.As(err, &refused) || refused.Reason != reason {
			t.Errorf("%s: %v, want %s", path, err, reason)
		}
	}
}
