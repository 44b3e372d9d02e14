package projections_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"lishi/projections"
	"lishi/projections/projectiontest"
)

// meeting is a ClickHouse whose inserts into new builds wait a little for others
// to come meanwhile.
type meeting struct {
	projections.DB
	under, most atomic.Int32
}

func (m *meeting) Insert(ctx context.Context, table string, columns []projections.Column, how ...projections.Insertion) error {
	if strings.Contains(table, "_b") && !strings.HasSuffix(table, "_b1") && !strings.HasSuffix(table, "_b2") {
		if n := m.under.Add(1); n > m.most.Load() {
			m.most.Store(n)
		}
		defer m.under.Add(-1)
		for until := time.Now().Add(100 * time.Millisecond); m.most.Load() < 2 && time.Now().Before(until); {
			time.Sleep(time.Millisecond)
		}
	}
	return m.DB.Insert(ctx, table, columns, how...)
}

// A throttled replay leaves processors to those who chat: it inserts into one
// table after the other. One that is not throttled does not.
func TestThrottledInsertsComeOneAtATime(t *testing.T) {
	for throttle, most := range map[float64]int32{0.5: 1, 1: 2} {
		db := &meeting{DB: projectiontest.DB(t)}
		w := projectiontest.Still(t, db, projectiontest.NewLog(projectiontest.Layout), newWords("words"), newWords("others"))
		w.Start()
		talk(w, 0, 50)
		w.Settle()
		if err := w.Engine.Replay(context.Background(), []string{"words", "others"}, projections.Replaying{Throttle: throttle}); err != nil {
			t.Fatal(err)
		}
		if got := db.most.Load(); got != most {
			t.Errorf("throttle %v: %d inserts at once, want %d", throttle, got, most)
		}
		w.Stop()
	}
}
