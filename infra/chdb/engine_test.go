package chdb_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"lishi/infra/chdb"
)

// The engine of this test binary: libchdb allows one a process. Tests keep
// apart by databases.
var engine *chdb.Engine

func TestMain(m *testing.M) {
	if dir := os.Getenv("CHDB_TEST_HOLD"); dir != "" {
		hold(dir)
		return
	}
	if dir := os.Getenv("CHDB_TEST_REOPEN"); dir != "" {
		reopen(dir)
		return
	}
	if dir := os.Getenv("CHDB_TEST_CLOSE"); dir != "" {
		closeUnder(dir)
		return
	}
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "chdb-test-")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		if engine, err = chdb.Open(chdb.Options{Dir: dir, Roles: map[string][]string{"reader": {"GRANT SELECT ON shown.*"}}}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer engine.Close()
		return m.Run()
	}())
}

// database makes one for the test and returns the session in it.
func database(t *testing.T) chdb.Session {
	t.Helper()
	name := "t_" + strings.ToLower(strings.NewReplacer("/", "_", "-", "_").Replace(t.Name()))
	run(t, chdb.Session{}, "CREATE DATABASE "+name)
	t.Cleanup(func() { run(t, chdb.Session{}, "DROP DATABASE "+name) })
	return chdb.Session{Database: name}
}

func run(t *testing.T, s chdb.Session, sql string, params ...chdb.Param) string {
	t.Helper()
	answer, err := ask(t.Context(), s, sql, params...)
	if err != nil && t.Context().Err() == nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return answer
}

func ask(ctx context.Context, s chdb.Session, sql string, params ...chdb.Param) (string, error) {
	var b strings.Builder
	err := engine.Query(ctx, s, sql, "TabSeparated", params, func(p []byte) error {
		b.Write(p)
		return nil
	})
	return strings.TrimSuffix(b.String(), "\n"), err
}

func code(err error) int {
	var e *chdb.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return -1
}

func TestQueryAnswersEveryKindOfStatement(t *testing.T) {
	s := database(t)
	run(t, s, "CREATE TABLE n (a UInt64, s String) ENGINE = MergeTree ORDER BY a")
	run(t, s, "INSERT INTO n VALUES (1, 'one'), (2, 'two')")
	for _, c := range []struct{ sql, want string }{
		{"SELECT a, s FROM n ORDER BY a", "1\tone\n2\ttwo"},
		{"/* why */ SELECT 1", "1"},
		{"-- why\nSELECT 2", "2"},
		{"(SELECT 3)", "3"},
		{"WITH 4 AS x SELECT x", "4"},
		{"WITH 4 AS x SELECT a FROM n WHERE a = x", ""},
		{"SHOW TABLES", "n"},
		{"EXISTS TABLE n", "1"},
		{"SELECT {p:String}", `it\'s \\ a \'test\'`}, // escaped in, escaped out
		{"SELECT length({e:String}), {n:Nullable(String)} IS NULL", "0\t1"},
		{"INSERT INTO n SELECT 3, 'three'", ""},
		{"WITH 4 AS x INSERT INTO n SELECT x, 'four'", ""},
		{"SELECT count() FROM n", "4"},
	} {
		got := run(t, s, c.sql, chdb.Param{Name: "p", Value: `it's \\ a 'test'`}, chdb.Param{Name: "e"}, chdb.Param{Name: "n", Value: `\N`})
		if got != c.want {
			t.Errorf("%s = %q, want %q", c.sql, got, c.want)
		}
	}
}

func TestErrorsCarryClickHouseCodes(t *testing.T) {
	for sql, want := range map[string]int{
		"SELECT * FROM nowhere": 60,
		"SELECT foo":            47,
		"SELEC 1":               62,
		"DROP TABLE nowhere":    60,
		"SELECT throwIf(number = 500000) FROM numbers(1000000)": 395,
		"SELECT {missing:String}":                               456,
	} {
		_, err := ask(t.Context(), chdb.Session{}, sql)
		if code(err) != want {
			t.Errorf("%s: code %d (%v), want %d", sql, code(err), err, want)
		}
	}
	var e *chdb.Error
	if _, err := ask(t.Context(), chdb.Session{}, "SELECT * FROM nowhere"); !errors.As(err, &e) || e.Name != "UNKNOWN_TABLE" {
		t.Errorf("name of %v is not UNKNOWN_TABLE", err)
	}
}

func TestConnectionsAreUsedAgain(t *testing.T) {
	s := database(t)
	s.Settings = []chdb.Setting{{"max_block_size", "1234"}}
	for _, sql := range []string{"SELECT 1", "CREATE TABLE n (a UInt64) ENGINE = MergeTree ORDER BY a", "SELECT a FROM n", "SHOW TABLES"} {
		before := chdb.Connects()
		run(t, s, sql)
		if made := chdb.Connects() - before; made != 0 && sql != "SELECT 1" {
			t.Errorf("%s: %d new connections, though one with its session was idle", sql, made)
		}
	}
}

func TestSessionsDoNotLeak(t *testing.T) {
	s := database(t)
	limited := chdb.Session{Database: s.Database, Settings: []chdb.Setting{{"readonly", "1"}, {"max_result_rows", "10"}}}
	run(t, s, "CREATE TABLE n (a UInt64) ENGINE = MergeTree ORDER BY a")
	run(t, s, "SET max_block_size = 77")
	run(t, s, "USE system")
	for range 3 {
		if got := run(t, s, "SELECT currentDatabase(), getSetting('max_block_size') = 77"); got != s.Database+"\t0" {
			t.Errorf("a SET or USE outlived its statement: %s", got)
		}
	}
	for sql, want := range map[string]int{
		"INSERT INTO n VALUES (1)":           164, // READONLY
		"SET readonly = 0":                   164,
		"SET max_result_rows = 100":          164,
		"SELECT * FROM file('/etc/passwd')":  -2,
		"SELECT * FROM url('http://[::1]/')": -2,
		"SELECT number FROM numbers(100)":    396, // TOO_MANY_ROWS_OR_BYTES
	} {
		_, err := ask(t.Context(), limited, sql)
		if got := code(err); got != want && !(want == -2 && got > 0) {
			t.Errorf("read-only: %s: code %d (%v), want %d", sql, got, err, want)
		}
	}
	if _, err := ask(t.Context(), chdb.Session{Settings: []chdb.Setting{{"no_such_setting", "1"}}}, "SELECT 1"); code(err) != 115 {
		t.Errorf("unknown setting: %v, want code 115", err)
	}
	if _, err := ask(t.Context(), chdb.Session{Database: "no` such"}, "SELECT 1"); code(err) != 81 {
		t.Errorf("unknown database: %v, want code 81", err)
	}
}

// native makes rows for inserts.
func native(t *testing.T, sql string) []byte {
	t.Helper()
	var b bytes.Buffer
	err := engine.Query(t.Context(), chdb.Session{}, sql, "Native", nil, func(p []byte) error {
		b.Write(p)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestInsertIsWholeOrNothing(t *testing.T) {
	s := database(t)
	run(t, s, "CREATE TABLE n (a UInt64, s String) ENGINE = MergeTree ORDER BY a")
	data := native(t, "SELECT number AS a, toString(number) AS s FROM numbers(200000) SETTINGS max_block_size = 200000")
	insert := func(ctx context.Context, r *pausingReader) error {
		return engine.Insert(ctx, s, "INSERT INTO n (a, s)", "Native", nil, r)
	}
	count := func(want int) {
		t.Helper()
		if got := run(t, s, "SELECT count() FROM n"); got != strconv.Itoa(want) {
			t.Errorf("count is %s, want %d", got, want)
		}
	}

	if err := insert(t.Context(), &pausingReader{data: data[:len(data)/2]}); code(err) <= 0 {
		t.Errorf("cut data: %v, want an error of the engine", err)
	}
	count(0)
	broken := errors.New("broken")
	if err := insert(t.Context(), &pausingReader{data: data[:len(data)/2], err: broken}); !errors.Is(err, broken) {
		t.Errorf("broken reader: %v", err)
	}
	count(0)
	ctx, cancel := context.WithCancel(t.Context())
	if err := insert(ctx, &pausingReader{data: data[:len(data)/2], then: cancel, rest: data[len(data)/2:]}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	count(0)
	if err := engine.Insert(t.Context(), s, "INSERT INTO nowhere (a)", "Native", nil, bytes.NewReader(data)); code(err) != 60 {
		t.Errorf("unknown table: %v", err)
	}
	if err := engine.Insert(t.Context(), s, "INSERT INTO n (a, s)", "Native", nil, iotest.OneByteReader(bytes.NewReader(native(t, "SELECT 1::UInt64 AS a, 'x' AS s")))); err != nil {
		t.Errorf("byte by byte: %v", err)
	}
	count(1)
	if err := insert(t.Context(), &pausingReader{data: data}); err != nil {
		t.Error(err)
	}
	count(200001)
}

// pausingReader gives data, then calls then, gives rest, and ends with err or io.EOF.
type pausingReader struct {
	data, rest []byte
	then       func()
	err        error
}

func (r *pausingReader) Read(p []byte) (int, error) {
	if len(r.data) == 0 && r.then != nil {
		r.then()
		r.data, r.rest, r.then = r.rest, nil, nil
	}
	if len(r.data) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		return 0, io.EOF
	}
	n := copy(p, r.data)
	r.data = r.data[n:]
	return n, nil
}

func TestContextEndsStatements(t *testing.T) {
	for name, sql := range map[string]string{
		"no answer yet":  "SELECT sum(sipHash64(number)) FROM numbers(100000000000)",
		"while it flows": "SELECT number FROM numbers(100000000000)",
		"not a select":   "CREATE TABLE x ENGINE = Memory AS SELECT sum(sipHash64(number)) FROM numbers(100000000000)",
	} {
		t.Run(name, func(t *testing.T) {
			s := database(t)
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			start := time.Now()
			err := engine.Query(ctx, s, sql, "Null", nil, func([]byte) error { return nil })
			if name == "while it flows" {
				err = engine.Query(ctx, s, sql, "Native", nil, func([]byte) error { return nil })
			}
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v, want the deadline", err)
			}
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("the statement went on for %v", took)
			}
			if got := run(t, s, "SELECT count() FROM system.processes WHERE query LIKE '%100000000000%' AND query NOT LIKE '%processes%'"); got != "0" {
				t.Errorf("%s statements still run", got)
			}
		})
	}
	t.Run("the reader has enough", func(t *testing.T) {
		enough := errors.New("enough")
		err := engine.Query(t.Context(), chdb.Session{}, "SELECT number FROM numbers(100000000000)", "Native", nil, func([]byte) error { return enough })
		if !errors.Is(err, enough) {
			t.Error(err)
		}
	})
}

func TestManyAtOnce(t *testing.T) {
	s := database(t)
	run(t, s, "CREATE TABLE n (a UInt64) ENGINE = MergeTree ORDER BY a")
	var all sync.WaitGroup
	for g := range 24 {
		all.Go(func() {
			for i := range 5 {
				row := native(t, fmt.Sprintf("SELECT %d::UInt64 AS a", g*5+i))
				if err := engine.Insert(t.Context(), s, "INSERT INTO n (a)", "Native", nil, bytes.NewReader(row)); err != nil {
					t.Error(err)
				}
				if got, err := ask(t.Context(), s, "SELECT {g:UInt64}", chdb.Param{"g", strconv.Itoa(g)}); got != strconv.Itoa(g) || err != nil {
					t.Errorf("%s, %v", got, err)
				}
			}
		})
	}
	all.Wait()
	if got := run(t, s, "SELECT count(), uniqExact(a) FROM n"); got != "120\t120" {
		t.Error(got)
	}
}

func TestFind(t *testing.T) {
	t.Setenv("LISHI_CHDB", filepath.Join(t.TempDir(), "own.so"))
	_, err := chdb.Find()
	var missing *chdb.NotFoundError
	if !errors.As(err, &missing) || !strings.Contains(err.Error(), "LISHI_CHDB") {
		t.Errorf("own copy missing: %v", err)
	}
	if err := os.WriteFile(os.Getenv("LISHI_CHDB"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if path, err := chdb.Find(); path != os.Getenv("LISHI_CHDB") || err != nil {
		t.Errorf("%s, %v", path, err)
	}
	t.Setenv("LISHI_CHDB", "")
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	_, err = chdb.Find()
	for _, word := range []string{"scripts/fetch-engine", "make run", "LISHI_CHDB", chdb.Version()} {
		if !errors.As(err, &missing) || !strings.Contains(err.Error(), word) {
			t.Errorf("%v, which does not name %s", err, word)
		}
	}
}
