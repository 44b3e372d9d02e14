package projections

import "context"

// caughtUp tells whether a candidate shows at least what the live build does.
func (e *Engine) caughtUp(f *fill) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	m := e.modelLocked(f.projection.Name())
	return m.next == f && f.done.Covers(f.target) && (m.live == nil || f.done.Covers(m.live.done))
}

// promote makes a build the one that answers. Queries under way go on with the
// tables they began with: the previous build stays.
func (e *Engine) promote(ctx context.Context, f *fill) error {
	e.mu.Lock()
	m := e.modelLocked(f.projection.Name())
	if m.next != f || m.promoting { // given up meanwhile, or it is being done
		e.mu.Unlock()
		return nil
	}
	m.promoting = true
	e.mu.Unlock()
	err := e.retry(ctx, "making a build live", func() error { return e.swap(ctx, m, f) })
	e.mu.Lock()
	m.promoting = false
	if err != nil {
		e.mu.Unlock()
		return err
	}
	old := m.live
	var lane *lane
	if old != nil {
		lane, old.lane = old.lane, nil
	}
	m.live, m.next, m.err = f, nil, nil
	f.candidate.Store(false)
	previous := m.swap.previous
	e.changedLocked()
	e.mu.Unlock()
	if lane != nil {
		lane.remove(old)
	}
	e.options.Log.Info("a build is live", "projection", f.projection.Name(), "build", f.number, "previous", previous)
	return e.retry(ctx, "dropping old builds", func() error { return e.sweep(ctx, m) })
}

// swap writes down that a build answers from now on, unless another node has
// done so, or one of a later version is in use: then it answers on this node
// alone.
func (e *Engine) swap(ctx context.Context, m *model, f *fill) error {
	b, err := readBooks(ctx, e.db)
	if err != nil {
		return err
	}
	s := b.live[f.projection.Name()]
	if err := e.finish(ctx, f); err != nil { // before others see it
		return err
	}
	if !e.outranked(f, b.build(s.build)) {
		if s.build != f.number {
			s = swap{build: f.number, previous: s.build, number: s.number + 1}
			if err := recordSwap(ctx, e.db, f.projection.Name(), s); err != nil {
				return err
			}
		}
		if err := showViews(ctx, e.db, f.projection.Tables(), f.number); err != nil {
			return err
		}
		if err := e.showToPeople(ctx, f.projection, f.number, ""); err != nil {
			return err
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	m.swap = s
	return nil
}

// outranked tells whether the live build is of a later version that some node
// still has: while nodes of two versions run, the later one's rows are shown.
func (e *Engine) outranked(f *fill, live *build) bool {
	return e.options.Share != nil && live != nil && !live.dropped && live.version > f.version && live.idle < e.options.Lease
}
