package commands

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"lishi/events"
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
	stuck  bool                          // At does not answer
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

// records is the number of records in all partitions.
func (l *faultyLog) records() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, part := range l.parts {
		n += len(part.records)
	}
	return n
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
	if l.stuck {
		l.mu.Unlock()
		<-ctx.Done()
		l.mu.Lock()
		return events.Recorded{}, ctx.Err()
	}
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
