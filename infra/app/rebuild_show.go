package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"lishi/infra/console"
	"lishi/projections"
)

// follow runs a job, shows its progress on stderr, and its end on stdout.
func (p *program) follow(ctx context.Context, d desk, kind string, names []string, req console.ReplayRequest) error {
	last := map[string]projections.Progress{}
	var ends []*console.JobEnd
	var begun []int
	s := shower{p: p, kind: kind, shown: time.Now()}
	err := d.job(ctx, kind, names, req, func(l console.JobLine) {
		switch {
		case l.Job != nil:
			begun = append(begun, l.Job.ID)
		case l.Progress != nil:
			last[l.Progress.Projection] = *l.Progress
			s.show(names, last)
		case l.End != nil:
			ends = append(ends, l.End)
		}
	})
	s.end()
	if err != nil {
		return err
	}
	if len(ends) == 0 { // detached
		if p.asJSON {
			return p.json(map[string]any{"jobs": begun})
		}
		_, err := fmt.Fprintf(p.out, "the server goes on with job %s\n", strings.Trim(fmt.Sprint(begun), "[]"))
		return err
	}
	return p.rebuilt(kind, names, last, ends)
}

// rebuilt shows how a job ended. What was found wrong is a Finding.
func (p *program) rebuilt(kind string, names []string, last map[string]projections.Progress, ends []*console.JobEnd) error {
	var wrong []string
	var failed error
	var verified []*projections.Verification
	for _, e := range ends {
		wrong = append(wrong, e.Wrong...)
		if e.Error != "" && failed == nil {
			failed = errors.New(e.Error)
		}
		if e.Verification != nil {
			verified = append(verified, e.Verification)
		}
	}
	if failed != nil {
		return failed
	}
	results := []projections.Progress{}
	for _, name := range names {
		if g, ok := last[name]; ok {
			results = append(results, g)
		}
	}
	switch {
	case p.asJSON && kind == "verify":
		if err := p.json(map[string]any{"verification": verified, "wrong": append([]string{}, wrong...)}); err != nil {
			return err
		}
	case p.asJSON:
		if err := p.json(results); err != nil {
			return err
		}
	case kind == "verify":
		for _, v := range verified {
			p.reportVerified(v)
		}
	default:
		for _, g := range results {
			fmt.Fprintf(p.out, "%s: build %d, %d events in %.1f s, %.0f/s; %s\n", g.Projection, g.Build, g.Events-g.From, g.Seconds, g.Rate, verdict(kind, g))
		}
	}
	if len(wrong) > 0 {
		return &Finding{Text: strings.Join(wrong, "; ")}
	}
	return nil
}

func verdict(kind string, g projections.Progress) string {
	switch {
	case g.Into != "":
		return "complete as " + g.Into
	case kind == "rollback":
		return "live again"
	case len(g.Differences) > 0:
		return "the live build DIFFERED, this one has taken its place: " + g.Differences[0].String()
	case !g.Compared:
		return "now live; there was no build to compare it with"
	}
	return "equal to the live build, now live"
}

func (p *program) reportVerified(v *projections.Verification) {
	for _, c := range v.Log {
		state := "no gap"
		if c.Gap != "" {
			state = "GAP at " + c.Gap
		}
		fmt.Fprintf(p.out, "%s: %d records, %d events, %d void; %s\n", c.Partition, c.Records, c.Events, c.Void, state)
	}
	for _, m := range v.Projections {
		if m.Problem != "" {
			fmt.Fprintf(p.out, "%s: %s\n", m.Projection, m.Problem)
		}
		for _, t := range m.Tables {
			state := "equal"
			if t.First != nil {
				state = projections.Difference{Table: t.Table, Live: t.Live, New: t.Rebuilt, First: *t.First}.String()
			}
			fmt.Fprintf(p.out, "%s.%s: %d rows, hash %016x%016x; %s\n", m.Projection, t.Table, t.Live.Rows, t.Live.Sum, t.Live.Xor, state)
		}
	}
}

// shower shows progress by partition: a table that stays in its place on a
// terminal, a line now and then elsewhere.
type shower struct {
	p     *program
	kind  string
	shown time.Time
	lines int
}

func (s *shower) show(names []string, last map[string]projections.Progress) {
	every := tellEvery
	if s.p.terminal() {
		every = 200 * time.Millisecond
	}
	if time.Since(s.shown) < every {
		return
	}
	s.shown = time.Now()
	// All builds are filled in one pass, so the one that is furthest behind speaks for all.
	var least *projections.Progress
	var of []string
	for _, name := range names {
		g, ok := last[name]
		if !ok || g.Phase == "live" || g.Phase == "complete" {
			continue
		}
		of = append(of, fmt.Sprintf("%s (build %d)", name, g.Build))
		if least == nil || g.Events < least.Events {
			least = &g
		}
	}
	if least == nil {
		return
	}
	left := time.Duration(least.Left * float64(time.Second)).Round(time.Second)
	if !s.p.terminal() {
		var parts []string
		for _, x := range least.Partitions {
			parts = append(parts, fmt.Sprintf("%s %d/%d", x.Partition, x.Events, x.Total))
		}
		fmt.Fprintf(s.p.err, "%s %s: %s, %d of %d events, %.0f/s, %s left (%s)\n", s.kind, strings.Join(of, ", "), least.Phase, least.Events, least.Total, least.Rate, left, strings.Join(parts, ", "))
		return
	}
	if s.lines > 0 {
		fmt.Fprintf(s.p.err, "\x1b[%dA\x1b[J", s.lines)
	}
	fmt.Fprintf(s.p.err, "%s %s: %s, %s left\n", s.kind, strings.Join(of, ", "), least.Phase, left)
	for _, x := range least.Partitions {
		fmt.Fprintf(s.p.err, "  %-4s %12d of %d events %10.0f/s  lag %d\n", x.Partition, x.Events, x.Total, x.Rate, x.Lag)
	}
	s.lines = len(least.Partitions) + 1
}

func (s *shower) end() {
	if s.lines > 0 {
		fmt.Fprintf(s.p.err, "\x1b[%dA\x1b[J", s.lines)
	}
}
