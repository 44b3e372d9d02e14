package large

import (
	"context"
	"os"
	"path/filepath"
)

// starts measures how long a start takes with what was remembered of the one
// before, and without.
func (r *run) starts(ctx context.Context) error {
	r.section = "Start"
	for _, what := range []string{"from a snapshot", "without a snapshot"} {
		if what == "without a snapshot" {
			if err := os.RemoveAll(filepath.Join(r.data, "snapshots")); err != nil {
				return err
			}
		}
		took, err := r.server.start(ctx)
		if err != nil {
			return err
		}
		r.add("start to ready, "+what, took.Seconds(), "s")
		r.add("start to ready, "+what+", processor", r.server.processor(), "s")
		r.memory("resident when ready, "+what, r.server.status("VmRSS"))
		if err := r.server.stop(ctx); err != nil {
			return err
		}
	}
	return nil
}

// storage measures what a message takes in the log and in each read model.
func (r *run) storage(ctx context.Context) error {
	r.section = "Storage"
	bytes, err := size(filepath.Join(r.data, "log"))
	if err != nil {
		return err
	}
	each := func(bytes float64) float64 { return bytes / float64(r.n) }
	r.add("log", each(float64(bytes)), "B/message")
	client, err := r.client()
	if err != nil {
		return err
	}
	models, err := builds(ctx, client)
	if err != nil {
		return err
	}
	all, raw := 0.0, 0.0
	for _, p := range models {
		for _, b := range p.Builds {
			if b.State == "live" {
				r.add(p.Projection, each(b.Bytes), "B/message")
				r.add(p.Projection+", not compressed", each(b.RawBytes), "B/message")
				all, raw = all+b.Bytes, raw+b.RawBytes
			}
		}
	}
	r.add("all read models", each(all), "B/message")
	r.add("all read models, not compressed", each(raw), "B/message")
	r.memory("resident", r.server.status("VmRSS"))
	return nil
}
