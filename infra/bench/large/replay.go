package large

import (
	"context"
	"encoding/json"
)

// replay measures all read models built anew at rest: filled alone, and filled,
// compared and made live. What stays of it is discarded.
func (r *run) replay(ctx context.Context) error {
	r.section = "Replay"
	for _, how := range []struct {
		name string
		args []string
	}{{"filled", []string{"--into", "large"}}, {"filled, compared, made live", nil}} {
		u, err := r.server.lishi(ctx, append([]string{"replay", "--all", "--json", "--data", r.data}, how.args...)...)
		if err != nil {
			return err
		}
		var all []struct {
			Events  float64
			Seconds float64
		}
		if err := json.Unmarshal(u.out, &all); err != nil {
			return err
		}
		events, seconds := 0.0, 0.0
		for _, p := range all {
			events, seconds = max(events, p.Events), max(seconds, p.Seconds)
		}
		r.add(how.name, seconds, "s")
		r.add(how.name+", the whole command", u.seconds, "s")
		r.add(how.name+", events", events/seconds, "events/s")
		r.add(how.name+", processor an event", u.processor/events*1e6, "µs")
		r.memory(how.name+", resident", u.memory)
		if err := r.discardBuilds(ctx); err != nil {
			return err
		}
	}
	return nil
}

// discardBuilds drops what a replay has left beside the live builds.
func (r *run) discardBuilds(ctx context.Context) error {
	if _, err := r.server.start(ctx); err != nil {
		return err
	}
	client, err := r.client()
	if err != nil {
		return err
	}
	all, err := builds(ctx, client)
	if err != nil {
		return err
	}
	for _, p := range all {
		for _, b := range p.Builds {
			if b.State == "live" {
				continue
			}
			if err := client.Post(ctx, "/api/projections/"+p.Projection+"/discard", map[string]any{"build": b.Build}, nil); err != nil {
				return err
			}
		}
	}
	return r.server.stop(ctx)
}
