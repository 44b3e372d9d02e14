package projections

import (
	"fmt"
	"strings"
	"testing"

	"lishi/events"
)

func example(t testing.TB) *Rows {
	r, err := newRows([]Table{
		{Name: "a", Fields: []Field{{Name: "s", Type: "String"}, {Name: "l", Type: "LowCardinality(String)"}, {Name: "i", Type: "Int64"}, {Name: "u", Type: "UInt64"}, {Name: "b", Type: "Bool"}, {Name: "t", Type: "Array(String)"}}},
		{Name: "b", Fields: []Field{{Name: "s", Type: "String"}}},
	}, 7)
	if err != nil {
		t.Fatal(err)
	}
	r.begin(&record{event: &events.Recorded{Position: events.Position{Offset: 42}}}, "c3")
	return r
}

func TestRows(t *testing.T) {
	r := example(t)
	r.Row("a").Text("x").Text("y").Int(-1).Uint(1).Flag(true).Texts(nil)
	r.Row("b").Text("z")
	r.end()
	got := fmt.Sprintf("%s %v %s %v %d", r.tables[0].table, r.tables[0].gathered(), r.tables[1].table, r.tables[1].gathered(), r.size)
	want := "a_b7 [{partition LowCardinality(String) [c3]} {offset UInt64 [42]} {s String [x]} {l LowCardinality(String) [y]} " +
		"{i Int64 [-1]} {u UInt64 [1]} {b Bool [true]} {t Array(String) [[]]}] b_b7 [{partition LowCardinality(String) [c3]} {offset UInt64 [42]} {s String [z]}] 2"
	if got != want {
		t.Errorf("rows are\n%s, want\n%s", got, want)
	}
	if r.clear(); r.size != 0 || r.bytes != 0 || r.tables[0].gathered()[2].Data.(Texts).Len() != 0 {
		t.Error("clear leaves something")
	}
}

func TestRowsPanicOnFaults(t *testing.T) {
	for want, fault := range map[string]func(*Rows){
		"no table c":                     func(r *Rows) { r.Row("c") },
		"a row of b has 0 values of 1":   func(r *Rows) { r.Row("b"); r.end() },
		"a row of a has 1 values of 6":   func(r *Rows) { r.Row("a").Text("x"); r.Row("a") },
		"a row of b has more than 1":     func(r *Rows) { r.Row("b").Text("x").Text("y") },
		"interface conversion":           func(r *Rows) { r.Row("b").Int(1) },
		"interface conversion: inter":    func(r *Rows) { r.Row("a").Flag(true) },
		"column offset":                  func(r *Rows) { r.Row("b"); r.tables[1].row.next = 1; r.tables[1].row.Text("x") },
		"interface conversion: interfac": func(r *Rows) { r.Row("a").Texts(nil) },
	} {
		t.Run(want, func(t *testing.T) {
			defer func() {
				if p := fmt.Sprint(recover()); !strings.Contains(p, want) {
					t.Errorf("it panics with %s", p)
				}
			}()
			fault(example(t))
		})
	}
	if _, err := newRows([]Table{{Name: "a", Fields: []Field{{Name: "d", Type: "Date"}}}}, 1); err == nil {
		t.Error("a Date is accepted")
	}
}

// A row costs no allocation once the columns have their size.
func TestRowsDoNotAllocate(t *testing.T) {
	r := example(t)
	fill := func() {
		for range 100 {
			r.Row("a").Text("x").Text("y").Int(-1).Uint(1).Flag(true).Texts([]string{})
		}
	}
	fill()
	if n := testing.AllocsPerRun(10, func() { r.clear(); fill() }); n > 0 {
		t.Errorf("%.0f allocations for 100 rows", n)
	}
}

func BenchmarkRow(b *testing.B) {
	r := example(b)
	b.ReportAllocs()
	for b.Loop() {
		r.Row("a").Text("x").Text("y").Int(-1).Uint(1).Flag(true).Texts(nil)
		if r.size == 50_000 {
			r.clear()
		}
	}
}
