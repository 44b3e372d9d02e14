package exports

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// The states of a job.
const (
	Waiting = "waiting"
	Running = "running"
	Done    = "done"
	Failed  = "failed"
)

// Job is an export that a server makes.
type Job struct {
	ID      string  `json:"id"`
	Request Request `json:"request"`
	Role    string  `json:"role,omitempty"`
	// UntilOpen: it was not said where it ends, so that is where the log did.
	UntilOpen bool   `json:"untilOpen,omitempty"`
	Asked     string `json:"asked"` // when, as Ended
	Ended     string `json:"ended,omitempty"`
	State     string `json:"state"`
	Problem   string `json:"problem,omitempty"` // why it failed
	// Phase, Count and Total say what is done while it runs.
	Phase string `json:"phase,omitempty"`
	Count int64  `json:"count"`
	Total int64  `json:"total"`
	// Of what is done: events, rows by table, bytes of all files.
	Events map[string]int64 `json:"events,omitempty"`
	Rows   map[string]int64 `json:"rows,omitempty"`
	Bytes  int64            `json:"bytes"`
	Key    string           `json:"key,omitempty"`
}

// MostJobs is how many jobs a server keeps; older ones are removed by hand.
const MostJobs = 200

var (
	// ErrNoJob means that there is no job of that id.
	ErrNoJob = errors.New("there is no such export")
	// ErrNotDone means that the job has no package, or none yet.
	ErrNotDone = errors.New("the export is not done")
	// ErrTooMany means that jobs must be removed first.
	ErrTooMany = fmt.Errorf("%d exports are kept; remove some first", MostJobs)
)

// Jobs makes exports one after the other, each in a directory of its own, and
// keeps them. What a process left unfinished the next one goes on with. It is
// safe for concurrent use.
type Jobs struct {
	dir    string
	source func(context.Context) (Source, error)
	o      Options
	logger *slog.Logger

	mu      sync.Mutex
	jobs    map[string]*Job
	cancels map[string]context.CancelFunc
	wake    chan struct{}
	stop    context.CancelFunc
	ended   sync.WaitGroup
}

// OpenJobs finds the jobs of a directory and goes on with them. source is the log
// as it is now.
func OpenJobs(dir string, source func(context.Context) (Source, error), o Options, logger *slog.Logger) (*Jobs, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	j := &Jobs{dir: dir, source: source, o: o, logger: logger, jobs: map[string]*Job{}, cancels: map[string]context.CancelFunc{}, wake: make(chan struct{}, 1)}
	for _, e := range entries {
		raw, err := os.ReadFile(j.path(e.Name(), "job.json"))
		var job Job
		if err == nil {
			err = json.Unmarshal(raw, &job)
		}
		if err != nil || job.ID != e.Name() {
			logger.Warn("a directory among the exports is none", "directory", e.Name(), "error", err)
			continue
		}
		if job.State == Running {
			job.State = Waiting
		}
		j.jobs[job.ID] = &job
	}
	ctx, stop := context.WithCancel(context.Background())
	j.stop = stop
	j.ended.Go(func() { j.run(ctx) })
	j.wake <- struct{}{}
	return j, nil
}

// Close stops what is under way; it goes on at the next start. Of nil jobs there
// is nothing to stop.
func (j *Jobs) Close() error {
	if j == nil {
		return nil
	}
	j.stop()
	j.ended.Wait()
	return nil
}

func (j *Jobs) path(id, name string) string { return filepath.Join(j.dir, id, name) }

// Start takes a request, up to the log's end now if it does not say where. One
// that is asked again while it waits or runs, also after a restart, is the same
// job. *QueryError: it can't be asked for.
func (j *Jobs) Start(ctx context.Context, r Request, role string) (Job, error) {
	from, err := j.source(ctx)
	if err != nil {
		return Job{}, err
	}
	if r, err = r.check(from); err != nil {
		return Job{}, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, other := range j.jobs {
		if (other.State == Waiting || other.State == Running) && other.asks(r) {
			return *other, nil
		}
	}
	asked := time.Now()
	for _, other := range j.jobs { // jobs have an order, also those of one millisecond
		if last, err := time.Parse(time.RFC3339Nano, other.Asked); err == nil && asked.Before(last.Add(time.Millisecond)) {
			asked = last.Add(time.Millisecond)
		}
	}
	job := &Job{ID: strings.ToLower(rand.Text()), Request: r, UntilOpen: r.untilOpen, Role: role, Asked: isoTime(asked), State: Waiting}
	if len(j.jobs) >= MostJobs {
		return Job{}, ErrTooMany
	}
	if err := os.Mkdir(filepath.Join(j.dir, job.ID), 0o700); err != nil {
		return Job{}, err
	}
	if err := j.keep(job); err != nil {
		return Job{}, err
	}
	j.jobs[job.ID] = job
	select {
	case j.wake <- struct{}{}:
	default:
	}
	return *job, nil
}

// asks tells whether a request is the job's.
func (job *Job) asks(r Request) bool {
	own := job.Request
	if job.UntilOpen && r.untilOpen {
		own.Until, r.Until = nil, nil
	}
	return job.UntilOpen == r.untilOpen && own.text() == r.text()
}

// keep writes a job down. It needs the lock.
func (j *Jobs) keep(job *Job) error {
	raw, err := json.Marshal(job)
	if err != nil {
		return err
	}
	path := j.path(job.ID, "job.json")
	if err := os.WriteFile(path+".new", raw, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// List are all jobs, the newest first.
func (j *Jobs) List() []Job {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := make([]Job, 0, len(j.jobs))
	for _, job := range j.jobs {
		out = append(out, *job)
	}
	slices.SortFunc(out, func(a, b Job) int {
		return strings.Compare(b.Asked+b.ID, a.Asked+a.ID)
	})
	return out
}

// Job is one of them; ErrNoJob.
func (j *Jobs) Job(id string) (Job, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if job := j.jobs[id]; job != nil {
		return *job, nil
	}
	return Job{}, ErrNoJob
}

// Zip writes a job's package; ErrNoJob, ErrNotDone.
func (j *Jobs) Zip(ctx context.Context, id string, to io.Writer) error {
	job, err := j.Job(id)
	if err != nil {
		return err
	}
	if job.State != Done {
		return ErrNotDone
	}
	return WriteZip(ctx, j.path(id, "package"), to)
}

// Remove ends a job and removes what it made; ErrNoJob.
func (j *Jobs) Remove(id string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.jobs[id] == nil {
		return ErrNoJob
	}
	delete(j.jobs, id)
	if cancel := j.cancels[id]; cancel != nil {
		cancel() // run removes the files
		return nil
	}
	return os.RemoveAll(filepath.Join(j.dir, id))
}

// run makes what waits, the oldest first.
func (j *Jobs) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-j.wake:
		}
		for ctx.Err() == nil {
			job, own, ok := j.next(ctx)
			if !ok {
				break
			}
			j.end(ctx, job, j.make(own, job))
		}
	}
}

func (j *Jobs) next(ctx context.Context) (Job, context.Context, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var first *Job
	for _, job := range j.jobs {
		if job.State == Waiting && (first == nil || job.Asked+job.ID < first.Asked+first.ID) {
			first = job
		}
	}
	if first == nil {
		return Job{}, nil, false
	}
	first.State = Running
	own, cancel := context.WithCancel(ctx)
	j.cancels[first.ID] = cancel
	return *first, own, true
}

func (j *Jobs) make(ctx context.Context, job Job) error {
	from, err := j.source(ctx)
	if err != nil {
		return err
	}
	o := j.o
	o.Progress = func(phase string, done, total int64) {
		j.mu.Lock()
		defer j.mu.Unlock()
		if live := j.jobs[job.ID]; live != nil {
			live.Phase, live.Count, live.Total = phase, done, total
		}
	}
	m, err := Export(ctx, from, job.Request, j.path(job.ID, "package"), o)
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if live := j.jobs[job.ID]; live != nil {
		live.Events, live.Rows, live.Key, live.Bytes = m.Events, m.Rows, m.Key, 0
		for _, f := range m.Files {
			live.Bytes += f.Size
		}
	}
	return nil
}

// end writes down how a job ended; one that the process's end interrupted is left
// as it was.
func (j *Jobs) end(ctx context.Context, job Job, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.cancels[job.ID]()
	delete(j.cancels, job.ID)
	live := j.jobs[job.ID]
	switch {
	case live == nil: // removed meanwhile
		if err := os.RemoveAll(filepath.Join(j.dir, job.ID)); err != nil {
			j.logger.Error("an export that was ended can't be removed", "export", job.ID, "error", err)
		}
		return
	case ctx.Err() != nil:
		return
	}
	live.State, live.Phase, live.Count, live.Total, live.Ended = Done, "", 0, 0, isoTime(time.Now())
	if err != nil {
		live.State, live.Problem = Failed, err.Error()
		j.logger.Error("export failed", "export", job.ID, "error", err)
	}
	if err := j.keep(live); err != nil && !errors.Is(err, fs.ErrNotExist) {
		j.logger.Error("an export's end can't be written down", "export", job.ID, "error", err)
	}
}
