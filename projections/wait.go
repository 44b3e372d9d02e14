package projections

import (
	"context"
	"fmt"
	"slices"
	"time"

	"lishi/events"
)

// Tables are the names that tables have in the builds which a query was given:
// a swap while it runs changes nothing for it.
type Tables map[string]string

// Wait returns once the live builds of the projections show everything up to
// the cursor and lag no further behind than Options.Patience, and says where
// their rows are. After that long it gives ErrUnavailable.
//
// How far other nodes came stands in ClickHouse. While anybody waits, this node
// looks there again and again, once for all who wait.
func (e *Engine) Wait(ctx context.Context, names []string, c events.Cursor) (Tables, error) {
	var patience <-chan time.Time
	for {
		e.mu.Lock()
		changed := e.changed
		e.mu.Unlock()
		tables, why := e.covers(names, c)
		if why == "" {
			return tables, nil
		}
		e.hurry(names)
		if patience == nil {
			e.await(1)
			defer e.await(-1)
			t := time.NewTimer(e.options.Patience)
			defer t.Stop()
			patience = t.C
		}
		select {
		case <-changed:
		case <-patience:
			return nil, fmt.Errorf("%w: %s", ErrUnavailable, why)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// await counts those who wait.
func (e *Engine) await(n int) {
	e.mu.Lock()
	e.waiting += n
	e.mu.Unlock()
	signal(e.asked)
}

// hurry ends the rest of the lanes that fill the projections' live builds.
func (e *Engine) hurry(names []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, name := range names {
		if m := e.modelLocked(name); m != nil && m.live != nil && m.live.lane != nil {
			signal(m.live.lane.hurry)
		}
	}
}

// Covers tells whether Wait would return at once.
func (e *Engine) Covers(names []string, c events.Cursor) bool {
	_, why := e.covers(names, c)
	return why == ""
}

func (e *Engine) covers(names []string, c events.Cursor) (Tables, string) {
	tables, lanes := Tables{}, map[string]*lane{}
	folded, now := e.tail.Folded(), e.options.Now()
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, name := range names {
		m := e.modelLocked(name)
		switch {
		case m == nil:
			return nil, "there is no projection " + name
		case m.live == nil:
			return nil, name + " is being built"
		case !m.live.done.Covers(c):
			return nil, name + " has not caught up"
		case e.options.Share == nil && m.live.lane == nil && !m.live.done.Covers(folded):
			return nil, name + " is not kept up to date"
		}
		if lag := e.others(m.live, folded, now).lag(now); lag > e.options.Patience {
			return nil, lags(name, lag)
		}
		m.live.tables(tables)
		if m.live.lane != nil {
			lanes[name] = m.live.lane
		}
	}
	e.mu.Unlock() // locks are taken the other way round
	defer e.mu.Lock()
	for name, l := range lanes {
		if lag := l.lag(); lag > e.options.Patience {
			return nil, lags(name, lag)
		}
	}
	return tables, ""
}

func lags(name string, by time.Duration) string {
	return fmt.Sprintf("%s lags %s behind", name, by.Round(time.Second))
}

// others is how fresh a build is in the partitions that are filled elsewhere, or
// nowhere. It needs e.mu.
func (e *Engine) others(f *fill, folded events.Cursor, now time.Time) *freshness {
	if f.lane != nil && len(e.mine) == len(f.done) {
		return &freshness{caught: true}
	}
	theirs := folded.Clone()
	if f.lane != nil {
		for _, p := range e.mine {
			delete(theirs, p)
		}
	}
	f.fresh.see(f.done, theirs, now)
	return &f.fresh
}

// Live is the number of the build that answers for a projection; 0 if there is
// none.
func (e *Engine) Live(name string) uint32 {
	e.mu.Lock()
	defer e.mu.Unlock()
	if m := e.modelLocked(name); m != nil && m.live != nil {
		return m.live.number
	}
	return 0
}

// Shown is where the rows of a projection's live build are, and the cursor up to
// which they are complete. Tables are nil while no build is live.
func (e *Engine) Shown(name string) (Tables, events.Cursor) {
	e.mu.Lock()
	defer e.mu.Unlock()
	m := e.modelLocked(name)
	if m == nil || m.live == nil {
		return nil, events.Cursor{}
	}
	tables := Tables{}
	m.live.tables(tables)
	return tables, m.live.done.Clone()
}

// tables adds the build's tables under their names, quoted.
func (f *fill) tables(to Tables) {
	for _, t := range f.projection.Tables() {
		to[t.Name] = "`" + physical(t.Name, f.number) + "`"
	}
}

// Problems names the projections that can't answer or have stopped, and why.
// Empty means that all is well.
func (e *Engine) Problems() map[string]string {
	e.mu.Lock()
	defer e.mu.Unlock()
	problems := map[string]string{}
	for _, m := range e.models {
		switch {
		case m.err != nil:
			problems[m.projection.Name()] = "stopped: " + m.err.Error()
		case m.live == nil:
			problems[m.projection.Name()] = "being built"
		}
	}
	return problems
}

// Lag is how far a projection's live build is behind in one partition.
type Lag struct {
	Projection string
	Build      uint32
	Partition  events.Partition
	Events     int64
	Seconds    float64
}

// Lag measures every projection that has a live build.
func (e *Engine) Lag() []Lag {
	folded, now := e.tail.Folded(), e.options.Now()
	var lags []Lag
	var lanes []*lane // that fill them here
	e.mu.Lock()
	for _, m := range e.models {
		if m.live == nil {
			continue
		}
		elsewhere := e.others(m.live, folded, now).known(now).Seconds()
		for _, p := range e.tail.Book().Layout().Partitions() {
			lag := Lag{m.projection.Name(), m.live.number, p, max(folded[p]-m.live.done[p], 0), 0}
			lane := m.live.lane
			if lane == nil || !slices.Contains(e.mine, p) {
				lane = nil
				if lag.Events > 0 {
					lag.Seconds = elsewhere
				}
			}
			lags, lanes = append(lags, lag), append(lanes, lane)
		}
	}
	e.mu.Unlock()
	for i, l := range lanes {
		if l != nil && lags[i].Events > 0 {
			lags[i].Seconds = l.lag().Seconds()
		}
	}
	return lags
}
