package projections

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"lishi/events"
)

// Share divides the partitions among the nodes that fill the same tables, which
// are those that give the same name. It calls assigned with the partitions that
// this node is to fill, and again whenever they change, until ctx ends. A node
// that dies loses its partitions to the others.
//
// It need not be exact. For a while two nodes may both believe that a partition
// is theirs: one that was stopped and goes on, say. Both then write the same
// rows, of which one counts, and every checkpoint that either writes is true:
// who writes it began at a true one and has written every row since.
type Share func(ctx context.Context, name string, assigned func([]events.Partition)) error

// Bystander is the Share of a process that fills builds of its own making only.
func Bystander(ctx context.Context, _ string, _ func([]events.Partition)) error {
	<-ctx.Done()
	return nil
}

// quickly is how often a node looks what others did while somebody waits for it.
const quickly = 20 * time.Millisecond

// share fills the partitions assigned to this node, and takes note of what other
// nodes do, until ctx ends.
func (e *Engine) share(ctx context.Context) error {
	name, err := e.group(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("projections: %w", err)
	}
	assigned := make(chan []events.Partition, 1)
	left := make(chan error, 1)
	go func() {
		left <- e.options.Share(ctx, name, func(ps []events.Partition) {
			for {
				select {
				case assigned <- ps:
					return
				case <-assigned: // overtaken
				}
			}
		})
	}()
	defer func() { left <- <-left }()
	var last, lastWhole, lastTouch time.Time
	blind := false // as the log says already
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-left:
			left <- err
			if err != nil {
				return fmt.Errorf("projections: sharing the partitions out: %w", err)
			}
			<-ctx.Done()
			return nil
		case ps := <-assigned:
			if !e.fills(ps) {
				e.settle(ctx, ps)
			}
			continue
		case <-e.asked:
			timer.Reset(max(0, quickly-time.Since(last)))
			continue
		case <-timer.C:
		}
		whole := time.Since(lastWhole) >= e.options.Look
		err := e.look(ctx, whole)
		if last = time.Now(); err != nil {
			if ctx.Err() == nil && !blind {
				e.options.Log.Warn("what other nodes did can't be learned now", "error", err)
			}
			blind = true
			timer.Reset(e.options.Look)
			continue
		}
		blind = false
		if whole {
			lastWhole = last
			if time.Since(lastTouch) > e.options.Lease/6 {
				if err = e.keep(ctx); err == nil {
					lastTouch = last
				}
			}
		}
		e.mu.Lock()
		waiting := e.waiting
		e.mu.Unlock()
		if waiting > 0 {
			timer.Reset(quickly)
		} else {
			timer.Reset(max(quickly, e.options.Look-time.Since(lastWhole)))
		}
	}
}

// group names those who fill the same tables with the same rows: nodes with the
// same database and the same versions of all projections. Nodes of two versions,
// while the one takes the other's place, make two groups, each of which fills
// all partitions.
func (e *Engine) group(ctx context.Context) (name string, err error) {
	h := fnv.New64a()
	for _, m := range e.models {
		fmt.Fprintf(h, "%s %d\n", m.projection.Name(), m.projection.Version())
	}
	err = e.retry(ctx, "asking which database it is", func() error {
		return each(ctx, e.db, `SELECT toString(uuid) FROM system.tables WHERE database = currentDatabase() AND name = 'lishi_live'`, nil,
			func(s RowScanner) error { return s.Scan(&name) })
	})
	if err == nil && strings.Trim(name, "0-") == "" { // another database's nodes would take partitions from this one's
		err = errors.New("tables of this ClickHouse database have no UUID, so it can't be shared: it must have the engine Atomic, which is the default")
	}
	return fmt.Sprintf("%s.%x", name, h.Sum64()), err
}

// fills tells whether these are the partitions that it fills already.
func (e *Engine) fills(ps []events.Partition) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, p := range ps {
		if !slices.Contains(e.mine, p) {
			return false
		}
	}
	return len(ps) == len(e.mine)
}

// settle has the lanes fill these partitions from here on. What it stops has
// written down how far it came.
func (e *Engine) settle(ctx context.Context, mine []events.Partition) {
	e.mu.Lock()
	known := map[events.Partition]bool{}
	for _, p := range e.mine {
		known[p] = true
	}
	var stopping []*lane
	for _, l := range e.running {
		if !e.replayingLocked(l) {
			stopping = append(stopping, l)
		}
	}
	e.mu.Unlock()
	for _, l := range stopping {
		l.stop()
		<-l.ended
	}
	var gained []events.Partition
	for _, p := range mine {
		if !known[p] {
			gained = append(gained, p)
		}
	}
	e.mu.Lock()
	e.mine = mine
	for _, m := range e.models {
		if m.live != nil {
			m.live.lane = nil
		}
	}
	e.mu.Unlock()
	err := e.retry(ctx, "taking up partitions", func() error { return e.open(ctx, gained) })
	if err == nil {
		e.options.Log.Info("partitions to fill", "partitions", fmt.Sprint(mine))
	} else if ctx.Err() == nil {
		e.options.Log.Error("the read models' books can't be read", "error", err)
	}
	e.announce()
}

// replayingLocked tells whether a lane fills a replay's build.
func (e *Engine) replayingLocked(l *lane) bool {
	for _, m := range e.models {
		if m.replaying && m.next != nil && m.next.lane == l {
			return true
		}
	}
	return false
}

// look takes note of the checkpoints of other nodes; of everything that they did
// if it is to be the whole.
func (e *Engine) look(ctx context.Context, whole bool) error {
	b, err := e.read(ctx, whole)
	if err != nil {
		return err
	}
	folded, now := e.tail.Folded(), e.options.Now()
	overtaken := false
	e.mu.Lock()
	for _, m := range e.models {
		for _, f := range []*fill{m.live, m.next} {
			if f == nil {
				continue
			}
			for p, c := range b.checkpoints[f.number] {
				f.done.Advance(events.Position{Partition: p, Offset: min(c.offset, folded[p])}) // this node can't judge what it has not read
			}
		}
		if m.live != nil {
			e.others(m.live, folded, now)
		}
		overtaken = overtaken || whole && e.overtakenLocked(m, b)
	}
	mine := e.mine
	e.mu.Unlock()
	e.announce()
	if overtaken {
		e.settle(ctx, mine)
	}
	return e.ripen(ctx)
}

// read is bounded in time: a ClickHouse that hangs is as good as away.
func (e *Engine) read(ctx context.Context, whole bool) (b books, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if whole {
		return readBooks(ctx, e.db)
	}
	b.checkpoints, err = readCheckpoints(ctx, e.db)
	return b, err
}

// overtakenLocked tells whether other nodes made another build of a projection
// live, or dropped one that this node needs.
func (e *Engine) overtakenLocked(m *model, b books) bool {
	if m.promoting || m.replaying {
		return false
	}
	number := func(f *fill) uint32 {
		if f == nil {
			return 0
		}
		return f.number
	}
	answers, own := b.pick(m.projection, m.live)
	switch {
	case m.live == nil && m.next == nil: // it could not be opened
		return false
	case answers == nil:
		return m.live != nil || own == nil || own.number != number(m.next)
	case answers.number != number(m.live):
		return true
	case answers.version == m.projection.Version():
		return m.next != nil
	}
	return own == nil || own.number != number(m.next)
}

// ripen makes candidates live that have caught up, which lanes see to only where
// this node has one, and shows SQL users what answers here once nodes of a later
// version are gone.
func (e *Engine) ripen(ctx context.Context) error {
	for _, m := range e.models {
		e.mu.Lock()
		f, live, shown := m.next, m.live, m.swap.build
		replaying := m.replaying
		e.mu.Unlock()
		switch {
		case f != nil && !replaying && f.candidate.Load() && e.caughtUp(f):
			if err := e.promote(ctx, f); err != nil {
				return err
			}
		case f == nil && live != nil && live.number != shown:
			if err := e.swap(ctx, m, live); err != nil {
				return err
			}
		}
	}
	return nil
}

// keep tells other nodes which builds this one needs, and drops those that
// nobody needs.
func (e *Engine) keep(ctx context.Context) error {
	var needed []build
	e.mu.Lock()
	for _, m := range e.models {
		for _, f := range []*fill{m.live, m.next, m.named} {
			if f != nil {
				needed = append(needed, f.build)
			}
		}
	}
	e.mu.Unlock()
	for _, r := range needed {
		if err := recordBuild(ctx, e.db, r); err != nil {
			return err
		}
	}
	return e.sweep(ctx, e.models...)
}
