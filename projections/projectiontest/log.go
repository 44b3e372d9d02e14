// Package projectiontest is what the tests of the read models stand on: the
// embedded ClickHouse engine, a log in memory, and people who do things.
package projectiontest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"lishi/events"
)

// Log is an events.Log in memory.
type Log struct {
	// Batch is the most records that Read hands on at once.
	Batch int
	// Now is the clock that records are recorded by; nil is time.Now.
	Now    func() time.Time
	layout events.Layout

	mu      sync.Mutex
	records map[events.Partition][]events.Recorded
	changed chan struct{}
}

// NewLog is a log that holds log.opened in each partition.
func NewLog(layout events.Layout) *Log {
	l := &Log{Batch: 64, layout: layout, records: map[events.Partition][]events.Recorded{}, changed: make(chan struct{})}
	for _, p := range layout.Partitions() {
		l.add(p, events.Event{
			ID: events.NewID("log", "test", p.String()), Stream: events.SystemStream(), Time: time.UnixMilli(0).UTC(),
			Body: events.LogOpened{LogID: "test", Partitions: layout.Count(p.Topic), Format: 1},
		}, time.UnixMilli(0))
	}
	return l
}

func (l *Log) add(p events.Partition, e events.Event, at time.Time) events.Position {
	position := events.Position{Partition: p, Offset: int64(len(l.records[p]))}
	l.records[p] = append(l.records[p], events.Recorded{Event: e, Position: position, At: at.UTC().Truncate(time.Millisecond)})
	return position
}

// Cut is a log that ends at the cursor.
func (l *Log) Cut(at events.Cursor) *Log {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := &Log{Batch: l.Batch, Now: l.Now, layout: l.layout, records: map[events.Partition][]events.Recorded{}, changed: make(chan struct{})}
	for p, rs := range l.records {
		c.records[p] = slices.Clone(rs[:at[p]+1])
	}
	return c
}

// Append implements events.Log.
func (l *Log) Append(_ context.Context, es ...events.Event) ([]events.Position, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if l.Now != nil {
		now = l.Now()
	}
	var ps []events.Position
	for _, e := range es {
		ps = append(ps, l.add(l.layout.Partition(e.Stream), e, now))
	}
	close(l.changed)
	l.changed = make(chan struct{})
	return ps, nil
}

// Read implements events.Log.
func (l *Log) Read(ctx context.Context, after events.Cursor, each func(events.Partition, []events.Recorded) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	for p, offset := range after {
		wg.Go(func() {
			for ctx.Err() == nil {
				l.mu.Lock()
				have, changed := l.records[p][offset+1:], l.changed
				l.mu.Unlock()
				if len(have) == 0 {
					select {
					case <-changed:
					case <-ctx.Done():
					}
					continue
				}
				batch := have[:min(len(have), l.Batch):min(len(have), l.Batch)]
				offset += int64(len(batch))
				if err := each(p, batch); err != nil {
					cancel(err)
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// End implements events.Log.
func (l *Log) End(context.Context) (events.Cursor, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := events.Cursor{}
	for _, p := range l.layout.Partitions() {
		c[p] = int64(len(l.records[p])) - 1
	}
	return c, nil
}

// At implements events.Log.
func (l *Log) At(_ context.Context, p events.Position) (events.Recorded, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.Offset < 0 || p.Offset >= int64(len(l.records[p.Partition])) {
		return events.Recorded{}, fmt.Errorf("no record at %s", p)
	}
	return l.records[p.Partition][p.Offset], nil
}

// Layout implements events.Log.
func (l *Log) Layout() events.Layout { return l.layout }
