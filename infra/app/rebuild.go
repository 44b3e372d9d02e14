package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"lishi/events/tail"
	"lishi/infra/broker"
	"lishi/infra/chdb"
	"lishi/infra/config"
	"lishi/infra/console"
	"lishi/infra/telemetry"
	"lishi/projections"
)

// desk is where work on builds is asked for: an engine that was opened for it, or
// a running server's.
type desk interface {
	// job starts one and hands on its lines until its end.
	job(ctx context.Context, kind string, names []string, req console.ReplayRequest, each func(console.JobLine)) error
	plan(ctx context.Context, names []string, req console.ReplayRequest) ([]projections.Plan, error)
	status(ctx context.Context) ([]projections.Status, []console.JobView, error)
	discard(ctx context.Context, name string, build uint32) error
	stop(ctx context.Context, names []string) error
}

// rebuild opens log and read models for work on builds, or asks the server that
// has them open.
func (p *program) rebuild(c *cobra.Command, work func(context.Context, desk) error) error {
	cfg, _, err := load(c)
	if err != nil {
		return err
	}
	if !c.Flags().Changed("console") {
		err = p.atRest(c.Context(), cfg, work)
		if !errors.Is(err, broker.ErrInUse) && !errors.Is(err, chdb.ErrInUse) {
			return err
		}
	}
	client, err := p.ask(c, cfg, console.Admin)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.err, "by the server at %s\n", client.Base)
	return misused(work(c.Context(), remote{client}))
}

// atRest opens log and read models, and runs an engine over them for the work.
func (p *program) atRest(ctx context.Context, cfg config.Config, work func(context.Context, desk) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	logger := telemetry.Logger(p.err, "warn", cfg.LogFormat)
	log, open, err := openLog(ctx, cfg, telemetry.NewMetrics(), logger)
	if err != nil {
		return err
	}
	db, err := openDB(cfg, logger)
	if err != nil {
		return errors.Join(err, open.close())
	}
	open.add(db.Close)
	t := tail.New(log, tail.Options{Restored: openSnapshots(cfg, log, logger).Restore(ctx)})
	engine := projections.New(db, t, models(), projections.Options{Database: db.Database(), Log: logger, Share: share(cfg, projections.Bystander)})
	fmt.Fprintln(p.err, "by this program itself")
	ended := make(chan error, 2)
	go func() { ended <- t.Run(ctx) }()
	go func() { ended <- engine.Run(ctx) }()
	go func() { // what ends by itself ends the work
		err := <-ended
		cancel()
		ended <- err
	}()
	err = work(ctx, local{engine, t})
	cancel()
	return errors.Join(err, <-ended, <-ended, open.close())
}

// local is a desk of this process.
type local struct {
	engine *projections.Engine
	tail   *tail.Tail
}

func (l local) wanted(ctx context.Context, req console.ReplayRequest) (o projections.Replaying, err error) {
	o = projections.Replaying{Into: req.Into, Throttle: req.Throttle}
	if o.Throttle == 0 {
		o.Throttle = 1 // nobody chats
	}
	if err = l.engine.Opened(ctx); err == nil && req.To != "" {
		o.To, err = cursorAt(ctx, l.tail, req.To)
	}
	return o, err
}

func (l local) job(ctx context.Context, kind string, names []string, req console.ReplayRequest, each func(console.JobLine)) error {
	o, err := l.wanted(ctx, req)
	if err != nil {
		return err
	}
	j, err := l.engine.Begin(kind, names, o)
	if err != nil {
		return err
	}
	each(console.JobLine{Job: &console.JobView{Job: j}})
	for over := false; !over; {
		over = j.Over()
		all, changed := j.Progress()
		for i := range all {
			each(console.JobLine{Progress: &all[i]})
		}
		if over {
			break
		}
		select {
		case <-j.Done():
		case <-changed:
		case <-ctx.Done():
			j.Stop()
			return ctx.Err()
		}
	}
	each(console.JobLine{End: console.EndOf(j)})
	return nil
}

func (l local) plan(ctx context.Context, names []string, req console.ReplayRequest) ([]projections.Plan, error) {
	o, err := l.wanted(ctx, req)
	if err != nil {
		return nil, err
	}
	return l.engine.Plan(ctx, names, o)
}

func (l local) status(ctx context.Context) ([]projections.Status, []console.JobView, error) {
	if err := l.engine.Opened(ctx); err != nil {
		return nil, nil, err
	}
	all, err := l.engine.Status(ctx)
	return all, []console.JobView{}, err
}

func (l local) discard(ctx context.Context, name string, build uint32) error {
	return l.engine.Discard(ctx, name, build)
}

func (l local) stop(context.Context, []string) error {
	return errors.New("no server runs on this data, so nothing is to be stopped")
}

// remote is a running server's.
type remote struct{ *console.Client }

// paths are the read models in urls: all of them are one word.
func paths(names []string) []string {
	if slices.Equal(names, modelNames()) {
		return []string{"all"}
	}
	return names
}

func (r remote) job(ctx context.Context, kind string, names []string, req console.ReplayRequest, each func(console.JobLine)) error {
	var body any = req
	if kind == "rollback" {
		body = struct{}{}
	}
	for _, name := range paths(names) {
		path := "/api/projections/" + name + "/" + kind
		if req.Detach {
			var begun struct{ Job console.JobView }
			if err := r.Post(ctx, path, body, &begun); err != nil {
				return err
			}
			each(console.JobLine{Job: &begun.Job})
			continue
		}
		job := 0
		err := r.Lines(ctx, http.MethodPost, path, nil, body, func(b []byte) error {
			var l console.JobLine
			if err := json.Unmarshal(b, &l); err != nil {
				return err
			}
			if l.Job != nil {
				job = l.Job.ID
			}
			each(l)
			return nil
		})
		if ctx.Err() != nil && kind == "verify" {
			return errors.Join(ctx.Err(), r.endVerification(context.WithoutCancel(ctx), job, names))
		}
		if ctx.Err() != nil && job > 0 {
			return fmt.Errorf("the server goes on with job %d (lishi replay --status, --stop): %w", job, ctx.Err())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// endVerification ends one that nobody waits for any more: it changes nothing, so
// there is nothing to go on with. Its number is 0 if the server had not said it yet.
func (r remote) endVerification(ctx context.Context, job int, names []string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, jobs, err := r.status(ctx)
	for _, j := range jobs {
		if !j.Over && j.Kind == "verify" && (j.ID == job || job == 0 && slices.Equal(j.Names, names)) {
			err = errors.Join(err, r.Post(ctx, fmt.Sprintf("/api/projections/jobs/%d/stop", j.ID), struct{}{}, nil))
		}
	}
	if err != nil {
		return fmt.Errorf("the server may go on with the verification: %w", err)
	}
	return nil
}

func (r remote) plan(ctx context.Context, names []string, req console.ReplayRequest) (all []projections.Plan, err error) {
	for _, name := range paths(names) {
		var answer struct{ Plan []projections.Plan }
		if err := r.Post(ctx, "/api/projections/"+name+"/replay", req, &answer); err != nil {
			return nil, err
		}
		all = append(all, answer.Plan...)
	}
	return all, nil
}

func (r remote) status(ctx context.Context) ([]projections.Status, []console.JobView, error) {
	var answer struct {
		Projections []projections.Status
		Jobs        []console.JobView
	}
	err := r.Get(ctx, "/api/projections", nil, &answer)
	return answer.Projections, answer.Jobs, err
}

func (r remote) discard(ctx context.Context, name string, build uint32) error {
	return r.Post(ctx, "/api/projections/"+name+"/discard", map[string]any{"build": build}, nil)
}

func (r remote) stop(ctx context.Context, names []string) error {
	_, jobs, err := r.status(ctx)
	if err != nil {
		return err
	}
	stopped := false
	for _, j := range jobs {
		if j.Over || !slices.ContainsFunc(j.Names, func(n string) bool { return slices.Contains(names, n) }) {
			continue
		}
		if err := r.Post(ctx, fmt.Sprintf("/api/projections/jobs/%d/stop", j.ID), struct{}{}, nil); err != nil {
			return err
		}
		stopped = true
	}
	if !stopped {
		return errors.New("no job of these read models is under way there")
	}
	return nil
}

// tellEvery is how often a line of progress is written where there is no terminal.
const tellEvery = 5 * time.Second
