package projections

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"lishi/events"
	"lishi/events/seededfault"
)

// lane fills builds that are about equally far: they see the events together,
// and while one round of inserts runs, everything that gathers goes with the
// next: light load has the delay of one insert, heavy load the cost of a batch.
// Between two rounds the lane rests several times as long as the last one took,
// because a round costs much the same for one row as for ten thousand, and the
// processor is there for those who chat. Nobody waits for that: whoever needs the rows
// ends the rest, and so does a backlog.
//
//	Follow (a goroutine a partition) ─▶ Apply ─▶ rows ─▶ writer ─▶ rows' inserts, then the checkpoints'
//
// Locks: lane.mu before Engine.mu.
type lane struct {
	engine    *Engine
	ctx       context.Context
	stop      context.CancelFunc
	wake      chan struct{} // something has gathered
	hurry     chan struct{} // somebody waits for it
	ended     chan struct{}
	shared    bool                  // others learn from the checkpoints how far it came
	pace      pace                  // how much it takes at once, and how it rests
	throttled atomic.Bool           // people chat, and it rests for them
	held      func(context.Context) // lets ClickHouse merge what it was kept from; nil: it may

	mu       sync.Mutex
	room     *sync.Cond
	fills    []*fill
	passed   map[events.Partition]checkpoint // applied up to here
	gathered map[events.Partition]checkpoint // of those, what the writer has not taken
	done     events.Cursor                   // written up to here
	record   record                          // the event whose rows are being made
	fresh    freshness

	unsaved map[events.Partition]checkpoint // written, but not yet in a checkpoint; the writer's
	idle    int64                           // offsets passed in unsaved without making a row
}

// folded is how far its partitions are folded.
func (l *lane) folded() events.Cursor {
	folded := l.engine.tail.Folded()
	maps.DeleteFunc(folded, func(p events.Partition, _ int64) bool { _, mine := l.done[p]; return !mine })
	return folded
}

// maxIdle is how many events without rows may pass before a checkpoint is
// written for them alone.
const maxIdle = 10000

// newLane fills some partitions, from where the build that is furthest behind
// has come to.
func (e *Engine) newLane(ctx context.Context, partitions []events.Partition, fills ...*fill) *lane {
	l := &lane{
		engine: e, fills: fills, wake: make(chan struct{}, 1), hurry: make(chan struct{}, 1), done: events.Cursor{},
		ended: make(chan struct{}), shared: e.options.Share != nil,
		passed:   map[events.Partition]checkpoint{},
		gathered: map[events.Partition]checkpoint{},
		unsaved:  map[events.Partition]checkpoint{},
		pace:     e.livePace(),
	}
	l.ctx, l.stop = context.WithCancel(ctx)
	l.room = sync.NewCond(&l.mu)
	e.mu.Lock()
	for _, f := range fills {
		f.lane = l
	}
	e.mu.Unlock()
	for _, p := range partitions {
		least := fills[0].start[p]
		for _, f := range fills {
			if f.start[p].offset < least.offset {
				least = f.start[p]
			}
		}
		l.passed[p], l.done[p] = least, least.offset
	}
	l.fresh = freshness{mark: l.folded(), marked: e.options.Now()}
	return l
}

// run fills until the lane's context ends or no build is left; with upTo, until
// everything up to that cursor is written.
func (l *lane) run(upTo events.Cursor) error {
	ctx := l.ctx
	defer l.stop()
	defer context.AfterFunc(ctx, func() { l.mu.Lock(); l.room.Broadcast(); l.mu.Unlock() })()
	l.commit(ctx, l.fills, nil) // there may be nothing to do
	var pulls sync.WaitGroup
	for p := range l.done {
		pulls.Go(func() { l.pull(ctx, p, upTo) })
	}
	pulled := make(chan struct{})
	go func() { pulls.Wait(); close(pulled) }()
	defer func() { l.stop(); <-pulled; l.saveLast() }()
	for rounds := 0; ; {
		over := false
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-pulled:
			over = true
		case <-l.wake:
		}
		for b := l.take(); b != nil; b = l.take() {
			began := l.engine.options.Now()
			if err := l.write(ctx, b); err != nil {
				return err
			}
			if rounds++; rounds == heldRounds && l.held != nil {
				l.held(ctx)
			}
			l.rest(l.engine.options.Now().Sub(began))
		}
		if over {
			return ctx.Err()
		}
	}
}

// pull brings one partition's events.
func (l *lane) pull(ctx context.Context, p events.Partition, upTo events.Cursor) {
	err := l.engine.retry(ctx, "reading "+p.String(), func() error {
		l.mu.Lock()
		after := l.passed[p].offset
		l.mu.Unlock()
		each := func(batch []events.Recorded, passed int64) error { return l.apply(ctx, p, batch, passed) }
		if upTo == nil {
			return l.engine.tail.Follow(ctx, p, after, each)
		}
		return l.engine.tail.Range(ctx, p, after, upTo[p], each)
	})
	if err != nil && ctx.Err() == nil {
		l.failAll(fmt.Errorf("reading %s: %w", p, err))
	}
}

// apply adds a batch's rows. It waits while as much has gathered as may be held
// in memory: then nothing more is pulled either.
func (l *lane) apply(ctx context.Context, p events.Partition, batch []events.Recorded, passed int64) error {
	name := p.String()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fresh.caught {
		now := l.engine.options.Now()
		l.fresh = freshness{at: now, mark: l.folded(), marked: now}
	}
	at := l.passed[p]
	for i := range batch {
		if l.full() {
			signal(l.wake)
			signal(l.hurry)
			for l.full() && ctx.Err() == nil {
				l.room.Wait()
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r := &batch[i]
		l.record.begin(r)
		for n := 0; n < len(l.fills); {
			f := l.fills[n]
			if r.Position.Offset > f.start[p].offset {
				if err := f.apply(&l.record, name, l.engine); err != nil {
					l.removeLocked(f)
					l.engine.fail(f, err)
					continue
				}
			}
			n++
		}
		at = checkpoint{offset: r.Position.Offset, event: r.ID, eventOffset: r.Position.Offset}
		l.passed[p], l.gathered[p] = at, at
	}
	at.offset = passed
	l.passed[p], l.gathered[p] = at, at
	signal(l.wake)
	return nil
}

// rows is how many rows have gathered.
func (l *lane) rows() (n int) {
	for _, f := range l.fills {
		n += f.rows.size
	}
	return n
}

func (l *lane) full() bool {
	bytes := 0
	for _, f := range l.fills {
		bytes += f.rows.bytes
	}
	p := l.pace
	for _, f := range l.fills {
		if f.candidate.Load() { // far behind, and nobody sees it yet
			p.rows, p.bytes = max(p.rows, l.engine.options.ReplayRows), max(p.bytes, l.engine.options.ReplayBytes)
		}
	}
	return l.rows() >= p.rows || bytes >= p.bytes
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// batch is what the writer takes at once.
type batch struct {
	fills  []*fill
	passed map[events.Partition]checkpoint
	events int64 // offsets passed
}

func (l *lane) take() *batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.gathered) == 0 {
		return nil
	}
	b := &batch{passed: l.gathered}
	l.gathered = map[events.Partition]checkpoint{}
	for p, c := range b.passed {
		b.events += c.offset - l.done[p]
	}
	for _, f := range l.fills {
		f.rows, f.spare = f.spare, f.rows
		b.fills = append(b.fills, f)
	}
	l.room.Broadcast()
	return b
}

// write inserts the rows of all partitions, one INSERT a table, then the
// checkpoints, in one INSERT. Killed in between it writes the same rows again.
func (l *lane) write(ctx context.Context, b *batch) error {
	e := l.engine
	type insert struct {
		f   *fill
		t   *columns
		err error
	}
	var inserts []*insert
	for _, f := range b.fills {
		for _, t := range f.spare.tables {
			if t.rows > 0 && !seededfault.Sometimes(seededfault.SkipRows, 20) {
				inserts = append(inserts, &insert{f: f, t: t})
			}
		}
	}
	var wg sync.WaitGroup
	for _, in := range inserts {
		if l.pace.single {
			wg.Wait()
		}
		e.inserting <- struct{}{}
		wg.Go(func() {
			defer func() { <-e.inserting }()
			in.err = e.retry(ctx, "inserting into "+in.t.table, func() error { return insertHalving(ctx, e.db, in.t.table, in.t.gathered(), in.t.rows, in.t.how...) })
			if in.err == nil {
				in.f.written.Add(int64(in.t.rows))
			}
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	fills := b.fills
	for _, in := range inserts {
		if in.err != nil {
			fills = without(fills, in.f)
			l.fail(in.f, fmt.Errorf("inserting into %s: %w", in.t.table, in.err))
		}
	}
	for _, f := range b.fills {
		f.spare.clear()
	}
	l.commit(ctx, fills, b.passed) // the rows are to be seen; nobody has to wait for the checkpoint
	l.idle += b.events
	maps.Copy(l.unsaved, b.passed)
	if len(inserts) == 0 && l.idle < maxIdle && !l.shared {
		return nil
	}
	err := e.retry(ctx, "inserting into lishi_checkpoints", func() error { return l.save(ctx, fills) })
	if err != nil && ctx.Err() == nil {
		l.failAll(fmt.Errorf("inserting into lishi_checkpoints: %w", err))
	}
	return ctx.Err()
}

// save writes the checkpoints of all builds of the lane.
func (l *lane) save(ctx context.Context, fills []*fill) error {
	var number []uint32
	var partition, event []string
	var offset []uint64
	var eventOffset []int64
	for _, f := range fills {
		for p, c := range l.unsaved {
			if c.offset > f.start[p].offset {
				number = append(number, f.number)
				partition = append(partition, p.String())
				offset = append(offset, uint64(c.offset))
				event = append(event, c.event.String())
				eventOffset = append(eventOffset, c.eventOffset)
			}
		}
	}
	err := l.engine.db.Insert(ctx, "lishi_checkpoints", []Column{
		{"build", "UInt32", number}, {"partition", "LowCardinality(String)", partition}, {"offset", "UInt64", offset},
		{"event", "String", event}, {"event_offset", "Int64", eventOffset},
	})
	if err == nil {
		clear(l.unsaved)
		l.idle = 0
	}
	return err
}

// saveLast writes at a lane's end how far it came, so that the next start has
// less to do. It tries once: a killed process does not get here at all.
func (l *lane) saveLast() {
	if len(l.unsaved) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(l.ctx), time.Second)
	defer cancel()
	l.mu.Lock()
	fills := l.fills
	l.mu.Unlock()
	if err := l.save(ctx, fills); err != nil {
		l.engine.options.Log.Warn("a checkpoint was not written; the next start repeats some rows", "error", err)
	}
}

// commit tells the rest of the program what is now to be seen.
func (l *lane) commit(ctx context.Context, fills []*fill, passed map[events.Partition]checkpoint) {
	e := l.engine
	e.mu.Lock()
	for _, f := range fills {
		for p, c := range passed {
			f.done.Advance(events.Position{Partition: p, Offset: c.offset})
		}
	}
	e.mu.Unlock()
	l.refresh(passed)
	e.announce() // not before: who waits looks at the lag as well
	for _, f := range fills {
		if f.candidate.Load() && e.caughtUp(f) {
			if err := e.promote(ctx, f); err != nil && ctx.Err() == nil {
				l.fail(f, fmt.Errorf("becoming live: %w", err))
			}
		}
	}
}

// refresh brings the lane's freshness up to date after a commit.
func (l *lane) refresh(passed map[events.Partition]checkpoint) {
	l.mu.Lock()
	defer l.mu.Unlock()
	folded, now := l.folded(), l.engine.options.Now()
	for p, c := range passed {
		l.done[p] = c.offset
	}
	l.fresh.see(l.done, folded, now)
	l.fresh.caught = l.fresh.caught && len(l.gathered) == 0
}

// lag is how long ago everything that had happened by then was to be seen.
func (l *lane) lag() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fresh.lag(l.engine.options.Now())
}
