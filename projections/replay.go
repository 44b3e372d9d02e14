package projections

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"lishi/events"
)

// Replaying says how a replay is done; the zero value is a rebuild that becomes
// live, at the default throttle.
type Replaying struct {
	// Into names a build that never becomes live: it shows the rows as of To, for
	// comparison, until it is discarded. A small letter, then small letters,
	// digits and underscores, 40 at most.
	Into string
	// To is as far as a named build is filled; nil is everything that is folded
	// when it begins. Partitions that it does not name stay empty.
	To events.Cursor
	// Throttle is the part of the time that inserts may take while people chat:
	// 0 is DefaultThrottle, 1 is as fast as it goes.
	Throttle float64
	// Progress may be nil. Calls come one at a time.
	Progress func(Progress)
}

// ErrBusy means that another build of the projection is being made already.
var ErrBusy = errors.New("another build of it is being made")

// Replay fills a new build of each of the projections beside the live one, from
// the first event, all in one pass, compares them up to the same checkpoint, and
// makes the new ones live. The ones before stay; Rollback brings them back.
// Queries go on all the while.
//
// A *DiffersError says that a live build was not what the log says (errors.Join
// of several). The new one is live then too, since the log is the truth. With
// any other error everything is as before. What was interrupted, by ctx or by
// the end of the process, is kept, and the next Replay of the same goes on with
// it from its last checkpoint. What failed is dropped.
//
// Nothing but the builds' tables is written: projections have no other way out.
//
// Run must be under way, in a server or for this alone.
func (e *Engine) Replay(ctx context.Context, names []string, o Replaying) error {
	if err := o.Check(); err != nil {
		return err
	}
	ctx, ms, release, err := e.reserve(ctx, names...)
	if err != nil {
		return err
	}
	defer release()
	r := &replay{engine: e, options: o, models: ms}
	err = r.run(ctx)
	r.letMerge(ctx)
	var differs *DiffersError
	if err == nil || errors.As(err, &differs) {
		return err
	}
	for _, t := range r.parts {
		e.abandon(ctx, t.model, t.fill)
	}
	return fmt.Errorf("replay: %w", err)
}

// Check tells what is wrong with it, before anything is begun.
func (o Replaying) Check() error {
	if o.Into == "" && o.To != nil {
		return errors.New("a build that becomes live can't end before the log does: give it a name of its own")
	}
	if o.Into == verification {
		return errors.New("that name is lishi verify's own; take another")
	}
	if o.Into != "" && !validName(o.Into) {
		return fmt.Errorf("%q can't be a build's name: a small letter, then small letters, digits and underscores, 40 at most", o.Into)
	}
	return nil
}

func validName(s string) bool {
	for i, c := range s {
		if !('a' <= c && c <= 'z' || i > 0 && ('0' <= c && c <= '9' || c == '_')) {
			return false
		}
	}
	return s != "" && len(s) <= 40
}

// replay is one under way.
type replay struct {
	engine  *Engine
	options Replaying
	models  []*model
	parts   []*part
}

// part is what it does for one projection.
type part struct {
	model *model
	fill  *fill
	from  events.Cursor // where it begins, which is not the first event if it was interrupted before
	began time.Time
	ended time.Time
	found *DiffersError
	known bool // compared
}

// begin picks up or begins a build for each projection.
func (r *replay) begin(ctx context.Context) error {
	for _, m := range r.models {
		f, err := r.engine.resume(ctx, m, r.options)
		if f != nil {
			r.parts = append(r.parts, &part{model: m, fill: f, from: f.done.Clone(), began: time.Now()})
		}
		if err != nil {
			return fmt.Errorf("%s: %w", m.projection.Name(), err)
		}
	}
	return nil
}

func (r *replay) run(ctx context.Context) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	if r.options.Into != "" {
		return r.fillNamed(ctx)
	}
	at, err := r.approach(ctx)
	if err != nil {
		return err
	}
	var findings []error
	r.tell("comparing")
	for _, t := range r.parts {
		if err := r.compare(ctx, t, at); err != nil {
			return fmt.Errorf("%s: %w", t.model.projection.Name(), err)
		}
		if t.found != nil {
			findings = append(findings, t.found)
		}
	}
	if err := r.join(ctx); err != nil {
		return err
	}
	return errors.Join(findings...)
}

// resume picks up the build that an interrupted replay has left, or begins one.
func (e *Engine) resume(ctx context.Context, m *model, o Replaying) (f *fill, err error) {
	p := m.projection
	err = e.retry(ctx, "beginning a build", func() error {
		known, err := readBooks(ctx, e.db)
		if err != nil {
			return err
		}
		b, err := e.pickUp(known, p, o)
		if b == nil && err == nil {
			b, err = e.begin(ctx, p, known, build{stage: replaying, named: o.Into, upTo: o.To.String()})
		}
		if err != nil {
			return err
		}
		if f, err = e.newFill(p, *b, known.checkpoints[b.number], nil); err != nil {
			return err
		}
		e.mu.Lock()
		if o.Into == "" {
			m.next = f
		} else {
			m.named = f
		}
		e.mu.Unlock()
		if err = e.verify(ctx, f, e.tail.Book().Layout().Partitions()); err != nil {
			e.mu.Lock()
			f.err = err
			e.mu.Unlock()
			return err
		}
		return e.furnish(ctx, f, known)
	})
	return f, err
}

// pickUp finds the build that an interrupted replay of the same has left.
func (e *Engine) pickUp(known books, p Projection, o Replaying) (*build, error) {
	for i := range known.builds {
		b := &known.builds[i]
		if b.projection != p.Name() || b.dropped || b.named != o.Into {
			continue
		}
		switch {
		case b.named != "" && (b.stage == finished || b.version != p.Version() || o.To != nil && b.upTo != o.To.String()):
			return nil, fmt.Errorf("there is a build named %s already: discard it first, or take another name", o.Into)
		case b.stage != replaying || b.version != p.Version():
		case e.options.Share != nil && b.idle < e.options.Lease && known.checkpoints[b.number] != nil:
			return nil, fmt.Errorf("%w, by another node, or it was interrupted less than %s ago", ErrBusy, e.options.Lease)
		default:
			return b, nil
		}
	}
	return nil, nil
}

// near is how many events new builds may be behind when they are compared.
const near = 1000

// approach fills the new builds until they are near the live ones, and says
// exactly where they stand.
func (r *replay) approach(ctx context.Context) (events.Cursor, error) {
	before, throttle := int64(math.MaxInt64), r.options.Throttle
	for round := 0; ; round++ {
		at := r.aim()
		behind := int64(0)
		for _, t := range r.parts {
			for p, o := range at {
				behind += o - t.fill.start[p].offset
			}
		}
		if round > 0 && (behind < near*int64(len(r.parts)) || round > 20) {
			at = events.Cursor{}
			for p, c := range r.parts[0].fill.start {
				at[p] = c.offset
			}
			return at, nil
		}
		if behind > before/2 { // people are faster than a throttled replay
			throttle = 1
		}
		before = behind
		if err := r.fill(ctx, at, throttle); err != nil {
			return nil, err
		}
	}
}

// fill brings all builds to the cursor, if they are not beyond it.
func (r *replay) fill(ctx context.Context, at events.Cursor, throttle float64) error {
	var fills []*fill
	for _, t := range r.parts {
		fills = append(fills, t.fill)
	}
	l := r.engine.newLane(ctx, r.engine.tail.Book().Layout().Partitions(), fills...)
	if l.pace = r.engine.replayPace(throttle); l.pace.throttle >= 1 {
		r.holdMerges(ctx)
		l.held = r.letMerge
	}
	err := r.watch("filling", func() error { return l.run(at) })
	if failed := r.failure(); failed != nil {
		return failed
	}
	if err != nil {
		return err
	}
	for _, f := range fills {
		for p, c := range l.passed {
			if c.offset > f.start[p].offset {
				f.start[p] = c
			}
		}
	}
	return nil
}

// aim is as far as all the live builds have come that are being filled.
func (r *replay) aim() events.Cursor {
	e := r.engine
	at := e.tail.Folded()
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, t := range r.parts {
		if m := t.model; m.live != nil && e.filledLocked(m.live) {
			for p, o := range m.live.done {
				at[p] = min(at[p], o)
			}
		}
	}
	for _, t := range r.parts { // one that was interrupted late may have come further
		for p, c := range t.fill.start {
			at[p] = max(at[p], c.offset)
		}
	}
	return at
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

func (r *replay) compare(ctx context.Context, t *part, at events.Cursor) error {
	e, p := r.engine, t.model.projection
	live := e.comparable(t.model)
	if live == nil {
		return nil
	}
	if _, err := e.reach(ctx, live, at); err != nil {
		return err
	}
	found, err := e.compare(ctx, p.Tables(), live.number, t.fill.number, at)
	if err != nil {
		return err
	}
	if t.known = true; len(found) > 0 {
		t.found = &DiffersError{p.Name(), found}
	}
	return nil
}

// reach waits until a build shows everything up to the cursor.
func (e *Engine) reach(ctx context.Context, f *fill, at events.Cursor) (events.Cursor, error) {
	for {
		e.mu.Lock()
		changed, done, err := e.changed, f.done.Clone(), f.err
		e.mu.Unlock()
		if err != nil || done.Covers(at) {
			return done, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (r *replay) failure() error {
	r.engine.mu.Lock()
	defer r.engine.mu.Unlock()
	for _, t := range r.parts {
		if t.fill.err != nil {
			return fmt.Errorf("%s: %w", t.model.projection.Name(), t.fill.err)
		}
	}
	return nil
}

// join lets the new builds go on with the log until they are live.
func (r *replay) join(ctx context.Context) error {
	e := r.engine
	var fills []*fill
	for _, t := range r.parts {
		t.fill.candidate.Store(true)
		fills = append(fills, t.fill)
	}
	e.start(e.newLane(e.ctx, e.tail.Book().Layout().Partitions(), fills...))
	err := r.watch("catching up", func() error {
		for {
			e.mu.Lock()
			changed := e.changed
			live := !slices.ContainsFunc(r.parts, func(t *part) bool { return t.model.live != t.fill })
			e.mu.Unlock()
			if live {
				return nil
			}
			if err := r.failure(); err != nil {
				return err
			}
			select {
			case <-changed:
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
