package projections

import (
	"context"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"lishi/events"
)

// fill is a build that is being filled.
type fill struct {
	build
	projection Projection
	lane       *lane         // guarded by Engine.mu; nil once nobody fills it
	err        error         // why it failed; guarded by Engine.mu
	candidate  atomic.Bool   // becomes live once it has caught up
	written    atomic.Int64  // rows
	target     events.Cursor // no candidate becomes live before it has come this far

	rows  *Rows // what gathers; guarded by lane.mu
	spare *Rows // what is being written; the writer's

	start map[events.Partition]checkpoint // as it was found, with every partition
	done  events.Cursor                   // every row up to here is in ClickHouse; guarded by Engine.mu
	fresh freshness                       // of the partitions that others fill; guarded by Engine.mu
}

// newFill goes on with a build from the checkpoints found. before is what this
// node knew of it, or of another build, or nil.
func (e *Engine) newFill(p Projection, b build, found map[events.Partition]checkpoint, before *fill) (*fill, error) {
	f := &fill{
		build: b, projection: p, target: e.tail.Folded(),
		start: map[events.Partition]checkpoint{}, done: events.Cursor{},
	}
	f.fresh = freshness{mark: f.target, marked: e.options.Now()}
	for _, p := range e.tail.Book().Layout().Partitions() {
		c, ok := found[p]
		if !ok {
			c = checkpoint{offset: events.Start, eventOffset: events.Start}
		}
		f.start[p], f.done[p] = c, min(c.offset, f.target[p])
	}
	if before != nil && before.number == b.number { // its last checkpoint may not have been written
		e.mu.Lock()
		f.advance(before.done)
		e.mu.Unlock()
	}
	var err error
	if f.rows, err = newRows(p.Tables(), b.number); err == nil {
		f.spare, err = newRows(p.Tables(), b.number)
	}
	return f, err
}

// advance takes note of what is shown. It needs Engine.mu.
func (f *fill) advance(to events.Cursor) {
	for p, offset := range to {
		f.done.Advance(events.Position{Partition: p, Offset: offset})
	}
}

// verify refuses a build that was made from another log than this one.
func (e *Engine) verify(ctx context.Context, f *fill, doubted []events.Partition) error {
	var all errgroup.Group
	all.SetLimit(8)
	for _, p := range doubted {
		all.Go(func() error { return e.verifyAt(ctx, f, p, f.start[p]) })
	}
	return all.Wait()
}

func (e *Engine) verifyAt(ctx context.Context, f *fill, p events.Partition, c checkpoint) error {
	if c.offset > e.tail.Folded()[p] { // whose rows these are may have read more than this node
		if err := e.tail.CatchUp(ctx, p); err != nil {
			return err
		}
	}
	if folded := e.tail.Folded(); c.offset > folded[p] {
		return fmt.Errorf("its rows reach %s-%d, but the log ends at %s-%d: they were made from another log; replay %s makes new ones", p, c.offset, p, folded[p], f.projection.Name())
	}
	if c.eventOffset < 0 {
		return nil
	}
	var found events.ID
	err := e.tail.Range(ctx, p, c.eventOffset-1, c.eventOffset, func(batch []events.Recorded, _ int64) error {
		for i := range batch {
			found = batch[i].ID
		}
		return nil
	})
	if err == nil && found != c.event {
		err = fmt.Errorf("its rows were made from another log, which had event %s at %s-%d; replay %s makes new ones", c.event, p, c.eventOffset, f.projection.Name())
	}
	return err
}

// apply calls the projection. A panic is a fault of that projection alone.
func (f *fill) apply(r *record, partition string, e *Engine) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s at %s: %v", r.event.Body.Type(), r.event.Position, p)
		}
	}()
	f.rows.begin(r, partition)
	f.projection.Apply(*r.event, e.tail.Book(), f.rows)
	f.rows.end()
	return nil
}

func (l *lane) fail(f *fill, err error) {
	l.mu.Lock()
	l.removeLocked(f)
	l.mu.Unlock()
	l.engine.fail(f, err)
}

func (l *lane) failAll(err error) {
	l.mu.Lock()
	fills := append([]*fill(nil), l.fills...)
	l.mu.Unlock()
	for _, f := range fills {
		l.fail(f, err)
	}
}

// remove takes a build out of the lane; the last one ends it.
func (l *lane) remove(f *fill) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.removeLocked(f)
}

func (l *lane) removeLocked(f *fill) {
	l.fills = without(l.fills, f)
	if len(l.fills) == 0 {
		l.stop()
	}
	l.room.Broadcast()
}

func without(fills []*fill, f *fill) []*fill {
	var rest []*fill
	for _, g := range fills {
		if g != f {
			rest = append(rest, g)
		}
	}
	return rest
}
