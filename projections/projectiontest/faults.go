package projectiontest

import (
	"context"
	"sync"

	"lishi/projections"
)

// Faulty is a DB on which tests lay hands between its statements and those who
// make them.
type Faulty struct {
	projections.DB

	mu     sync.Mutex
	before func(Call) error
	after  func(Call) error
}

// Call is one statement: the table of an insert, or the SQL.
type Call struct{ Table, SQL string }

// Set changes what happens before and after each statement; nil lets it pass.
// An error before keeps it from happening, one after hides that it did.
func (f *Faulty) Set(before, after func(Call) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.before, f.after = before, after
}

func (f *Faulty) call(c Call, do func() error) error {
	f.mu.Lock()
	before, after := f.before, f.after
	f.mu.Unlock()
	if before != nil {
		if err := before(c); err != nil {
			return err
		}
	}
	if err := do(); err != nil {
		return err
	}
	if after != nil {
		return after(c)
	}
	return nil
}

// Exec implements projections.DB.
func (f *Faulty) Exec(ctx context.Context, sql string, args ...projections.Arg) error {
	return f.call(Call{SQL: sql}, func() error { return f.DB.Exec(ctx, sql, args...) })
}

// Query implements projections.DB.
func (f *Faulty) Query(ctx context.Context, sql string, args ...projections.Arg) (rows projections.RowScanner, err error) {
	err = f.call(Call{SQL: sql}, func() (err error) {
		rows, err = f.DB.Query(ctx, sql, args...)
		return err
	})
	return rows, err
}

// Insert implements projections.DB.
func (f *Faulty) Insert(ctx context.Context, table string, columns []projections.Column, how ...projections.Insertion) error {
	return f.call(Call{Table: table}, func() error { return f.DB.Insert(ctx, table, columns, how...) })
}

// Death is a process that is killed at its n-th statement, counted from 0: from
// then on nothing is done any more, until it is given up.
type Death struct {
	N     int
	After bool // the fatal statement is still carried out
	mu    sync.Mutex
	calls int
	dead  chan struct{}
}

// NewDeath lays a death on a DB.
func NewDeath(f *Faulty, n int, after bool) *Death {
	d := &Death{N: n, After: after, dead: make(chan struct{})}
	f.Set(func(Call) error { return d.count(!after) }, func(Call) error { return d.finish() })
	return d
}

func (d *Death) count(fatal bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls++
	if d.calls-1 > d.N || fatal && d.calls-1 == d.N {
		d.die()
		return projections.ErrUnavailable
	}
	return nil
}

func (d *Death) finish() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.After && d.calls-1 >= d.N {
		d.die()
		return projections.ErrUnavailable
	}
	return nil
}

func (d *Death) die() {
	select {
	case <-d.dead:
	default:
		close(d.dead)
	}
}

// Dead is closed when the fatal statement came.
func (d *Death) Dead() <-chan struct{} { return d.dead }
