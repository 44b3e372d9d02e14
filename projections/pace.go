package projections

import "time"

// pace is how much a lane takes at once, and how long it rests between two
// rounds of inserts.
type pace struct {
	rows, bytes int
	single      bool    // one insert at a time: the other processors are for those who chat
	throttle    float64 // the part of the time that a replay takes while people chat; 0: it is no replay
}

// livePace is that of the builds that queries wait for.
func (e *Engine) livePace() pace {
	return pace{rows: e.options.MaxRows, bytes: e.options.MaxBytes}
}

// replayPace is that of builds nobody waits for. Large inserts cost the least,
// small ones let others in between.
func (e *Engine) replayPace(throttle float64) pace {
	if throttle <= 0 {
		throttle = DefaultThrottle
	}
	if throttle >= 1 {
		return pace{rows: e.options.ReplayRows, bytes: e.options.ReplayBytes, throttle: 1}
	}
	return pace{rows: min(throttledRows, e.options.ReplayRows), bytes: e.options.ReplayBytes, throttle: throttle, single: true}
}

const (
	// DefaultThrottle is the part of the time that a replay takes for its inserts
	// while people chat.
	DefaultThrottle = 0.2
	// throttledRows is how many rows a throttled replay inserts in a round: few
	// enough that nobody waits long for its end, and not so few that a round costs
	// more than its rows.
	throttledRows = 50_000
	// restFactor is how much longer than its round of inserts a lane rests, where
	// MaxRest allows.
	restFactor = 8
	// lull is how long nothing must have come for nobody to chat.
	lull = time.Second
)

// rest pauses after a round that took so long, unless there is reason not to.
func (l *lane) rest(took time.Duration) {
	pause, hurry := min(restFactor*took, l.engine.options.MaxRest), l.hurry
	if t := l.pace.throttle; t > 0 {
		busy := t < 1 && !l.engine.calm()
		if l.throttled.Store(busy); !busy {
			return
		}
		pause, hurry = time.Duration(float64(took)*(1-t)/t), nil // that it has gathered enough is no reason
	} else if l.pressed() {
		return
	}
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-t.C:
	case <-hurry:
	case <-l.ctx.Done():
	}
}

// pressed tells whether much has gathered, or a build is still to become live.
func (l *lane) pressed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	behind := l.rows() >= l.pace.rows/2
	for _, f := range l.fills {
		behind = behind || f.candidate.Load()
	}
	return behind
}

// calm tells whether nothing has come into the log for a while.
func (e *Engine) calm() bool {
	folded, now := int64(0), e.options.Now()
	for _, o := range e.tail.Folded() {
		folded += o
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if folded != e.came.folded {
		e.came.folded, e.came.at = folded, now
	}
	return now.Sub(e.came.at) > lull
}
