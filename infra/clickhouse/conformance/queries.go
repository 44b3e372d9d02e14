package conformance

import (
	"crypto/rand"
	"fmt"
	"testing"

	"lishi/projections"
)

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
