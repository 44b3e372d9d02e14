// Package conformance is what every projections.DB must do, as one suite that
// each way to reach ClickHouse passes.
package conformance

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	ch "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/go-cmp/cmp"

	"lishi/projections"
)

// Run checks a database that allows creating and dropping tables. It leaves
// nothing behind.
func Run(t *testing.T, db projections.DB) {
	for name, check := range map[string]func(*testing.T, suite){
		"Types":            types,
		"Parameters":       parameters,
		"InsertSizes":      insertSizes,
		"InsertReuse":      insertReuse,
		"WholeOrNothing":   wholeOrNothing,
		"LatestVersion":    latestVersion,
		"Views":            views,
		"ExchangeTables":   exchangeTables,
		"Errors":           answeredErrors,
		"ErrorsMidStream":  errorMidStream,
		"Cancelled":        cancelled,
		"Deadline":         deadline,
		"Streaming":        streaming,
		"AbandonedRows":    abandonedRows,
		"Concurrency":      concurrency,
		"StatementsInside": statementsInside,
	} {
		t.Run(name, func(t *testing.T) { check(t, suite{t, db}) })
	}
}

type suite struct {
	*testing.T
	projections.DB
}

// exec must succeed.
func (s suite) exec(sql string, args ...projections.Arg) {
	s.Helper()
	if err := s.Exec(s.Context(), sql, args...); err != nil {
		s.Fatalf("%s: %v", sql, err)
	}
}

// table creates one with a name of its own and drops it in the end.
func (s suite) table(definition string) string {
	s.Helper()
	name := "t_" + rand.Text()
	s.exec("CREATE TABLE " + name + " " + definition)
	s.dropLater("TABLE", name)
	return name
}

func (s suite) dropLater(kind, name string) {
	s.Cleanup(func() {
		if err := s.Exec(context.Background(), "DROP "+kind+" IF EXISTS "+name); err != nil {
			s.Errorf("dropping %s: %v", name, err)
		}
	})
}

// rows reads a whole answer of strings; the statement must give strings.
func (s suite) rows(sql string, args ...projections.Arg) []string {
	s.Helper()
	found, err := read[string](s.Context(), s.DB, sql, args...)
	if err != nil {
		s.Fatalf("%s: %v", sql, err)
	}
	return found
}

// is checks the whole answer of a statement.
func (s suite) is(want []string, sql string, args ...projections.Arg) {
	s.Helper()
	if diff := cmp.Diff(want, s.rows(sql, args...)); diff != "" {
		s.Errorf("%s: (-want +got)\n%s", sql, diff)
	}
}

// col is a projections.Column.
func col(name, kind string, data any) projections.Column {
	return projections.Column{Name: name, Type: kind, Data: data}
}

func read[T any](ctx context.Context, db projections.DB, sql string, args ...projections.Arg) (found []T, err error) {
	rows, err := db.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var v T
		if err := rows.Scan(&v); err != nil {
			return nil, err
		}
		found = append(found, v)
	}
	return found, rows.Err()
}

// difficult texts travel through every place that text can be in.
var difficult = []string{
	"", " ", "plain", "it's", `back\slash`, `\`, `\\`, `\n`, `\N`, "NULL", `"quoted"`, "`ticks`", "tab\tnew\nline\r",
	"nul\x00byte", "历史 — 记录", "👩‍👩‍👧 🇨🇳", "{x:String}", "'; DROP TABLE t; --", "?", "$1", "@x", "%s", "/* */", "-- x", "\xff\xfe",
}

func types(t *testing.T, s suite) {
	text, number := "null?", int64(-7)
	columns := []projections.Column{
		col("i", "UInt32", []uint32{1, 2}),
		col("u64", "UInt64", []uint64{0, 1<<64 - 1}),
		col("u32", "UInt32", []uint32{0, 1<<32 - 1}),
		col("u16", "UInt16", []uint16{0, 1<<16 - 1}),
		col("u8", "UInt8", []uint8{0, 255}),
		col("i64", "Int64", []int64{-1 << 63, 1<<63 - 1}),
		col("i32", "Int32", []int32{-1 << 31, 1<<31 - 1}),
		col("f64", "Float64", []float64{-1.5, 1e300}),
		col("b", "Bool", []bool{true, false}),
		col("b8", "UInt8", []bool{true, false}),
		col("s", "String", []string{"", "历史\x00\n"}),
		col("lc", "LowCardinality(String)", []string{"a", "b"}),
		col("ns", "Nullable(String)", []*string{nil, &text}),
		col("ni", "Nullable(Int64)", []*int64{&number, nil}),
		col("as", "Array(String)", [][]string{{}, {"a", "'b\\"}}),
		col("au", "Array(UInt64)", [][]uint64{{1, 2}, {}}),
		col("fs", "FixedString(4)", []string{"abcd", "\x00\xff\x01\x02"}),
	}
	var definition []string
	for _, c := range columns {
		definition = append(definition, c.Name+" "+c.Type)
	}
	table := s.table("(" + strings.Join(definition, ", ") + ") ENGINE = MergeTree ORDER BY i")
	if err := s.Insert(t.Context(), table, columns); err != nil {
		t.Fatal(err)
	}
	for _, c := range columns {
		want := reflect.ValueOf(c.Data)
		rows, err := s.Query(t.Context(), fmt.Sprintf("SELECT %s FROM %s ORDER BY i", c.Name, table))
		if err != nil {
			t.Fatal(err)
		}
		for i := range want.Len() {
			got := reflect.New(want.Type().Elem())
			if !rows.Next() {
				t.Fatalf("%s: no row %d: %v", c.Type, i, rows.Err())
			}
			if err := rows.Scan(got.Interface()); err != nil {
				t.Errorf("%s: %v", c.Type, err)
			} else if diff := cmp.Diff(want.Index(i).Interface(), got.Elem().Interface()); diff != "" {
				t.Errorf("%s: (-want +got)\n%s", c.Type, diff)
			}
		}
		if rows.Next() || rows.Err() != nil {
			t.Errorf("%s: more rows than were put in, or %v", c.Type, rows.Err())
		}
		rows.Close()
	}
}

func parameters(t *testing.T, s suite) {
	for _, text := range difficult {
		s.is([]string{text}, "SELECT {x:String}", projections.Arg{Name: "x", Value: text})
		s.is([]string{text}, "SELECT {x:Array(String)}[2]", projections.Arg{Name: "x", Value: []string{"first", text}})
	}
	table := s.table("(id UInt32, s String) ENGINE = MergeTree ORDER BY id")
	ids := make([]uint32, len(difficult))
	for i := range ids {
		ids[i] = uint32(i)
	}
	if err := s.Insert(t.Context(), table, []projections.Column{col("id", "UInt32", ids), col("s", "String", difficult)}); err != nil {
		t.Fatal(err)
	}
	for i, text := range difficult {
		s.is([]string{fmt.Sprint(i)}, "SELECT toString(id) FROM "+table+" WHERE s = {x:String}", projections.Arg{Name: "x", Value: text})
	}
	for _, c := range []struct {
		kind  string
		value any
		want  string
	}{
		{"UInt64", uint64(1<<64 - 1), "18446744073709551615"},
		{"Int64", int64(-1 << 63), "-9223372036854775808"},
		{"UInt8", uint8(7), "7"},
		{"Int32", 42, "42"},
		{"Bool", true, "true"},
		{"Bool", false, "false"},
		{"Float64", 0.5, "0.5"},
		{"Nullable(String)", nil, "none"},
		{"Array(UInt64)", []uint64{1, 1<<64 - 1}, "[1,18446744073709551615]"},
		{"Array(UInt64)", []uint64{}, "[]"},
		{"Array(String)", []string{}, "[]"},
		{"Identifier", "one", "0"},
	} {
		from := ""
		if c.kind == "Identifier" {
			from = " FROM (SELECT 0 AS one)"
		}
		s.is([]string{c.want}, "SELECT ifNull(toString({x:"+c.kind+"}), 'none')"+from, projections.Arg{Name: "x", Value: c.value})
	}
	s.is([]string{"12"}, "SELECT toString({a:UInt8} * 10 + {b:UInt8})", projections.Arg{Name: "b", Value: 2}, projections.Arg{Name: "a", Value: 1})
	s.exec("INSERT INTO "+table+" SELECT 99, {x:String}", projections.Arg{Name: "x", Value: "exec's"})
	s.is([]string{"exec's"}, "SELECT s FROM "+table+" WHERE id = 99")
}

func insertSizes(t *testing.T, s suite) {
	table := s.table("(id UInt64, s String) ENGINE = MergeTree ORDER BY id")
	want := 0
	for _, n := range []int{0, 1, 2, 1000, 100_000} {
		ids, texts := make([]uint64, n), make([]string, n)
		for i := range n {
			ids[i], texts[i] = uint64(want+i), fmt.Sprintf("历史 %d", want+i)
		}
		if err := s.Insert(t.Context(), table, []projections.Column{col("id", "UInt64", ids), col("s", "String", texts)}); err != nil {
			t.Fatalf("%d rows: %v", n, err)
		}
		want += n
		s.is([]string{fmt.Sprintf("%d %d %d", want, want, want)},
			"SELECT concat(toString(count()), ' ', toString(uniqExact(id)), ' ', toString(countIf(s = concat('历史 ', toString(id))))) FROM "+table)
	}
	if err := s.Insert(t.Context(), table, nil); err != nil {
		t.Errorf("no columns: %v", err)
	}
}

func insertReuse(t *testing.T, s suite) {
	table := s.table("(id UInt64, s String) ENGINE = MergeTree ORDER BY id")
	ids, texts := make([]uint64, 0, 10), make([]string, 0, 10)
	for batch := range 5 {
		ids, texts = ids[:0], texts[:0]
		for i := range 10 - batch {
			ids, texts = append(ids, uint64(batch*10+i)), append(texts, fmt.Sprint(batch))
		}
		if err := s.Insert(t.Context(), table, []projections.Column{col("id", "UInt64", ids), col("s", "String", texts)}); err != nil {
			t.Fatal(err)
		}
	}
	s.is([]string{"40 40"}, "SELECT concat(toString(count()), ' ', toString(countIf(toString(intDiv(id, 10)) = s))) FROM "+table)
}

func wholeOrNothing(t *testing.T, s suite) {
	table := s.table("(id UInt64, s String, CONSTRAINT short CHECK length(s) < 10) ENGINE = MergeTree ORDER BY id")
	n := 50_000
	ids, texts := make([]uint64, n), make([]string, n)
	texts[n-1] = "longer than ten"
	for name, columns := range map[string][]projections.Column{
		"the last row is refused": {col("id", "UInt64", ids), col("s", "String", texts)},
		"columns differ":          {col("id", "UInt64", ids), col("s", "String", texts[:5])},
		"unknown column":          {col("id", "UInt64", ids), col("nowhere", "String", texts)},
		"wrong Go type":           {col("id", "UInt64", texts)},
		"no slice":                {col("id", "UInt64", 5)},
		"unconvertible type":      {col("id", "Array(String)", [][]string{{"a"}})},
		"unknown type":            {col("id", "Nonsense", ids)},
		"too many rows":           {col("id", "UInt64", make([]uint64, 1_000_001))},
	} {
		if err := s.Insert(t.Context(), table, columns); err == nil || errors.Is(err, projections.ErrUnavailable) {
			t.Errorf("%s: %v, want an answered error", name, err)
		}
		s.is([]string{"0"}, "SELECT toString(count()) FROM "+table)
	}
	texts[n-1] = "short"
	if err := s.Insert(t.Context(), table, []projections.Column{col("id", "UInt64", ids), col("s", "String", texts)}); err != nil {
		t.Error(err)
	}
	s.is([]string{fmt.Sprint(n)}, "SELECT toString(count()) FROM "+table)
}

func latestVersion(t *testing.T, s suite) {
	table := s.table("(key String, offset UInt64, value String) ENGINE = ReplacingMergeTree(offset) ORDER BY key")
	for _, batch := range [][]projections.Column{
		{col("key", "String", []string{"a", "b"}), col("offset", "UInt64", []uint64{1, 2}), col("value", "String", []string{"a1", "b2"})},
		{col("key", "String", []string{"a", "a"}), col("offset", "UInt64", []uint64{5, 4}), col("value", "String", []string{"a5", "a4"})},
		{col("key", "String", []string{"b"}), col("offset", "UInt64", []uint64{2}), col("value", "String", []string{"b2"})}, // the same again
	} {
		if err := s.Insert(t.Context(), table, batch); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"a5", "b2"}
	s.is(want, "SELECT value FROM "+table+" ORDER BY key, offset DESC LIMIT 1 BY key")
	s.is(want, "SELECT argMax(value, offset) FROM "+table+" GROUP BY key ORDER BY key")
	s.is(want, "SELECT value FROM "+table+" FINAL ORDER BY key")
	s.exec("OPTIMIZE TABLE " + table + " FINAL")
	s.is(want, "SELECT value FROM "+table+" ORDER BY key")
}

func views(t *testing.T, s suite) {
	first := s.table("(x String) ENGINE = MergeTree ORDER BY x")
	second := s.table("(x String) ENGINE = MergeTree ORDER BY x")
	for _, table := range []string{first, second} {
		if err := s.Insert(t.Context(), table, []projections.Column{col("x", "String", []string{table})}); err != nil {
			t.Fatal(err)
		}
	}
	view := "v_" + rand.Text()
	s.dropLater("VIEW", view)
	for _, table := range []string{first, second, first} {
		s.exec("CREATE OR REPLACE VIEW " + view + " AS SELECT x FROM " + table)
		s.is([]string{table}, "SELECT x FROM "+view)
	}
}

func exchangeTables(t *testing.T, s suite) {
	first := s.table("(x String) ENGINE = MergeTree ORDER BY x")
	second := s.table("(x String) ENGINE = MergeTree ORDER BY x")
	s.exec("INSERT INTO " + first + " VALUES ('first')")
	s.exec("EXCHANGE TABLES " + first + " AND " + second)
	s.is([]string{"first"}, "SELECT x FROM "+second)
}

// exception is the server's own error inside another.
func exception(err error) int32 {
	if e, ok := errors.AsType[*ch.Exception](err); ok {
		return e.Code
	}
	return 0
}

func answeredErrors(t *testing.T, s suite) {
	for sql, want := range map[string]int32{
		"SELECT x FROM nowhere":             60,
		"SELECT x FROM nowhere.nothing":     81,
		"SELECT foo":                        47,
		"SELEC 1":                           62,
		"DROP TABLE nowhere":                60,
		"SELECT throwIf(1)":                 395,
		"SELECT nonsense(1)":                46,
		"INSERT INTO nowhere SELECT 1":      60,
		"SELECT toUInt8('x')":               6,
		"SELECT {missing:String}":           456,
		"SELECT 1 SETTINGS no_such_thing=1": 115,
	} {
		for name, err := range map[string]error{
			"Exec":  s.Exec(t.Context(), sql),
			"Query": func() error { _, err := read[any](t.Context(), s.DB, sql); return err }(),
		} {
			if exception(err) != want || errors.Is(err, projections.ErrUnavailable) {
				t.Errorf("%s(%q): %v, want code %d, and available", name, sql, err, want)
			}
		}
	}
	if err := s.Insert(t.Context(), "nowhere", []projections.Column{col("x", "UInt8", []uint8{1})}); exception(err) != 60 {
		t.Errorf("inserting into nowhere: %v", err)
	}
}

func errorMidStream(t *testing.T, s suite) {
	rows, err := s.Query(t.Context(), "SELECT toString(throwIf(number = 700000, '__exception__')) FROM numbers(1000000) SETTINGS max_block_size = 10000, max_threads = 1")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	n := 0
	for rows.Next() {
		n++
	}
	if exception(rows.Err()) != 395 || n == 0 || n > 700_000 {
		t.Errorf("after %d rows: %v, want code 395", n, rows.Err())
	}
	if errors.Is(rows.Err(), projections.ErrUnavailable) {
		t.Error("an answered error passes for unavailable")
	}
}

const endless = "SELECT toString(sum(sipHash64(number))) FROM numbers(1000000000000)"

func cancelled(t *testing.T, s suite) {
	for name, call := range map[string]func(context.Context) error{
		"Query": func(ctx context.Context) error { _, err := read[string](ctx, s.DB, endless); return err },
		"Exec":  func(ctx context.Context) error { return s.Exec(ctx, endless) },
		"rows": func(ctx context.Context) error {
			_, err := read[uint64](ctx, s.DB, "SELECT number FROM numbers(1000000000000)")
			return err
		},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		stop := time.AfterFunc(50*time.Millisecond, cancel)
		err := call(ctx)
		stop.Stop()
		if !errors.Is(err, context.Canceled) || errors.Is(err, projections.ErrUnavailable) {
			t.Errorf("%s: %v, want the caller's own cancelling", name, err)
		}
	}
	s.gone("1000000000000")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	table := s.table("(x UInt8) ENGINE = MergeTree ORDER BY x")
	if err := s.Insert(ctx, table, []projections.Column{col("x", "UInt8", []uint8{1})}); !errors.Is(err, context.Canceled) {
		t.Errorf("Insert: %v", err)
	}
	s.is([]string{"0"}, "SELECT toString(count()) FROM "+table)
}

func deadline(t *testing.T, s suite) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := read[string](ctx, s.DB, endless)
	if !errors.Is(err, projections.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want unavailable by deadline", err)
	}
	s.gone("1000000000000")
}

// gone waits until the server has no statement with this text any more: what
// nobody waits for must not go on burning the processor.
func (s suite) gone(text string) {
	s.Helper()
	last := time.Now().Add(20 * time.Second)
	for {
		n := s.rows("SELECT toString(count()) FROM system.processes WHERE position(query, {x:String}) > 0 AND position(query, 'system.processes') = 0",
			projections.Arg{Name: "x", Value: text})
		if n[0] == "0" {
			return
		}
		if time.Now().After(last) {
			s.Fatalf("%s statements with %s still run", n[0], text)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func streaming(t *testing.T, s suite) {
	rows, err := s.Query(t.Context(), "SELECT number, toString(number) FROM numbers(2000000)")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var n, number uint64
	var text string
	for ; rows.Next(); n++ {
		if err := rows.Scan(&number, &text); err != nil {
			t.Fatal(err)
		}
		if number != n || n%100_000 == 0 && text != fmt.Sprint(n) {
			t.Fatalf("row %d is %d, %s", n, number, text)
		}
	}
	if n != 2_000_000 || rows.Err() != nil {
		t.Errorf("%d rows, %v", n, rows.Err())
	}
	if rows.Next() {
		t.Error("a row after the last")
	}
	if err := rows.Close(); err != nil {
		t.Errorf("closing at the end: %v", err)
	}
	s.is(nil, "SELECT toString(number) FROM numbers(0)")
}

func abandonedRows(t *testing.T, s suite) {
	for range 40 { // more often than there are connections
		rows, err := s.Query(t.Context(), "SELECT number FROM numbers(1000000000000)")
		if err != nil {
			t.Fatal(err)
		}
		if !rows.Next() {
			t.Fatal(rows.Err())
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
		if rows.Next() {
			t.Fatal("a row after Close")
		}
	}
	s.gone("numbers(1000000000000)")
}

func concurrency(t *testing.T, s suite) {
	table := s.table("(writer UInt32, i UInt32) ENGINE = MergeTree ORDER BY (writer, i)")
	const writers, inserts = 24, 4
	failed := make(chan error, 2*writers)
	for w := range writers {
		go func() {
			for i := range inserts {
				err := s.Insert(t.Context(), table, []projections.Column{col("writer", "UInt32", []uint32{uint32(w)}), col("i", "UInt32", []uint32{uint32(i)})})
				if err != nil {
					failed <- err
					return
				}
			}
			failed <- nil
		}()
		go func() {
			for i := range inserts {
				want := fmt.Sprint(w, i)
				found, err := read[string](t.Context(), s.DB, "SELECT {x:String}", projections.Arg{Name: "x", Value: want})
				if err != nil || len(found) != 1 || found[0] != want {
					failed <- fmt.Errorf("asked for %q, got %q, %w", want, found, err)
					return
				}
			}
			failed <- nil
		}()
	}
	for range 2 * writers {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	s.is([]string{fmt.Sprint(writers * inserts)}, "SELECT toString(uniqExact(writer, i)) FROM "+table)
}

func statementsInside(t *testing.T, s suite) {
	rows, err := s.Query(t.Context(), "SELECT toString(number) FROM numbers(3)")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var x string
		if err := rows.Scan(&x); err != nil {
			t.Fatal(err)
		}
		s.is([]string{x}, "SELECT {x:String}", projections.Arg{Name: "x", Value: x})
	}
	if rows.Err() != nil {
		t.Error(rows.Err())
	}
}
