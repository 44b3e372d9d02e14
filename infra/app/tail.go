package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"lishi/events"
	"lishi/infra/config"
	"lishi/infra/console"
	"lishi/infra/explore"
)

func (p *program) tail() *cobra.Command {
	filter := map[string]*string{}
	rate := 0
	c := settings(&cobra.Command{
		Use:   "tail [--stream KEY] [--type TYPE] [--user ID] [--group ID] [--void only|no] [--from POSITION|start]",
		Short: "Show the events of a running server as they come",
		Long: `Show events as they come, each once it is judged, until Ctrl-C (exit status 130).
The running server is asked, at the address of its console. When it goes away, it is
asked again until it is back, and the tail goes on where it was.

Filters let pass what fits all of them: --stream g|GROUP, p|USER|USER or u|USER;
--type message.sent, or message for all of that family; --user by or about whom;
--group; --void only those that do not count, or none of those.

--from POSITION begins with the event there, and in the other partitions with what
comes from now on; several positions are joined by commas; start is the beginning
of the log. --rate bounds the events a second; of the rest is told how many there
were (on stderr; with --json a line {"skipped":N}).`,
		Args: cobra.NoArgs,
	}, config.Log, config.Console, config.Tokens)
	askFlags(c)
	for name, help := range map[string]string{
		"stream": "only this stream", "type": "only events of this type or family", "user": "only events by or about this user",
		"group": "only events of this group", "void": "only: those that do not count; no: only those that do", "from": "position to begin with, or start",
	} {
		filter[name] = c.Flags().String(name, "", help)
	}
	c.Flags().IntVar(&rate, "rate", 0, "events a second at most; 0: all of them")
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, _, err := load(c)
		if err != nil {
			return err
		}
		client, err := p.ask(c, cfg, console.Admin)
		if err != nil {
			return err
		}
		params := url.Values{"rate": {strconv.Itoa(rate)}}
		for name, value := range filter {
			if *value != "" {
				params.Set(name, *value)
			}
		}
		f := &following{program: p, client: client, params: params, seen: events.Cursor{}}
		return misused(f.run(c.Context()))
	}
	return c
}

// following is one `lishi tail`: it goes on behind what it has shown when the
// server was away.
type following struct {
	*program
	client *console.Client
	params url.Values
	begun  bool          // the server has answered once
	seen   events.Cursor // of each partition, what the server said it had passed
}

// againAfter is how long a tail waits before it asks again for a server that went away.
const againAfter = time.Second

// run ends with ctx, or with what the server refuses.
func (f *following) run(ctx context.Context) error {
	for away := false; ; {
		err := f.client.Lines(ctx, http.MethodGet, "/api/tail", f.params, nil, func(raw []byte) error {
			if away {
				away = false
				fmt.Fprintln(f.err, "the server is back")
			}
			return f.take(raw)
		})
		var refused *console.Error
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &refused) && refused.Reason != console.Unavailable, !f.begun, errors.Is(err, errShown):
			return err
		}
		if !away {
			away = true
			fmt.Fprintf(f.err, "the server at %s is away; asking again\n", f.client.Base)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(againAfter):
		}
	}
}

// errShown is that what came could not be read or printed.
var errShown = errors.New("an event could not be shown")

// take prints what the server tells, unless it was told before it went away.
func (f *following) take(raw []byte) error {
	var i explore.Item
	if err := json.Unmarshal(raw, &i); err != nil {
		return fmt.Errorf("%w: %w", errShown, err)
	}
	f.begun = true
	if i.Event != nil {
		if last, ok := f.seen[i.Event.Position.Partition]; ok && i.Event.Position.Offset <= last {
			return nil
		}
		f.seen.Advance(i.Event.Position)
	}
	if i.At != "" {
		if err := f.reached(i.At); err != nil {
			return err
		}
	}
	if err := f.item(i, raw); err != nil {
		return fmt.Errorf("%w: %w", errShown, err)
	}
	return nil
}

// reached makes what follows the cursor the place to go on from.
func (f *following) reached(at string) error {
	reached, err := events.ParseCursor(at)
	if err != nil {
		return fmt.Errorf("%w: %w", errShown, err)
	}
	next := events.Cursor{}
	for p, o := range reached {
		f.seen.Advance(events.Position{Partition: p, Offset: o})
		next[p] = f.seen[p] + 1
	}
	f.params.Set("from", next.String())
	return nil
}

// item prints what a follower is told.
func (p *program) item(i explore.Item, raw []byte) (err error) {
	switch {
	case i.Event == nil && i.Skipped == 0:
	case p.asJSON:
		_, err = fmt.Fprintf(p.out, "%s\n", raw)
	case i.Skipped > 0:
		_, err = fmt.Fprintf(p.err, "%d skipped\n", i.Skipped)
	default:
		line(p.out, *i.Event)
		_, err = fmt.Fprintf(p.out, "  %s\n", orDash(string(i.Event.Payload)+i.Event.Problem))
	}
	return err
}
