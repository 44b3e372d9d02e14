package projections

import (
	"fmt"

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
}

// columns is what has gathered for one table.
type columns struct {
	table string // physical name
	name  string
	cols  []Column
	rows  int
	row   Row
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
		fields := append([]Field{{"partition", "LowCardinality(String)"}, {"offset", "UInt64"}}, t.Fields...)
		for _, f := range fields {
			var data any
			switch f.Type {
			case "String", "LowCardinality(String)":
				data = []string(nil)
			case "Int64":
				data = []int64(nil)
			case "UInt64":
				data = []uint64(nil)
			case "Bool":
				data = []bool(nil)
			case "Array(String)":
				data = [][]string(nil)
			default:
				return nil, fmt.Errorf("projections: column %s.%s has type %s, which rows can't hold", t.Name, f.Name, f.Type)
			}
			c.cols = append(c.cols, Column{Name: f.Name, Type: f.Type, Data: data})
		}
		r.tables = append(r.tables, c)
	}
	return r, nil
}

// begin names the event whose rows come next.
func (r *Rows) begin(e *events.Recorded, partition string) {
	r.partition, r.offset = partition, uint64(e.Position.Offset)
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

// Text gives a String.
func (r *Row) Text(v string) *Row {
	c := r.column()
	c.Data = append(c.Data.([]string), v)
	r.all.bytes += len(v) + 16
	return r
}

// Texts gives an Array(String).
func (r *Row) Texts(v []string) *Row {
	c := r.column()
	if v == nil {
		v = []string{}
	}
	c.Data = append(c.Data.([][]string), v)
	for _, s := range v {
		r.all.bytes += len(s) + 16
	}
	return r
}

// Int gives an Int64.
func (r *Row) Int(v int64) *Row {
	c := r.column()
	c.Data = append(c.Data.([]int64), v)
	r.all.bytes += 8
	return r
}

// Uint gives a UInt64.
func (r *Row) Uint(v uint64) *Row {
	c := r.column()
	c.Data = append(c.Data.([]uint64), v)
	r.all.bytes += 8
	return r
}

// Flag gives a Bool.
func (r *Row) Flag(v bool) *Row {
	c := r.column()
	c.Data = append(c.Data.([]bool), v)
	r.all.bytes++
	return r
}

func (r *Row) column() *Column {
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
			switch d := c.cols[i].Data.(type) {
			case []string:
				clear(d)
				c.cols[i].Data = d[:0]
			case []int64:
				c.cols[i].Data = d[:0]
			case []uint64:
				c.cols[i].Data = d[:0]
			case []bool:
				c.cols[i].Data = d[:0]
			case [][]string:
				clear(d)
				c.cols[i].Data = d[:0]
			}
		}
		c.rows, c.row = 0, Row{}
	}
	r.size, r.bytes = 0, 0
}
