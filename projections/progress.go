package projections

import (
	"cmp"
	"time"
)

// Progress is how far a replay or a verification has come with one projection.
type Progress struct {
	Projection string  `json:"projection"`
	Build      uint32  `json:"build"`
	Into       string  `json:"into,omitempty"`  // the build's name, if it has one
	Phase      string  `json:"phase"`           // "filling", "comparing", "catching up"; at the end "live", or "complete"
	Events     int64   `json:"events"`          // considered so far
	Total      int64   `json:"total"`           // that there were when it began, or later
	From       int64   `json:"from"`            // that an interrupted replay had considered before
	Rate       float64 `json:"eventsPerSecond"` // of this replay, since it began
	Seconds    float64 `json:"seconds"`         // since it began
	Left       float64 `json:"secondsLeft"`     // at that rate
	Rows       int64   `json:"rows"`            // written by this replay
	Throttled  bool    `json:"throttled"`       // people chat, so it rests between its inserts
	// Partitions has each, in order.
	Partitions []PartitionProgress `json:"partitions"`
	// Compared tells at the end whether there was a live build to compare with,
	// and Differences what was found.
	Compared    bool         `json:"compared"`
	Differences []Difference `json:"differences,omitempty"`
}

// PartitionProgress is how far it has come in one partition.
type PartitionProgress struct {
	Partition string  `json:"partition"`
	Events    int64   `json:"events"`
	Total     int64   `json:"total"`
	Lag       int64   `json:"lag"`
	Rate      float64 `json:"eventsPerSecond"`
	Left      float64 `json:"secondsLeft"`
}

// often is how often progress is told, at the most.
const often = 50 * time.Millisecond

// watch reports while work is under way.
func (r *replay) watch(phase string, work func() error) error {
	result := make(chan error, 1)
	go func() { result <- work() }()
	r.tell(phase)
	tick := time.NewTicker(often)
	defer tick.Stop()
	for {
		select {
		case err := <-result:
			if err == nil {
				r.tell(phase)
			}
			return err
		case <-tick.C:
			r.tell(phase)
		}
	}
}

func (r *replay) tell(phase string) {
	if r.options.Progress == nil {
		return
	}
	for _, t := range r.parts {
		r.options.Progress(r.progress(t, phase))
	}
}

func (r *replay) progress(t *part, phase string) Progress {
	e := r.engine
	folded := e.tail.Folded()
	e.mu.Lock()
	done, live := t.fill.done.Clone(), t.model.live == t.fill
	throttled := t.fill.lane != nil && t.fill.lane.throttled.Load()
	e.mu.Unlock()
	if live {
		phase = "live"
	}
	if phase == "live" || phase == "complete" {
		t.ended = cmp.Or(t.ended, time.Now())
	}
	since := time.Since(t.began)
	if !t.ended.IsZero() {
		since = t.ended.Sub(t.began)
	}
	g := Progress{
		Projection: t.model.projection.Name(), Build: t.fill.number, Into: r.options.Into, Phase: phase,
		Compared: t.known, Seconds: since.Seconds(), Rows: t.fill.written.Load(), Throttled: throttled && !live,
	}
	if t.found != nil {
		g.Differences = t.found.Differences
	}
	for _, p := range e.tail.Book().Layout().Partitions() {
		end := folded[p]
		if r.options.Into != "" {
			end = t.fill.target[p]
		}
		rate := float64(done[p]-t.from[p]) / since.Seconds()
		lag := max(end-done[p], 0)
		one := PartitionProgress{Partition: p.String(), Events: done[p] + 1, Total: max(end, done[p]) + 1, Lag: lag, Rate: rate}
		if rate > 0 {
			one.Left = float64(lag) / rate
		}
		g.Events, g.Total, g.From, g.Rate = g.Events+one.Events, g.Total+one.Total, g.From+t.from[p]+1, g.Rate+rate
		g.Partitions = append(g.Partitions, one)
	}
	if g.Rate > 0 {
		g.Left = float64(g.Total-g.Events) / g.Rate
	}
	return g
}
