package projections

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"lishi/events"
)

// retry repeats op while what it needs is away: for ever, with growing pauses of
// random length, so that nodes do not come back all at once.
func (e *Engine) retry(ctx context.Context, what string, op func() error) error {
	pause := e.options.Backoff
	for n := 0; ; n++ {
		err := op()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !away(err) {
			if n > 0 && err == nil {
				e.options.Log.Info("it works again", "what", what, "attempts", n+1)
			}
			return err
		}
		if n == 0 {
			e.options.Log.Warn("unavailable, trying again until it works", "what", what, "error", err)
		}
		select {
		case <-time.After(pause/2 + rand.N(pause)):
		case <-ctx.Done():
			return ctx.Err()
		}
		pause = min(2*pause, 100*e.options.Backoff)
	}
}

// maxShort is how often a statement is tried for which there is no memory, where
// it can't be cut into parts.
const maxShort = 8

// fits lets retry repeat op as ever, but not for ever where what it lacks is
// memory: then it ends with the error.
func fits(op func() error) func() error {
	short := 0
	return func() error {
		err := op()
		if !errors.Is(err, ErrMemory) {
			return err
		}
		if short++; short < maxShort {
			return err
		}
		return fmt.Errorf("it takes more memory than ClickHouse gives (max_server_memory_usage, max_memory_usage), also at the %dth attempt: %v", short, err)
	}
}

// away tells whether an error means that ClickHouse or the log could not be asked.
func away(err error) bool {
	return errors.Is(err, ErrUnavailable) || errors.Is(err, events.ErrUnavailable) || errors.Is(err, events.ErrUnknown)
}
