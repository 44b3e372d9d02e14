package sql

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"lishi/infra/chdb"
)

// ServeHTTP speaks ClickHouse's HTTP interface.
//
// Source: https://clickhouse.com/docs/interfaces/http.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff") // what people wrote is no page
	switch {
	case r.URL.Path == "/ping":
		io.WriteString(w, "Ok.\n")
		return
	case r.URL.Path != "" && r.URL.Path != "/":
		http.NotFound(w, r)
		return
	case r.Method == http.MethodGet && !r.URL.Query().Has("query"):
		io.WriteString(w, "Ok.\n")
		return
	}
	c, err := e.caller(r, time.Now())
	if err != nil {
		w.Header().Set("WWW-Authenticate", `Basic realm="lishi", charset="UTF-8"`)
		fail(w, &Error{Code: 516, Name: "AUTHENTICATION_FAILED", Text: "Authentication failed: " + err.Error(), Status: http.StatusUnauthorized})
		return
	}
	http.NewResponseController(w).SetWriteDeadline(time.Now().Add(e.o.Limits.Time + time.Minute))
	w, r, end := chdb.Announce(w, r)
	defer end()
	if err := e.serve(w, r, c); err != nil {
		fail(w, err)
	}
}

const maxSQL = 1 << 20

func (e *Endpoint) serve(w http.ResponseWriter, r *http.Request, c Caller) error {
	given := r.URL.Query()
	chdb.WithHeaders(given, r.Header)
	body, err := chdb.Decompressed(r)
	if err != nil {
		return refused(36, "BAD_ARGUMENTS", err.Error())
	}
	rest, err := io.ReadAll(io.LimitReader(body, maxSQL+1))
	if err != nil {
		return refused(36, "BAD_ARGUMENTS", "the body can't be read: "+err.Error())
	}
	sql := given.Get("query") + string(rest)
	if len(sql) > maxSQL {
		return refused(62, "SYNTAX_ERROR", "the statement is longer than "+strconv.Itoa(maxSQL)+" bytes")
	}
	if m := kill.FindStringSubmatch(sql); m != nil {
		if e.Cancel(c, m[1]) {
			fmt.Fprintf(w, "waiting\t%s\t%s\t\n", m[1], c.ID)
		}
		return nil
	}
	given.Del("query")
	given.Del("decompress")
	response, err := e.ask(r.Context(), c, given, sql, r.Header, true)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	for name, values := range response.Header {
		if strings.HasPrefix(name, "X-Clickhouse") && name != "X-Clickhouse-Progress" || name == "Content-Type" || name == "Content-Encoding" || name == "Vary" || name == "Content-Length" {
			w.Header()[name] = values
		}
	}
	w.WriteHeader(response.StatusCode)
	buffer := make([]byte, 64<<10)
	if _, err := io.CopyBuffer(onlyWriter{w}, response.Body, buffer); err != nil {
		_ = http.NewResponseController(w).Flush() // the exception, if that is why
		panic(http.ErrAbortHandler)               // a part must not look like the whole
	}
	return nil
}

type onlyWriter struct{ io.Writer }

// fail answers a refusal as ClickHouse does.
func fail(w http.ResponseWriter, err error) {
	var its *Error
	switch {
	case errors.As(err, &its):
	case errors.Is(err, context.Canceled):
		return // nobody listens
	default:
		its = &Error{Code: 210, Name: "NETWORK_ERROR", Text: "ClickHouse can't be asked at the moment", Status: http.StatusServiceUnavailable}
	}
	status := its.Status
	if status == 0 {
		status = http.StatusForbidden
		if its.Code == 36 || its.Code == 62 {
			status = http.StatusBadRequest
		}
	}
	h := w.Header()
	h.Set("X-ClickHouse-Exception-Code", strconv.Itoa(its.Code))
	h.Set("Content-Type", "text/plain; charset=UTF-8")
	w.WriteHeader(status)
	fmt.Fprintln(w, its.Error())
}
