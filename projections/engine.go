package projections

import (
	"context"
	"fmt"
	"hash/fnv"
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
	CatchUp(ctx context.Context, p events.Partition) error
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
	// Share divides the partitions among the nodes that fill the same tables. Nil:
	// this process is alone with them and fills all.
	Share Share
	// Look is how often a node that shares looks what the others did, while
	// nobody waits for it (default 2 s).
	Look time.Duration
	// Lease is how long a build that no node needs any more is kept where
	// several share (default 1 minute): others may not know of it yet.
	Lease time.Duration
	Now   func() time.Time
	Log   *slog.Logger
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
	if o.Look <= 0 {
		o.Look = 2 * time.Second
	}
	if o.Lease <= 0 {
		o.Lease = time.Minute
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
	asked     chan struct{} // somebody waits for what others fill

	mu        sync.Mutex
	ctx       context.Context // of Run
	models    []*model
	mine      []events.Partition // that this node fills
	running   []*lane
	lastBuild uint32
	waiting   int           // how many wait in Wait
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
		opened: make(chan struct{}), changed: make(chan struct{}), asked: make(chan struct{}, 1),
	}
	if o.Share == nil {
		e.mine = t.Book().Layout().Partitions()
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
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	e.mu.Lock()
	e.ctx = ctx
	e.mu.Unlock()
	select {
	case <-e.tail.Ready(): // before that, nobody knows how much there is
	case <-ctx.Done():
		return nil
	}
	open := func() error {
		if err := makeBooks(ctx, e.db); err != nil {
			return err
		}
		return e.open(ctx, e.tail.Book().Layout().Partitions())
	}
	if err := e.retry(ctx, "opening the read models", open); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("projections: %w", err)
	}
	close(e.opened)
	var err error
	if e.options.Share != nil {
		err = e.share(ctx)
	} else {
		<-ctx.Done()
	}
	cancel()
	e.lanes.Wait()
	return err
}

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
		if r.projection != p.Name() || r.dropped {
			continue
		}
		if r.number == at.build {
			live = r
		}
		if r.version == p.Version() && (own == nil || r.number == at.previous) {
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
			if own, err = e.begin(ctx, p, b); err != nil {
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
		if err := showViews(ctx, e.db, p.Tables(), live.number); err != nil {
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
		return e.options.Share != nil && (r == nil || !r.dropped && r.idle < e.options.Lease)
	}
	var ps []Projection
	for _, m := range ms {
		ps = append(ps, m.projection)
	}
	return sweep(ctx, e.db, ps, keep)
}

// begin writes down a new build. Its tables are still to be made.
func (e *Engine) begin(ctx context.Context, p Projection, b books) (*build, error) {
	r := build{number: e.nextNumber(p, b), projection: p.Name(), version: p.Version()}
	return &r, recordBuild(ctx, e.db, r)
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

func (e *Engine) start(l *lane) {
	e.mu.Lock()
	e.running = append(e.running, l)
	e.mu.Unlock()
	e.lanes.Go(func() {
		_ = l.run(nil)
		close(l.ended)
		e.mu.Lock()
		e.running = slices.DeleteFunc(e.running, func(o *lane) bool { return o == l })
		e.mu.Unlock()
	})
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
