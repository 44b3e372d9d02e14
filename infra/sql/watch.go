package sql

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"sync"
	"time"

	"lishi/infra/chdb"
)

// Watching is a way to a ClickHouse server, or to an endpoint, over HTTP that
// tells a request's watcher (see chdb.Watch) what the server says in the header
// while the statement runs. net/http gives a header only when it is whole, so it
// is overheard line by line on the connection.
func Watching(t *http.Transport) http.RoundTripper {
	t = t.Clone()
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP1(true)
	plain := &net.Dialer{Timeout: 10 * time.Second}
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		return overheard(plain.DialContext(ctx, network, address))
	}
	t.DialTLSContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		return overheard((&tls.Dialer{NetDialer: plain, Config: t.TLSClientConfig}).DialContext(ctx, network, address))
	}
	return watching{t}
}

type watching struct{ transport *http.Transport }

func (w watching) RoundTrip(r *http.Request) (*http.Response, error) {
	watcher := chdb.WatcherOf(r.Context())
	if watcher.Told == nil || watcher.Every <= 0 {
		return w.transport.RoundTrip(r)
	}
	var conn *overhearing
	r = r.Clone(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) {
		if conn, _ = i.Conn.(*overhearing); conn != nil {
			conn.listen(watcher.Told)
		}
	}}))
	q := r.URL.Query()
	q.Set("send_progress_in_http_headers", "1")
	q.Set("http_headers_progress_interval_ms", strconv.FormatInt(max(watcher.Every.Milliseconds(), 1), 10))
	r.URL.RawQuery = q.Encode()
	response, err := w.transport.RoundTrip(r)
	if conn != nil {
		conn.listen(nil)
	}
	if err == nil {
		if p, err := chdb.ParseProgress(response.Header.Get("X-ClickHouse-Summary")); err == nil {
			p.Done = true // as far as it was when the header ended
			watcher.Told(p)
		}
	}
	return response, err
}

// overhearing is a connection whose answers' headers are looked at as they come.
type overhearing struct {
	net.Conn

	mu   sync.Mutex
	told func(chdb.Progress) // nil while nobody listens
	line []byte              // the beginning of one
}

func overheard(conn net.Conn, err error) (net.Conn, error) {
	if err != nil {
		return nil, err
	}
	return &overhearing{Conn: conn}, nil
}

func (o *overhearing) listen(told func(chdb.Progress)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.told, o.line = told, nil
}

func (o *overhearing) Read(p []byte) (int, error) {
	n, err := o.Conn.Read(p)
	o.hear(p[:n])
	return n, err
}

var progressLine = []byte("x-clickhouse-progress:")

func (o *overhearing) hear(b []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.told != nil && len(b) > 0 {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			o.line = append(o.line, b...)
			if len(o.line) > 64<<10 { // no header that is meant
				o.told, o.line = nil, nil
			}
			return
		}
		line := bytes.TrimSpace(append(o.line, b[:i]...))
		b, o.line = b[i+1:], o.line[:0]
		if len(line) == 0 { // the header's end
			o.told = nil
			return
		}
		if n := len(progressLine); len(line) > n && bytes.EqualFold(line[:n], progressLine) {
			if p, err := chdb.ParseProgress(string(bytes.TrimSpace(line[n:]))); err == nil {
				o.told(p)
			}
		}
	}
}
