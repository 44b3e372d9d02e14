package projections

import (
	"cmp"
	"context"
	"slices"

	"lishi/events"
)

// Status is one projection and its builds.
type Status struct {
	Projection string        `json:"projection"`
	Version    int           `json:"version"`
	Problem    string        `json:"problem,omitempty"` // why it can't answer, or has stopped
	Tables     []string      `json:"tables"`
	Builds     []BuildStatus `json:"builds"`
	Lag        []LagStatus   `json:"lag"` // of the live build, by partition
}

// BuildStatus is one build. States: live; previous (what Rollback brings back);
// filling (a new version's, or a replay's under way on this node); interrupted (a
// replay's that goes on when it is asked for again, or is under way on another
// node); named.
type BuildStatus struct {
	Build   uint32 `json:"build"`
	Version int    `json:"version"`
	State   string `json:"state"`
	Named   string `json:"named,omitempty"`
	UpTo    string `json:"upTo,omitempty"`
	Events  int64  `json:"events"`   // up to its checkpoints
	Rows    uint64 `json:"rows"`     // in its tables, those not yet merged away included
	Bytes   uint64 `json:"bytes"`    // on disk
	Raw     uint64 `json:"rawBytes"` // of its columns before they are compressed
}

// LagStatus is how far a build is behind in one partition.
type LagStatus struct {
	Partition string  `json:"partition"`
	Events    int64   `json:"events"`
	Seconds   float64 `json:"seconds"`
}

// Status describes all projections; ErrUnavailable where ClickHouse can't be asked.
func (e *Engine) Status(ctx context.Context) ([]Status, error) {
	b, err := readBooks(ctx, e.db)
	if err != nil {
		return nil, err
	}
	sizes, err := e.sizes(ctx)
	if err != nil {
		return nil, err
	}
	problems, lags := e.Problems(), e.Lag()
	var all []Status
	for _, m := range e.models {
		p := m.projection
		s := Status{Projection: p.Name(), Version: p.Version(), Problem: problems[p.Name()], Builds: []BuildStatus{}, Lag: []LagStatus{}}
		for _, t := range p.Tables() {
			s.Tables = append(s.Tables, t.Name)
		}
		for _, r := range b.builds {
			if r.projection != p.Name() || r.dropped {
				continue
			}
			one := BuildStatus{Build: r.number, Version: r.version, Named: r.named, UpTo: r.upTo, State: e.state(m, &b, r)}
			for _, c := range b.checkpoints[r.number] {
				one.Events += c.offset + 1
			}
			for _, t := range p.Tables() {
				size := sizes[physical(t.Name, r.number)]
				one.Rows, one.Bytes, one.Raw = one.Rows+size.rows, one.Bytes+size.bytes, one.Raw+size.raw
			}
			s.Builds = append(s.Builds, one)
		}
		slices.SortFunc(s.Builds, func(x, y BuildStatus) int {
			return cmp.Or(slices.Index(states, x.State)-slices.Index(states, y.State), cmp.Compare(x.Build, y.Build))
		})
		for _, l := range lags {
			if l.Projection == p.Name() {
				s.Lag = append(s.Lag, LagStatus{l.Partition.String(), l.Events, l.Seconds})
			}
		}
		all = append(all, s)
	}
	return all, nil
}

var states = []string{"live", "filling", "interrupted", "previous", "named", "unused"}

func (e *Engine) state(m *model, b *books, r build) string {
	live := b.live[m.projection.Name()]
	e.mu.Lock()
	defer e.mu.Unlock()
	is := func(f *fill) bool { return f != nil && f.number == r.number }
	switch {
	case is(m.live), m.live == nil && r.number == live.build:
		return "live"
	case is(m.next), is(m.named):
		return "filling"
	case r.stage == replaying:
		return "interrupted"
	case r.named != "":
		return "named"
	case r.number == live.previous:
		return "previous"
	}
	return "unused"
}

type tableSize struct{ rows, bytes, raw uint64 }

func (e *Engine) sizes(ctx context.Context) (map[string]tableSize, error) {
	sizes := map[string]tableSize{}
	return sizes, each(ctx, e.db, `SELECT table, sum(rows), sum(bytes_on_disk), sum(data_uncompressed_bytes) FROM system.parts
		WHERE active AND database = currentDatabase() GROUP BY table`, nil, func(s RowScanner) error {
		var name string
		var size tableSize
		err := s.Scan(&name, &size.rows, &size.bytes, &size.raw)
		sizes[name] = size
		return err
	})
}

// Plan is what a replay would do.
type Plan struct {
	Projection string   `json:"projection"`
	Tables     []string `json:"tables"`
	Events     int64    `json:"events"`         // to read
	Resumes    uint32   `json:"resumes"`        // the build that it goes on with; 0: a new one
	Drops      uint32   `json:"drops"`          // the build that makes room once the new one is live
	Bytes      uint64   `json:"bytes"`          // on disk, as many as the live build has
	Seconds    float64  `json:"seconds"`        // about, while nobody chats
	Busy       string   `json:"busy,omitempty"` // why it would be refused now
}

// guess is how many events a second a plan counts on for one projection. Two shared
// processors had from 2 to 20 times as many.
const guess = 100_000

// Plan tells what Replay would do, and does nothing.
func (e *Engine) Plan(ctx context.Context, names []string, o Replaying) ([]Plan, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	_, ms, release, err := e.reserve(ctx, names...)
	if err != nil {
		return nil, err
	}
	defer release()
	b, err := readBooks(ctx, e.db)
	if err != nil {
		return nil, err
	}
	sizes, err := e.sizes(ctx)
	if err != nil {
		return nil, err
	}
	upTo := events.Cursor(e.tail.Folded())
	if o.To != nil {
		upTo = o.To
	}
	var all []Plan
	for _, m := range ms {
		p := m.projection
		plan := Plan{Projection: p.Name()}
		for _, o := range upTo {
			plan.Events += o + 1
		}
		r, err := e.pickUp(b, p, o)
		if err != nil {
			plan.Busy = err.Error()
		}
		if r != nil {
			plan.Resumes = r.number
			for _, c := range b.checkpoints[r.number] {
				plan.Events -= c.offset + 1
			}
		}
		live := b.live[p.Name()]
		if o.Into == "" {
			plan.Drops = live.previous
		}
		for _, t := range p.Tables() {
			plan.Tables = append(plan.Tables, t.Name)
			plan.Bytes += sizes[physical(t.Name, live.build)].bytes
		}
		plan.Seconds = float64(plan.Events) / guess
		all = append(all, plan)
	}
	return all, nil
}

// Names lists the projections.
func (e *Engine) Names() []string {
	var all []string
	for _, m := range e.models {
		all = append(all, m.projection.Name())
	}
	return all
}
