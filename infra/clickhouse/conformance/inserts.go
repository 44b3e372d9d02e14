package conformance

import (
	"errors"
	"fmt"
	"testing"

	"lishi/projections"
)

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
