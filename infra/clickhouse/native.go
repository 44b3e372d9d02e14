package clickhouse

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"unsafe"

	"lishi/infra/chdb"
	"lishi/projections"
)

// blocks carry an insert's rows to the embedded engine; a rebuild uses a few
// large ones again and again.
var blocks = sync.Pool{New: func() any { return new([]byte) }}

// insertNative inserts on the embedded engine without the driver, which takes four
// times the processor's time for the same bytes (see BenchmarkEncode): it boxes
// every value of a LowCardinality and copies everything three times. It gives
// false where a column has a type that lishi's own tables don't have.
func (db *DB) insertNative(ctx context.Context, sql string, columns []projections.Column, n int, distinct bool) (bool, error) {
	pooled := blocks.Get().(*[]byte)
	defer blocks.Put(pooled)
	block, ok := appendBlock((*pooled)[:0], columns, n)
	*pooled = block[:0]
	if !ok {
		return false, nil
	}
	session := chdb.Session{Database: db.Database()}
	for name, value := range db.options.Settings {
		session.Settings = append(session.Settings, chdb.Setting{Name: name, Value: fmt.Sprint(value)})
	}
	if distinct {
		session.Settings = append(session.Settings, chdb.Setting{Name: mergeRows, Value: "0"})
	}
	slices.SortFunc(session.Settings, func(a, b chdb.Setting) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) })
	return true, db.engine.Insert(ctx, session, sql, "Native", nil, bytes.NewReader(block))
}

// appendBlock writes columns of n rows as one block of ClickHouse's format
// Native at revision 0.
//
// Source: https://clickhouse.com/docs/interfaces/formats/Native and
// ClickHouse src/DataTypes/Serializations.
func appendBlock(b []byte, columns []projections.Column, n int) (_ []byte, ok bool) {
	b = binary.AppendUvarint(b, uint64(len(columns)))
	b = binary.AppendUvarint(b, uint64(n))
	for _, c := range columns {
		b = appendText(appendText(b, c.Name), c.Type)
		switch d := c.Data.(type) {
		case []string:
			switch c.Type {
			case "String":
				b = appendTexts(b, d)
			case "LowCardinality(String)":
				b = appendDictionary(b, d)
			default:
				return b, false
			}
		case [][]string:
			if c.Type != "Array(String)" {
				return b, false
			}
			end := uint64(0)
			for _, texts := range d {
				end += uint64(len(texts))
				b = binary.LittleEndian.AppendUint64(b, end)
			}
			for _, texts := range d {
				b = appendTexts(b, texts)
			}
		case []int64:
			if c.Type != "Int64" {
				return b, false
			}
			for _, v := range d {
				b = binary.LittleEndian.AppendUint64(b, uint64(v))
			}
		case []uint64:
			if c.Type != "UInt64" {
				return b, false
			}
			for _, v := range d {
				b = binary.LittleEndian.AppendUint64(b, v)
			}
		case []uint32:
			if c.Type != "UInt32" {
				return b, false
			}
			for _, v := range d {
				b = binary.LittleEndian.AppendUint32(b, v)
			}
		case []bool:
			if c.Type != "Bool" && c.Type != "UInt8" {
				return b, false
			}
			if len(d) > 0 {
				b = append(b, unsafe.Slice((*uint8)(unsafe.Pointer(&d[0])), len(d))...) // Go's bools are the bytes 0 and 1
			}
		default:
			return b, false
		}
	}
	return b, true
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
func appendDictionary(b []byte, all []string) []byte {
	if len(all) == 0 {
		return b
	}
	places := map[string]uint32{}
	var keys []string
	rows := make([]uint32, len(all))
	for i, s := range all {
		if i > 0 && s == all[i-1] { // partitions, mostly
			rows[i] = rows[i-1]
			continue
		}
		at, known := places[s]
		if !known {
			at = uint32(len(keys))
			places[s] = at
			keys = append(keys, s)
		}
		rows[i] = at
	}
	index := uint64(indexUint32)
	if len(keys) <= 256 {
		index = indexUint8
	}
	b = binary.LittleEndian.AppendUint64(b, sharedDictionaries)
	b = binary.LittleEndian.AppendUint64(b, additionalKeys|updateDictionary|index)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(keys)))
	b = appendTexts(b, keys)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(rows)))
	for _, at := range rows {
		if index == indexUint8 {
			b = append(b, uint8(at))
		} else {
			b = binary.LittleEndian.AppendUint32(b, at)
		}
	}
	return b
}
