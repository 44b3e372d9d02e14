package projections

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"unsafe"

	"lishi/events"
)

// Rows takes the rows of one build, column by column, until they are inserted.
// It is for one goroutine.
type Rows struct {
	tables []*columns
	size   int // rows
	bytes  int

	partition string
	offset    uint64
	record    *record // of the event
}

// record is an event as a record, which is made when a projection asks for it,
// once for all builds of a lane.
type record struct {
	event   *events.Recorded
	encoder events.Encoder
	is      events.Record
	made    bool
}

func (r *record) begin(e *events.Recorded) { r.event, r.made = e, false }

// columns is what has gathered for one table.
type columns struct {
	table string // physical name
	name  string
	cols  []column
	how   []Insertion
	rows  int
	row   Row
}

// column gathers one column. Its values are a pointer: a slice itself would be
// allocated anew, header and all, each time that it is put back.
type column struct {
	name, kind string
	values     any
}

// gathered is what there is to insert.
func (c *columns) gathered() []Column {
	all := make([]Column, len(c.cols))
	for i, col := range c.cols {
		all[i] = Column{Name: col.name, Type: col.kind}
		switch v := col.values.(type) {
		case *Texts:
			all[i].Data = *v
		case *Symbols:
			all[i].Data = *v
		case *[]int64:
			all[i].Data = *v
		case *[]uint64:
			all[i].Data = *v
		case *[]bool:
			all[i].Data = *v
		case *Lists:
			all[i].Data = *v
		}
	}
	return all
}

// Row is a row being written: its fields are given in the table's order.
type Row struct {
	of   *columns
	all  *Rows
	next int
}

const fixedColumns = 2 // partition and offset

func newRows(tables []Table, build uint32) (*Rows, error) {
	r := &Rows{}
	for _, t := range tables {
		c := &columns{table: physical(t.Name, build), name: t.Name}
		if t.distinct() {
			c.how = []Insertion{Distinct}
		}
		fields := append([]Field{{Name: "partition", Type: "LowCardinality(String)"}, {Name: "offset", Type: "UInt64"}}, t.Fields...)
		for _, f := range fields {
			var data any
			switch f.Type {
			case "String":
				data = new(Texts)
			case "LowCardinality(String)":
				data = new(Symbols)
			case "Int64":
				data = new([]int64)
			case "UInt64":
				data = new([]uint64)
			case "Bool":
				data = new([]bool)
			case "Array(String)":
				data = new(Lists)
			default:
				return nil, fmt.Errorf("projections: column %s.%s has type %s, which rows can't hold", t.Name, f.Name, f.Type)
			}
			c.cols = append(c.cols, column{f.Name, f.Type, data})
		}
		r.tables = append(r.tables, c)
	}
	return r, nil
}

// begin names the event whose rows come next.
func (r *Rows) begin(e *record, partition string) {
	r.partition, r.offset, r.record = partition, uint64(e.event.Position.Offset), e
}

// Record is the event whose rows are being made as the record that it is in the
// log, in the version of its type that is written now. It is valid until Apply
// returns.
func (r *Rows) Record() events.Record {
	e := r.record
	if !e.made {
		is, err := e.encoder.Encode(&e.event.Event)
		if err != nil {
			panic(fmt.Sprintf("an event that was read can't be written: %v", err)) // stops this projection, with the position
		}
		e.is, e.made = is, true
	}
	return e.is
}

// Row begins a row of a table. It panics on a table that the projection does
// not have, as the Row's methods do on a value that does not fit its column:
// both are faults of the projection.
func (r *Rows) Row(table string) *Row {
	for _, c := range r.tables {
		if c.name == table {
			c.complete()
			c.row = Row{of: c, all: r}
			c.rows++
			r.size++
			return c.row.Text(r.partition).Uint(r.offset)
		}
	}
	panic("projections: no table " + table)
}

// Text gives a String or a LowCardinality(String).
func (r *Row) Text(v string) *Row {
	switch d := r.column().values.(type) {
	case *Texts:
		d.Append(v)
		r.all.bytes += len(v) + 1
	case *Symbols:
		d.Append(v)
		r.all.bytes += 4
	default:
		panic(fmt.Sprintf("projections: column %s of %s takes no text", r.of.cols[r.next-1].name, r.of.name))
	}
	return r
}

// TextBy gives a String: what write appends to a buffer, whose contents are none
// of its business.
func (r *Row) TextBy(write func([]byte) []byte) *Row {
	d := r.column().values.(*Texts)
	before := len(d.packed)
	d.appendWith(write)
	r.all.bytes += len(d.packed) - before
	return r
}

// Bytes gives a String.
func (r *Row) Bytes(v []byte) *Row { return r.Text(unsafe.String(unsafe.SliceData(v), len(v))) }

// Hex gives a String: the lower-case hexadecimal digits of some bytes.
func (r *Row) Hex(v []byte) *Row {
	d := r.column().values.(*Texts)
	d.packed = hex.AppendEncode(binary.AppendUvarint(d.packed, uint64(2*len(v))), v)
	d.n++
	r.all.bytes += 2*len(v) + 1
	return r
}

// Key gives a String: the key of a stream.
func (r *Row) Key(s events.Stream) *Row { return r.TextBy(s.AppendKey) }

// Texts gives an Array(String).
func (r *Row) Texts(v []string) *Row {
	d := r.column().values.(*Lists)
	before := len(d.Texts.packed)
	d.Append(v)
	r.all.bytes += 8 + len(d.Texts.packed) - before
	return r
}

// Int gives an Int64.
func (r *Row) Int(v int64) *Row {
	d := r.column().values.(*[]int64)
	*d = append(*d, v)
	r.all.bytes += 8
	return r
}

// Uint gives a UInt64.
func (r *Row) Uint(v uint64) *Row {
	d := r.column().values.(*[]uint64)
	*d = append(*d, v)
	r.all.bytes += 8
	return r
}

// Flag gives a Bool.
func (r *Row) Flag(v bool) *Row {
	d := r.column().values.(*[]bool)
	*d = append(*d, v)
	r.all.bytes++
	return r
}

func (r *Row) column() *column {
	if r.next >= len(r.of.cols) {
		panic(fmt.Sprintf("projections: a row of %s has more than %d values", r.of.name, len(r.of.cols)-fixedColumns))
	}
	r.next++
	return &r.of.cols[r.next-1]
}

// complete panics where a row has been left half written.
func (c *columns) complete() {
	if c.rows > 0 && c.row.next != len(c.cols) {
		panic(fmt.Sprintf("projections: a row of %s has %d values of %d", c.name, c.row.next-fixedColumns, len(c.cols)-fixedColumns))
	}
}

// end checks that every row of the event was given in full.
func (r *Rows) end() {
	for _, c := range r.tables {
		c.complete()
	}
}

// clear empties the columns and keeps their memory.
func (r *Rows) clear() {
	for _, c := range r.tables {
		for i := range c.cols {
			switch d := c.cols[i].values.(type) {
			case *Texts:
				d.packed, d.n = d.packed[:0], 0
			case *Symbols:
				d.clear()
			case *[]int64:
				*d = (*d)[:0]
			case *[]uint64:
				*d = (*d)[:0]
			case *[]bool:
				*d = (*d)[:0]
			case *Lists:
				d.Ends, d.Texts = d.Ends[:0], Texts{packed: d.Texts.packed[:0]}
			}
		}
		c.rows, c.row = 0, Row{}
	}
	r.size, r.bytes = 0, 0
}
