package projections

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"

	"lishi/events"
)

// open reads the books, picks up or begins a build for every projection, and
// starts to fill them. Checkpoints of the partitions named are held against the
// log. It can be repeated until it succeeds, and again when lanes are stopped.
func (e *Engine) open(ctx context.Context, doubted []events.Partition) error {
	b, err := readBooks(ctx, e.db)
	if err != nil {
		return err
	}
	e.mu.Lock()
	e.lastBuild = 0
	for _, r := range b.builds {
		e.lastBuild = max(e.lastBuild, r.number)
	}
	e.mu.Unlock()
	var fills []*fill
	for _, m := range e.models {
		f, err := e.openModel(ctx, m, b, doubted)
		if away(err) || ctx.Err() != nil {
			return err
		}
		if err != nil {
			e.mu.Lock()
			m.live, m.next = nil, nil
			e.mu.Unlock()
			e.stopped(m, err)
			continue
		}
		fills = append(fills, f)
	}
	if e.options.Share == nil { // with others it is done now and then
		if err := e.sweep(ctx, e.models...); err != nil {
			return err
		}
	}
	if len(e.mine) == 0 {
		return nil // more nodes than partitions
	}
	for _, together := range e.together(fills) {
		e.start(e.newLane(ctx, e.mine, together...))
	}
	return nil
}

// pick finds, among the builds written down, the one that answers for a
// projection, and the one of its own version, if that is another.
func (b *books) pick(p Projection, serving *fill) (live, own *build) {
	at := b.live[p.Name()]
	for i := range b.builds {
		r := &b.builds[i]
		if r.projection != p.Name() || r.dropped || r.named != "" {
			continue
		}
		if r.number == at.build {
			live = r
		}
		if r.version == p.Version() && r.stage != replaying && (own == nil || r.number == at.previous) {
			own = r // an unfinished one, or the one to roll back to
		}
	}
	switch {
	case live != nil && live.version == p.Version():
		return live, nil
	case own != nil && serving != nil && serving.number == own.number:
		return own, nil // it has caught up; another version's is what SQL users see
	}
	return live, own
}

// openModel finds a projection's live build, and the one that is to follow it
// where the version is another. It gives the one of them that is to be filled.
func (e *Engine) openModel(ctx context.Context, m *model, b books, doubted []events.Partition) (*fill, error) {
	p := m.projection
	e.mu.Lock()
	before, candidate, replaying := m.live, m.next, m.replaying
	m.swap = b.live[p.Name()]
	e.mu.Unlock()
	answers, own := b.pick(p, before)
	var live, next *fill
	var err error
	if answers != nil {
		if live, err = e.newFill(p, *answers, b.checkpoints[answers.number], before); err != nil {
			return nil, err
		}
	}
	if live == nil || live.version != p.Version() { // the rows of another one still answer, but this program can't add to them
		if own == nil {
			if own, err = e.begin(ctx, p, b, build{}); err != nil {
				return nil, err
			}
		}
		if next, err = e.newFill(p, *own, b.checkpoints[own.number], candidate); err != nil {
			return nil, err
		}
		next.candidate.Store(true)
	}
	filled := live
	if next != nil {
		filled = next
	} else if replaying {
		next = candidate
	}
	e.mu.Lock()
	m.live, m.next, m.err = live, next, nil
	e.mu.Unlock()
	if err := e.furnish(ctx, filled, b); err != nil {
		return nil, err
	}
	if err := e.verify(ctx, filled, doubted); err != nil {
		return nil, err
	}
	if before == nil && filled == live && b.live[p.Name()].build == live.number { // a swap may have been cut short before its views
		if err := e.finish(ctx, live); err != nil {
			return nil, err
		}
		if err := showViews(ctx, e.db, p.Tables(), live.number); err != nil {
			return nil, err
		}
		if err := e.showToPeople(ctx, p, live.number, ""); err != nil {
			return nil, err
		}
	}
	return filled, nil
}

// furnish makes a build's tables. Once it has checkpoints they are there: an
// empty one, made anew, would lack what the checkpoints speak of.
func (e *Engine) furnish(ctx context.Context, f *fill, b books) error {
	tables := f.projection.Tables()
	if len(b.checkpoints[f.number]) == 0 {
		return createTables(ctx, e.db, tables, f.number)
	}
	gone, err := missing(ctx, e.db, tables, f.number)
	if err == nil && gone != "" {
		err = fmt.Errorf("its table %s is gone; replay %s makes new ones", gone, f.projection.Name())
	}
	return err
}

// sweep drops the builds that nobody needs any more: all but the live one, the
// one before it, a candidate, and what another node said it needs not long ago.
func (e *Engine) sweep(ctx context.Context, ms ...*model) error {
	keep := func(b *books, p Projection, number uint32) bool {
		live := b.live[p.Name()]
		e.mu.Lock()
		defer e.mu.Unlock()
		m := e.modelLocked(p.Name())
		for _, f := range []*fill{m.live, m.next} {
			if f != nil && f.number == number {
				return true
			}
		}
		if number == live.build || number == live.previous {
			return true
		}
		r := b.build(number)
		if r != nil && !r.dropped && (r.named != "" || r.stage == replaying && r.version == p.Version()) {
			return true // until somebody says so
		}
		return e.options.Share != nil && (r == nil || !r.dropped && r.idle < e.options.Lease)
	}
	var ps []Projection
	for _, m := range ms {
		ps = append(ps, m.projection)
	}
	return sweep(ctx, e.db, ps, keep)
}

// begin writes down a new build. Its tables are still to be made.
func (e *Engine) begin(ctx context.Context, p Projection, b books, r build) (*build, error) {
	r.number, r.projection, r.version = e.nextNumber(p, b), p.Name(), p.Version()
	return &r, recordBuild(ctx, e.db, r)
}

// finish takes note that a replay's build was live, or that a named one is complete.
func (e *Engine) finish(ctx context.Context, f *fill) error {
	e.mu.Lock()
	b := f.build
	e.mu.Unlock()
	if b.stage != replaying {
		return nil
	}
	b.stage = finished
	if err := recordBuild(ctx, e.db, b); err != nil {
		return err
	}
	e.mu.Lock()
	f.stage = finished
	e.mu.Unlock()
	return nil
}

// nextNumber is a new build's. Who is alone counts. Nodes that share can't: two
// of them would give one number to different builds. So they compute it from
// what the build is; that two begin the same one at the same time does no harm.
func (e *Engine) nextNumber(p Projection, b books) uint32 {
	if e.options.Share == nil {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.lastBuild++
		return e.lastBuild
	}
	for n := 0; ; n++ {
		h := fnv.New32a()
		fmt.Fprintf(h, "%s %d %d", p.Name(), p.Version(), n)
		if number := h.Sum32() >> 1; number > 0 && b.build(number) == nil {
			return number
		}
	}
}

// together puts builds together that are about equally far.
func (e *Engine) together(fills []*fill) [][]*fill {
	sum := func(f *fill) (n int64) {
		for _, o := range f.done {
			n += o
		}
		return n
	}
	slices.SortStableFunc(fills, func(a, b *fill) int { return int(sum(a) - sum(b)) })
	var groups [][]*fill
	for i, f := range fills {
		if i == 0 || sum(f)-sum(groups[len(groups)-1][0]) > e.options.Together {
			groups = append(groups, nil)
		}
		groups[len(groups)-1] = append(groups[len(groups)-1], f)
	}
	return groups
}
