package app

import (
	"cmp"
	"context"
	"maps"
	"math"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"lishi/infra/console"
	"lishi/infra/telemetry"
)

// What the history of a node's figures is made of.
const (
	sampleEvery = 5 * time.Second
	samplesKept = 180 // a quarter of an hour
	nowIs       = 30 * time.Second
	endPatience = 2 * time.Second
)

// What is wrong from when on.
const (
	lagWarns, lagIsBad       = 10.0, 60.0 // seconds
	behindWarns              = 10_000     // records that were not folded yet
	diskWarns, diskIsBad     = 0.15, 0.05 // share that is free
	diskLeast                = 1 << 30    // bytes
	descriptorsWarn, descBad = 0.8, 0.95  // share in use
)

// overview tells how this node is.
func (n *node) overview(ctx context.Context) console.Overview {
	now := time.Now()
	o := console.Overview{
		About: n.about(), Time: console.Time(now), Started: console.Time(n.started), Problems: []console.Problem{},
		Resources: resources(n.cfg.Data),
	}
	checks := n.checks(ctx)
	for _, name := range slices.Sorted(maps.Keys(checks)) {
		o.Checks = append(o.Checks, console.Check{Name: name, Ready: checks[name].Ready, Detail: checks[name].Detail})
	}
	samples := n.history.Samples(now)
	last := samples[len(samples)-1]
	o.Now = rates(since(samples, now.Add(-nowIs)), last)
	people := 0
	for range n.server.Present() {
		people++
	}
	o.Now.People = &people
	o.History = []console.Rates{}
	for i := 1; i < len(samples)-1; i++ { // the last one comes after any time
		o.History = append(o.History, rates(samples[i-1], samples[i]))
	}
	n.tellPartitions(ctx, &o)
	n.tellProjections(&o)
	o.Problems = problems(o, since(samples, now.Add(-time.Minute)), samples[0], last)
	return o
}

// since is the sample nearest before a time, or the first.
func since(samples []telemetry.Sample, at time.Time) telemetry.Sample {
	for _, s := range slices.Backward(samples) {
		if !s.At.After(at) {
			return s
		}
	}
	return samples[0]
}

func rates(from, to telemetry.Sample) console.Rates {
	seconds := max(to.At.Sub(from.At).Seconds(), 0.001)
	a := func(from, to float64) float64 { return math.Round(max(to-from, 0)/seconds*1000) / 1000 }
	return console.Rates{
		At: console.Time(to.At), Connections: to.Connections, Requests: a(from.Requests, to.Requests), Failed: a(from.Failed, to.Failed),
		Events: a(from.Appended, to.Appended), Pushes: a(from.Pushes, to.Pushes),
		Median: quantile(0.5, from, to), P99: quantile(0.99, from, to),
	}
}

// quantile is nil where there were no requests; beyond the buckets it is their end.
func quantile(q float64, from, to telemetry.Sample) *float64 {
	v := telemetry.Quantile(q, from, to)
	if math.IsNaN(v) {
		return nil
	}
	v = min(v, 10)
	return &v
}

func (n *node) tellPartitions(ctx context.Context, o *console.Overview) {
	ctx, cancel := context.WithTimeout(ctx, endPatience)
	defer cancel()
	folded := n.tail.Folded()
	ends, err := n.log.End(ctx)
	for _, p := range n.tail.Book().Layout().Partitions() {
		at := console.Partition{Partition: p.String(), Folded: folded[p]}
		if end, ok := ends[p]; ok && err == nil {
			at.End, at.Behind = &end, max(end-folded[p], 0)
		}
		o.Partitions = append(o.Partitions, at)
	}
}

func (n *node) tellProjections(o *console.Overview) {
	problems := n.engine.Problems()
	byName := map[string]*console.Projection{}
	for _, m := range models() {
		byName[m.Name()] = &console.Projection{Name: m.Name(), Problem: problems[m.Name()], Partitions: []console.PartitionsLag{}}
	}
	for _, lag := range n.engine.Lag() {
		p := byName[lag.Projection]
		if p == nil {
			continue
		}
		p.Build = lag.Build
		p.Events += lag.Events
		p.Seconds = max(p.Seconds, lag.Seconds)
		p.Partitions = append(p.Partitions, console.PartitionsLag{Partition: lag.Partition.String(), Events: lag.Events, Seconds: lag.Seconds})
	}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		o.Projections = append(o.Projections, *byName[name])
	}
}

// problems finds what is wrong in what is told.
func problems(o console.Overview, minuteAgo, first, last telemetry.Sample) []console.Problem {
	all := []console.Problem{}
	found := func(bad bool, what, subject string, value float64, detail string) {
		all = append(all, console.Problem{Bad: bad, What: what, Subject: subject, Value: value, Detail: detail})
	}
	for _, c := range o.Checks {
		switch {
		case !c.Ready:
			found(true, console.NotReady, c.Name, 0, c.Detail)
		case c.Detail != "":
			found(false, console.OldKeys, c.Name, 0, c.Detail)
		}
	}
	for _, p := range o.Projections {
		if p.Seconds >= lagWarns {
			found(p.Seconds >= lagIsBad, console.Lagging, p.Name, p.Seconds, "")
		}
	}
	for _, p := range o.Partitions {
		if p.Behind >= behindWarns {
			found(false, console.FallingBehind, p.Partition, float64(p.Behind), "")
		}
	}
	if n := last.Failed - minuteAgo.Failed; n > 0 {
		found(n > 10, console.Failing, "", n, "")
	}
	if n := last.SlowReaders - first.SlowReaders; n > 0 {
		found(false, console.SlowReaders, "", n, "")
	}
	if r := o.Resources; r.DiskSize > 0 {
		if share := float64(r.DiskFree) / float64(r.DiskSize); share < diskWarns || r.DiskFree < diskLeast {
			found(share < diskIsBad || r.DiskFree < diskLeast, console.DiskFull, "", float64(r.DiskFree), "")
		}
	}
	if r := o.Resources; r.DescriptorLimit > 0 {
		if share := float64(r.Descriptors) / float64(r.DescriptorLimit); share > descriptorsWarn {
			found(share > descBad, console.FewDescriptors, "", share, "")
		}
	}
	slices.SortStableFunc(all, func(a, b console.Problem) int { return cmp.Compare(rank(a), rank(b)) })
	return all
}

func rank(p console.Problem) int {
	if p.Bad {
		return 0
	}
	return 1
}

// resources are what this process uses, as far as the system tells.
func resources(data string) console.Resources {
	r := console.Resources{CPUs: runtime.GOMAXPROCS(0)}
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) == nil {
		r.DescriptorLimit = uint64(limit.Cur)
	}
	if open, err := os.ReadDir("/proc/self/fd"); err == nil {
		r.Descriptors = len(open)
	}
	// size resident shared … in pages (proc(5)).
	if raw, err := os.ReadFile("/proc/self/statm"); err == nil {
		if fields := strings.Fields(string(raw)); len(fields) > 1 {
			pages, _ := strconv.ParseUint(fields[1], 10, 64)
			r.Memory = pages * uint64(os.Getpagesize())
		}
	}
	var fs syscall.Statfs_t
	if syscall.Statfs(data, &fs) == nil {
		r.DiskFree, r.DiskSize = uint64(fs.Bavail)*uint64(fs.Bsize), uint64(fs.Blocks)*uint64(fs.Bsize)
	}
	return r
}
