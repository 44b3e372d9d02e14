package telemetry

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// Sample is what was counted up to a moment.
type Sample struct {
	At          time.Time
	Connections float64 // open then
	Requests    float64 // answered, in all
	Failed      float64 // of them unavailable or unknown
	Pushes      float64 // frames, in all
	Appended    float64 // events acknowledged by the log, in all
	SlowReaders float64 // closed with 4008, in all
	latency     []uint64
}

// Sample counts now. It costs microseconds.
func (m *Metrics) Sample(at time.Time) Sample {
	s := Sample{At: at, latency: make([]uint64, len(buckets)+1)}
	each(m.connections, func(d *dto.Metric) { s.Connections = d.Gauge.GetValue() })
	each(m.commands, func(d *dto.Metric) {
		n := d.Counter.GetValue()
		s.Requests += n
		if reason := label(d, "reason"); reason == "unavailable" || reason == "unknown" {
			s.Failed += n
		}
	})
	each(m.latency, func(d *dto.Metric) {
		for i, b := range d.Histogram.Bucket {
			s.latency[i] += b.GetCumulativeCount()
		}
		s.latency[len(buckets)] += d.Histogram.GetSampleCount()
	})
	each(m.pushes, func(d *dto.Metric) { s.Pushes += d.Counter.GetValue() })
	each(m.appended, func(d *dto.Metric) { s.Appended = d.Counter.GetValue() })
	each(m.closed, func(d *dto.Metric) {
		if label(d, "code") == "4008" {
			s.SlowReaders += d.Counter.GetValue()
		}
	})
	return s
}

func each(c prometheus.Collector, f func(*dto.Metric)) {
	all := make(chan prometheus.Metric)
	go func() { c.Collect(all); close(all) }()
	for one := range all {
		var d dto.Metric
		if one.Write(&d) == nil {
			f(&d)
		}
	}
}

func label(d *dto.Metric, name string) string {
	for _, l := range d.Label {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}

// Quantile is the latency in seconds that the share q of the requests answered
// between two samples stayed within, as near as the buckets tell; NaN if there
// were none, +Inf if it was beyond the last bucket.
func Quantile(q float64, from, to Sample) float64 {
	count := func(i int) float64 {
		if from.latency == nil {
			return float64(to.latency[i])
		}
		return float64(to.latency[i] - from.latency[i])
	}
	all := count(len(buckets))
	if all == 0 {
		return math.NaN()
	}
	wanted, below, least := q*all, 0.0, 0.0
	for i, most := range buckets {
		if n := count(i); n >= wanted {
			return least + (most-least)*(wanted-below)/(n-below)
		} else {
			below, least = n, most
		}
	}
	return math.Inf(1)
}

// History keeps samples of the last while. It is safe for concurrent use.
type History struct {
	metrics *Metrics
	every   time.Duration
	keep    int

	mu      sync.Mutex
	samples []Sample
}

// NewHistory keeps as many samples, one every so often.
func NewHistory(m *Metrics, every time.Duration, keep int) *History {
	return &History{metrics: m, every: every, keep: keep}
}

// Run samples until ctx ends.
func (h *History) Run(ctx context.Context) error {
	tick := time.NewTicker(h.every)
	defer tick.Stop()
	for now := time.Now(); ; {
		h.add(h.metrics.Sample(now))
		select {
		case now = <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (h *History) add(s Sample) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.samples = append(h.samples, s)
	if len(h.samples) > h.keep {
		h.samples = append(h.samples[:0:0], h.samples[len(h.samples)-h.keep:]...)
	}
}

// Samples are those kept, oldest first, and one of now behind them.
func (h *History) Samples(now time.Time) []Sample {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append(append([]Sample(nil), h.samples...), h.metrics.Sample(now))
}
