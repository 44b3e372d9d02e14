package chdb_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"lishi/infra/chdb"
)

// overHTTP asks as curl would: in the process by transport, or on a port.
func overHTTP(t *testing.T, method string, values url.Values, body string, header ...string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://embedded/?"+values.Encode(), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := engine.Transport().RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) { // of what broke off
		t.Fatal(err)
	}
	if broke := strings.Contains(string(text), "__exception__"); broke != (err != nil) {
		t.Errorf("an exception in the answer: %v; its end: %v", broke, err)
	}
	return response, string(text)
}

func TestHTTPAnswers(t *testing.T) {
	s := database(t)
	run(t, s, "CREATE TABLE n (a UInt64, `s t` String) ENGINE = MergeTree ORDER BY a")
	db := url.Values{"database": {s.Database}}
	for _, c := range []struct {
		name, method string
		values       url.Values
		body, want   string
	}{
		{"in the body", "POST", nil, "SELECT 1", "1\n"},
		{"in the URL", "GET", url.Values{"query": {"SELECT 2"}}, "", "2\n"},
		{"in both", "POST", url.Values{"query": {"SELECT "}}, "3", "3\n"},
		{"parameters", "POST", url.Values{"param_x": {`tab\there`}}, "SELECT {x:String}", "tab\\there\n"},
		{"settings", "POST", url.Values{"max_block_size": {"77"}}, "SELECT getSetting('max_block_size')", "77\n"},
		{"default format", "POST", url.Values{"default_format": {"JSONEachRow"}}, "SELECT 1 AS x", "{\"x\":1}\n"},
		{"format", "POST", nil, "SELECT 1 AS x FORMAT CSV", "1\n"},
		{"rows in the body", "POST", url.Values{"query": {"INSERT INTO n FORMAT CSV"}, "database": db["database"]}, "1,one\n2,two\n", ""},
		{"rows behind the statement", "POST", db, "INSERT INTO `n` (a, `s t`) FORMAT CSV\n3,three\n", ""},
		{"values", "POST", db, "INSERT INTO n VALUES (4, ' FORMAT CSV\n')", ""},
		{"no rows", "POST", url.Values{"query": {"INSERT INTO n FORMAT CSV"}, "database": db["database"]}, "", ""},
		{"what they made", "POST", db, "SELECT a, `s t` FROM n ORDER BY a", "1\tone\n2\ttwo\n3\tthree\n4\t FORMAT CSV\\n\n"},
		{"the driver's question from somebody else", "POST", nil, "SELECT displayName() != '', version() != '', revision() > 0, timezone() != ''", "1\t1\t1\t1\n"},
	} {
		response, got := overHTTP(t, c.method, c.values, c.body)
		if response.StatusCode != 200 || got != c.want {
			t.Errorf("%s: %d %q, want %q", c.name, response.StatusCode, got, c.want)
		}
	}
}

func TestHTTPRefuses(t *testing.T) {
	s := database(t)
	run(t, s, "CREATE TABLE n (a UInt64) ENGINE = MergeTree ORDER BY a")
	for _, c := range []struct {
		name, method string
		values       url.Values
		body         string
		header       []string
		status       int
		code         string
	}{
		{"syntax", "POST", nil, "SELEC 1", nil, 400, "62"},
		{"unknown table", "POST", nil, "SELECT * FROM nowhere", nil, 404, "60"},
		{"unknown database", "POST", url.Values{"database": {"nowhere"}}, "SELECT 1", nil, 404, "81"},
		{"unknown setting", "POST", url.Values{"no_such_setting": {"1"}}, "SELECT 1", nil, 404, "115"},
		{"writing by GET", "GET", url.Values{"query": {"DROP TABLE n"}, "database": {s.Database}}, "", nil, 403, "164"},
		{"read-only", "POST", url.Values{"readonly": {"1"}, "database": {s.Database}}, "INSERT INTO n VALUES (1)", nil, 403, "164"},
		{"no statement", "POST", nil, " \n", nil, 400, ""},
		{"no setting's name", "POST", url.Values{"a`b": {"1"}}, "SELECT 1", nil, 400, ""},
		{"a session that is to be there", "POST", url.Values{"session_id": {"1"}, "session_check": {"1"}}, "SELECT 1", nil, 404, "372"},
		{"rows said to be compressed", "POST", nil, "SELECT 1", []string{"Content-Encoding", "gzip"}, 400, ""},
		{"an unknown encoding", "POST", nil, "SELECT 1", []string{"Content-Encoding", "br"}, 400, ""},
		{"two roles", "POST", url.Values{"role": {"reader", "engine"}}, "SELECT 1", nil, 400, ""},
		{"a role that is not there", "POST", url.Values{"role": {"nobody"}}, "SELECT 1", nil, 404, "511"},
		{"a role that writes", "POST", url.Values{"role": {"reader"}}, "CREATE DATABASE x", nil, 403, "497"},
		{"external tables", "POST", nil, "SELECT 1", []string{"Content-Type", "multipart/form-data; boundary=x"}, 400, ""},
		{"too long", "POST", nil, strings.Repeat(" ", 17<<20), nil, 400, ""},
		{"bad rows", "POST", url.Values{"query": {"INSERT INTO n FORMAT CSV"}, "database": {s.Database}}, "x\n", nil, 400, "117"},
	} {
		response, text := overHTTP(t, c.method, c.values, c.body, c.header...)
		if response.StatusCode != c.status || response.Header.Get("X-ClickHouse-Exception-Code") != c.code || text == "" {
			t.Errorf("%s: %d, code %q, %.200q; want %d, code %q", c.name, response.StatusCode, response.Header.Get("X-ClickHouse-Exception-Code"), text, c.status, c.code)
		}
	}
	if got := run(t, s, "SELECT count() FROM n"); got != "0" {
		t.Errorf("%s rows came in", got)
	}
}

func TestHTTPErrorAfterRows(t *testing.T) {
	response, text := overHTTP(t, "POST", nil, "SELECT throwIf(number = 700000) FROM numbers(1000000) SETTINGS max_block_size = 10000, max_threads = 1")
	tag := response.Header.Get("X-ClickHouse-Exception-Tag")
	rows, exception, found := strings.Cut(text, "\r\n__exception__\r\n"+tag+"\r\n")
	if response.StatusCode != 200 || len(tag) != 16 || !found || rows == "" {
		t.Fatalf("%d, tag %q, %d bytes, ends with %.200q", response.StatusCode, tag, len(text), text[max(0, len(text)-200):])
	}
	if !strings.HasPrefix(exception, "Code: 395. ") || !strings.HasSuffix(exception, tag+"\r\n__exception__\r\n") {
		t.Errorf("framed as %q", exception)
	}
}

func TestServeOnAPort(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- chdb.Serve(ctx, listener, engine.Handler()) }()
	address := "http://" + listener.Addr().String()

	for path, want := range map[string]string{"/ping": "Ok.\n", "/?query=SELECT+1": "1\n"} {
		response, err := http.Get(address + path)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := io.ReadAll(response.Body); string(got) != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
		response.Body.Close()
	}
	response, err := http.Get(address + "/elsewhere")
	if err != nil || response.StatusCode != 404 {
		t.Errorf("elsewhere: %v, %v", response, err)
	}
	response.Body.Close()

	// A client that goes away takes its statement with it.
	leaving, leave := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer leave()
	request, _ := http.NewRequestWithContext(leaving, "POST", address, strings.NewReader("SELECT sum(sipHash64(number)) FROM numbers(99000000000)"))
	if _, err := http.DefaultClient.Do(request); err == nil {
		t.Error("an endless statement ended")
	}
	for last := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		n := run(t, chdb.Session{}, "SELECT count() FROM system.processes WHERE query LIKE '%99000000000%' AND query NOT LIKE '%processes%'")
		if n == "0" {
			break
		}
		if time.Now().After(last) {
			t.Fatal("it still runs though its client has gone")
		}
	}

	cancel()
	if err := <-served; err != nil {
		t.Errorf("the end of its context: %v", err)
	}
	if _, err := http.Get(address + "/ping"); err == nil {
		t.Error("it still answers")
	}
}

func TestTransportLeavesWithItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	request := httptest.NewRequestWithContext(ctx, "POST", "http://embedded/", strings.NewReader("SELECT sum(sipHash64(number)) FROM numbers(100000000000)"))
	if response, err := engine.Transport().RoundTrip(request); err != context.DeadlineExceeded {
		t.Errorf("%v, %v", response, err)
	}
}
