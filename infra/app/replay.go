package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"lishi/events"
	"lishi/events/tail"
	"lishi/infra/config"
	"lishi/infra/console"
	"lishi/projections"
)

// modelNames lists the read models.
func modelNames() (names []string) {
	for _, m := range models() {
		names = append(names, m.Name())
	}
	return names
}

// readModels takes their names as arguments.
func readModels(_ *cobra.Command, args []string) error {
	for _, name := range args {
		if !slices.Contains(modelNames(), name) {
			return fmt.Errorf("there is no read model %q; there are: %s", name, strings.Join(modelNames(), ", "))
		}
	}
	return nil
}

// whereWorked is how commands on read models say where they work.
const whereWorked = `At rest, the log and the read models are opened here, which no server may have open
then. Where one has, or --console names one, its console is asked (--token; role
admin), and people go on chatting. On Kafka and a ClickHouse server the command works
itself beside the nodes, which change over. Which of these is said on stderr.`

func (p *program) replay() *cobra.Command {
	names := modelNames()
	var all, status, rollback, stop, detach bool
	var discard uint32
	var throttle string
	var req console.ReplayRequest
	c := settings(&cobra.Command{
		Use:   "replay NAME… | --all",
		Short: "Rebuild read models from the first event, beside the live ones",
		Long: `Rebuild read models: a new build is filled beside the live one from the first
event, catches up, is compared with it, and made live. The old build stays for
--rollback until --discard, or the next replay but one. Interrupted, by Ctrl-C or
kill -9, the same command goes on from the last checkpoint.

With --into the build gets a name, never becomes live, and shows the rows as of
--to: to compare, and to look into the past by SQL (messages__NAME).

The read models are: ` + strings.Join(names, ", ") + `.

` + whereWorked + `

Exit status 3 means that the live build was not what the log says, and names the first
position that differs; the new build has taken its place.`,
		Example: `  lishi replay history                    rebuild one, while people chat
  lishi replay --all --throttle off       all of them in one pass, as fast as it goes
  lishi replay --all --dry-run            what it would read, and how long it may take
  lishi replay history --into before --to 2026-11-23T09:00:00Z
  lishi replay --status                   builds, lag, jobs
  lishi replay history --rollback         the build before answers again
  lishi replay history --discard 7        drop a build that is not live`,
		Args:      readModels,
		ValidArgs: names,
	}, config.Log, config.Models, config.Console, config.Tokens)
	askFlags(c)
	c.Flags().BoolVar(&all, "all", false, "all read models")
	c.Flags().BoolVar(&status, "status", false, "show builds, lag by partition, and jobs")
	c.Flags().BoolVar(&rollback, "rollback", false, "make the build before the live one answer again")
	c.Flags().Uint32Var(&discard, "discard", 0, "drop the `build` of this number: the one before the live one, an interrupted or a named one")
	c.Flags().BoolVar(&stop, "stop", false, "interrupt the running server's replay of the read models named")
	c.Flags().StringVar(&req.Into, "into", "", "a name for the build, which then never becomes live")
	c.Flags().StringVar(&req.To, "to", "", "as of this `moment`: a time, a position, or positions joined by commas (with --into)")
	c.Flags().BoolVar(&req.DryRun, "dry-run", false, "only tell what would be done")
	c.Flags().BoolVar(&detach, "detach", false, "on a running server: don't wait for the end")
	throttleFlag(c, &throttle)
	c.MarkFlagsMutuallyExclusive("status", "rollback", "discard", "stop", "dry-run", "into")
	c.RunE = func(c *cobra.Command, args []string) (err error) {
		if status && !all && len(args) == 0 {
			all = true
		}
		if all && len(args) > 0 {
			return usageError{errors.New("give names of read models or --all, not both")}
		}
		if !all && len(args) == 0 {
			return usageError{errors.New("give the names of read models, or --all")}
		}
		if (rollback || discard > 0) && (all || len(args) != 1) {
			return usageError{errors.New("give the name of one read model")}
		}
		if req.Throttle, err = parseThrottle(throttle); err != nil {
			return usageError{err}
		}
		if err := (projections.Replaying{Into: req.Into}).Check(); err != nil {
			return usageError{err}
		}
		if req.To != "" && req.Into == "" {
			return usageError{errors.New("--to needs --into: a build that becomes live can't end before the log does")}
		}
		req.Detach = detach
		if all {
			args = names
		}
		return p.rebuild(c, func(ctx context.Context, d desk) error {
			switch {
			case status:
				return p.showStatus(ctx, d, args)
			case discard > 0:
				return p.discardBuild(ctx, d, args[0], discard)
			case stop:
				return d.stop(ctx, args)
			case req.DryRun:
				return p.showPlan(ctx, d, args, req)
			case rollback:
				return p.follow(ctx, d, "rollback", args, req)
			}
			return p.follow(ctx, d, "replay", args, req)
		})
	}
	return c
}

func (p *program) verify() *cobra.Command {
	names := modelNames()
	var throttle string
	var detach bool
	c := settings(&cobra.Command{
		Use:   "verify [NAME…]",
		Short: "Hold the read models against the log",
		Long: `Verify that the log has every offset, and that the rows of the live read models (all,
or those named) are what the log makes: they are built a second time from the first
event, beside the live ones, counted, and compared by an order-independent hash of
every table. Nothing is changed; the second build is dropped at the end. Ctrl-C ends it,
in the server too.

` + whereWorked + `

Exit status 3 means that something is wrong; the first difference of each table is
named by its position. "lishi replay" mends it.`,
		Example: `  lishi verify
  lishi verify history search --json`,
		Args:      readModels,
		ValidArgs: names,
	}, config.Log, config.Models, config.Console, config.Tokens)
	askFlags(c)
	throttleFlag(c, &throttle)
	c.Flags().BoolVar(&detach, "detach", false, "on a running server: don't wait for the end")
	c.RunE = func(c *cobra.Command, args []string) (err error) {
		req := console.ReplayRequest{Detach: detach}
		if req.Throttle, err = parseThrottle(throttle); err != nil {
			return usageError{err}
		}
		if len(args) == 0 {
			args = names
		}
		return p.rebuild(c, func(ctx context.Context, d desk) error { return p.follow(ctx, d, "verify", args, req) })
	}
	return c
}

func throttleFlag(c *cobra.Command, into *string) {
	c.Flags().StringVar(into, "throttle", "", fmt.Sprintf("the part of the time that it may take while people chat, like 20%%, or off (default: %.0f%% on a running server, off at rest)", 100*projections.DefaultThrottle))
}

// parseThrottle reads "20%" or "off"; nothing is 0, the default.
func parseThrottle(s string) (float64, error) {
	switch s {
	case "":
		return 0, nil
	case "off":
		return 1, nil
	}
	n, err := strconv.ParseFloat(strings.TrimSuffix(s, "%"), 64)
	if err != nil || !strings.HasSuffix(s, "%") || n < 1 || n > 100 {
		return 0, fmt.Errorf("--throttle is a part of the time from 1%% to 100%%, or off, not %q", s)
	}
	return n / 100, nil
}

// cursorAt reads a time, a position, or positions joined by commas, as a cursor of
// all partitions: the last record of each that was written by then.
func cursorAt(ctx context.Context, t *tail.Tail, text string) (events.Cursor, error) {
	for _, form := range []string{time.RFC3339Nano, "2006-01-02T15:04Z07:00"} {
		if then, err := time.Parse(form, text); err == nil {
			return t.AsOf(ctx, then)
		}
	}
	at, err := events.ParseCursor(text)
	if err != nil || len(at) == 0 {
		return nil, fmt.Errorf("%q is neither a time like 2026-11-23T09:00:00Z nor a position like c3-182736", text)
	}
	c, _, err := t.AsOfPositions(ctx, at)
	return c, err
}

func (p *program) showStatus(ctx context.Context, d desk, names []string) error {
	all, jobs, err := d.status(ctx)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(s projections.Status) bool { return !slices.Contains(names, s.Projection) })
	if p.asJSON {
		return p.json(map[string]any{"projections": all, "jobs": jobs})
	}
	w := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "READ MODEL\tVERSION\tBUILD\tSTATE\tEVENTS\tROWS\tMB\tLAG")
	for _, s := range all {
		lag := int64(0)
		for _, l := range s.Lag {
			lag += l.Events
		}
		for _, b := range s.Builds {
			behind := "-"
			if b.State == "live" {
				behind = fmt.Sprint(lag)
			}
			state := b.State
			if b.Named != "" {
				state += " " + b.Named
			}
			fmt.Fprintf(w, "%s\t%d\t%d\t%s\t%d\t%d\t%.1f\t%s\n", s.Projection, b.Version, b.Build, state, b.Events, b.Rows, float64(b.Bytes)/1e6, behind)
		}
		if s.Problem != "" {
			fmt.Fprintf(w, "%s\t%d\t-\t%s\t\t\t\t\n", s.Projection, s.Version, s.Problem)
		}
	}
	for _, j := range jobs {
		if !j.Over {
			fmt.Fprintf(w, "job %d: %s %s\n", j.ID, j.Kind, strings.Join(j.Names, ", "))
		}
	}
	return w.Flush()
}

func (p *program) discardBuild(ctx context.Context, d desk, name string, build uint32) error {
	if err := d.discard(ctx, name, build); err != nil {
		return err
	}
	if p.asJSON {
		return p.json(map[string]any{"projection": name, "discarded": build})
	}
	_, err := fmt.Fprintf(p.out, "%s: build %d is discarded\n", name, build)
	return err
}

func (p *program) showPlan(ctx context.Context, d desk, names []string, req console.ReplayRequest) error {
	plans, err := d.plan(ctx, names, req)
	if err != nil {
		return err
	}
	if p.asJSON {
		return p.json(plans)
	}
	for _, x := range plans {
		how := "a new build"
		if x.Resumes > 0 {
			how = fmt.Sprintf("going on with build %d", x.Resumes)
		}
		fmt.Fprintf(p.out, "%s: %s, %d events to read, about %s while nobody chats; tables %s; about %.1f MB of disk\n", x.Projection, how, x.Events,
			time.Duration(x.Seconds*float64(time.Second)).Round(time.Second), strings.Join(x.Tables, ", "), float64(x.Bytes)/1e6)
		if x.Drops > 0 {
			fmt.Fprintf(p.out, "  build %d, which was live before, is dropped afterwards\n", x.Drops)
		}
		if x.Busy != "" {
			fmt.Fprintf(p.out, "  it would be refused now: %s\n", x.Busy)
		}
	}
	return nil
}
