package app

import (
	"context"
	collector "runtime/debug"
	"testing"
	"time"
)

// The collector is told to be thorough after a while of rest, and at once that there is load.
func TestCollectorPace(t *testing.T) {
	p := collectorPace{percent: percentUnderLoad}
	for i, tc := range []struct {
		looks     int
		perSecond float64
		want      int
	}{
		{restAfter - 1, 0, percentUnderLoad},
		{1, restPerSecond, percentUnderLoad},
		{restAfter - 1, restPerSecond - 1, percentUnderLoad},
		{1, restPerSecond - 1, percentAtRest},
		{100, 0, percentAtRest},
		{1, 100 << 20, percentUnderLoad},
		{restAfter, 0, percentAtRest},
	} {
		for range tc.looks {
			before := p.percent
			if changed := p.look(tc.perSecond); changed != (p.percent != before) {
				t.Errorf("step %d says %v", i, changed)
			}
		}
		if p.percent != tc.want {
			t.Errorf("step %d: %d %%, want %d", i, p.percent, tc.want)
		}
	}
}

// A process that does nothing gets there, and what was set is set again at the end.
func TestCollectorAtRest(t *testing.T) {
	percent := func() int {
		now := collector.SetGCPercent(percentUnderLoad)
		collector.SetGCPercent(now)
		return now
	}
	t.Setenv("GOGC", "")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		paceCollector(ctx)
		close(done)
	}()
	for end := time.Now().Add(30 * time.Second); percent() != percentAtRest; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it is never at rest")
		}
	}
	cancel()
	<-done
	if got := percent(); got != percentUnderLoad {
		t.Errorf("%d %% are left", got)
	}
	t.Setenv("GOGC", "50")
	paceCollector(t.Context()) // returns: it is decided
}
