package chdb

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"strconv"
	"strings"
	"sync"
	"time"
)

// announced is the answer to a client that asked for send_progress_in_http_headers:
// its header begins while the statement runs, with a line X-ClickHouse-Progress
// now and then, as ClickHouse's does. Since net/http writes a header in one piece,
// the connection is taken from it once there is progress to tell; it is closed at
// the end. The status is 200 then: a refusal comes as an exception in the answer,
// with X-ClickHouse-Exception-Code in the header, which has not ended yet.
//
// Source: https://clickhouse.com/docs/interfaces/http#response-headers.
type announced struct {
	http.ResponseWriter // until the connection is taken

	leave context.CancelFunc // the client has gone

	mu      sync.Mutex
	conn    net.Conn // once it is taken
	out     *bufio.Writer
	body    io.WriteCloser // its chunks
	begun   bool           // the header is complete
	over    bool
	refused *bytes.Buffer // what is said instead of an answer
}

// Announce prepares an answer that shows progress in its header, if the request
// asks for it. Answer to what it gives, with its request; end must be called, also
// on a panic. The header's fields stay as they are set until the first byte.
func Announce(w http.ResponseWriter, r *http.Request) (_ http.ResponseWriter, _ *http.Request, end func()) {
	q := r.URL.Query()
	if !on(q.Get("send_progress_in_http_headers")) || r.ProtoMajor != 1 || r.ProtoMinor != 1 {
		return w, r, func() {}
	}
	every := 100 * time.Millisecond // ClickHouse's default
	if ms, err := strconv.ParseUint(q.Get("http_headers_progress_interval_ms"), 10, 31); err == nil {
		every = time.Duration(max(ms, 1)) * time.Millisecond
	}
	ctx, leave := context.WithCancel(r.Context())
	a := &announced{ResponseWriter: w, leave: leave}
	inner := WatcherOf(ctx)
	told := func(p Progress) {
		a.tell(p)
		if inner.Told != nil {
			inner.Told(p)
		}
	}
	return a, r.WithContext(Watch(ctx, Watcher{Every: every, Told: told})), func() {
		if p := recover(); p != nil {
			a.end(false)
			panic(p)
		}
		a.end(true)
	}
}

// tell writes a line of the header, unless that is complete.
func (a *announced) tell(p Progress) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.begun || a.over || p.Done || a.conn == nil && !a.take() {
		return
	}
	a.out.WriteString("X-ClickHouse-Progress: " + p.Header() + "\r\n")
	a.flush()
}

// take takes the connection and begins the header.
func (a *announced) take() bool {
	conn, buffered, err := http.NewResponseController(a.ResponseWriter).Hijack()
	if err != nil {
		return false
	}
	a.conn, a.out = conn, buffered.Writer
	go func() { // who closes the connection ends the statement, as with net/http
		var one [1]byte
		for {
			if _, err := buffered.Reader.Read(one[:]); err != nil {
				a.leave()
				return
			}
		}
	}()
	a.out.WriteString("HTTP/1.1 200 OK\r\nDate: " + time.Now().UTC().Format(http.TimeFormat) + "\r\nConnection: close\r\n")
	return true
}

const announceTimeout = time.Minute // of a write to a client that stalls

func (a *announced) flush() {
	a.conn.SetWriteDeadline(time.Now().Add(announceTimeout))
	if a.out.Flush() != nil {
		a.leave()
	}
}

// WriteHeader completes the header.
func (a *announced) WriteHeader(status int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.begin(status)
}

func (a *announced) begin(status int) {
	if a.begun {
		return
	}
	a.begun = true
	if a.conn == nil {
		a.ResponseWriter.WriteHeader(status)
		return
	}
	h := a.Header()
	if status >= 400 {
		a.refused = new(bytes.Buffer)
		h.Set("X-ClickHouse-Exception-Tag", exceptionTag)
	}
	_ = h.WriteSubset(a.out, map[string]bool{"Content-Length": true, "Date": true, "Connection": true}) // its error is Flush's
	a.out.WriteString("Transfer-Encoding: chunked\r\n\r\n")
	a.flush()
	a.body = httputil.NewChunkedWriter(a.out)
}

// Flush implements http.Flusher.
func (a *announced) Flush() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.conn == nil {
		_ = http.NewResponseController(a.ResponseWriter).Flush()
	} else {
		a.flush()
	}
}

// Write implements http.ResponseWriter.
func (a *announced) Write(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.begin(http.StatusOK)
	switch {
	case a.refused != nil:
		return a.refused.Write(p)
	case a.conn == nil:
		return a.ResponseWriter.Write(p)
	}
	a.conn.SetWriteDeadline(time.Now().Add(announceTimeout))
	n, err := a.body.Write(p)
	if err == nil {
		err = a.out.Flush()
	}
	return n, err
}

// end ends the answer: in order, or broken off.
func (a *announced) end(whole bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = true
	a.leave()
	if a.conn == nil {
		return
	}
	defer a.conn.Close()
	if !whole {
		return
	}
	a.begin(http.StatusOK)
	if a.refused != nil {
		exception(a.body, strings.TrimSpace(a.refused.String()))
		a.out.Flush()
		return // without an end, as what breaks off
	}
	a.conn.SetWriteDeadline(time.Now().Add(announceTimeout))
	a.body.Close()
	a.out.WriteString("\r\n")
	a.out.Flush()
}
