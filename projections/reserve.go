package projections

import (
	"context"
	"fmt"
	"time"
)

// reserve waits until the engine has opened, and keeps others from making a
// build of the projections meanwhile. The context ends with the engine's as well.
func (e *Engine) reserve(ctx context.Context, names ...string) (context.Context, []*model, func(), error) {
	select {
	case <-e.opened:
	case <-ctx.Done():
		return nil, nil, nil, ctx.Err()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	var ms []*model
	for _, name := range names {
		m := e.modelLocked(name)
		switch {
		case m == nil:
			return nil, nil, nil, fmt.Errorf("there is no projection %q", name)
		case m.replaying, m.next != nil:
			return nil, nil, nil, fmt.Errorf("%s: %w", name, ErrBusy)
		case e.ctx.Err() != nil:
			return nil, nil, nil, e.ctx.Err()
		}
		ms = append(ms, m)
	}
	for _, m := range ms {
		m.replaying = true
	}
	e.replays.Add(1)
	ctx, cancel := context.WithCancel(ctx)
	unlink := context.AfterFunc(e.ctx, cancel)
	return ctx, ms, func() {
		unlink()
		cancel()
		e.mu.Lock()
		for _, m := range ms {
			m.replaying, m.named = false, nil
		}
		e.mu.Unlock()
		e.replays.Done()
	}, nil
}

// abandon lets go of a build that did not become live: for the next replay to go
// on with if it was interrupted, for ever if it failed.
func (e *Engine) abandon(ctx context.Context, m *model, f *fill) {
	e.mu.Lock()
	if m.promoting || m.live == f || f == nil { // it is as good as live, or is live
		e.mu.Unlock()
		return
	}
	if m.next == f {
		m.next = nil
	}
	l, failed := f.lane, f.err != nil
	b := f.build
	e.mu.Unlock()
	if l != nil {
		l.remove(f)
	}
	if b.stage == replaying && !failed && ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	var err error
	if b.stage == replaying {
		b.dropped = true
		err = recordBuild(ctx, e.db, b)
	}
	if err == nil {
		err = e.sweep(ctx, m)
	}
	if err != nil {
		e.options.Log.Warn("an unfinished build is left behind until the next start", "projection", m.projection.Name(), "error", err)
	}
}

// Opened returns once the books are read and builds are being filled, or with
// ctx's error.
func (e *Engine) Opened(ctx context.Context) error {
	select {
	case <-e.opened:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
