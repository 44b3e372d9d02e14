package console

import (
	"encoding/json"
	"net/http"
	"time"
)

// writer knows whether an answer has begun, and gives a reader who stalls only so
// much time for each write of a stream.
type writer struct {
	http.ResponseWriter
	timeout time.Duration // of a write; 0: the server's own limit
	begun   bool
	lines   bool
}

// Unwrap is for http.ResponseController.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *writer) WriteHeader(status int) {
	w.begun = true
	w.extend()
	w.ResponseWriter.WriteHeader(status)
}

func (w *writer) Write(p []byte) (int, error) {
	w.begun = true
	w.extend()
	return w.ResponseWriter.Write(p)
}

func (w *writer) extend() {
	if w.timeout > 0 {
		http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(w.timeout))
	}
}

// last ends an answer that has begun with an error: a line where it is lines,
// else it is cut off, so that nobody takes a part for the whole.
func (w *writer) last(e *Error) {
	if !w.lines {
		panic(http.ErrAbortHandler)
	}
	json.NewEncoder(w).Encode(struct {
		Error *Error `json:"error"`
	}{e})
}

// JSON answers with one JSON value.
func JSON(w http.ResponseWriter, v any) error {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// Lines answers with one JSON object a line (NDJSON) for as long as it takes. If
// Handle returns an error the last line is {"error":{"reason":…,"message":…}}; an
// answer without it that ends in order is whole.
type Lines struct {
	w       http.ResponseWriter
	out     *json.Encoder
	control *http.ResponseController
}

// NewLines begins such an answer; its first bytes are sent at once.
func NewLines(w http.ResponseWriter) *Lines {
	h := w.Header()
	h.Set("Content-Type", "application/x-ndjson; charset=utf-8")
	h.Set("X-Accel-Buffering", "no") // proxies pass the lines on as they come
	if own, ok := w.(*writer); ok {
		own.lines = true
	}
	w.WriteHeader(http.StatusOK)
	l := &Lines{w, json.NewEncoder(w), http.NewResponseController(w)}
	l.out.SetEscapeHTML(false)
	l.Flush()
	return l
}

// Send writes one line. It blocks while the reader does not read, and fails once
// that takes longer than Options.Timeout.
func (l *Lines) Send(v any) error { return l.out.Encode(v) }

// Write sends lines that are whole already, each with its end, as Send does.
func (l *Lines) Write(lines []byte) error {
	_, err := l.w.Write(lines)
	return err
}

// Flush sends what was written so far.
func (l *Lines) Flush() error { return l.control.Flush() }
