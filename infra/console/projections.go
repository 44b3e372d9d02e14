package console

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"lishi/events"
	"lishi/projections"
)

// Builds is what the routes of the read models need: *projections.Engine is it.
type Builds interface {
	Names() []string
	Status(ctx context.Context) ([]projections.Status, error)
	Plan(ctx context.Context, names []string, o projections.Replaying) ([]projections.Plan, error)
	Begin(kind string, names []string, o projections.Replaying) (*projections.Job, error)
	Jobs() []*projections.Job
	Job(id int) *projections.Job
	Discard(ctx context.Context, name string, build uint32) error
}

// ReplayRequest is the body of a replay, and of a verification, which heeds only
// Throttle and Detach.
type ReplayRequest struct {
	Into     string  `json:"into,omitempty"`
	To       string  `json:"to,omitempty"`       // a time, a position, or positions joined by commas
	Throttle float64 `json:"throttle,omitempty"` // the part of the time; 1: as fast as it goes; 0: the default
	DryRun   bool    `json:"dryRun,omitempty"`
	Detach   bool    `json:"detach,omitempty"` // answer with the job at once
}

// JobLine is one line of a job's answer: the job first, then progress, at last its end.
type JobLine struct {
	Job      *JobView              `json:"job,omitempty"`
	Progress *projections.Progress `json:"progress,omitempty"`
	End      *JobEnd               `json:"end,omitempty"`
}

// JobView is a job as it is listed.
type JobView struct {
	*projections.Job
	Over     bool                   `json:"over"`
	Progress []projections.Progress `json:"progress"`
	End      *JobEnd                `json:"end,omitempty"`
}

// JobEnd is how a job ended. Wrong lists what was verified to be wrong, which is
// no failure of the job.
type JobEnd struct {
	Error        string                    `json:"error,omitempty"`
	Interrupted  bool                      `json:"interrupted,omitempty"`
	Wrong        []string                  `json:"wrong,omitempty"`
	Verification *projections.Verification `json:"verification,omitempty"`
}

// Projections are the routes of the read models. moment reads a time, a position or
// several as the cursor that it means.
func Projections(b Builds, moment func(context.Context, string) (events.Cursor, error)) []Route {
	x := builds{b, moment}
	return []Route{
		{
			Method: http.MethodGet, Path: "/api/projections", Roles: Everybody,
			Doc:    "the read models: versions, builds with their size, lag by partition; jobs of this node",
			Handle: x.list,
		},
		{
			Method: http.MethodPost, Path: "/api/projections/{name}/replay", Stream: true,
			Doc:    "fill a new build of a read model (`all`: of all) beside the live one; body `{\"into\",\"to\",\"throttle\",\"dryRun\",\"detach\"}`; lines: the job, its progress, its end. It goes on when the caller leaves",
			Handle: x.replay,
		},
		{
			Method: http.MethodPost, Path: "/api/projections/{name}/verify", Roles: Everybody[:2], Stream: true,
			Doc:    "hold a read model's rows (`all`: of all) against a rebuild; body `{\"throttle\",\"detach\"}`; lines as of a replay, the findings with the end",
			Handle: x.verify,
		},
		{
			Method: http.MethodPost, Path: "/api/projections/{name}/rollback", Stream: true,
			Doc:    "make the build that was live before answer again; body `{}`; lines as of a replay",
			Handle: x.rollback,
		},
		{
			Method: http.MethodPost, Path: "/api/projections/{name}/discard",
			Doc:    "drop a build that is not live; body `{\"build\":7}`",
			Handle: x.discard,
		},
		{
			Method: http.MethodGet, Path: "/api/projections/jobs/{id}", Roles: Everybody, Stream: true,
			Doc:    "lines: a job's progress until it ends",
			Handle: x.watch,
		},
		{
			Method: http.MethodPost, Path: "/api/projections/jobs/{id}/stop",
			Roles:  []Role{Auditor},
			Doc:    "interrupt a job; body `{}`; the next one of the same goes on where it was. Auditors stop verifications alone",
			Handle: x.stop,
		},
	}
}

type builds struct {
	Builds
	moment func(context.Context, string) (events.Cursor, error)
}

func (b builds) list(w http.ResponseWriter, r *http.Request, _ Caller) error {
	if err := ParamsOf(r).Err(); err != nil {
		return err
	}
	all, err := b.Status(r.Context())
	if err != nil {
		return err
	}
	jobs := []JobView{}
	for _, j := range b.Jobs() {
		jobs = append(jobs, view(j))
	}
	return JSON(w, map[string]any{"projections": all, "jobs": jobs, "defaultThrottle": projections.DefaultThrottle})
}

// names are the projections that a path means.
func (b builds) names(r *http.Request) ([]string, error) {
	name := r.PathValue("name")
	if name == "all" {
		return b.Names(), nil
	}
	for _, n := range b.Names() {
		if n == name {
			return []string{n}, nil
		}
	}
	return nil, Refuse(NotFound, "there is no projection %q", name)
}

func (b builds) wanted(r *http.Request) (names []string, o projections.Replaying, req ReplayRequest, err error) {
	if err = ParamsOf(r).Err(); err != nil {
		return
	}
	if err = ReadJSON(r, &req); err != nil {
		return
	}
	if names, err = b.names(r); err != nil {
		return
	}
	o = projections.Replaying{Into: req.Into, Throttle: req.Throttle}
	if req.Throttle < 0 || req.Throttle > 1 {
		err = Refuse(BadRequest, "throttle is the part of the time, from 0 to 1")
	}
	if req.To != "" && err == nil {
		if o.To, err = b.moment(r.Context(), req.To); err != nil {
			err = Refuse(BadRequest, "to: %v", err)
		}
	}
	if err == nil {
		if wrong := o.Check(); wrong != nil {
			err = Refuse(BadRequest, "%v", wrong)
		}
	}
	return
}

func (b builds) replay(w http.ResponseWriter, r *http.Request, _ Caller) error {
	names, o, req, err := b.wanted(r)
	if err != nil {
		return err
	}
	if req.DryRun {
		plan, err := b.Plan(r.Context(), names, o)
		if err != nil {
			return explainBuild(err)
		}
		return JSON(w, map[string]any{"plan": plan})
	}
	return b.begin(w, r, "replay", names, o, req.Detach)
}

func (b builds) verify(w http.ResponseWriter, r *http.Request, _ Caller) error {
	names, o, req, err := b.wanted(r)
	if err != nil {
		return err
	}
	if req.Into != "" || req.To != "" || req.DryRun {
		return Refuse(BadRequest, "a verification has only throttle and detach")
	}
	return b.begin(w, r, "verify", names, o, req.Detach)
}

func (b builds) rollback(w http.ResponseWriter, r *http.Request, _ Caller) error {
	var req struct {
		Detach bool `json:"detach"`
	}
	if err := ReadJSON(r, &req); err != nil {
		return err
	}
	names, err := b.names(r)
	if err != nil {
		return err
	}
	if len(names) != 1 {
		return Refuse(BadRequest, "one projection at a time is rolled back")
	}
	return b.begin(w, r, "rollback", names, projections.Replaying{}, req.Detach)
}

func (b builds) discard(w http.ResponseWriter, r *http.Request, _ Caller) error {
	var req struct {
		Build uint32 `json:"build"`
	}
	if err := ReadJSON(r, &req); err != nil {
		return err
	}
	names, err := b.names(r)
	if err != nil {
		return err
	}
	if len(names) != 1 {
		return Refuse(BadRequest, "one projection's build at a time is discarded")
	}
	if err := b.Discard(r.Context(), names[0], req.Build); err != nil {
		return explainBuild(err)
	}
	return JSON(w, map[string]any{"discarded": req.Build})
}

// begin starts a job and follows it. What fails at once is an answer's status, not
// its last line.
func (b builds) begin(w http.ResponseWriter, r *http.Request, kind string, names []string, o projections.Replaying, detach bool) error {
	j, err := b.Begin(kind, names, o)
	if err != nil {
		return explainBuild(err)
	}
	_, changed := j.Progress()
	select {
	case <-changed:
	case <-j.Done():
	case <-time.After(2 * time.Second):
	}
	if j.Over() {
		var differs *projections.DiffersError
		if _, err := j.Result(); err != nil && !errors.As(err, &differs) {
			return explainBuild(err)
		}
	}
	if detach {
		return JSON(w, map[string]any{"job": view(j)})
	}
	return follow(w, r, j)
}

func (b builds) find(r *http.Request) (*projections.Job, error) {
	id, err := strconv.Atoi(r.PathValue("id"))
	if err != nil {
		return nil, Refuse(NotFound, "a job is a number")
	}
	j := b.Job(id)
	if j == nil {
		return nil, Refuse(NotFound, "this node has no job %d", id)
	}
	return j, nil
}

func (b builds) watch(w http.ResponseWriter, r *http.Request, _ Caller) error {
	if err := ParamsOf(r).Err(); err != nil {
		return err
	}
	j, err := b.find(r)
	if err != nil {
		return err
	}
	return follow(w, r, j)
}

func (b builds) stop(w http.ResponseWriter, r *http.Request, c Caller) error {
	var req struct{}
	if err := ReadJSON(r, &req); err != nil {
		return err
	}
	j, err := b.find(r)
	if err != nil {
		return err
	}
	if c.Role != Admin && j.Kind != "verify" {
		return Refuse(Forbidden, "an auditor stops verifications alone")
	}
	j.Stop()
	return JSON(w, map[string]any{"job": view(j)})
}

// tellEvery is how often progress is sent.
const tellEvery = 200 * time.Millisecond

func follow(w http.ResponseWriter, r *http.Request, j *projections.Job) error {
	l := NewLines(w)
	first := view(j)
	if err := l.Send(JobLine{Job: &first}); err != nil {
		return err
	}
	for {
		over := j.Over()
		all, changed := j.Progress()
		for i := range all {
			if err := l.Send(JobLine{Progress: &all[i]}); err != nil {
				return err
			}
		}
		if over {
			if err := l.Send(JobLine{End: EndOf(j)}); err != nil {
				return err
			}
			return l.Flush()
		}
		if err := l.Flush(); err != nil {
			return err
		}
		select {
		case <-changed:
		case <-j.Done():
		case <-time.After(5 * time.Second): // so that a caller who left is noticed
		case <-r.Context().Done():
			return nil
		}
		select {
		case <-time.After(tellEvery):
		case <-j.Done():
		case <-r.Context().Done():
			return nil
		}
	}
}

func view(j *projections.Job) JobView {
	v := JobView{Job: j, Over: j.Over(), Progress: []projections.Progress{}}
	if all, _ := j.Progress(); all != nil {
		v.Progress = all
	}
	if v.Over {
		v.End = EndOf(j)
	}
	return v
}

// EndOf says how a job ended that has.
func EndOf(j *projections.Job) *JobEnd {
	found, err := j.Result()
	end := &JobEnd{Verification: found, Interrupted: errors.Is(err, projections.ErrInterrupted)}
	var differs *projections.DiffersError
	switch {
	case errors.As(err, &differs):
		all, _ := j.Progress()
		for _, p := range all {
			for _, d := range p.Differences {
				end.Wrong = append(end.Wrong, p.Projection+": "+d.String())
			}
		}
	case err != nil:
		end.Error = err.Error()
		end.Verification = nil
	case found != nil:
		end.Wrong = found.Wrong()
	}
	return end
}

// explainBuild says what is refused; what is none of a caller's doing stays as it is.
func explainBuild(err error) error {
	switch {
	case errors.Is(err, projections.ErrBusy):
		return Refuse(Conflict, "%v", err)
	case asError(err).Reason == Internal && !errors.Is(err, context.Canceled):
		return Refuse(Internal, "%v", err) // who may do this may read it
	}
	return err
}
