package projections

import (
	"context"
	"errors"
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

// away tells whether an error means that ClickHouse or the log could not be asked.
func away(err error) bool {
	return errors.Is(err, ErrUnavailable) || errors.Is(err, events.ErrUnavailable) || errors.Is(err, events.ErrUnknown)
}
