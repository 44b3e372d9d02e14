package chdb_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"lishi/infra/chdb"
)

// long is a statement that takes a while, of a known number of rows.
const long = "SELECT count() FROM numbers(4000000) WHERE NOT ignore(sipHash128(number, toString(number))) SETTINGS max_threads = 1"

// A statement tells how far it is, in every way in which it can be answered, and
// the whole at its end.
func TestProgress(t *testing.T) {
	for _, format := range []string{"TabSeparated", "CSVWithNames", "JSON"} {
		var told []chdb.Progress
		ctx := chdb.Watch(t.Context(), chdb.Watcher{Every: time.Millisecond, Told: func(p chdb.Progress) { told = append(told, p) }})
		err := engine.Query(ctx, chdb.Session{}, long, format, nil, func([]byte) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		end := told[len(told)-1]
		if len(told) < 3 || end.ReadRows == 0 || format != "TabSeparated" && (end.ReadRows != 4_000_000 || end.ReadBytes != 32_000_000) || end.ResultRows != 1 || end.Elapsed <= 0 {
			t.Errorf("%s: told %d times, at last %+v", format, len(told), end)
		}
		for i, p := range told[:len(told)-1] {
			if p.TotalRows != 4_000_000 && p.TotalRows != 0 || p.ReadRows > 4_000_000 || i > 0 && p.ReadRows < told[i-1].ReadRows {
				t.Errorf("%s: told %+v", format, p)
			}
		}
		again, err := chdb.ParseProgress(end.Header())
		if again.Done = true; err != nil || again != end {
			t.Errorf("%s is read as %+v, %v", end.Header(), again, err)
		}
	}
	// What nobody watches is not told of, and one that is over at once only once.
	var times atomic.Int64
	ctx := chdb.Watch(t.Context(), chdb.Watcher{Told: func(p chdb.Progress) { times.Add(1) }})
	if err := engine.Query(ctx, chdb.Session{}, "SELECT 1", "CSV", nil, func([]byte) error { return nil }); err != nil || times.Load() != 1 {
		t.Error(times.Load(), err)
	}
}

// asked sends a request on a connection and gives the lines of its answer as they come.
func asked(t *testing.T, values url.Values, sql string) (*bufio.Scanner, func()) {
	t.Helper()
	server := httptest.NewServer(engine.Handler())
	t.Cleanup(server.Close)
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	r, _ := http.NewRequest(http.MethodPost, server.URL+"/?"+values.Encode(), strings.NewReader(sql))
	if err := r.Write(conn); err != nil {
		t.Fatal(err)
	}
	conn.SetReadDeadline(time.Now().Add(time.Minute))
	return bufio.NewScanner(conn), func() { conn.Close() }
}

// The header of an answer begins with the progress, if that is asked for, and
// what follows is an answer as any other.
func TestProgressInHeaders(t *testing.T) {
	server := httptest.NewServer(engine.Handler())
	defer server.Close()
	ask := func(more, sql string) (*http.Response, string) {
		t.Helper()
		response, err := http.Post(server.URL+"/?send_progress_in_http_headers=1&http_headers_progress_interval_ms=50"+more, "", strings.NewReader(sql))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if broke := strings.Contains(string(body), "__exception__"); broke != errors.Is(err, io.ErrUnexpectedEOF) || err != nil && !broke {
			t.Fatal(broke, err)
		}
		return response, string(body)
	}
	for _, more := range []string{"", "&default_format=JSONCompact", "&enable_http_compression=1", "&wait_end_of_query=1"} {
		response, body := ask(more, long)
		told := response.Header.Values("X-ClickHouse-Progress")
		if response.StatusCode != 200 || len(told) == 0 || !strings.Contains(body, "4000000") || response.Header.Get("X-ClickHouse-Format") == "" {
			t.Errorf("%s: %d, %v, %q", more, response.StatusCode, response.Header, body)
		}
		last := told[len(told)-1] // the first may come before anything was read
		if p, err := chdb.ParseProgress(last); err != nil || p.ReadRows == 0 || p.TotalRows != 4_000_000 {
			t.Errorf("%s: %s, %v", more, last, err)
		}
		if p, err := chdb.ParseProgress(response.Header.Get("X-ClickHouse-Summary")); err != nil || strings.Contains(more, "wait") && (p.ReadRows == 0 || p.ResultRows != 1) {
			t.Errorf("%s: %s, %v", more, response.Header.Get("X-ClickHouse-Summary"), err)
		}
	}
	// A short one has an ordinary header, also of a refusal.
	if response, body := ask("", "SELECT 1"); body != "1\n" || response.Close || response.Header.Get("X-ClickHouse-Progress") != "" {
		t.Errorf("%v, %q", response.Header, body)
	}
	if response, _ := ask("", "SELECT nowhere"); response.StatusCode != 404 && response.StatusCode != 400 {
		t.Error(response.Status)
	}
	// After progress was told, a refusal is an exception in the answer.
	response, body := ask("", "SELECT throwIf(sum(sipHash64(number, toString(number)) % 2) > 0, 'no more') FROM numbers(4000000) SETTINGS max_threads = 1")
	tag := response.Header.Get("X-ClickHouse-Exception-Tag")
	_, exception, found := strings.Cut(body, "\r\n__exception__\r\n"+tag+"\r\n")
	if response.StatusCode != 200 || len(response.Header.Values("X-ClickHouse-Progress")) == 0 || response.Header.Get("X-ClickHouse-Exception-Code") == "" || !found || !strings.Contains(exception, "Code: ") {
		t.Errorf("%s %v %q", response.Status, response.Header, body)
	}
}

// Lines of progress come while the statement runs; who leaves then ends it.
func TestProgressComesWhileItRuns(t *testing.T) {
	lines, leave := asked(t, url.Values{"send_progress_in_http_headers": {"1"}, "http_headers_progress_interval_ms": {"50"}}, "SELECT sum(sipHash64(number)) FROM numbers(98000000000)")
	for told := 0; told < 3; {
		if !lines.Scan() || lines.Text() == "" {
			t.Fatalf("the header ended, %v", lines.Err())
		}
		if value, found := strings.CutPrefix(lines.Text(), "X-ClickHouse-Progress: "); found {
			if _, err := chdb.ParseProgress(value); err != nil {
				t.Error(value, err)
			}
			told++
		}
	}
	leave()
	for last := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if run(t, chdb.Session{}, "SELECT count() FROM system.processes WHERE query LIKE '%98000000000%' AND query NOT LIKE '%processes%'") == "0" {
			return
		}
		if time.Now().After(last) {
			t.Fatal("it still runs though its client has gone")
		}
	}
}

// An answer that waits for its end has a status for what happened, and is not
// kept in memory however long it is.
func TestAnswersThatWait(t *testing.T) {
	values := url.Values{"wait_end_of_query": {"1"}}
	const sql = "SELECT throwIf(number = 700000) FROM numbers(1000000) SETTINGS max_block_size = 10000, max_threads = 1"
	if response, text := overHTTP(t, "POST", values, sql); response.StatusCode < 400 || response.Header.Get("X-ClickHouse-Exception-Code") != "395" || !strings.HasPrefix(text, "Code: 395.") {
		t.Errorf("%d %.200q", response.StatusCode, text)
	}
	response, text := overHTTP(t, "POST", values, "SELECT number FROM numbers(1000000)")
	if p, err := chdb.ParseProgress(response.Header.Get("X-ClickHouse-Summary")); err != nil || p.ReadRows == 0 || p.ResultRows != 1_000_000 || strings.Count(text, "\n") != 1_000_000 {
		t.Errorf("%+v, %v, %d bytes", p, err, len(text))
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	request, _ := http.NewRequestWithContext(ctx, "POST", "http://embedded/?wait_end_of_query=1", strings.NewReader("SELECT number FROM numbers(100000000000)"))
	endless, err := engine.Transport().RoundTrip(request) // it returns: the beginning does not wait
	if err != nil {
		t.Fatal(err)
	}
	defer endless.Body.Close()
	if _, err := io.CopyN(io.Discard, endless.Body, 9<<20); err != nil {
		t.Error(err)
	}
	cancel(enough)
}
