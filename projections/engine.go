package projections

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"lishi/events"
	"lishi/events/ledger"
	"lishi/events/tail"
)

// Tail is what the engine needs of *tail.Tail.
type Tail interface {
	Book() *ledger.Book
	Folded() events.Cursor
	Ready() <-chan struct{}
	Follow(ctx context.Context, p events.Partition, after int64, each tail.Each) error
	Range(ctx context.Context, p events.Partition, after, upTo int64, each tail.Each) error
}

// Options are the engine's limits; zero values stand for the defaults.
type Options struct {
	// MaxRows and MaxBytes bound what a lane of builds holds in memory while an
	// insert runs or ClickHouse is away (default 100,000 rows, 32 MiB). What
	// comes then waits in the log.
	MaxRows  int
	MaxBytes int
	// Patience is how long Wait waits, and how far a read model may lag behind
	// before it counts as unavailable (default 2 s).
	Patience time.Duration
	// Backoff is the first pause after ErrUnavailable (default 50 ms); it
	// doubles up to 100 times as much.
	Backoff time.Duration
	// MaxRest bounds the pause between two rounds of inserts (default 250 ms).
	MaxRest time.Duration
	// Together is how many events builds may lie apart that are filled together
	// (default 100,000).
	Together int64
	Now      func() time.Time
	Log      *slog.Logger
}

func (o Options) withDefaults() Options {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&o.MaxRows, 100_000)
	def(&o.MaxBytes, 32<<20)
	if o.Patience <= 0 {
		o.Patience = 2 * time.Second
	}
	if o.Backoff <= 0 {
		o.Backoff = 50 * time.Millisecond
	}
	if o.MaxRest <= 0 {
		o.MaxRest = 250 * time.Millisecond
	}
	if o.Together <= 0 {
		o.Together = 100_000
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return o
}

// Engine fills the builds of all projections. It is safe for concurrent use.
type Engine struct {
	db        DB
	tail      Tail
	options   Options
	inserting chan struct{} // bounds the inserts under way at once
	opened    chan struct{} // closed when the books were read
	lanes     sync.WaitGroup

	mu        sync.Mutex
	ctx       context.Context // of Run
	models    []*model
	lastBuild uint32
	changed   chan struct{} // closed when anything below moves
}

// model is a projection and its builds.
type model struct {
	projection Projection
	live       *fill // nil until a build is live
	next       *fill // the candidate, if there is one
	swap       swap
	replaying  bool
	promoting  bool  // the swap is being written
	err        error // why it stopped
}

// New makes an engine. It panics where two projections share a name or a table.
func New(db DB, t Tail, ps []Projection, o Options) *Engine {
	e := &Engine{
		db: db, tail: t, options: o.withDefaults(), inserting: make(chan struct{}, 2),
		opened: make(chan struct{}), changed: make(chan struct{}),
	}
	seen := map[string]bool{}
	for _, p := range ps {
		names := []string{"projection " + p.Name()}
		for _, t := range p.Tables() {
			names = append(names, "table "+t.Name)
		}
		for _, n := range names {
			if seen[n] {
				panic("projections: two of " + n)
			}
			seen[n] = true
		}
		e.models = append(e.models, &model{projection: p})
	}
	return e
}

// Run fills the read models until ctx ends, and then returns nil. ClickHouse
// may come and go meanwhile. An error means that it refused the engine's own
// tables, so nothing can be filled at all; what goes wrong with one projection
// stops that one, and Problems tells.
func (e *Engine) Run(ctx context.Context) error {
	e.mu.Lock()
	e.ctx = ctx
	e.mu.Unlock()
	select {
	case <-e.tail.Ready(): // before that, nobody knows how much there is
	case <-ctx.Done():
		return nil
	}
	if err := e.retry(ctx, "opening the read models", func() error { return e.open(ctx) }); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("projections: %w", err)
	}
	close(e.opened)
	<-ctx.Done()
	e.lanes.Wait()
	return nil
}

// open reads the books, picks up or begins a build for every projection, and
// starts to fill them. It can be repeated until it succeeds.
func (e *Engine) open(ctx context.Context) error {
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
		fs, err := e.openModel(ctx, m, b)
		if errors.Is(err, ErrUnavailable) || ctx.Err() != nil {
			return err
		}
		if err != nil {
			e.mu.Lock()
			m.live, m.next = nil, nil
			e.mu.Unlock()
			e.stopped(m, err)
			continue
		}
		fills = append(fills, fs...)
	}
	for _, together := range e.group(fills) {
		e.start(e.newLane(ctx, together...))
	}
	return nil
}

// openModel finds a projection's live build, and the one that is to follow it
// where the version is another.
func (e *Engine) openModel(ctx context.Context, m *model, b books) ([]*fill, error) {
	p := m.projection
	m.swap = b.live[p.Name()]
	var live, same *build
	for i := range b.builds {
		r := &b.builds[i]
		if r.projection != p.Name() || r.dropped {
			continue
		}
		if r.number == m.swap.build {
			live = r
		}
		if r.version == p.Version() && (r.number == m.swap.previous || r.number > m.swap.build) {
			same = r // an unfinished one, or the one to roll back to
		}
	}
	var old, current, next *fill // old: of another version, its rows still answer, but this program can't add to them
	var err error
	switch {
	case live != nil && live.version == p.Version():
		current, err = e.newFill(p, *live, b.checkpoints[live.number])
	case live != nil:
		if old, err = e.newFill(p, *live, b.checkpoints[live.number]); err != nil {
			return nil, err
		}
		fallthrough
	default:
		if same == nil {
			if same, err = e.begin(ctx, p); err != nil {
				return nil, err
			}
		}
		if next, err = e.newFill(p, *same, b.checkpoints[same.number]); next != nil {
			next.candidate = true
		}
	}
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	m.live, m.next = current, next
	if old != nil {
		m.live = old
	}
	e.mu.Unlock()
	filled := current
	if next != nil {
		filled = next
	}
	if err := createTables(ctx, e.db, p.Tables(), filled.number); err != nil {
		return nil, err
	}
	if err := e.verify(ctx, filled); err != nil {
		return nil, err
	}
	if current != nil { // a swap may have been cut short before its views
		if err := showViews(ctx, e.db, p.Tables(), current.number); err != nil {
			return nil, err
		}
	}
	return []*fill{filled}, e.sweep(ctx, m)
}

// sweep drops the builds of a projection that nobody needs any more: all but
// the live one, the one before it, and a candidate.
func (e *Engine) sweep(ctx context.Context, m *model) error {
	return sweep(ctx, e.db, m.projection, func(number uint32) bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return number == m.swap.build || number == m.swap.previous || m.next != nil && number == m.next.number
	})
}

// begin writes down a new build. Its tables are still to be made.
func (e *Engine) begin(ctx context.Context, p Projection) (*build, error) {
	e.mu.Lock()
	e.lastBuild++
	b := build{number: e.lastBuild, projection: p.Name(), version: p.Version()}
	e.mu.Unlock()
	return &b, recordBuild(ctx, e.db, b)
}

// group puts builds together that are about equally far.
func (e *Engine) group(fills []*fill) [][]*fill {
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

func (e *Engine) start(l *lane) {
	e.lanes.Go(func() { _ = l.run(nil) })
}

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
	if m.next != f { // given up meanwhile
		e.mu.Unlock()
		return nil
	}
	s := swap{build: f.number, previous: m.swap.build, number: m.swap.number + 1}
	m.promoting = true
	e.mu.Unlock()
	tables := f.projection.Tables()
	err := e.retry(ctx, "making a build live", func() error {
		if err := recordSwap(ctx, e.db, f.projection.Name(), s); err != nil {
			return err
		}
		return showViews(ctx, e.db, tables, f.number)
	})
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
	m.live, m.next, m.swap, m.err = f, nil, s, nil
	f.candidate = false
	e.changedLocked()
	e.mu.Unlock()
	if lane != nil {
		lane.remove(old)
	}
	e.options.Log.Info("a build is live", "projection", f.projection.Name(), "build", f.number, "previous", s.previous)
	return e.retry(ctx, "dropping old builds", func() error { return e.sweep(ctx, m) })
}

// fail stops a build, and its projection with it unless a replay was making the
// build.
func (e *Engine) fail(f *fill, err error) {
	e.mu.Lock()
	m := e.modelLocked(f.projection.Name())
	stopped := m.live == f || m.next == f && !m.replaying
	f.lane, f.err = nil, err
	e.changedLocked()
	e.mu.Unlock()
	if stopped {
		e.stopped(m, err)
	}
}

func (e *Engine) stopped(m *model, err error) {
	e.options.Log.Error("a projection has stopped", "projection", m.projection.Name(), "error", err)
	e.mu.Lock()
	defer e.mu.Unlock()
	m.err = err
	e.changedLocked()
}

func (e *Engine) modelLocked(name string) *model {
	for _, m := range e.models {
		if m.projection.Name() == name {
			return m
		}
	}
	return nil
}

// announce wakes those who wait for something to change.
func (e *Engine) announce() {
	e.mu.Lock()
	e.changedLocked()
	e.mu.Unlock()
}

func (e *Engine) changedLocked() {
	close(e.changed)
	e.changed = make(chan struct{})
}
