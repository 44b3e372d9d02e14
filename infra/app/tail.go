package app

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

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
The running server is asked, at the address of its console.

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
		err = client.Lines(c.Context(), http.MethodGet, "/api/tail", params, nil, p.item)
		if c.Context().Err() != nil {
			return c.Context().Err()
		}
		return misused(err)
	}
	return c
}

// item prints what a follower is told.
func (p *program) item(raw []byte) error {
	var i explore.Item
	if err := json.Unmarshal(raw, &i); err != nil {
		return err
	}
	var err error
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
