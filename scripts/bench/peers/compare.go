package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"lishi/infra/bench"
)

// work is one load; every server gets the same.
type work struct {
	name string
	run  func(context.Context, bench.Server) (bench.Report, error)
	rate func(bench.Report) float64 // what is compared
}

func works(d time.Duration) []work {
	messages := func(r bench.Report) float64 { return r.PerSecond }
	deliveries := func(r bench.Report) float64 { return r.DeliveredS }
	pairs := func(n, depth int, offered float64) func(context.Context, bench.Server) (bench.Report, error) {
		return bench.Pairs{Pairs: n, Depth: depth, Rate: offered, Bytes: 200, Duration: d}.Run
	}
	group := func(depth int) func(context.Context, bench.Server) (bench.Report, error) {
		return bench.Group{Members: 1000, Depth: depth, Bytes: 200, Duration: d}.Run
	}
	return []work{
		{name: "1 pair × 1, messages/s", run: pairs(1, 1, 0), rate: messages},
		{name: "50 pairs × 1, messages/s", run: pairs(50, 1, 0), rate: messages},
		{name: "100 pairs × 8, messages/s", run: pairs(100, 8, 0), rate: messages},
		{name: "group of 1000 × 1, deliveries/s", run: group(1), rate: deliveries},
		{name: "group of 1000 × 8, deliveries/s", run: group(8), rate: deliveries},
		{name: "50 pairs, 5000/s offered", run: pairs(50, 1, 5000), rate: messages},
	}
}

func compare(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("compare", flag.ExitOnError)
	lishi := flags.String("lishi", "bin/lishi", "the program lishi")
	redis := flags.String("redis", "redis-server", "the program redis-server; empty: without it")
	rounds := flags.Int("rounds", 5, "how often each server gets its turn")
	seconds := flags.Float64("seconds", 5, "of each load")
	only := flags.String("only", "", "the load with this name alone")
	flags.Parse(args)
	dir, err := os.MkdirTemp("", "peers-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	all := contestants(*lishi, *redis)
	loads := works(time.Duration(*seconds * float64(time.Second)))
	if *only != "" {
		loads = slices.DeleteFunc(loads, func(w work) bool { return w.name != *only })
	}
	seen := map[string][]bench.Report{}
	for round := range *rounds {
		for _, c := range all {
			if err := c.turn(ctx, dir, func(s bench.Server) error {
				for _, w := range loads {
					r, err := w.run(ctx, s)
					if err != nil {
						return fmt.Errorf("%s: %s: %w", c.name, w.name, err)
					}
					fmt.Fprintf(os.Stderr, "round %d %-16s %s\n", round+1, c.name, r)
					seen[c.name+w.name] = append(seen[c.name+w.name], r)
				}
				return nil
			}); err != nil {
				return err
			}
		}
	}
	t := tabwriter.NewWriter(os.Stdout, 2, 8, 2, ' ', 0)
	fmt.Fprintf(t, "medians of %d rounds\tserver\tper second\tof lishi's\tsend to push p50 ms\tp99 ms\n", *rounds)
	for _, w := range loads {
		own := median(seen[all[0].name+w.name], w.rate)
		for i, c := range all {
			name := w.name
			if i > 0 {
				name = ""
			}
			rs := seen[c.name+w.name]
			rate := median(rs, w.rate)
			fmt.Fprintf(t, "%s\t%s\t%.0f\t%.2f\t%.2f\t%.2f\n", name, c.name, rate, rate/own,
				median(rs, func(r bench.Report) float64 { return float64(r.Push.P50) / 1e3 }),
				median(rs, func(r bench.Report) float64 { return float64(r.Push.P99) / 1e3 }))
		}
	}
	return t.Flush()
}

func median(rs []bench.Report, of func(bench.Report) float64) float64 {
	values := make([]float64, len(rs))
	for i, r := range rs {
		values[i] = of(r)
	}
	slices.Sort(values)
	return values[len(values)/2]
}
