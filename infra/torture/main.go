// Command torture runs concurrent clients against a real lishi while nodes,
// brokers, the ClickHouse and the network between them are killed, stopped and
// cut off, and judges the histories: docs/torture.md says what is checked.
//
// Exit status: 0 all runs were fine, 1 it could not run, 2 misuse, 3 a violation.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/anishathalye/porcupine"

	"lishi/infra/torture/cluster"
	"lishi/infra/torture/history"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(command(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// settings are the flags.
type settings struct {
	runs   int
	seed   uint64
	shapes string
	length time.Duration
	keep   string
	all    bool
	goOn   bool
	calm   bool
	fault  string
	judge  string
}

func command(ctx context.Context, args []string, out, errs io.Writer) int {
	var s settings
	flags := flag.NewFlagSet("torture", flag.ContinueOnError)
	flags.SetOutput(errs)
	flags.IntVar(&s.runs, "runs", 100, "how many runs, each of another seed")
	flags.Uint64Var(&s.seed, "seed", 1, "the first run's seed; the next ones follow it")
	flags.StringVar(&s.shapes, "shapes", "A,B,C", "in turn: A one node with everything embedded, B one node on three brokers, C three nodes on three brokers")
	flags.DurationVar(&s.length, "length", 12*time.Second, "how long the clients work in a run")
	flags.StringVar(&s.keep, "keep", "", "folder for histories and logs of runs with violations (default: torture-kept in the folder of temporary files)")
	flags.BoolVar(&s.all, "keep-all", false, "keep the other runs' as well")
	flags.BoolVar(&s.goOn, "continue", false, "go on after a violation")
	flags.BoolVar(&s.calm, "calm", false, "no faults: the load alone")
	flags.StringVar(&s.fault, "fault", "", "plant this error in the program (see events/seededfault); the runs should find it")
	flags.StringVar(&s.judge, "judge", "", "judge a history.jsonl that was kept, and nothing else")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	if s.judge != "" {
		return judge(s.judge, out, errs)
	}
	var picked []shape
	for name := range strings.SplitSeq(s.shapes, ",") {
		found := false
		for _, sh := range shapes {
			if sh.name == name {
				picked, found = append(picked, sh), true
			}
		}
		if !found {
			fmt.Fprintf(errs, "torture: no shape %q; there are A, B and C\n", name)
			return 2
		}
	}
	if s.runs < 1 || s.length < 2*time.Second {
		fmt.Fprintln(errs, "torture: runs must be 1 or more, length 2s or more")
		return 2
	}
	violated, err := torture(ctx, s, picked, out)
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(errs, "interrupted")
		return 130
	case err != nil:
		fmt.Fprintln(errs, "torture:", err)
		return 1
	case violated:
		return 3
	}
	return 0
}

// torture carries out all runs.
func torture(ctx context.Context, s settings, picked []shape, out io.Writer) (violated bool, err error) {
	work, err := os.MkdirTemp("", "torture-*")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(work)
	o := options{length: s.length, dir: work, calm: s.calm, limit: 60 * time.Second}
	tags := ""
	if s.fault != "" {
		tags, o.env = "seededfault", []string{"SEEDED_FAULT=" + s.fault}
	}
	if o.program, err = cluster.Build(work, tags); err != nil {
		return false, err
	}
	var sum table
	defer func() { sum.write(out) }()
	for i := range s.runs {
		sh := picked[i%len(picked)]
		if sh.brokers > 0 && o.kafka == nil {
			root, err := module()
			if err != nil {
				return violated, err
			}
			if o.kafka, err = cluster.OpenKafka(root, filepath.Join(work, "kafka"), sh.brokers); err != nil {
				return violated, err
			}
			defer o.kafka.Close()
		}
		seed := s.seed + uint64(i)
		r, err := run(ctx, seed, sh, o)
		if ctx.Err() != nil {
			return violated, nil
		}
		if err != nil {
			return violated, fmt.Errorf("seed %d, shape %s: %w", seed, sh.name, err)
		}
		sum.add(r)
		if len(r.violations) == 0 {
			fmt.Fprintf(out, "seed %d shape %s: fine: %d commands, %d faults, %.0f s; after the last fault settled in %.1f s, then read everywhere in %.1f s\n",
				seed, sh.name, len(r.history.Ops), len(r.history.Faults), r.took.Seconds(), r.ready.Seconds(), r.shown.Seconds())
			if !s.all {
				os.RemoveAll(r.dir)
			} else if _, err := r.keep(s.keep); err != nil {
				return violated, err
			}
			continue
		}
		violated = true
		kept, err := r.keep(s.keep)
		if err != nil {
			return violated, err
		}
		fmt.Fprintf(out, "seed %d shape %s: %d VIOLATIONS, kept in %s\n", seed, sh.name, len(r.violations), kept)
		for i, v := range r.violations {
			if i == 5 {
				fmt.Fprintf(out, "  and %d more\n", len(r.violations)-i)
				break
			}
			fmt.Fprintf(out, "  %s\n", v)
		}
		if !s.goOn {
			return violated, nil
		}
	}
	return violated, nil
}

// module is the folder that the program is built from.
func module() (string, error) {
	raw, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "lishi").Output()
	return strings.TrimSpace(string(raw)), err
}

// keep moves a run's logs to where they stay, beside its history, what was found,
// and a drawing of each stream that makes no sense.
func (o *outcome) keep(folder string) (string, error) {
	if folder == "" {
		folder = filepath.Join(os.TempDir(), "torture-kept")
	}
	to := filepath.Join(folder, filepath.Base(o.dir))
	if err := os.RemoveAll(to); err != nil {
		return "", err
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return "", err
	}
	logs, _ := filepath.Glob(filepath.Join(o.dir, "*.log"))
	for _, l := range logs {
		raw, err := os.ReadFile(l)
		if err == nil {
			err = os.WriteFile(filepath.Join(to, filepath.Base(l)), raw, 0o644)
		}
		if err != nil {
			return "", err
		}
	}
	found := strings.Join(o.violations, "\n") + "\n\nplan:\n"
	for _, f := range o.plan {
		found += f.String() + "\n"
	}
	err := errors.Join(
		o.history.Save(filepath.Join(to, "history.jsonl")),
		os.WriteFile(filepath.Join(to, "violations.txt"), []byte(found), 0o644),
		o.draw(to), os.RemoveAll(o.dir))
	return to, err
}

func (o *outcome) draw(to string) error {
	var errs []error
	for i := range o.verdicts {
		if v := &o.verdicts[i]; v.Result == porcupine.Illegal {
			errs = append(errs, v.Draw(filepath.Join(to, fmt.Sprintf("stream-%d.html", i))))
		}
	}
	return errors.Join(errs...)
}

// judge looks at a history that was kept.
func judge(file string, out, errs io.Writer) int {
	h, err := history.Load(file)
	if err != nil {
		fmt.Fprintln(errs, "torture:", err)
		return 1
	}
	o := &outcome{history: h}
	o.judge()
	for _, v := range o.violations {
		fmt.Fprintln(out, v)
	}
	if err := o.draw(filepath.Dir(file)); err != nil {
		fmt.Fprintln(errs, "torture:", err)
		return 1
	}
	fmt.Fprintf(out, "%d violations\n", len(o.violations))
	if len(o.violations) > 0 {
		return 3
	}
	return 0
}
