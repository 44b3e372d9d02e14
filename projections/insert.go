package projections

import (
	"context"
	"errors"
	"fmt"
)

// minInsert is how few rows an insert has before it is not halved any more: who
// has no memory for these has none at all.
const minInsert = 64

// insertHalving writes columns of n rows, and halves of them where they take more memory
// than ClickHouse gives. Rows are idempotent, so what went in before an error may
// go in again.
func insertHalving(ctx context.Context, db DB, table string, columns []Column, n int, how ...Insertion) error {
	err := db.Insert(ctx, table, columns, how...)
	if !errors.Is(err, ErrMemory) || n <= minInsert {
		return err
	}
	if err := insertHalving(ctx, db, table, slice(columns, 0, n/2), n/2, how...); err != nil {
		return err
	}
	return insertHalving(ctx, db, table, slice(columns, n/2, n), n-n/2, how...)
}

// slice is the rows from one to before another; they share the columns' memory.
func slice(columns []Column, from, to int) []Column {
	part := make([]Column, len(columns))
	for i, c := range columns {
		switch d := c.Data.(type) {
		case []string:
			c.Data = d[from:to]
		case []int64:
			c.Data = d[from:to]
		case []uint64:
			c.Data = d[from:to]
		case []bool:
			c.Data = d[from:to]
		case Texts:
			c.Data = d.slice(from, to)
		case Symbols:
			c.Data = Symbols{Keys: d.Keys, Rows: d.Rows[from:to]}
		case Lists:
			c.Data = d.slice(from, to)
		default:
			panic(fmt.Sprintf("projections: column %s is %T", c.Name, c.Data))
		}
		part[i] = c
	}
	return part
}
