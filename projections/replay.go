package projections

import (
	"context"
	"errors"
	"fmt"
	"time"

	"lishi/events"
)

// Progress is how far a replay has come.
type Progress struct {
	Projection string
	Build      uint32
	Phase      string  // "filling", "comparing", "catching up", "live"
	Events     int64   // considered so far
	Total      int64   // that were in the log when it began
	Rate       float64 // events a second since it began
}

// ErrBusy means that another build of the projection is being made already.
var ErrBusy = errors.New("another build of it is being made")

// Replay fills a new build of a projection beside the live one, from the first
// event, compares the two up to the same checkpoint, and makes the new one live.
// The one before stays; Rollback brings it back. Queries go on all the while.
//
// A *DiffersError says that the live build was not what the log says. The new
// one is live then too, since the log is the truth. With any other error, ctx's
// included, everything is as before and the new build is dropped.
//
// Run must be under way, in a server or for this alone. progress may be nil; it
// is called by one goroutine.
func (e *Engine) Replay(ctx context.Context, name string, progress func(Progress)) error {
	m, err := e.reserve(ctx, name)
	if err != nil {
		return err
	}
	defer e.release(m)
	err = e.replay(ctx, m, progress)
	var differs *DiffersError
	if err == nil || errors.As(err, &differs) {
		return err
	}
	e.abandon(ctx, m)
	return fmt.Errorf("replay %s: %w", name, err)
}

// reserve waits until the engine has opened, and keeps others from making a
// build of the projection meanwhile.
func (e *Engine) reserve(ctx context.Context, name string) (*model, error) {
	select {
	case <-e.opened:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	m := e.modelLocked(name)
	switch {
	case m == nil:
		return nil, fmt.Errorf("there is no projection %q", name)
	case m.replaying, m.next != nil:
		return nil, fmt.Errorf("%s: %w", name, ErrBusy)
	}
	m.replaying = true
	return m, nil
}

func (e *Engine) release(m *model) {
	e.mu.Lock()
	m.replaying = false
	e.mu.Unlock()
}

// abandon drops a build that did not become live. If ClickHouse is away, the
// next start does it.
func (e *Engine) abandon(ctx context.Context, m *model) {
	e.mu.Lock()
	f := m.next
	if m.promoting || f == nil { // it is as good as live, or is live
		e.mu.Unlock()
		return
	}
	m.next = nil
	l := f.lane
	e.mu.Unlock()
	if l != nil {
		l.remove(f)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := e.sweep(ctx, m); err != nil {
		e.options.Log.Warn("an unfinished build is left behind until the next start", "projection", m.projection.Name(), "error", err)
	}
}

func (e *Engine) replay(ctx context.Context, m *model, progress func(Progress)) error {
	p := m.projection
	var b *build
	err := e.retry(ctx, "beginning a build", func() error {
		known, err := readBooks(ctx, e.db)
		if err == nil {
			b, err = e.begin(ctx, p, known)
		}
		return err
	})
	if err != nil {
		return err
	}
	f, err := e.newFill(p, *b, nil, nil)
	if err != nil {
		return err
	}
	e.mu.Lock()
	m.next = f // before there are tables, or a sweep could take them away
	e.mu.Unlock()
	err = e.retry(ctx, "making tables", func() error { return createTables(ctx, e.db, p.Tables(), f.number) })
	if err != nil {
		return err
	}
	r := &replay{engine: e, fill: f, report: progress, began: time.Now()}
	for _, o := range f.target {
		r.total += o + 1
	}
	at, err := r.approach(ctx, m)
	if err != nil {
		return err
	}
	var finding error
	if live := e.comparable(m); live != nil {
		r.tell("comparing")
		var found []Difference
		err := e.retry(ctx, "comparing", fits(func() (err error) {
			found, err = compare(ctx, e.db, p.Tables(), live.number, f.number, at)
			return err
		}))
		if err != nil {
			return err
		}
		if len(found) > 0 {
			finding = &DiffersError{p.Name(), found}
		}
	}
	if err := r.join(ctx, m); err != nil {
		return err
	}
	return finding
}

type replay struct {
	engine *Engine
	fill   *fill
	report func(Progress)
	began  time.Time
	total  int64
}

// near is how many events the new build may be behind when it is compared.
const near = 1000

// approach fills the new build until it is near the live one, and says exactly
// where it stands.
func (r *replay) approach(ctx context.Context, m *model) (events.Cursor, error) {
	for round := 0; ; round++ {
		at := r.engine.aim(m)
		behind := int64(0)
		for p, o := range at {
			behind += o - r.fill.start[p].offset
		}
		if round > 0 && (behind < near || round > 20) {
			at = events.Cursor{}
			for p, c := range r.fill.start {
				at[p] = c.offset
			}
			return at, nil
		}
		l := r.engine.newLane(ctx, r.engine.tail.Book().Layout().Partitions(), r.fill)
		err := r.watch("filling", func() error { return l.run(at) })
		if failed := r.engine.failure(r.fill); failed != nil {
			return nil, failed
		}
		if err != nil {
			return nil, err
		}
		r.fill.start = l.passed
	}
}

// aim is as far as the live build has come, where one is being filled.
func (e *Engine) aim(m *model) events.Cursor {
	folded := e.tail.Folded()
	e.mu.Lock()
	defer e.mu.Unlock()
	if m.live != nil && e.filledLocked(m.live) {
		return m.live.done.Clone()
	}
	return folded
}

// filledLocked tells whether somebody keeps a build up to date.
func (e *Engine) filledLocked(f *fill) bool {
	return f.lane != nil || e.options.Share != nil && f.err == nil
}

// comparable is the live build, if the same version of the projection made it
// from this log and it is in order.
func (e *Engine) comparable(m *model) *fill {
	e.mu.Lock()
	defer e.mu.Unlock()
	if m.live == nil || !e.filledLocked(m.live) || m.live.version != m.projection.Version() {
		return nil
	}
	return m.live
}

func (e *Engine) failure(f *fill) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return f.err
}

// join lets the new build go on with the log until it is live.
func (r *replay) join(ctx context.Context, m *model) error {
	e, f := r.engine, r.fill
	f.candidate.Store(true)
	e.mu.Lock()
	running := e.ctx
	e.mu.Unlock()
	e.start(e.newLane(running, e.tail.Book().Layout().Partitions(), f))
	err := r.watch("catching up", func() error {
		for {
			e.mu.Lock()
			changed, live, failed := e.changed, m.live == f, f.err
			e.mu.Unlock()
			if live {
				return nil
			}
			if failed != nil {
				return failed
			}
			select {
			case <-changed:
			case <-running.Done():
				return running.Err()
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
	if err == nil {
		r.tell("live")
	}
	return err
}

// watch reports while work is under way.
func (r *replay) watch(phase string, work func() error) error {
	result := make(chan error, 1)
	go func() { result <- work() }()
	for {
		r.engine.mu.Lock()
		changed := r.engine.changed
		r.engine.mu.Unlock()
		select {
		case err := <-result:
			return err
		case <-changed:
			r.tell(phase)
		}
	}
}

func (r *replay) tell(phase string) {
	if r.report == nil {
		return
	}
	n := int64(0)
	r.engine.mu.Lock()
	for _, o := range r.fill.done {
		n += o + 1
	}
	r.engine.mu.Unlock()
	r.report(Progress{
		Projection: r.fill.projection.Name(), Build: r.fill.number, Phase: phase,
		Events: n, Total: max(r.total, n), Rate: float64(n) / time.Since(r.began).Seconds(),
	})
}

// Rollback makes the build that was live before answer again, once it has
// caught up. Run must be under way.
func (e *Engine) Rollback(ctx context.Context, name string) error {
	m, err := e.reserve(ctx, name)
	if err != nil {
		return err
	}
	defer e.release(m)
	if err = e.rollback(ctx, m); err != nil {
		e.abandon(ctx, m)
		return fmt.Errorf("rollback %s: %w", name, err)
	}
	return nil
}

func (e *Engine) rollback(ctx context.Context, m *model) error {
	var b books
	err := e.retry(ctx, "reading the books", func() (err error) { b, err = readBooks(ctx, e.db); return err })
	if err != nil {
		return err
	}
	e.mu.Lock()
	previous := m.swap.previous
	e.mu.Unlock()
	for _, r := range b.builds {
		if r.number != previous || r.dropped || r.version != m.projection.Version() {
			continue
		}
		f, err := e.newFill(m.projection, r, b.checkpoints[r.number], nil)
		if err != nil {
			return err
		}
		if err := e.verify(ctx, f, e.tail.Book().Layout().Partitions()); err != nil {
			return err
		}
		e.mu.Lock()
		m.next = f
		e.mu.Unlock()
		return (&replay{engine: e, fill: f}).join(ctx, m)
	}
	return errors.New("there is no earlier build of this version")
}
