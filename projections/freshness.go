package projections

import (
	"time"

	"lishi/events"
)

// freshness tells since when not everything was shown that was folded.
type freshness struct {
	caught bool      // everything folded was shown, and nothing came since
	at     time.Time // everything folded by then was shown; zero: not known of any time
	mark   events.Cursor
	marked time.Time
}

// see takes note of what is shown and folded at a time.
func (f *freshness) see(shown, folded events.Cursor, now time.Time) {
	caught := shown.Covers(folded)
	switch {
	case f.caught && !caught: // what is missing has come since the last look
		f.at, f.mark, f.marked = now, folded, now
	case shown.Covers(f.mark):
		f.at = f.marked
		f.mark, f.marked = folded, now
	}
	f.caught = caught
}

// lag is how long ago everything that had happened by then was to be seen.
func (f *freshness) lag(now time.Time) time.Duration {
	if f.caught {
		return 0
	}
	return now.Sub(f.at)
}

// known is the part of the lag that was looked on.
func (f *freshness) known(now time.Time) time.Duration {
	if !f.caught && f.at.IsZero() {
		return now.Sub(f.marked)
	}
	return f.lag(now)
}
