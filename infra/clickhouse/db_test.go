package clickhouse_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"lishi/infra/chdb"
	"lishi/infra/clickhouse"
	"lishi/infra/clickhouse/conformance"
	"lishi/projections"
)

// embedded is the database of this test binary: one engine a process.
var embedded *clickhouse.DB

func TestMain(m *testing.M) {
	if dir := os.Getenv("CLICKHOUSE_TEST_SERVE"); dir != "" {
		serve(dir, os.Getenv("CLICKHOUSE_TEST_LISTEN"))
		return
	}
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "clickhouse-test-")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		if embedded, err = clickhouse.Open(clickhouse.Options{DataDir: dir}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		status := m.Run()
		if err := errors.Join(embedded.Close(), goleak.Find()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return status
	}())
}

// serve is a ClickHouse server: the embedded engine, in a process of its own.
func serve(dir, address string) {
	engine, err := chdb.Open(chdb.Options{Dir: dir})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("listening on", listener.Addr())
	fmt.Println(chdb.Serve(context.Background(), listener, engine.Handler()))
}

// server is a ClickHouse server that a test can kill and start again.
type server struct {
	t       testing.TB
	dir     string
	address string
	process *exec.Cmd
}

func startServer(t testing.TB) *server {
	s := &server{t: t, dir: t.TempDir(), address: "127.0.0.1:0"}
	s.start()
	t.Cleanup(s.kill)
	return s
}

func (s *server) start() {
	s.t.Helper()
	s.process = exec.Command(os.Args[0], "-test.run=^$")
	s.process.Env = append(os.Environ(), "CLICKHOUSE_TEST_SERVE="+s.dir, "CLICKHOUSE_TEST_LISTEN="+s.address)
	s.process.Stderr = os.Stderr
	out, err := s.process.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.process.Start(); err != nil {
		s.t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	address, found := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if !found {
		s.t.Fatalf("the server says %q", line)
	}
	s.address = address
}

// kill is kill -9.
func (s *server) kill() {
	s.process.Process.Kill()
	s.process.Wait()
}

func (s *server) open() *clickhouse.DB {
	s.t.Helper()
	db, err := clickhouse.Open(clickhouse.Options{DSN: "http://" + s.address})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { db.Close() })
	return db
}

func TestEmbedded(t *testing.T) { conformance.Run(t, embedded) }

func TestServer(t *testing.T) { conformance.Run(t, startServer(t).open()) }

func TestServerGoneAndBack(t *testing.T) {
	s := startServer(t)
	db := s.open()
	exec := func(sql string) {
		t.Helper()
		if err := db.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	exec("CREATE TABLE kept (x UInt64) ENGINE = MergeTree ORDER BY x")
	insert := func(x uint64) error {
		return db.Insert(t.Context(), "kept", []projections.Column{{Name: "x", Type: "UInt64", Data: []uint64{x}}})
	}
	if err := insert(1); err != nil {
		t.Fatal(err)
	}
	for round := range uint64(3) {
		rows, err := db.Query(t.Context(), "SELECT number FROM numbers(1000000000000)")
		if err != nil {
			t.Fatal(err)
		}
		if !rows.Next() {
			t.Fatal(rows.Err())
		}
		s.kill()
		for rows.Next() {
		}
		if err := rows.Err(); !clickhouse.Unavailable(err) {
			t.Errorf("killed while rows were read: %v, want unavailable", err)
		}
		rows.Close()
		_, querying := db.Query(t.Context(), "SELECT 1")
		for name, err := range map[string]error{
			"ping": db.Ping(t.Context()), "exec": db.Exec(t.Context(), "SELECT 1"), "query": querying, "insert": insert(99),
		} {
			if !clickhouse.Unavailable(err) {
				t.Errorf("%s without a server: %v, want unavailable", name, err)
			}
		}
		s.start()
		if err := db.Ping(t.Context()); err != nil {
			t.Errorf("the server is back, but: %v", err)
		}
		if err := insert(round + 2); err != nil {
			t.Error(err)
		}
		if got := numbers(t, db, "SELECT x FROM kept ORDER BY x"); fmt.Sprint(got) != fmt.Sprint([]uint64{1, 2, 3, 4}[:round+2]) {
			t.Errorf("after restart %d: rows %d", round+1, got)
		}
	}
}

func TestServerMayComeLater(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, dir: t.TempDir(), address: listener.Addr().String()}
	listener.Close()
	db := s.open()
	if err := db.Ping(t.Context()); !clickhouse.Unavailable(err) {
		t.Errorf("before there is a server: %v", err)
	}
	s.start()
	t.Cleanup(s.kill)
	if err := db.Exec(t.Context(), "CREATE TABLE first (x UInt8) ENGINE = MergeTree ORDER BY x"); err != nil {
		t.Errorf("the database was not made: %v", err)
	}
}

func TestASilentServerIsUnavailable(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() // it takes connections and never answers
	for _, scheme := range []string{"http", "clickhouse"} {
		db, err := clickhouse.Open(clickhouse.Options{DSN: scheme + "://" + listener.Addr().String() + "?dial_timeout=200ms"})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if err := db.Ping(ctx); !clickhouse.Unavailable(err) {
			t.Errorf("%s: %v, want unavailable", scheme, err)
		}
	}
}

func TestDatabasesAreApart(t *testing.T) {
	for _, name := range []string{"one", "it's `two`"} {
		db, err := embedded.In(name)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if err := db.Exec(t.Context(), "CREATE TABLE same (x UInt64) ENGINE = MergeTree ORDER BY x"); err != nil {
			t.Fatal(err)
		}
		if err := db.Insert(t.Context(), "same", []projections.Column{{Name: "x", Type: "UInt64", Data: []uint64{1}}}); err != nil {
			t.Fatal(err)
		}
		if got := numbers(t, db, "SELECT count() FROM same"); fmt.Sprint(got) != "[1]" {
			t.Errorf("%s: %d rows", name, got)
		}
		defer db.Exec(context.Background(), "DROP DATABASE {d:Identifier}", projections.Arg{Name: "d", Value: name})
	}
	if err := embedded.Exec(t.Context(), "SELECT * FROM same"); clickhouse.Code(err) != 60 {
		t.Errorf("one database reaches into another: %v", err)
	}
}

func TestReadOnly(t *testing.T) {
	if err := embedded.Exec(t.Context(), "CREATE TABLE looked_at (x UInt64) ENGINE = MergeTree ORDER BY x"); err != nil {
		t.Fatal(err)
	}
	defer embedded.Exec(context.Background(), "DROP TABLE looked_at")
	people, err := embedded.ReadOnly(map[string]any{"max_result_rows": 10})
	if err != nil {
		t.Fatal(err)
	}
	defer people.Close()
	if got := numbers(t, people, "SELECT count() FROM looked_at"); fmt.Sprint(got) != "[0]" {
		t.Error(got)
	}
	for _, sql := range []string{
		"INSERT INTO looked_at VALUES (1)", "DROP TABLE looked_at", "SET readonly = 0", "SET max_result_rows = 1000",
		"SELECT * FROM file('/etc/passwd', 'LineAsString')", "SELECT * FROM url('http://127.0.0.1:1/')",
		"SELECT 1 SETTINGS max_result_rows = 1000", "CREATE TABLE other (x UInt8) ENGINE = Memory", "SELECT number FROM numbers(100)",
	} {
		if err := people.Exec(t.Context(), sql); err == nil || clickhouse.Unavailable(err) {
			t.Errorf("%s: %v, want a refusal", sql, err)
		}
	}
	err = people.Insert(t.Context(), "looked_at", []projections.Column{{Name: "x", Type: "UInt64", Data: []uint64{1}}})
	if clickhouse.Code(err) != 164 {
		t.Errorf("inserting: %v, want READONLY", err)
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	for dsn, word := range map[string]string{
		"://":                      "DSN",
		"http://":                  "DSN",
		"http://h?dial_timeout=xx": "dial timeout",
	} {
		if _, err := clickhouse.Open(clickhouse.Options{DSN: dsn}); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%q: %v, which does not say %q", dsn, err, word)
		}
	}
	t.Setenv("LISHI_CHDB", "/nowhere/libchdb.so")
	_, err := clickhouse.Open(clickhouse.Options{DataDir: t.TempDir()})
	if _, ok := errors.AsType[*chdb.NotFoundError](err); !ok {
		t.Errorf("without a library: %v", err)
	}
}

func numbers(t *testing.T, db *clickhouse.DB, sql string) (found []uint64) {
	t.Helper()
	rows, err := db.Query(t.Context(), sql)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var x uint64
		if err := rows.Scan(&x); err != nil {
			t.Fatal(err)
		}
		found = append(found, x)
	}
	if rows.Err() != nil {
		t.Fatal(rows.Err())
	}
	return found
}
