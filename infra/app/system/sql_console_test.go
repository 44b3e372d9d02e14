package system

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"lishi/infra/console"
)

// The console's urls run the same statements.
func TestSQLInTheConsole(t *testing.T) {
	addr := freeAddr(t)
	s := withSQL(t, "--console", addr)
	t.Run("progress", func(t *testing.T) { s.progress(t, addr) })
	c := &console.Client{Base: "http://" + addr, Token: s.token("analyst")}
	var lines []string
	ask := func(in map[string]any) error {
		lines = nil
		return c.Lines(t.Context(), http.MethodPost, "/api/sql/run", nil, in, func(line []byte) error {
			lines = append(lines, string(line))
			return nil
		})
	}
	if err := ask(map[string]any{"sql": "SELECT number AS n, 'x' AS s FROM numbers({most:UInt32})", "params": map[string]string{"most": "5"}, "limit": 2}); err != nil || len(lines) != 4 ||
		!strings.Contains(lines[0], `{"name":"n","type":"UInt64"}`) || lines[1] != `{"row":["0", "x"]}` && lines[1] != `{"row":["0","x"]}` || !strings.Contains(lines[3], `"truncated":true`) {
		t.Errorf("%v, %v", lines, err)
	}
	var refused *console.Error
	if err := ask(map[string]any{"sql": "SELECT * FROM nowhere"}); !errors.As(err, &refused) || refused.Reason != console.SQLRefused {
		t.Error(err)
	}
	ended := make(chan error, 1)
	go func() {
		ended <- c.Lines(t.Context(), http.MethodPost, "/api/sql/run", nil, map[string]any{"sql": "SELECT count() FROM numbers(1000000000000000)", "queryId": "q"}, func([]byte) error { return nil })
	}()
	wait(t, "the statement is cancelled", 30*time.Second, func() bool {
		var answer struct{ Cancelled bool }
		return c.Post(t.Context(), "/api/sql/cancel", map[string]string{"queryId": "q"}, &answer) == nil && answer.Cancelled
	})
	if err := <-ended; !errors.As(err, &refused) || !strings.Contains(refused.Message, "394") {
		t.Error(err)
	}
}

// progress is told in the console's lines and in the header, wherever the engine is.
func (s *sqlServer) progress(t *testing.T, consoleAddr string) {
	const sql = "SELECT count() FROM numbers(4000000) WHERE NOT ignore(sipHash128(number, toString(number)))"
	c := &console.Client{Base: "http://" + consoleAddr, Token: s.token("analyst")}
	type told struct{ ReadRows, ReadBytes, TotalRows int64 }
	var before, rows []told
	var end told
	err := c.Lines(t.Context(), http.MethodPost, "/api/sql/run", nil, map[string]any{"sql": sql}, func(line []byte) error {
		var l struct {
			Row      []any
			Progress *told
			End      *told
		}
		if err := json.Unmarshal(line, &l); err != nil {
			return err
		}
		switch {
		case l.Progress != nil && rows == nil:
			before = append(before, *l.Progress)
		case l.Row != nil:
			rows = append(rows, told{})
		case l.End != nil:
			end = *l.End
		}
		return nil
	})
	if err != nil || len(rows) != 1 || len(before) == 0 || before[0].ReadRows == 0 || before[0].ReadBytes == 0 || before[0].TotalRows != 4_000_000 || end.ReadRows == 0 {
		t.Errorf("%v, then %d rows, then %v: %v", before, len(rows), end, err)
	}
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, s.sql+"?send_progress_in_http_headers=1&http_headers_progress_interval_ms=50&wait_end_of_query=1", strings.NewReader(sql))
	r.SetBasicAuth("any", s.token("analyst"))
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(response.Body)
	response.Body.Close()
	if h := response.Header; err != nil || string(text) != "4000000\n" || len(h.Values("X-ClickHouse-Progress")) == 0 || !regexp.MustCompile(`"read_rows":"[1-9]`).MatchString(h.Get("X-ClickHouse-Summary")) {
		t.Errorf("%v %q %v", h, text, err)
	}
}

// interrupted: ^C ends a statement in the server that runs it.
func (s *sqlServer) interrupted(t *testing.T, engine string) {
	running := func() string {
		response, err := http.Get("http://" + engine + "/?query=" + url.QueryEscape("SELECT count() FROM system.processes WHERE query LIKE '%97000000000%' AND query NOT LIKE '%processes%'"))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, _ := io.ReadAll(response.Body)
		return strings.TrimSpace(string(text))
	}
	cmd := lishi("query", "--sql", s.sql, "SELECT sum(sipHash64(number)) FROM numbers(97000000000)")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	wait(t, "the statement runs", 30*time.Second, func() bool { return running() == "1" })
	cmd.Process.Signal(os.Interrupt)
	cmd.Wait()
	if cmd.ProcessState.ExitCode() != 130 {
		t.Errorf("interrupted: %d", cmd.ProcessState.ExitCode())
	}
	wait(t, "the statement has ended", 30*time.Second, func() bool { return running() == "0" })
}
