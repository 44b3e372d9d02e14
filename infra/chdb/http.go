package chdb

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Handler speaks ClickHouse's HTTP interface over the engine: query and rows in
// the URL or the body, param_… for parameters, other names for settings,
// default_format, database, /ping. Errors carry X-ClickHouse-Exception-Code,
// also when they come in the middle of an answer. There are no users (see
// Authorised) and no external tables. A session_id is taken, but nothing is kept
// between requests. Whoever reaches it may do whatever the process may, unless a
// handler in front gives the request a role.
//
// Source: https://clickhouse.com/docs/interfaces/http.
func (e *Engine) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "", "/":
			if r.Method == http.MethodGet && r.ContentLength == 0 && !r.URL.Query().Has("query") {
				io.WriteString(w, "Ok.\n") // as ClickHouse says it is there
				return
			}
			e.serve(w, r)
		case "/ping":
			io.WriteString(w, "Ok.\n")
		default:
			http.NotFound(w, r)
		}
	})
}

// Serve answers with the engine's handler, or one before it, until the context ends, then finishes what is
// under way for at most five seconds. The listener is closed on return.
func Serve(ctx context.Context, listener net.Listener, h http.Handler) error {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if server.Shutdown(grace) != nil {
			server.Close()
		}
	})
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// request is an HTTP request as the engine takes it.
type request struct {
	session Session
	sql     string
	format  string // of the answer, and of data
	params  []Param
	data    io.Reader // rows of an INSERT, nil for any other statement
}

// maxSQL bounds the text of a statement, in bytes. Rows that come behind
// "INSERT … FORMAT …" are not part of it.
const maxSQL = 16 << 20

func (e *Engine) serve(w http.ResponseWriter, r *http.Request) {
	if e.sayHello(w, r) {
		return
	}
	id := r.URL.Query().Get("query_id")
	if id == "" {
		id = r.Header.Get("X-ClickHouse-Query-Id")
	}
	if id == "" {
		id = uuid.NewString()
	}
	w.Header().Set("X-ClickHouse-Query-Id", id)
	q, err := parse(r)
	if _, its := errors.AsType[*Error](err); its {
		refuse(w, err)
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if q.data != nil {
		if err := e.Insert(r.Context(), q.session, q.sql, q.format, q.params, q.data); err != nil {
			refuse(w, err)
		}
		return
	}
	w, r, end := Announce(w, r)
	defer end()
	e.answer(w, r, q)
}

// Names in the URL that are neither settings nor parameters.
var notSettings = []string{
	"query", "database", "default_format", "query_id", "quota_key", "user", "password",
	"client_protocol_version", "session_id", "compress", "decompress", "replace_running_query", "session_timeout", "session_check", "stacktrace", "role",
	"wait_end_of_query", "buffer_size", "send_progress_in_http_headers", "http_headers_progress_interval_ms", "enable_http_compression",
	"http_write_exception_in_output_format", "cancel_http_readonly_queries_on_client_close",
}

var settingName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// WithHeaders adds to a URL's parameters what ClickHouse takes from headers too.
func WithHeaders(values url.Values, h http.Header) {
	for name, param := range map[string]string{"X-ClickHouse-Format": "default_format", "X-ClickHouse-Database": "database"} {
		if v := h.Get(name); v != "" {
			values.Set(param, v)
		}
	}
	if id := h.Get("X-ClickHouse-Query-Id"); id != "" && values.Get("query_id") == "" {
		values.Set("query_id", id)
	}
}

func parse(r *http.Request) (q request, err error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return q, fmt.Errorf("the URL's query cannot be read: %w", err)
	}
	if on(values.Get("session_check")) {
		return q, &Error{Code: 372, Name: "SESSION_NOT_FOUND", Message: "Code: 372. DB::Exception: Session not found: every request stands alone here. (SESSION_NOT_FOUND)"}
	}
	body, err := Decompressed(r)
	if err != nil {
		return q, err
	}
	if media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); strings.HasPrefix(media, "multipart/") {
		return q, errors.New("external tables are not served here")
	}
	WithHeaders(values, r.Header)
	q.session.Database = values.Get("database")
	if len(values["role"]) > 1 {
		return q, errors.New("one role at a time is served here")
	}
	q.session.Role = values.Get("role")
	q.format = values.Get("default_format")
	if q.format == "" {
		q.format = "TabSeparated"
	}
	for name := range values {
		param, isParam := strings.CutPrefix(name, "param_")
		switch {
		case isParam:
			q.params = append(q.params, Param{param, values.Get(name)})
		case slices.Contains(notSettings, name):
		case !settingName.MatchString(name):
			return q, fmt.Errorf("%q is no name of a setting", name)
		default:
			q.session.Settings = append(q.session.Settings, Setting{name, values.Get(name)})
		}
	}
	if r.Method == http.MethodGet && !values.Has("readonly") {
		// As in ClickHouse: what a link does must not write.
		q.session.Settings = append(q.session.Settings, Setting{"readonly", "2"})
	}
	slices.SortFunc(q.session.Settings, func(a, b Setting) int { return strings.Compare(a.Name, b.Name) })
	return q, q.readStatement(values.Get("query"), body)
}

var (
	// insertWithFormat is an INSERT whose rows come behind it.
	insertWithFormat = regexp.MustCompile(`(?is)^(\s*INSERT\s.*?)\sFORMAT\s+(\w+)\s*;?\s*$`)
	// insertThenRows is the same with rows in the same text.
	insertThenRows = regexp.MustCompile("(?is)^(\\s*INSERT\\s+INTO\\s+(?:TABLE\\s+)?(?:`[^`]*`|[\\w.])+\\s*(?:\\([^)]*\\))?)\\s*FORMAT\\s+(\\w+)[ \\t]*\\r?\\n")
)

// readStatement finds SQL and rows: in the URL and the body, or both in the body.
func (q *request) readStatement(sql string, body io.Reader) error {
	if m := insertWithFormat.FindStringSubmatch(sql); m != nil {
		q.sql, q.format, q.data = m[1], m[2], body
		return nil
	}
	if sql == "" {
		buffered := bufio.NewReaderSize(body, 64<<10)
		head, err := buffered.Peek(64 << 10)
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("reading the body: %w", err)
		}
		if m := insertThenRows.FindSubmatch(head); m != nil {
			q.sql, q.format, q.data = string(m[1]), string(m[2]), buffered
			_, err := buffered.Discard(len(m[0]))
			return err
		}
		body = buffered
	}
	rest, err := io.ReadAll(io.LimitReader(body, maxSQL+1))
	if err != nil {
		return fmt.Errorf("reading the body: %w", err)
	}
	q.sql = sql + string(rest)
	if len(q.sql) > maxSQL {
		return fmt.Errorf("the statement is longer than %d bytes", maxSQL)
	}
	if strings.TrimSpace(q.sql) == "" {
		return errors.New("no statement given: put it into the body or into ?query=")
	}
	return nil
}

// refuse answers an error before anything else was answered.
func refuse(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	var refused *Error
	switch {
	case errors.As(err, &refused):
		w.Header().Set("X-ClickHouse-Exception-Code", strconv.Itoa(refused.Code))
		switch refused.Code {
		case 6, 26, 27, 33, 36, 38, 41, 42, 43, 47, 53, 62, 117, 456: // the statement is wrong
			status = http.StatusBadRequest
		case 46, 60, 81, 115, 372, 511: // it names something that is not there
			status = http.StatusNotFound
		case 164, 497: // it is not allowed
			status = http.StatusForbidden
		}
	case errors.Is(err, ErrClosed):
		status = http.StatusServiceUnavailable
	}
	w.Header().Set("Content-Type", "text/plain; charset=UTF-8")
	w.WriteHeader(status)
	fmt.Fprintf(w, "%s\n", err)
}

// exceptionTag marks an error in the middle of an answer as the server's own,
// so that data that merely looks like one is not taken for it.
const exceptionTag = "lishi-chdb-error"

// breakOff writes an error behind the part of an answer that has gone out, in
// ClickHouse's framing.
func breakOff(w io.Writer, err error) {
	text := err.Error()
	var refused *Error
	if !errors.As(err, &refused) {
		text = "Code: 1002. DB::Exception: " + text
	}
	exception(w, text[:min(len(text), 15<<10)])
}

func exception(w io.Writer, text string) {
	fmt.Fprintf(w, "\r\n__exception__\r\n%s\r\n%s\n%d %[1]s\r\n__exception__\r\n", exceptionTag, text, len(text)+1)
}

func contentType(format string) string {
	switch {
	case strings.HasPrefix(format, "JSONEachRow"), strings.HasSuffix(format, "EachRow"):
		return "application/x-ndjson; charset=UTF-8"
	case strings.HasPrefix(format, "JSON"):
		return "application/json; charset=UTF-8"
	case strings.HasPrefix(format, "TabSeparated"), strings.HasPrefix(format, "TSV"):
		return "text/tab-separated-values; charset=UTF-8"
	case strings.HasPrefix(format, "CSV"):
		return "text/csv; charset=UTF-8"
	case strings.HasPrefix(format, "Pretty"), format == "Vertical":
		return "text/plain; charset=UTF-8"
	}
	return "application/octet-stream"
}
