package clickhouse

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"unsafe"

	"lishi/infra/chdb"
	"lishi/projections"
)

// blocks are used again: a rebuild makes few large ones.
var blocks = sync.Pool{New: func() any { return new(block) }}

// insertNative inserts on the embedded engine without the driver, which takes four
// times the processor's time for the same bytes (see BenchmarkEncode): it boxes
// every value of a LowCardinality and copies everything three times. It gives
// false where a column has a type that lishi's own tables don't have.
func (db *DB) insertNative(ctx context.Context, sql string, columns []projections.Column, n int, distinct bool) (bool, error) {
	b := blocks.Get().(*block)
	defer blocks.Put(b)
	defer b.clear()
	if !b.write(columns, n) {
		return false, nil
	}
	session := chdb.Session{Database: db.Database()}
	for name, value := range db.options.Settings {
		session.Settings = append(session.Settings, chdb.Setting{Name: name, Value: fmt.Sprint(value)})
	}
	if distinct {
		session.Settings = append(session.Settings, chdb.Setting{Name: mergeRows, Value: "0"})
	}
	slices.SortFunc(session.Settings, func(a, b chdb.Setting) int { return strings.Compare(a.Name, b.Name) })
	pieces := b.pieces()
	return true, db.engine.Insert(ctx, session, sql, "Native", nil, &pieces)
}

// block is columns as one block of ClickHouse's format Native at revision 0. What
// is packed as the format has it stays where it is.
//
// Source: https://clickhouse.com/docs/interfaces/formats/Native and
// ClickHouse src/DataTypes/Serializations.
type block struct {
	made []byte
	lent []lent
}

// lent is a column's memory, which comes behind so many of the bytes made.
type lent struct {
	behind int
	bytes  []byte
}

func (b *block) clear() {
	clear(b.lent)
	b.made, b.lent = b.made[:0], b.lent[:0]
}

// pieces are the block in order. They are valid until it is cleared.
func (b *block) pieces() (all net.Buffers) {
	from := 0
	for _, l := range b.lent {
		all = append(all, b.made[from:l.behind], l.bytes)
		from = l.behind
	}
	return append(all, b.made[from:])
}

func (b *block) lend(v []byte) {
	if len(v) < 1<<10 {
		b.made = append(b.made, v...)
	} else {
		b.lent = append(b.lent, lent{len(b.made), v})
	}
}

// write appends columns of n rows; false where one is of a type that it can't write.
func (b *block) write(columns []projections.Column, n int) bool {
	b.made = binary.AppendUvarint(b.made, uint64(len(columns)))
	b.made = binary.AppendUvarint(b.made, uint64(n))
	for _, c := range columns {
		b.made = appendText(appendText(b.made, c.Name), c.Type)
		if !b.column(c) {
			return false
		}
	}
	return true
}

// raw is the memory of numbers, which the format has as the processor does (all
// that libchdb is made for are little-endian).
func raw[T int64 | uint64 | uint32 | bool](v []T) []byte {
	var one T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), len(v)*int(unsafe.Sizeof(one)))
}

func (b *block) column(c projections.Column) (ok bool) {
	switch d := c.Data.(type) {
	case projections.Texts:
		ok = c.Type == "String"
		b.lend(d.Packed())
	case projections.Symbols:
		ok = c.Type == "LowCardinality(String)"
		b.made = appendDictionary(b.made, d)
	case projections.Lists:
		ok = c.Type == "Array(String)"
		b.lend(raw(d.Ends))
		b.lend(d.Texts.Packed())
	case []string:
		if ok = c.Type == "String"; ok {
			b.made = appendTexts(b.made, d)
		} else if ok = c.Type == "LowCardinality(String)"; ok {
			var s projections.Symbols
			for _, text := range d {
				s.Append(text)
			}
			b.made = appendDictionary(b.made, s)
		}
	case [][]string:
		var l projections.Lists
		for _, texts := range d {
			l.Append(texts)
		}
		return b.column(projections.Column{Type: c.Type, Data: l})
	case []int64:
		ok = c.Type == "Int64"
		b.lend(raw(d))
	case []uint64:
		ok = c.Type == "UInt64"
		b.lend(raw(d))
	case []uint32:
		ok = c.Type == "UInt32"
		b.lend(raw(d))
	case []bool:
		ok = c.Type == "Bool" || c.Type == "UInt8" // Go's bools are the bytes 0 and 1
		b.lend(raw(d))
	}
	return ok
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendTexts(b []byte, all []string) []byte {
	size := 0
	for _, s := range all {
		size += len(s) + 5
	}
	b = slices.Grow(b, size)
	for _, s := range all {
		b = appendText(b, s)
	}
	return b
}

// Of a LowCardinality column: its version, and what its block has.
const (
	sharedDictionaries = 1
	additionalKeys     = 1 << 9
	updateDictionary   = 1 << 10
	indexUint8         = 0
	indexUint32        = 2
)

// appendDictionary writes each different text once, and which of them the rows
// have.
func appendDictionary(b []byte, s projections.Symbols) []byte {
	if len(s.Rows) == 0 {
		return b
	}
	index := uint64(indexUint32)
	if len(s.Keys) <= 256 {
		index = indexUint8
	}
	b = binary.LittleEndian.AppendUint64(b, sharedDictionaries)
	b = binary.LittleEndian.AppendUint64(b, additionalKeys|updateDictionary|index)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(s.Keys)))
	b = appendTexts(b, s.Keys)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(s.Rows)))
	if index == indexUint32 {
		return append(b, raw(s.Rows)...)
	}
	b = slices.Grow(b, len(s.Rows))
	for _, at := range s.Rows {
		b = append(b, uint8(at))
	}
	return b
}
