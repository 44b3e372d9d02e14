package projections

import (
	"context"
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
	CatchUp(ctx context.Context, p events.Partition) error
}

// Options are the engine's limits; zero values stand for the defaults.
type Options struct {
	// Database is the one that the DB's tables are in; the views that people read
	// are named after it (default DefaultDatabase).
	Database string
	// MaxRows and MaxBytes bound what a lane of builds holds in memory while an
	// insert runs or ClickHouse is away (default 400,000 rows, 64 MiB). What
	// comes then waits in the log.
	MaxRows  int
	MaxBytes int
	// ReplayRows and ReplayBytes bound the same for a replay that is not throttled
	// (default 400,000 rows, 64 MiB).
	ReplayRows  int
	ReplayBytes int
	// Patience is how long Wait waits, and how far a read model may lag behind
	// before it counts as unavailable (default 2 s).
	Patience time.Duration
	// Backoff is the first pause after ErrUnavailable (default 50 ms); it
	// doubles up to 100 times as much.
	Backoff time.Duration
	// MaxRest bounds the pause between two rounds of inserts (default 1.5 s; 250 ms
	// where other nodes fill partitions, whose rest nobody here can end).
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
	def(&o.MaxRows, 400_000)
	def(&o.MaxBytes, 64<<20)
	def(&o.ReplayRows, 400_000)
	def(&o.ReplayBytes, 64<<20)
	if o.Patience <= 0 {
		o.Patience = 2 * time.Second
	}
	if o.Backoff <= 0 {
		o.Backoff = 50 * time.Millisecond
	}
	if o.MaxRest <= 0 {
		o.MaxRest = 1500 * time.Millisecond
		if o.Share != nil {
			o.MaxRest = 250 * time.Millisecond
		}
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
	replays   sync.WaitGroup
	asked     chan struct{} // somebody waits for what others fill

	mu        sync.Mutex
	ctx       context.Context // of Run
	models    []*model
	mine      []events.Partition // that this node fills
	running   []*lane
	lastBuild uint32
	jobs      []*Job
	lastJob   int
	waiting   int      // how many wait in Wait
	came      struct { // when something last came into the log, as far as a replay looked
		folded int64
		at     time.Time
	}
	changed chan struct{} // closed when anything below moves
}

// model is a projection and its builds.
type model struct {
	projection Projection
	live       *fill // nil until a build is live
	next       *fill // the candidate, if there is one
	swap       swap
	replaying  bool
	named      *fill // a named build that a replay fills
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
	e.replays.Wait()
	e.lanes.Wait()
	return err
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
