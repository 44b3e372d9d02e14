package kafka

import (
	"context"
	"fmt"
	"sync"

	"lishi/events"
)

// barrier lets concurrent callers share one question whose answer must be from
// after each of them came: whoever comes while one is under way waits for the
// next.
type barrier struct {
	list func(context.Context) (events.Cursor, error)

	mu      sync.Mutex
	current *round
	next    *round
}

type round struct {
	done   chan struct{}
	cursor events.Cursor
	err    error
}

func (b *barrier) end(ctx context.Context) (events.Cursor, error) {
	b.mu.Lock()
	r := b.next
	if r == nil {
		r = &round{done: make(chan struct{})}
		if b.current == nil {
			b.current = r
			go b.run(r)
		} else {
			b.next = r
		}
	}
	b.mu.Unlock()
	select {
	case <-r.done:
		return r.cursor.Clone(), r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (b *barrier) run(r *round) {
	for r != nil {
		// The question is everybody's, so nobody's context ends it.
		r.cursor, r.err = b.list(context.Background())
		close(r.done)
		b.mu.Lock()
		r, b.next = b.next, nil
		b.current = r
		b.mu.Unlock()
	}
}

// End implements events.Log.
func (l *Log) End(ctx context.Context) (events.Cursor, error) {
	if l.embedded != nil {
		return l.syncedEnds(), nil
	}
	c, err := l.barrier.end(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", events.ErrUnavailable, err)
	}
	return c, nil
}

// Ends is End of all partitions, those beside the chat among them.
func (l *Log) Ends(ctx context.Context) (events.Cursor, error) {
	if l.embedded != nil {
		return l.synced(l.partitions()), nil
	}
	ctx, cancel := context.WithTimeout(ctx, l.conn.timeout)
	defer cancel()
	c, err := l.confirmedEnds(ctx, l.partitions())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", events.ErrUnavailable, err)
	}
	return c, nil
}

// syncedEnds needs no trip: all that anybody was told of is durable, and the
// embedded broker knows what is.
func (l *Log) syncedEnds() events.Cursor { return l.synced(l.layout.Partitions()) }

func (l *Log) synced(ps []events.Partition) events.Cursor {
	c := events.Cursor{}
	for _, p := range ps {
		c[p] = l.embedded.Synced(l.topic(p.Topic), p.Number) - 1
	}
	return c
}

func (l *Log) listEnds(ctx context.Context) (events.Cursor, error) {
	ctx, cancel := context.WithTimeout(ctx, l.conn.timeout)
	defer cancel()
	return l.confirmedEnds(ctx, l.layout.Partitions())
}
