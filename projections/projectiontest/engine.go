package projectiontest

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"lishi/infra/clickhouse"
	"lishi/projections"
)

var database *clickhouse.DB

// Main is TestMain with the embedded ClickHouse engine, one for the process.
// Without the engine's library it fails and names the command that brings it.
func Main(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "projections-test-")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		if database, err = clickhouse.Open(clickhouse.Options{DataDir: dir}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			fmt.Fprintln(os.Stderr, "these tests need the ClickHouse engine: run scripts/fetch-engine once")
			return 1
		}
		defer database.Close()
		return m.Run()
	}())
}

// DB is the engine without any table. Tests that use it do not run in parallel.
func DB(t testing.TB) projections.DB {
	t.Helper()
	for _, name := range Strings(t, database, `SELECT name FROM system.tables WHERE database = currentDatabase() ORDER BY engine != 'View'`) {
		Exec(t, database, "DROP TABLE IF EXISTS `"+name+"` SYNC")
	}
	return database
}

// Exec runs a statement or fails the test.
func Exec(t testing.TB, db projections.DB, sql string, args ...projections.Arg) {
	t.Helper()
	if err := db.Exec(context.Background(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// Strings are the rows of a statement with one column of text.
func Strings(t testing.TB, db projections.DB, sql string, args ...projections.Arg) []string {
	t.Helper()
	rows, err := db.Query(context.Background(), sql, args...)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		all = append(all, s)
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return all
}

// Eventually waits until a condition holds, or fails the test after 30 s, a
// benchmark after 10 minutes.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	patience := 30 * time.Second
	if _, measures := t.(*testing.B); measures {
		patience = 10 * time.Minute
	}
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("in vain: %s", what)
		}
	}
}

// In is the same engine with another database as the one that unqualified names
// are in.
func In(t testing.TB, name string) projections.DB {
	t.Helper()
	db, err := database.In(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}
