package app

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"lishi/projections"
)

// replays gives the figures of the builds that jobs are making, when they are
// asked for.
type replays struct{ jobs func() []*projections.Job }

var (
	replayLabels    = []string{"kind", "projection", "build"}
	replayEvents    = prometheus.NewDesc("lishi_replay_events", "Events that a build under way has taken up.", replayLabels, nil)
	replayRows      = prometheus.NewDesc("lishi_replay_rows", "Rows that a build under way was given, since its replay began or went on.", replayLabels, nil)
	replayLag       = prometheus.NewDesc("lishi_replay_lag_events", "Events that a build under way has not taken up yet.", replayLabels, nil)
	replayRate      = prometheus.NewDesc("lishi_replay_events_per_second", "Events a second, since the replay began or went on.", replayLabels, nil)
	replayLeft      = prometheus.NewDesc("lishi_replay_left_seconds", "How long it takes still, at that rate.", replayLabels, nil)
	replayThrottled = prometheus.NewDesc("lishi_replay_throttled", "1 while it rests between its inserts because people chat, else 0.", replayLabels, nil)

	replayDescs = []*prometheus.Desc{replayEvents, replayRows, replayLag, replayRate, replayLeft, replayThrottled}
)

// Describe implements prometheus.Collector.
func (replays) Describe(c chan<- *prometheus.Desc) {
	for _, d := range replayDescs {
		c <- d
	}
}

// Collect implements prometheus.Collector.
func (r replays) Collect(c chan<- prometheus.Metric) {
	for _, j := range r.jobs() {
		if j.Over() {
			continue
		}
		all, _ := j.Progress()
		for _, p := range all {
			throttled := 0.0
			if p.Throttled {
				throttled = 1
			}
			for d, v := range map[*prometheus.Desc]float64{
				replayEvents: float64(p.Events), replayRows: float64(p.Rows), replayLag: float64(p.Total - p.Events),
				replayRate: p.Rate, replayLeft: p.Left, replayThrottled: throttled,
			} {
				c <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, j.Kind, p.Projection, strconv.Itoa(int(p.Build)))
			}
		}
	}
}
