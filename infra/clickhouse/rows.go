package clickhouse

import (
	"context"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// rows is a projections.RowScanner on the driver's rows. The driver's Close
// reads what is left of the answer; ending the context first makes that short.
type rows struct {
	driver.Rows
	ctx    context.Context
	cancel context.CancelFunc
	err    error
	closed bool
}

func (r *rows) Next() bool {
	if r.closed {
		return false
	}
	if r.Rows.Next() {
		return true
	}
	r.end()
	return false
}

func (r *rows) Err() error { return r.err }

func (r *rows) Close() error {
	if !r.closed {
		r.cancel()
		r.closed = true
		_ = r.Rows.Close() // complains of nothing but our own cancelling
	}
	return nil
}

// end notes how the rows ended.
func (r *rows) end() {
	err := r.Rows.Err()
	if closing := r.Rows.Close(); err == nil {
		err = closing
	}
	r.err = classify(r.ctx, err)
	r.closed = true
	r.cancel()
}
