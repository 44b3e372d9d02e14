// Package conformance is what every projections.DB must do, as one suite that
// each way to reach ClickHouse passes.
package conformance

import (
	"context"
	"crypto/rand"
	"fmt"
	"reflect"
	"strings"
	"testing"

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
		"Memory":           memory,
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
