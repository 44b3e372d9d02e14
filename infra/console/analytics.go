package console

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"lishi/projections/analytics"
)

// Selects runs SELECTs over the stable views, for the caller and within the limits
// of people's SQL.
type Selects interface {
	// Select writes the answer in a format of ClickHouse's, as it comes. Refusals,
	// the engine's too, are *Error.
	Select(ctx context.Context, c Caller, s analytics.Statement, format string, w io.Writer) error
}

// Analytics are the routes of the figures.
func Analytics(sql Selects) []Route {
	const parameters = "`from`, `to`, `zone`, and those that it takes of `period`, `week`, `group`, `imported`, `limit`"
	return []Route{
		{
			Method: http.MethodGet, Path: "/api/analytics", Roles: Everybody,
			Doc: "the figures: what each says, its columns, its chart, its parameters",
			Handle: func(w http.ResponseWriter, r *http.Request, _ Caller) error {
				if err := ParamsOf(r).Err(); err != nil {
					return err
				}
				return JSON(w, struct {
					Figures    []*analytics.Figure   `json:"figures"`
					Parameters []analytics.Parameter `json:"parameters"`
				}{analytics.Figures(), analytics.Parameters()})
			},
		},
		{
			Method: http.MethodGet, Path: "/api/analytics/{figure}", Roles: Everybody, Look: true,
			Doc: "one figure: columns, rows and the SQL that made them; " + parameters,
			Handle: func(w http.ResponseWriter, r *http.Request, c Caller) error {
				f, q, err := figure(r, r.URL.Query())
				if err != nil {
					return err
				}
				a, err := f.answer(r.Context(), sql, c, q)
				if err != nil {
					return err
				}
				return JSON(w, a)
			},
		},
		{
			Method: http.MethodGet, Path: "/api/analytics/{figure}/download", Roles: Everybody, Look: true, Stream: true,
			Doc: "the same rows as a file: `format` is `csv` or `parquet`; " + parameters,
			Handle: func(w http.ResponseWriter, r *http.Request, c Caller) error {
				values := r.URL.Query()
				format, ok := downloads[values.Get("format")]
				if !ok {
					return Refuse(BadRequest, "format is csv or parquet")
				}
				values.Del("format")
				f, q, err := figure(r, values)
				if err != nil {
					return err
				}
				w.Header().Set("Content-Type", format.media)
				w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s-%s.%s"`, f.Name, q.From.In(q.Zone).Format(time.DateOnly), format.suffix))
				return sql.Select(r.Context(), c, f.Statement(q), format.name, w)
			},
		},
	}
}

var downloads = map[string]struct{ name, suffix, media string }{
	"csv":     {"CSVWithNames", "csv", "text/csv; charset=utf-8"},
	"parquet": {"Parquet", "parquet", "application/vnd.apache.parquet"},
}

// asked is a figure that somebody asks for.
type asked struct{ *analytics.Figure }

func figure(r *http.Request, values map[string][]string) (asked, analytics.Request, error) {
	f, err := analytics.Find(r.PathValue("figure"))
	var q analytics.Request
	if err == nil {
		q, err = f.Parse(values, time.Now())
	}
	return asked{f}, q, err
}

// answered is a figure as it is told.
type answered struct {
	Figure    string              `json:"figure"`
	From      string              `json:"from"`
	To        string              `json:"to"`
	Zone      string              `json:"zone"`
	SQL       string              `json:"sql"`
	Columns   []column            `json:"columns"`
	Rows      [][]json.RawMessage `json:"rows"`
	ReadRows  json.Number         `json:"readRows"`
	ElapsedMs int64               `json:"elapsedMs"`
}

type column struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// maxAnswer is far more than the rows of any figure take, in bytes.
const maxAnswer = 16 << 20

func (f asked) answer(ctx context.Context, sql Selects, c Caller, q analytics.Request) (answered, error) {
	s := f.Statement(q)
	b := bounded{}
	begun := time.Now()
	if err := sql.Select(ctx, c, s, "JSONCompact", &b); err != nil {
		return answered{}, err
	}
	var got struct {
		Meta       []column
		Data       [][]json.RawMessage
		Statistics struct {
			Rows json.Number `json:"rows_read"`
		}
	}
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		return answered{}, fmt.Errorf("the answer of figure %s: %w", f.Name, err)
	}
	for _, row := range got.Data {
		for i := range row {
			row[i] = told(row[i], got.Meta[i].Type)
		}
	}
	return answered{
		Figure: f.Name, From: Time(q.From), To: Time(q.To), Zone: q.Zone.String(), SQL: f.Comment(s),
		Columns: got.Meta, Rows: got.Data, ReadRows: got.Statistics.Rows, ElapsedMs: time.Since(begun).Milliseconds(),
	}, nil
}

// told is a value as the console writes it: counts are numbers, also of 64 bits,
// since none comes near 2⁵³, and moments, which figures have in UTC, say so.
func told(v json.RawMessage, kind string) json.RawMessage {
	if len(v) < 2 || v[0] != '"' {
		return v
	}
	kind = strings.TrimPrefix(kind, "Nullable(")
	switch {
	case strings.HasPrefix(kind, "UInt64"), strings.HasPrefix(kind, "Int64"):
		return v[1 : len(v)-1]
	case strings.HasPrefix(kind, "DateTime64(3"):
		if at, err := time.Parse(`"2006-01-02 15:04:05.000"`, string(v)); err == nil {
			return json.RawMessage(`"` + Time(at) + `"`)
		}
	}
	return v
}

// bounded is a buffer that takes no more than an answer.
type bounded struct{ bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxAnswer {
		return 0, Refuse(BadRequest, "the figure has too many rows; choose a longer period or a shorter time")
	}
	return b.Buffer.Write(p)
}
