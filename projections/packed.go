package projections

import (
	"encoding/binary"
	"fmt"
	"strings"
	"unsafe"
)

// Rows gather in the form in which ClickHouse takes them (its format Native), so
// that they are copied once, hold no pointers for the collector to follow, and
// nothing of the events that they were made from stays in memory.
//
// Source: https://clickhouse.com/docs/interfaces/formats/Native.

// Texts are the values of a String column. The zero value is empty.
type Texts struct {
	packed []byte // each behind its length, a uvarint
	n      int
}

// Append adds a value.
func (t *Texts) Append(s string) {
	t.packed = append(binary.AppendUvarint(t.packed, uint64(len(s))), s...)
	t.n++
}

// appendWith adds what write appends to a buffer.
func (t *Texts) appendWith(write func([]byte) []byte) {
	const room = 1 // of the length, which is seldom more
	start := len(t.packed)
	b := write(append(t.packed, 0))
	size := len(b) - start - room
	if size >= 0x80 {
		var length [binary.MaxVarintLen64]byte
		n := binary.PutUvarint(length[:], uint64(size))
		b = append(b, length[:n-room]...)
		copy(b[start+n:], b[start+room:start+room+size])
		copy(b[start:], length[:n])
	} else {
		b[start] = byte(size)
	}
	t.packed = b
	t.n++
}

// Len is the number of values.
func (t Texts) Len() int { return t.n }

// Packed is all of them, each behind its length as a uvarint. It is valid until
// the next Append.
func (t Texts) Packed() []byte { return t.packed }

// Strings are the values; they share memory with t, and are valid until it is
// emptied.
func (t Texts) Strings() []string {
	all := make([]string, 0, t.n)
	for b := t.packed; len(b) > 0; {
		size, used := binary.Uvarint(b)
		end := used + int(size)
		all = append(all, unsafe.String(unsafe.SliceData(b[used:end]), size))
		b = b[end:]
	}
	return all
}

func (t Texts) String() string { return fmt.Sprint(t.Strings()) }

// place is where in packed a value begins; that of the one after the last is its end.
func (t Texts) place(i int) (at int) {
	for range i {
		size, used := binary.Uvarint(t.packed[at:])
		at += used + int(size)
	}
	return at
}

func (t Texts) slice(from, to int) Texts {
	return Texts{t.packed[t.place(from):t.place(to)], to - from}
}

// Symbols are the values of a LowCardinality(String) column: each different text
// once, and which of them the rows have. The zero value is empty.
type Symbols struct {
	Keys   []string
	Rows   []uint32
	places map[string]uint32
}

// Append adds a value.
func (s *Symbols) Append(text string) {
	if n := len(s.Rows); n > 0 && s.Keys[s.Rows[n-1]] == text { // partitions, mostly
		s.Rows = append(s.Rows, s.Rows[n-1])
		return
	}
	at, known := s.places[text]
	if !known {
		if s.places == nil {
			s.places = map[string]uint32{}
		}
		text = strings.Clone(text)
		at = uint32(len(s.Keys))
		s.places[text] = at
		s.Keys = append(s.Keys, text)
	}
	s.Rows = append(s.Rows, at)
}

// clear empties it. A few keys stay: they will come again.
func (s *Symbols) clear() {
	s.Rows = s.Rows[:0]
	if len(s.Keys) > 256 {
		s.Keys, s.places = nil, nil
	}
}

// Strings are the values.
func (s Symbols) Strings() []string {
	all := make([]string, len(s.Rows))
	for i, at := range s.Rows {
		all[i] = s.Keys[at]
	}
	return all
}

func (s Symbols) String() string { return fmt.Sprint(s.Strings()) }

// Lists are the values of an Array(String) column. The zero value is empty.
type Lists struct {
	Ends  []uint64 // of each list, counted in texts
	Texts Texts
}

// Append adds a value.
func (l *Lists) Append(list []string) {
	for _, s := range list {
		l.Texts.Append(s)
	}
	l.Ends = append(l.Ends, uint64(l.Texts.n))
}

// Strings are the values; see Texts.Strings.
func (l Lists) Strings() [][]string {
	all, texts, start := make([][]string, len(l.Ends)), l.Texts.Strings(), uint64(0)
	for i, end := range l.Ends {
		all[i], start = texts[start:end:end], end
	}
	return all
}

func (l Lists) String() string { return fmt.Sprint(l.Strings()) }

func (l Lists) slice(from, to int) Lists {
	start := uint64(0)
	if from > 0 {
		start = l.Ends[from-1]
	}
	part := Lists{Ends: make([]uint64, to-from)}
	for i := range part.Ends {
		part.Ends[i] = l.Ends[from+i] - start
	}
	end := start
	if to > from {
		end = l.Ends[to-1]
	}
	part.Texts = l.Texts.slice(int(start), int(end))
	return part
}
