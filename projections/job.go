package projections

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Job is work on builds that goes on whoever watches: a replay, a verification or
// a rollback that this node was asked for. It is safe for concurrent use.
type Job struct {
	ID       int       `json:"id"`
	Kind     string    `json:"kind"` // "replay", "verify", "rollback"
	Names    []string  `json:"projections"`
	Into     string    `json:"into,omitempty"`
	Started  time.Time `json:"started"`
	Throttle float64   `json:"throttle"`

	cancel context.CancelFunc
	done   chan struct{}

	mu       sync.Mutex
	progress map[string]Progress
	found    *Verification
	err      error
	changed  chan struct{}
}

// ErrInterrupted is how a job ends that was told to.
var ErrInterrupted = errors.New("interrupted; the next one of the same goes on where it was")

// maxJobs is how many jobs that have ended are remembered.
const maxJobs = 20

// Begin starts a job: kind as in Job. It ends with the engine's Run, or Stop.
func (e *Engine) Begin(kind string, names []string, o Replaying) (*Job, error) {
	select {
	case <-e.opened:
	default:
		return nil, fmt.Errorf("%w: the read models are being opened", ErrUnavailable)
	}
	ctx, cancel := context.WithCancel(e.ctx)
	e.mu.Lock()
	e.lastJob++
	j := &Job{ID: e.lastJob, Kind: kind, Names: names, Into: o.Into, Started: e.options.Now().UTC().Truncate(time.Millisecond), Throttle: o.Throttle,
		cancel: cancel, done: make(chan struct{}), progress: map[string]Progress{}, changed: make(chan struct{})}
	e.jobs = append(e.jobs, j)
	if len(e.jobs) > maxJobs && e.jobs[0].Over() {
		e.jobs = e.jobs[1:]
	}
	e.mu.Unlock()
	o.Progress = j.tell
	go func() {
		defer cancel()
		var err error
		var found *Verification
		switch kind {
		case "replay":
			err = e.Replay(ctx, names, o)
		case "rollback":
			err = e.Rollback(ctx, names[0], o.Progress)
		case "verify":
			var v Verification
			v, err = e.Verify(ctx, names, o)
			found = &v
		default:
			err = fmt.Errorf("there is no job %q", kind)
		}
		if ctx.Err() != nil && errors.Is(err, context.Canceled) {
			err = ErrInterrupted
		}
		j.mu.Lock()
		j.found, j.err = found, err
		j.mu.Unlock()
		close(j.done)
		j.wake()
	}()
	return j, nil
}

// Jobs lists those under way, and the last that have ended, in order.
func (e *Engine) Jobs() []*Job {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]*Job(nil), e.jobs...)
}

// Job finds one; nil if there is none.
func (e *Engine) Job(id int) *Job {
	for _, j := range e.Jobs() {
		if j.ID == id {
			return j
		}
	}
	return nil
}

func (j *Job) tell(p Progress) {
	j.mu.Lock()
	j.progress[p.Projection] = p
	j.mu.Unlock()
	j.wake()
}

func (j *Job) wake() {
	j.mu.Lock()
	defer j.mu.Unlock()
	close(j.changed)
	j.changed = make(chan struct{})
}

// Stop interrupts it, and returns once it has ended.
func (j *Job) Stop() {
	j.cancel()
	<-j.done
}

// Done is closed when it has ended.
func (j *Job) Done() <-chan struct{} { return j.done }

// Over tells whether it has ended.
func (j *Job) Over() bool {
	select {
	case <-j.done:
		return true
	default:
		return false
	}
}

// Progress is the latest of each projection, in the order of Names; changed is
// closed when there is more to tell.
func (j *Job) Progress() (all []Progress, changed <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, name := range j.Names {
		if p, ok := j.progress[name]; ok {
			all = append(all, p)
		}
	}
	return all, j.changed
}

// Result is what a job that has ended found, and why it failed. A *DiffersError is
// no failure (see Replay).
func (j *Job) Result() (*Verification, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.found, j.err
}
