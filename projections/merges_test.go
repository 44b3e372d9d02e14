package projections_test

import (
	"context"
	"testing"

	"lishi/projections"
	"lishi/projections/projectiontest"
)

// A build whose rows nobody reads yet is not merged; once it is live it is.
func TestMergesAreHeldDuringAReplay(t *testing.T) {
	for _, throttle := range []float64{1, 0.5} {
		w := projectiontest.New(t, newWords("words"))
		all := talk(w, 0, 50)
		w.Settle()
		optimize := func() error { return w.DB.Exec(context.Background(), "OPTIMIZE TABLE words_b2 FINAL") }
		looked := false
		var meanwhile error
		err := w.Engine.Replay(context.Background(), []string{"words"}, projections.Replaying{Throttle: throttle, Progress: func(p projections.Progress) {
			if p.Phase == "comparing" && !looked {
				looked, meanwhile = true, optimize()
			}
		}})
		if err != nil || !looked {
			t.Fatalf("replay: %v; it was compared: %v", err, looked)
		}
		if held := meanwhile != nil; held != (throttle == 1) {
			t.Errorf("throttle %v: a merge meanwhile: %v", throttle, meanwhile)
		}
		if err := optimize(); err != nil {
			t.Errorf("a merge afterwards: %v", err)
		}
		same(t, "rows", said(t, w.DB, "words"), all)
	}
}
