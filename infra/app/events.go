package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"lishi/events"
	"lishi/infra/broker"
	"lishi/infra/config"
	"lishi/infra/console"
	"lishi/infra/explore"
	"lishi/infra/kafka"
)

// eventsWanted is what `lishi events` was asked for.
type eventsWanted struct {
	position      *events.Position
	stream        events.Stream
	after, before string
	first         bool
	limit         int
}

func (p *program) events() *cobra.Command {
	var w eventsWanted
	c := settings(&cobra.Command{
		Use:   "events POSITION|STREAM [--after POSITION|--before POSITION|--first] [--limit 100]",
		Short: "Show one event, or the events of a stream",
		Long: `Show one event by its position (c3-182736): envelope, payload as it was written and
in the newest version, whether it counts and if not why, its neighbours, what it
rests on and what rests on it. Or the events of a stream, the newest unless
--after, --before or --first says which:

  g|GROUP      a group            p|USER|USER  the conversation of two
  u|USER       a user             a|USER       what an auditor looked at

The log is read itself: on Kafka at any time, embedded while no server runs on the
data directory. Where one does, or --console names one, its console is asked
(--token, --reason). Which of the two is said on stderr.`,
		Args: cobra.ExactArgs(1),
	}, config.Log, config.Console, config.Tokens)
	askFlags(c)
	c.Flags().StringVar(&w.after, "after", "", "only events of the stream after this position")
	c.Flags().StringVar(&w.before, "before", "", "only the last events of the stream before this position")
	c.Flags().BoolVar(&w.first, "first", false, "from the beginning of the stream")
	c.Flags().IntVar(&w.limit, "limit", 100, fmt.Sprintf("events of a stream at most, up to %d", explore.MostEvents))
	c.MarkFlagsMutuallyExclusive("after", "before", "first")
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := w.parse(args[0]); err != nil {
			return usageError{err}
		}
		return p.read(c, w.atRest, w.ofServer(args[0]))
	}
	return c
}

func (w *eventsWanted) parse(what string) (err error) {
	if strings.Contains(what, "|") {
		if w.stream, err = events.ParseKey(what); err != nil {
			return fmt.Errorf("%q is not a stream: g|GROUP, p|USER|USER (the smaller id first) or u|USER", what)
		}
	} else {
		at, err := events.ParsePosition(what)
		if err != nil {
			return fmt.Errorf("%q is neither a position (c3-182736) nor a stream (g|GROUP)", what)
		}
		w.position = &at
	}
	if w.limit < 1 || w.limit > explore.MostEvents {
		return fmt.Errorf("--limit is 1 to %d", explore.MostEvents)
	}
	for _, at := range []string{w.after, w.before} {
		if _, err := events.ParsePosition(at); at != "" && err != nil {
			return err
		}
	}
	return nil
}

// read answers from the log at rest, or has the running server answer.
func (p *program) read(c *cobra.Command, atRest func(ctx context.Context, p *program, a kafka.AtRest) (shown, error), ofServer func(ctx context.Context, client *console.Client) (shown, error)) (err error) {
	cfg, _, err := load(c)
	if err != nil {
		return err
	}
	var answer shown
	a, open, err := (*kafka.Archive)(nil), closers(nil), broker.ErrInUse
	if !c.Flags().Changed("console") {
		a, open, err = p.archive(c.Context(), cfg)
	}
	switch {
	case err == nil:
		fmt.Fprintf(p.err, "from log %s at rest\n", a.LogID)
		answer, err = atRest(c.Context(), p, kafka.AtRest{Archive: a})
		err = errors.Join(err, open.close())
	case errors.Is(err, broker.ErrInUse):
		client, failed := p.ask(c, cfg, console.Admin)
		if failed != nil {
			return failed
		}
		fmt.Fprintf(p.err, "from the server at %s\n", client.Base)
		answer, err = ofServer(c.Context(), client)
	}
	if err != nil {
		return misused(err)
	}
	if p.asJSON {
		return p.json(answer)
	}
	return answer.show(p.out)
}

// shown is an answer for people and for programs.
type shown interface{ show(to io.Writer) error }

// misused tells what was asked wrongly from what failed.
func misused(err error) error {
	var refused *console.Error
	if errors.Is(err, explore.ErrMisuse) || errors.As(err, &refused) && (refused.Reason == console.BadRequest || refused.Reason == console.ReasonMissing) {
		return usageError{err}
	}
	return err
}

func (w *eventsWanted) atRest(ctx context.Context, p *program, log kafka.AtRest) (shown, error) {
	part := log.Layout().Partition(w.stream)
	if w.position != nil {
		part = w.position.Partition
	}
	x, err := p.judged(ctx, log, part)
	if err != nil {
		return nil, err
	}
	if w.position != nil {
		d, err := x.Read(ctx, *w.position)
		return detail{d}, err
	}
	found, err := x.Stream(ctx, w.stream, w.page())
	return listed{found}, err
}

// judged folds a partition that nobody folds, so that its records have verdicts.
func (p *program) judged(ctx context.Context, log kafka.AtRest, parts ...events.Partition) (*explore.Reader, error) {
	show, finish := p.progress("records")
	defer finish()
	book, err := explore.Judge(ctx, log, parts, func(part events.Partition, done, total int64) { show("reading "+part.String(), done, total) })
	return &explore.Reader{Log: log, Book: book}, err
}

func (w *eventsWanted) page() explore.Page {
	page := explore.Page{Limit: w.limit, After: events.Start}
	switch {
	case w.after != "":
		at, _ := events.ParsePosition(w.after)
		page.After = at.Offset
	case w.before != "":
		at, _ := events.ParsePosition(w.before)
		page.Before = max(at.Offset, 1)
	case !w.first:
		page.Before = math.MaxInt64
	}
	return page
}

// ofServer asks the console until the page is full or the stream is at its end.
func (w *eventsWanted) ofServer(what string) func(context.Context, *console.Client) (shown, error) {
	return func(ctx context.Context, client *console.Client) (shown, error) {
		if w.position != nil {
			d := &explore.Detail{}
			err := client.Get(ctx, "/api/events/"+what, nil, d)
			return detail{d}, err
		}
		all := &explore.Events{}
		params := url.Values{"stream": {what}, "after": {w.after}, "before": {w.before}, "from": {"end"}}
		if w.first {
			params.Set("from", "start")
		}
		for {
			params.Set("limit", strconv.Itoa(w.limit-len(all.Events)))
			part := &explore.Events{}
			if err := client.Get(ctx, "/api/streams/events", params, part); err != nil {
				return nil, err
			}
			up := w.first || w.after != ""
			all = joined(all, part, up)
			if !part.Incomplete || len(all.Events) >= w.limit {
				return listed{all}, nil
			}
			if up {
				params.Set("after", part.Next.String())
			} else {
				params.Set("before", part.Previous.String())
			}
		}
	}
}

// joined are two parts of a stream, the second behind or in front of the first.
func joined(all, part *explore.Events, behind bool) *explore.Events {
	if all.Stream == "" {
		return part
	}
	out := *part
	out.Scanned += all.Scanned
	if behind {
		out.Events, out.Previous = append(all.Events, part.Events...), all.Previous
	} else {
		out.Events, out.Next = append(part.Events, all.Events...), all.Next
	}
	return &out
}

// detail is one event as it is printed.
type detail struct{ *explore.Detail }

func (d detail) MarshalJSON() ([]byte, error) { return json.Marshal(d.Detail) }

func (d detail) show(to io.Writer) error {
	e := d.Detail.Event
	line(to, e)
	field := func(name, value string) {
		if value != "" {
			fmt.Fprintf(to, "  %-10s %s\n", name, value)
		}
	}
	field("why void", e.Why)
	field("problem", e.Problem)
	field("id", e.ID.String())
	field("request", e.Request)
	field("said", e.Said)
	field("recorded", e.Recorded)
	if e.Revision > 0 {
		field("revision", fmt.Sprintf("%d after %s", e.Revision, orDash(e.Prev.String())))
	}
	if e.Basis != nil {
		field("basis", strconv.FormatInt(*e.Basis, 10))
	}
	if e.Raw != nil {
		field("key", e.Raw.Key)
		for _, h := range e.Raw.Headers {
			fmt.Fprintf(to, "    %-20s %s\n", h.Name, h.Value)
		}
		field("value", e.Raw.Value)
	}
	if e.Raw == nil || string(e.Payload) != e.Raw.Value {
		field("payload", string(e.Payload))
	}
	links := func(name string, ls []explore.Link) {
		if len(ls) > 0 {
			fmt.Fprintln(to, name)
		}
		for _, l := range ls {
			fmt.Fprintf(to, "  %-14s ", l.Relation)
			line(to, l.Event)
		}
	}
	links("rests on", d.Causes)
	links("on it rest", d.Effects)
	fmt.Fprintln(to, "beside it")
	for _, n := range d.Before {
		fmt.Fprint(to, "  ")
		line(to, n)
	}
	for _, n := range d.After {
		fmt.Fprint(to, "  ")
		line(to, n)
	}
	if !d.Searched.Whole {
		fmt.Fprintf(to, "cause and effects were looked for at the offsets %d to %d alone\n", d.Searched.From, d.Searched.To)
	}
	return nil
}

// listed are the events of a stream as they are printed.
type listed struct{ *explore.Events }

func (l listed) MarshalJSON() ([]byte, error) { return json.Marshal(l.Events) }

func (l listed) show(to io.Writer) error {
	if len(l.Events.Events) == 0 {
		fmt.Fprintln(to, "no events")
	}
	for _, e := range l.Events.Events {
		line(to, e)
		fmt.Fprintf(to, "  %s\n", orDash(string(e.Payload)+e.Problem))
	}
	if l.Next != nil {
		fmt.Fprintf(to, "newer ones: --after %s\n", l.Next)
	}
	if l.Previous != nil {
		fmt.Fprintf(to, "older ones: --before %s\n", l.Previous)
	}
	return nil
}

// line prints an event in one line.
func line(to io.Writer, e explore.Event) {
	verdict := orDash(e.Verdict)
	if e.Void {
		verdict = "VOID: " + e.Verdict
	}
	fmt.Fprintf(to, "%s  %s  %s  %s  by %s  %s\n", e.Position, orDash(e.Recorded), orDash(e.Type), orDash(e.Stream), orDash(e.Actor), verdict)
}
