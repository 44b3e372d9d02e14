package console

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"lishi/infra/chdb"
	sqlapi "lishi/infra/sql"
)

// sqlRequest is what /api/sql/run takes.
type sqlRequest struct {
	SQL     string            `json:"sql"`
	Params  map[string]string `json:"params"`
	QueryID string            `json:"queryId"`
	Limit   int64             `json:"limit"`
	Format  string            `json:"format"`
}

// SQLRefused is the reason word of a statement that ClickHouse refused.
const SQLRefused = "sql"

// SQL are the routes that run people's statements.
func SQL(e *sqlapi.Endpoint) []Route {
	return []Route{{
		Method: http.MethodPost, Path: "/api/sql/run", Roles: Everybody, Look: true, Stream: true,
		Doc: "runs one statement that reads: `sql`, `params` (an object of texts for `{name:Type}`), `queryId`, `limit` (rows, at most 10000; default 1000); answers lines: `columns`, `row` …, `end`, and now and then `progress` (rows, readRows, readBytes, totalRows as far as known, elapsedMs), also before `columns`. " +
			"With `format` (CSVWithNames, JSONEachRow, Parquet …) the answer is that, whole",
		Handle: func(w http.ResponseWriter, r *http.Request, c Caller) error {
			var q sqlRequest
			if err := ReadJSON(r, &q); err != nil {
				return err
			}
			if e == nil {
				return Refuse(Unavailable, "ClickHouse is reached here by its native protocol; sql-clickhouse must say how over http")
			}
			if q.Limit < 0 || q.Limit > 10_000 {
				return Refuse(BadRequest, "limit is 1 to 10000")
			}
			if q.Limit == 0 {
				q.Limit = 1000
			}
			if q.Format != "" {
				return download(w, r, e, c, q)
			}
			return rows(w, r, e, c, q)
		},
	}, {
		Method: http.MethodPost, Path: "/api/sql/cancel", Roles: Everybody,
		Doc: "ends a statement of one's own by its `queryId`",
		Handle: func(w http.ResponseWriter, r *http.Request, c Caller) error {
			var q struct {
				QueryID string `json:"queryId"`
			}
			if err := ReadJSON(r, &q); err != nil {
				return err
			}
			return JSON(w, map[string]bool{"cancelled": e != nil && q.QueryID != "" && e.Cancel(asks(r, c), q.QueryID)})
		},
	}, {
		Method: http.MethodGet, Path: "/api/sql/schema", Roles: Everybody,
		Doc: "the views that SQL reads, their columns with type and meaning, and the limits of a statement",
		Handle: func(w http.ResponseWriter, _ *http.Request, _ Caller) error {
			return JSON(w, schema(e))
		},
	}}
}

func asks(r *http.Request, c Caller) sqlapi.Caller {
	return sqlapi.Caller{ID: c.ID, Name: c.Name, Role: string(c.Role), Reason: c.Reason, From: r.RemoteAddr}
}

func (q sqlRequest) statement(format string, settings map[string]string) sqlapi.Statement {
	return sqlapi.Statement{SQL: q.SQL, Params: q.Params, Format: format, ID: q.QueryID, Settings: settings, Looked: true}
}

// sqlRefusal tells a refusal of ClickHouse's as it stands.
func sqlRefusal(err error) error {
	var its *sqlapi.Error
	if errors.As(err, &its) {
		return Refuse(SQLRefused, "%s", its.Error())
	}
	return err
}

func download(w http.ResponseWriter, r *http.Request, e *sqlapi.Endpoint, c Caller, q sqlRequest) error {
	answer, err := e.Open(r.Context(), asks(r, c), q.statement(q.Format, nil))
	if err != nil {
		return sqlRefusal(err)
	}
	defer answer.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", `attachment; filename="query"`)
	_, err = io.Copy(w, answer)
	return sqlRefusal(err)
}

type sqlColumn struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// rowLines is an answer of rows, between which stands how far the statement is.
type rowLines struct {
	mu    sync.Mutex
	w     http.ResponseWriter
	lines *Lines // nil until the first line
	rows  int64
	read  chdb.Progress
	begun time.Time
	over  bool
}

// send writes a line. It needs the lock.
func (l *rowLines) send(v any) error {
	if l.lines == nil {
		l.lines = NewLines(l.w)
	}
	return l.lines.Send(v)
}

func (l *rowLines) line(v any) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.send(v)
}

func (l *rowLines) row(line []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rows++
	return l.send(struct {
		Row json.RawMessage `json:"row"`
	}{line})
}

// sqlPause is how often a line tells how far a statement is.
const sqlPause = 250 * time.Millisecond

func (l *rowLines) told(p chdb.Progress) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.read = p; l.over || p.Done || time.Since(l.begun) < sqlPause {
		return // what is over soon needs no progress, and a refusal of it its own status
	}
	if l.send(map[string]any{"progress": map[string]any{
		"rows": l.rows, "readRows": p.ReadRows, "readBytes": p.ReadBytes, "totalRows": p.TotalRows, "elapsedMs": time.Since(l.begun).Milliseconds(),
	}}) == nil {
		_ = l.lines.Flush() // the next line fails too
	}
}

func (l *rowLines) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
}

// rows answers with a line a row, and no more rows than asked for.
func rows(w http.ResponseWriter, r *http.Request, e *sqlapi.Endpoint, c Caller, q sqlRequest) error {
	l := &rowLines{w: w, begun: time.Now()}
	defer l.close()
	ctx := chdb.Watch(r.Context(), chdb.Watcher{Every: sqlPause, Told: l.told})
	answer, err := e.Open(ctx, asks(r, c), q.statement("JSONCompactEachRowWithNamesAndTypes", map[string]string{
		"output_format_json_quote_64bit_integers": "1", "output_format_json_quote_denormals": "1",
		"max_result_rows": strconv.FormatInt(q.Limit+1, 10), "result_overflow_mode": "break",
	}))
	if err != nil {
		return sqlRefusal(err)
	}
	defer answer.Close()
	in := bufio.NewReaderSize(answer, 64<<10)
	next := func() ([]byte, error) {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(bytes.TrimSpace(line)) > 0 {
			err = nil
		}
		return bytes.TrimSpace(line), err
	}
	var names, types []string
	for _, into := range []*[]string{&names, &types} {
		line, err := next()
		if errors.Is(err, io.EOF) {
			break // a statement without rows, and without columns
		}
		if err != nil {
			return sqlRefusal(err)
		}
		if err := json.Unmarshal(line, into); err != nil {
			return Refuse(BadRequest, "leave FORMAT out of the statement, or name it as format")
		}
	}
	columns := []sqlColumn{}
	for i := range types {
		columns = append(columns, sqlColumn{names[i], types[i]})
	}
	if err := l.line(map[string]any{"queryId": q.QueryID, "columns": columns, "limits": map[string]any{
		"seconds": e.Limits().Time.Seconds(), "rows": q.Limit, "memory": e.Limits().Memory,
	}}); err != nil {
		return err
	}
	truncated := false
	for n := int64(0); ; n++ {
		line, err := next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return sqlRefusal(err)
		}
		if truncated = n == q.Limit; truncated {
			break
		}
		if err := l.row(line); err != nil {
			return err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	end := map[string]any{"rows": l.rows, "truncated": truncated, "elapsedMs": time.Since(l.begun).Milliseconds()}
	if !truncated && l.read.ReadRows > 0 {
		end["readRows"], end["readBytes"] = l.read.ReadRows, l.read.ReadBytes
	}
	return l.send(map[string]any{"end": end})
}

// schema is what SQL can name.
func schema(e *sqlapi.Endpoint) any {
	type column struct {
		sqlColumn
		Comment string `json:"comment"`
	}
	type view struct {
		Name    string   `json:"name"`
		Comment string   `json:"comment"`
		Columns []column `json:"columns"`
	}
	views := []view{}
	for _, v := range sqlapi.Views() {
		shown := view{Name: v.Name, Comment: v.Comment}
		for _, c := range v.Columns {
			shown.Columns = append(shown.Columns, column{sqlColumn{c.Name, c.Type}, c.Comment})
		}
		views = append(views, shown)
	}
	limits, database := map[string]any{}, ""
	if e != nil {
		database = e.Views()
		limits = map[string]any{"seconds": e.Limits().Time.Seconds(), "rows": e.Limits().Rows, "memory": e.Limits().Memory}
	}
	return map[string]any{"database": database, "views": views, "limits": limits}
}
