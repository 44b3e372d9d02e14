package projections

import (
	"context"
	"fmt"

	"lishi/events"
)

// fill is a build that is being filled.
type fill struct {
	build
	projection Projection
	lane       *lane         // guarded by Engine.mu; nil once nobody fills it
	err        error         // why it failed; guarded by Engine.mu
	candidate  bool          // becomes live once it has caught up
	target     events.Cursor // no candidate becomes live before it has come this far

	rows  *Rows // what gathers; guarded by lane.mu
	spare *Rows // what is being written; the writer's

	start map[events.Partition]checkpoint // as it was found, with every partition
	done  events.Cursor                   // every row up to here is in ClickHouse; guarded by Engine.mu
}

func (e *Engine) newFill(p Projection, b build, found map[events.Partition]checkpoint) (*fill, error) {
	f := &fill{
		build: b, projection: p, target: e.tail.Folded(),
		start: map[events.Partition]checkpoint{}, done: events.Cursor{},
	}
	for _, p := range e.tail.Book().Layout().Partitions() {
		c, ok := found[p]
		if !ok {
			c = checkpoint{offset: events.Start, eventOffset: events.Start}
		}
		f.start[p], f.done[p] = c, c.offset
	}
	var err error
	if f.rows, err = newRows(p.Tables(), b.number); err == nil {
		f.spare, err = newRows(p.Tables(), b.number)
	}
	return f, err
}

// verify refuses a build that was made from another log than this one.
func (e *Engine) verify(ctx context.Context, f *fill) error {
	folded := e.tail.Folded()
	for p, c := range f.start {
		if c.offset > folded[p] {
			return fmt.Errorf("its rows reach %s-%d, but the log ends at %s-%d: they were made from another log; replay %s makes new ones", p, c.offset, p, folded[p], f.projection.Name())
		}
		if c.eventOffset < 0 {
			continue
		}
		var found events.ID
		err := e.tail.Range(ctx, p, c.eventOffset-1, c.eventOffset, func(batch []events.Recorded, _ int64) error {
			for i := range batch {
				found = batch[i].ID
			}
			return nil
		})
		if err != nil {
			return err
		}
		if found != c.event {
			return fmt.Errorf("its rows were made from another log, which had event %s at %s-%d; replay %s makes new ones", c.event, p, c.eventOffset, f.projection.Name())
		}
	}
	return nil
}

// apply calls the projection. A panic is a fault of that projection alone.
func (f *fill) apply(r *events.Recorded, partition string, e *Engine) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s at %s: %v", r.Body.Type(), r.Position, p)
		}
	}()
	f.rows.begin(r, partition)
	f.projection.Apply(*r, e.tail.Book(), f.rows)
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
