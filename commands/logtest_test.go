package commands

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"lishi/events"
	"lishi/events/ledger"
	"lishi/events/tail"
)

// fault is what happens to one batch of appends.
type fault int

const (
	fine   fault = iota
	refuse       // definitely not appended, and says so
	lose         // not appended, but nobody can say
	hide         // appended, but nobody can say
	twice        // appended, and once more
)

// faultyLog is an events.AsyncLog in memory that orders as a real one does,
// lets appends gather while a batch is under way, and fails as it is told. It is
// for the tests of those who append.
type faultyLog struct {
	layout events.Layout
	parts  map[events.Partition]*faultyPart
	lanes  sync.WaitGroup

	mu     sync.Mutex
	plan   func() (time.Duration, fault) // of each batch; nil: at once and fine
	before func(events.Event)            // called ahead of each append, without mu
	down   bool                          // End and At fail
	ends   int                           // how often End was asked
}

type faultyPart struct {
	records []events.Record
	queue   []entry
	busy    bool
	held    chan struct{} // closed when batches may go on; nil: they may
	grown   chan struct{} // closed when records grew
	at      time.Time
}

type entry struct {
	event  events.Event
	record events.Record
	done   func(events.Position, error)
}

func newFaultyLog(layout events.Layout) *faultyLog {
	l := &faultyLog{layout: layout, parts: map[events.Partition]*faultyPart{}}
	for _, p := range layout.Partitions() {
		l.parts[p] = &faultyPart{grown: make(chan struct{})}
		opened := events.LogOpened{LogID: "test", Partitions: layout.Count(p.Topic), Format: 1}
		l.put(p, encode(events.Event{ID: events.NewID("log", "", p.String()), Stream: events.SystemStream(), Time: noon, Body: opened}))
	}
	return l
}

func encode(e events.Event) events.Record {
	r, err := events.Encode(e)
	if err != nil {
		panic(err)
	}
	return r
}

// put makes records durable. It needs mu, or a log that nobody else knows.
func (l *faultyLog) put(p events.Partition, records ...events.Record) (first int64) {
	part := l.parts[p]
	first = int64(len(part.records))
	if now := time.Now(); now.After(part.at) {
		part.at = now
	}
	for _, r := range records {
		at := events.Header{Key: events.HeaderRecordedTime, Value: []byte(strconv.FormatInt(part.at.UnixMilli(), 10))}
		r.Headers = append(slices.Clone(r.Headers), at)
		part.records = append(part.records, r)
	}
	close(part.grown)
	part.grown = make(chan struct{})
	return first
}

// sneak puts an event into the log past everybody: another node was faster.
func (l *faultyLog) sneak(e events.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.put(l.layout.Partition(e.Stream), encode(e))
}

func (l *faultyLog) AppendAsync(e events.Event, done func(events.Position, error)) {
	r := encode(e)
	p := l.layout.Partition(e.Stream)
	l.mu.Lock()
	defer l.mu.Unlock()
	part := l.parts[p]
	part.queue = append(part.queue, entry{e, r, done})
	if !part.busy {
		part.busy = true
		l.lanes.Go(func() { l.lane(p, part) })
	}
}

// lane is the partition's one batch under way; the rest gathers.
func (l *faultyLog) lane(p events.Partition, part *faultyPart) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(part.queue) > 0 {
		var delay time.Duration
		f := fine
		if l.plan != nil {
			delay, f = l.plan()
		}
		held := part.held
		l.mu.Unlock()
		time.Sleep(delay)
		if held != nil {
			<-held
		}
		l.mu.Lock()
		batch := part.queue
		part.queue = nil
		l.settle(p, batch, f)
	}
	part.busy = false
}

// settle carries out one batch. It needs mu, and lets it go for callbacks.
func (l *faultyLog) settle(p events.Partition, batch []entry, f fault) {
	if hook := l.before; hook != nil {
		l.mu.Unlock()
		for _, e := range batch {
			hook(e.event)
		}
		l.mu.Lock()
	}
	var err error
	var first int64
	records := make([]events.Record, len(batch))
	for i := range batch {
		records[i] = batch[i].record
	}
	switch f {
	case fine:
		first = l.put(p, records...)
	case twice:
		first = l.put(p, records...)
		l.put(p, records...)
	case hide:
		l.put(p, records...)
		err = fmt.Errorf("%w: the connection broke", events.ErrUnknown)
	case lose:
		err = fmt.Errorf("%w: the connection broke", events.ErrUnknown)
	case refuse:
		err = fmt.Errorf("%w: not enough replicas", events.ErrUnavailable)
	}
	l.mu.Unlock()
	for i, e := range batch {
		if err != nil {
			e.done(events.Position{}, err)
		} else {
			e.done(events.Position{Partition: p, Offset: first + int64(i)}, nil)
		}
	}
	l.mu.Lock()
}

// hold stops the batches of a stream's partition until the returned func is called.
func (l *faultyLog) hold(s events.Stream) (release func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	part := l.parts[l.layout.Partition(s)]
	held := make(chan struct{})
	part.held = held
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		part.held = nil
		close(held)
	}
}

func (l *faultyLog) set(change func(*faultyLog)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(l)
}

func (l *faultyLog) always(f fault) {
	l.set(func(l *faultyLog) { l.plan = func() (time.Duration, fault) { return time.Millisecond, f } })
}

func (l *faultyLog) Append(ctx context.Context, es ...events.Event) ([]events.Position, error) {
	panic("the handler appends asynchronously")
}

func (l *faultyLog) End(ctx context.Context) (events.Cursor, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ends++
	if l.down {
		return nil, fmt.Errorf("%w: no broker", events.ErrUnavailable)
	}
	c := events.Cursor{}
	for p, part := range l.parts {
		c[p] = int64(len(part.records)) - 1
	}
	return c, nil
}

func (l *faultyLog) At(ctx context.Context, p events.Position) (events.Recorded, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	part := l.parts[p.Partition]
	if l.down || part == nil || p.Offset >= int64(len(part.records)) {
		return events.Recorded{}, fmt.Errorf("%w: no record %s", events.ErrUnavailable, p)
	}
	return events.Decode(p, part.records[p.Offset])
}

func (l *faultyLog) Layout() events.Layout { return l.layout }

// Read is slow where the reader is: see view.
func (l *faultyLog) Read(ctx context.Context, after events.Cursor, each func(events.Partition, []events.Recorded) error) error {
	return (&view{faultyLog: l}).Read(ctx, after, each)
}

// view is one node's way to the log: its reading lags as it is told.
type view struct {
	*faultyLog
	lag  func() time.Duration // before each batch read; nil: none
	stop chan struct{}        // reading waits until it is closed; nil: it does not
}

func (v *view) Read(ctx context.Context, after events.Cursor, each func(events.Partition, []events.Recorded) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var readers sync.WaitGroup
	for p, offset := range after {
		readers.Go(func() { cancel(v.read(ctx, p, offset, each)) })
	}
	readers.Wait()
	return context.Cause(ctx)
}

func (v *view) read(ctx context.Context, p events.Partition, after int64, each func(events.Partition, []events.Recorded) error) error {
	for {
		v.mu.Lock()
		part := v.parts[p]
		records, grown, lag, stop := part.records[after+1:], part.grown, v.lag, v.stop
		v.mu.Unlock()
		if stop != nil {
			grown = stop
		}
		if len(records) == 0 || stop != nil {
			select {
			case <-grown:
				continue
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if lag != nil {
			time.Sleep(lag())
		}
		batch := make([]events.Recorded, len(records))
		for i, r := range records {
			after++
			rec, err := events.Decode(events.Position{Partition: p, Offset: after}, r)
			if err != nil {
				return err
			}
			batch[i] = rec
		}
		if err := each(p, batch); err != nil {
			return err
		}
	}
}

// pause stops the node's reading until the returned func is called.
func (v *view) pause() (resume func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	stop := make(chan struct{})
	v.stop = stop
	return func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.stop = nil
		close(stop)
	}
}

// node is one lishi of several on a log.
type node struct {
	t    *testing.T
	view *view
	tail *tail.Tail
	h    *Handler

	round int                   // of befriend
	slow  func(events.Recorded) // between ledger and handler; set it before such records come

	mu      sync.Mutex
	origins map[events.Position][]any
	valid   []events.Recorded // in the order observed
	stopped chan error
	cancel  context.CancelFunc
}

func newNode(t *testing.T, log *faultyLog, o Options) *node {
	n := &node{t: t, view: &view{faultyLog: log}, origins: map[events.Position][]any{}, stopped: make(chan error, 1)}
	n.tail = tail.New(n.view, tail.Options{}, n)
	n.h = NewHandler(n.view, n.tail, o)
	var ctx context.Context
	ctx, n.cancel = context.WithCancel(context.Background())
	go func() { n.stopped <- n.tail.Run(ctx) }()
	<-n.tail.Ready()
	return n
}

// Observe implements tail.Observer as delivery does.
func (n *node) Observe(r events.Recorded, v ledger.Verdict) {
	if n.slow != nil {
		n.slow(r)
	}
	origins := n.h.Settle(r, v)
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(origins) > 0 {
		n.origins[r.Position] = slices.Clone(origins)
	}
	if !v.Void() && r.Body.Type() != (events.LogOpened{}).Type() {
		n.valid = append(n.valid, r)
	}
}

func (n *node) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := n.h.Close(ctx); err != nil {
		n.t.Errorf("Close: %v", err)
	}
	n.cancel()
	if err := <-n.stopped; err != nil {
		n.t.Errorf("the tail stopped: %v", err)
	}
}

// events lists the valid events of a type, by everything read so far.
func (n *node) events(typ string) (es []events.Recorded) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, r := range n.valid {
		if r.Body.Type() == typ {
			es = append(es, r)
		}
	}
	return es
}

func (n *node) originsOf(p events.Position) []any {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.origins[p]
}

func request(actor, no string, c Command) Request {
	return Request{
		URL: urlOf(c), Command: c, Actor: Actor{ID: actor}, UniqueNo: no, Fingerprint: Fingerprint(urlOf(c), c), Time: time.Now(),
	}
}

func urlOf(c Command) string { return "/" + reflect.TypeOf(c).Name() }

// submit sends and does not wait.
func (n *node) submit(actor, no string, c Command) <-chan Outcome {
	return n.send(request(actor, no, c))
}

func (n *node) send(r Request) <-chan Outcome {
	outcome := make(chan Outcome, 2) // room for a second answer, which the tests would see
	n.h.Submit(context.Background(), r, func(o Outcome) { outcome <- o })
	return outcome
}

func (n *node) do(actor, no string, c Command) Outcome { return <-n.submit(actor, no, c) }

// must is a success that appended.
func (n *node) must(actor, no string, c Command) events.Recorded {
	n.t.Helper()
	o := n.do(actor, no, c)
	if o.Err != nil || o.Event.Position == (events.Position{}) {
		n.t.Fatalf("%T: %v", c, o.Err)
	}
	return o.Event
}

func (n *node) register(users ...string) {
	n.t.Helper()
	for _, u := range users {
		if err := n.h.Register(context.Background(), Actor{ID: u, Name: u}); err != nil {
			n.t.Fatal(err)
		}
	}
}

// befriend makes two users friends by their own commands.
func (n *node) befriend(a, b string) {
	n.t.Helper()
	n.register(a, b)
	n.round++
	no := fmt.Sprint("befriend ", n.round)
	n.must(a, no, ApplyFriend{UserID: b})
	n.must(b, no, ApplyFriend{UserID: a})
}

func (n *node) catchUp() {
	for _, p := range n.view.layout.Partitions() {
		if err := n.tail.CatchUp(context.Background(), p); err != nil {
			n.t.Error(err)
		}
	}
}

func reasonOf(o Outcome) string {
	if o.Err == nil {
		return ""
	}
	return refusal(o.Err).Reason
}

func wantReason(t *testing.T, o Outcome, reason string) {
	t.Helper()
	if got := reasonOf(o); got != reason {
		t.Fatalf("got %q (%v), want %q", got, o.Err, reason)
	}
}
