package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lishi/events/tail"
	"lishi/infra/config"
	"lishi/infra/telemetry"
	"lishi/projections"
)

func (p *program) replay() *cobra.Command {
	var names []string
	for _, m := range models() {
		names = append(names, m.Name())
	}
	all := false
	c := settings(&cobra.Command{
		Use:   "replay NAME… | --all",
		Short: "Rebuild read models from the first event, beside the live ones",
		Long: `Rebuild read models: a new build is filled beside the live one from the first
event, compared with it, and made live. The old build stays.

The read models are: ` + strings.Join(names, ", ") + `.

The server must not be running on the same data directory. On Kafka and a
ClickHouse server it may: its nodes change over to the new build. Exit status 3 means
that the live build was not what the log says; the new one has taken its place.`,
		Args:      cobra.OnlyValidArgs,
		ValidArgs: names,
	}, config.Log, config.Models)
	c.Flags().BoolVar(&all, "all", false, "all read models")
	c.RunE = func(c *cobra.Command, args []string) error {
		if all == (len(args) > 0) {
			return usageError{errors.New("give the names of read models, or --all")}
		}
		if all {
			args = names
		}
		cfg, _, err := load(c)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithCancel(c.Context())
		logger := telemetry.Logger(p.err, "warn", cfg.LogFormat)
		log, open, err := openLog(ctx, cfg, telemetry.NewMetrics(), logger)
		if err != nil {
			cancel()
			return err
		}
		db, err := openDB(cfg, logger)
		if err != nil {
			cancel()
			return errors.Join(err, open.close())
		}
		open.add(db.Close)
		t := tail.New(log, tail.Options{Restored: openSnapshots(cfg, log, logger).Restore(ctx)})
		engine := projections.New(db, t, models(), projections.Options{Log: logger, Share: share(cfg, projections.Bystander)})
		ended := make(chan error, 2)
		go func() { ended <- t.Run(ctx) }()
		go func() { ended <- engine.Run(ctx) }()
		go func() { // what ends by itself ends the replay
			err := <-ended
			cancel()
			ended <- err
		}()
		err = p.replayEach(ctx, engine, args)
		cancel()
		return errors.Join(err, <-ended, <-ended, open.close())
	}
	return c
}

func (p *program) replayEach(ctx context.Context, e *projections.Engine, names []string) error {
	type result struct {
		Projection string  `json:"projection"`
		Events     int64   `json:"events"`
		Seconds    float64 `json:"seconds"`
		Rate       float64 `json:"eventsPerSecond"`
		Compared   bool    `json:"compared"` // with the live build, if there was one to compare it with
		Differs    string  `json:"differs,omitempty"`
	}
	var results []result
	var found []string
	for _, name := range names {
		begun, shown := time.Now(), time.Time{}
		var last projections.Progress
		compared := false
		err := e.Replay(ctx, []string{name}, projections.Replaying{Throttle: 1, Progress: func(g projections.Progress) {
			if g.Phase == "filling" || last.Events == 0 { // a short log is filled between two looks
				last = g
			}
			compared = compared || g.Phase == "comparing"
			every, end := 5*time.Second, "\n"
			if p.terminal() {
				every, end = 100*time.Millisecond, "      \r"
			}
			if time.Since(shown) > every {
				shown = time.Now()
				left := ""
				if g.Rate > 0 && g.Phase == "filling" {
					left = fmt.Sprintf(", %s left", time.Duration(float64(max(g.Total-g.Events, 0))/g.Rate*float64(time.Second)).Round(time.Second))
				}
				fmt.Fprintf(p.err, "replay %s: %s, %d of %d events, %.0f/s%s%s", name, g.Phase, g.Events, g.Total, g.Rate, left, end)
			}
		}})
		r := result{Projection: name, Events: last.Events, Seconds: time.Since(begun).Seconds(), Rate: last.Rate, Compared: compared}
		var differs *projections.DiffersError
		if errors.As(err, &differs) {
			r.Differs = differs.Error()
			found = append(found, r.Differs)
		} else if err != nil {
			return err
		}
		results = append(results, r)
		if !p.asJSON {
			verdict := "equal to the live build, now live"
			switch {
			case r.Differs != "":
				verdict = "DIFFERS and took its place: " + r.Differs
			case !compared:
				verdict = "now live; there was no build to compare it with"
			}
			fmt.Fprintf(p.out, "%s: %d events in %.1f s, %.0f/s; %s\n", name, r.Events, r.Seconds, r.Rate, verdict)
		}
	}
	if p.asJSON {
		if err := p.json(results); err != nil {
			return err
		}
	}
	if len(found) > 0 {
		return &Finding{Text: strings.Join(found, "; ")}
	}
	return nil
}
