package clickhouse_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"lishi/infra/clickhouse"
	"lishi/projections"
)

// Every type that lishi's tables have comes back as it went in, and the driver,
// which servers are spoken to with, writes the same rows.
func TestNativeBlock(t *testing.T) {
	db := embedded
	ctx := context.Background()
	const n = 700
	var texts, few, many []string
	var lists [][]string
	var signed []int64
	var unsigned []uint64
	var numbers []uint32
	var flags []bool
	var packedTexts projections.Texts
	var packedFew, packedMany projections.Symbols
	var packedLists projections.Lists
	for i := range n {
		texts = append(texts, strings.Repeat("消", i))
		few, many = append(few, fmt.Sprint("c", i/100)), append(many, fmt.Sprint(i*7%n))
		lists = append(lists, slices.Repeat([]string{"", "x"}, i%3))
		signed, unsigned, numbers = append(signed, -int64(i)), append(unsigned, ^uint64(i)), append(numbers, ^uint32(i))
		flags = append(flags, i%3 == 0)
		packedTexts.Append(texts[i])
		packedFew.Append(few[i])
		packedMany.Append(many[i])
		packedLists.Append(lists[i])
	}
	columns := []projections.Column{
		{Name: "s", Type: "String", Data: texts}, {Name: "few", Type: "LowCardinality(String)", Data: few},
		{Name: "many", Type: "LowCardinality(String)", Data: many}, {Name: "list", Type: "Array(String)", Data: lists},
		{Name: "i", Type: "Int64", Data: signed}, {Name: "u", Type: "UInt64", Data: unsigned}, {Name: "n", Type: "UInt32", Data: numbers},
		{Name: "b", Type: "Bool", Data: flags}, {Name: "z", Type: "UInt8", Data: flags},
	}
	packed := append([]projections.Column{
		{Name: "s", Type: "String", Data: packedTexts}, {Name: "few", Type: "LowCardinality(String)", Data: packedFew},
		{Name: "many", Type: "LowCardinality(String)", Data: packedMany}, {Name: "list", Type: "Array(String)", Data: packedLists},
	}, columns[4:]...)
	var definition []string
	for _, c := range columns {
		definition = append(definition, c.Name+" "+c.Type)
	}
	for name, to := range map[string]struct {
		*clickhouse.DB
		columns []projections.Column
	}{"native": {db, packed}, "plain": {db, columns}, "driver": {db.ByDriver(), columns}, "packed": {db.ByDriver(), packed}} {
		if err := db.Exec(ctx, "DROP TABLE IF EXISTS "+name); err != nil {
			t.Fatal(err)
		}
		if err := db.Exec(ctx, "CREATE TABLE "+name+" ("+strings.Join(definition, ", ")+") ENGINE = MergeTree ORDER BY tuple()"); err != nil {
			t.Fatal(err)
		}
		if err := to.Insert(ctx, name, to.columns); err != nil {
			t.Fatal(err)
		}
	}
	block, ok := clickhouse.AppendBlock(nil, columns, n)
	if !ok || len(block) == 0 {
		t.Fatal("a type that lishi's tables have is left to the driver")
	}
	rows, err := db.Query(ctx, `SELECT s, many, list, i, u, b, count() OVER () FROM native
		WHERE tuple(*) IN (SELECT tuple(*) FROM driver) AND tuple(*) IN (SELECT tuple(*) FROM plain) AND tuple(*) IN (SELECT tuple(*) FROM packed) ORDER BY length(s)`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	i := 0
	for ; rows.Next(); i++ {
		var s, m string
		var l []string
		var v int64
		var u, all uint64
		var b bool
		if err := rows.Scan(&s, &m, &l, &v, &u, &b, &all); err != nil {
			t.Fatal(err)
		}
		if s != texts[i] || m != many[i] || !slices.Equal(l, lists[i]) || v != signed[i] || u != unsigned[i] || b != flags[i] || all != n {
			t.Fatalf("row %d of %d: %.20q %q %q %d %d %v", i, all, s, m, l, v, u, b)
		}
	}
	if rows.Err() != nil || i != n {
		t.Fatalf("%d rows: %v", i, rows.Err())
	}
	if _, ok := clickhouse.AppendBlock(nil, []projections.Column{{Name: "d", Type: "Date", Data: []int32{1}}}, 1); ok {
		t.Error("a Date is written")
	}
}

func BenchmarkEncode(b *testing.B) {
	const n = 10_000
	texts, parts, offsets := make([]string, n), make([]string, n), make([]uint64, n)
	for i := range n {
		texts[i], parts[i], offsets[i] = fmt.Sprint("a message of some length, number ", i), "c3", uint64(i)
	}
	columns := []projections.Column{{Name: "partition", Type: "LowCardinality(String)", Data: parts}, {Name: "offset", Type: "UInt64", Data: offsets}, {Name: "content", Type: "String", Data: texts}}
	var block []byte
	b.ReportAllocs()
	for b.Loop() {
		block, _ = clickhouse.AppendBlock(block[:0], columns, n)
	}
	b.SetBytes(int64(len(block)))
}
