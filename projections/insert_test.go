package projections_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"lishi/events"
	"lishi/projections"
	"lishi/projections/projectiontest"
)

// narrow is a ClickHouse that has memory for inserts of so many rows, and for
// comparisons only if told so.
type narrow struct {
	projections.DB
	rows     int
	compares bool

	mu      sync.Mutex
	refused int
}

func (n *narrow) Insert(ctx context.Context, table string, columns []projections.Column, how ...projections.Insertion) error {
	if rows, _ := columns[0].Len(); rows > n.rows {
		n.mu.Lock()
		n.refused++
		n.mu.Unlock()
		return fmt.Errorf("%w: %d rows", projections.ErrMemory, rows)
	}
	return n.DB.Insert(ctx, table, columns, how...)
}

func (n *narrow) Query(ctx context.Context, sql string, args ...projections.Arg) (projections.RowScanner, error) {
	if !n.compares && strings.Contains(sql, "groupBitXor") {
		return nil, projections.ErrMemory
	}
	return n.DB.Query(ctx, sql, args...)
}

func TestInsertsAreHalvedUntilTheyFit(t *testing.T) {
	db := &narrow{DB: projectiontest.DB(t), rows: 100, compares: true}
	w := projectiontest.Still(t, db, projectiontest.NewLog(projectiontest.Layout), newWords("words"))
	all := talk(w, 0, 1000) // gathers before the engine runs, so it comes in one insert
	w.Start()
	w.Settle()
	same(t, "rows", said(t, w.DB, "words"), all)
	if db.refused == 0 {
		t.Error("nothing was too large")
	}
}

// What can't be cut into parts ends with an error that says why.
func TestAComparisonThatNeverFitsEnds(t *testing.T) {
	db := &narrow{DB: projectiontest.DB(t), rows: 1 << 20}
	w := projectiontest.Still(t, db, projectiontest.NewLog(projectiontest.Layout), newWords("words"))
	w.Start()
	talk(w, 0, 3)
	w.Settle()
	err := w.Engine.Replay(context.Background(), []string{"words"}, projections.Replaying{})
	if err == nil || errors.Is(err, projections.ErrUnavailable) || !strings.Contains(err.Error(), "more memory") {
		t.Errorf("replay: %v", err)
	}
	if !w.Engine.Covers([]string{"words"}, events.Cursor{}) {
		t.Error("the live build no longer answers")
	}
}
