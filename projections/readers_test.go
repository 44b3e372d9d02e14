package projections_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lishi/projections"
	"lishi/projections/projectiontest"
)

// wordsPage is a query of two statements, as pages are that read more than one table.
type wordsPage struct{}

func (wordsPage) Needs() []string { return []string{"words"} }

func (wordsPage) Run(ctx context.Context, r projections.Reader, _ string) (projections.Page, error) {
	var all []string
	for _, order := range []string{"ASC", "DESC"} {
		sql := fmt.Sprintf("SELECT word FROM %s FINAL ORDER BY offset %s LIMIT 50", r.Table("words"), order)
		err := r.Select(ctx, sql, nil, func(s projections.RowScanner) error {
			var w string
			err := s.Scan(&w)
			all = append(all, w)
			return err
		})
		if err != nil {
			return projections.Page{}, err
		}
	}
	return projections.Page{List: all}, nil
}

// Fifty people read while builds change places: no query fails, and no page has
// rows of two builds. The build before says "old" in every row, so it can be told.
func TestReadersWhileBuildsChange(t *testing.T) {
	w := projectiontest.New(t, newWords("words"))
	talk(w, 0, 200)
	w.Settle()
	projectiontest.Exec(t, w.DB, "ALTER TABLE words_b1 UPDATE word = concat('old ', word) WHERE 1 SETTINGS mutations_sync = 2")
	reader := w.Reader()
	ctx, cancel := context.WithCancel(context.Background())
	var readers sync.WaitGroup
	var olds, news atomic.Int64
	var mu sync.Mutex
	var took []time.Duration
	for range 50 {
		readers.Go(func() {
			for ctx.Err() == nil {
				began := time.Now()
				page, err := reader.Answer(context.Background(), wordsPage{}, "a", nil)
				if err != nil {
					t.Errorf("a query fails: %v", err)
					return
				}
				mu.Lock()
				took = append(took, time.Since(began))
				mu.Unlock()
				list := page.List.([]string)
				old := slices.DeleteFunc(slices.Clone(list), func(s string) bool { return !strings.HasPrefix(s, "old ") })
				switch {
				case len(list) != 100 || len(old) != 0 && len(old) != 100:
					t.Errorf("a page has %d rows, %d of them of the old build", len(list), len(old))
				case len(old) > 0:
					olds.Add(1)
				default:
					news.Add(1)
				}
			}
		})
	}
	projectiontest.Eventually(t, "they read the old build", func() bool { return olds.Load() > 50 })
	var differs *projections.DiffersError
	if err := w.Engine.Replay(context.Background(), []string{"words"}, projections.Replaying{Throttle: 1}); !errors.As(err, &differs) {
		t.Errorf("the replay ends with %v", err)
	}
	before := news.Load()
	projectiontest.Eventually(t, "they read the new build", func() bool { return news.Load() > before+50 })
	if err := w.Engine.Rollback(context.Background(), "words", nil); err != nil {
		t.Error(err)
	}
	before = olds.Load()
	projectiontest.Eventually(t, "they read the old build again", func() bool { return olds.Load() > before+50 })
	cancel()
	readers.Wait()
	slices.Sort(took)
	t.Logf("%d pages, p50 %s, p99 %s, worst %s", len(took), took[len(took)/2], took[len(took)*99/100], took[len(took)-1])
}
