package app

import (
	"context"
	"os"
	collector "runtime/debug"
	"runtime/metrics"
	"time"
)

// Go's collector lets as much garbage gather as there is memory in use (100 %),
// which is right under load. A server whose people are silent makes little garbage,
// and would keep the memory of its last burst for a long time: at rest it is
// collected at a fifth, which then costs next to nothing.
const (
	percentUnderLoad = 100
	percentAtRest    = 20
	restPerSecond    = 1 << 20                // bytes allocated: below that it is at rest
	restAfter        = 10                     // looks, one behind the other
	lookEvery        = 500 * time.Millisecond // a burst must not be collected at a fifth for long
)

// paceCollector follows the load until ctx ends. Whoever sets GOGC has decided.
func paceCollector(ctx context.Context) {
	if os.Getenv("GOGC") != "" {
		return
	}
	defer collector.SetGCPercent(percentUnderLoad)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	pace := collectorPace{percent: percentUnderLoad}
	for last := allocated(); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := allocated()
		if pace.look(float64(now-last) / lookEvery.Seconds()) {
			collector.SetGCPercent(pace.percent)
		}
		last = now
	}
}

// collectorPace is what the collector is told.
type collectorPace struct {
	percent int
	quiet   int // looks at which it was at rest
}

// look takes the bytes a second that were allocated since the last look, and tells
// whether the percent changes.
func (p *collectorPace) look(perSecond float64) (changed bool) {
	want := percentUnderLoad
	if p.quiet++; perSecond >= restPerSecond {
		p.quiet = 0
	} else if p.quiet >= restAfter {
		want = percentAtRest
	}
	changed = want != p.percent
	p.percent = want
	return changed
}

// allocated is how many bytes this process has ever allocated on Go's heap.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
