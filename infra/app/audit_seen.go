package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"lishi/events"
	"lishi/infra/config"
	"lishi/infra/console"
	"lishi/infra/explore"
	"lishi/infra/kafka"
	"lishi/infra/visible"
)

// seenWanted is what `lishi audit seen` was asked for.
type seenWanted struct {
	user, from, to, stream, after string
	limit                         int

	begin, end time.Time
	in         events.Stream
}

func (p *program) auditSeen() *cobra.Command {
	var w seenWanted
	c := settings(&cobra.Command{
		Use:   "seen --user ID [--from TIME] [--to TIME] [--stream KEY [--after POSITION] [--limit 100]]",
		Short: "Say what a user could see between two times",
		Long: `Say of which conversations a user could see what was recorded after --from and not
after --to (2026-01-02T15:04:05Z, or a day, which begins in UTC): how much, with
the events that began and ended each membership. With --stream, what it was:
messages, edits and recalls of that conversation, page by page.

Groups of which the user was a member then are told also if nothing was said.

The log is read itself: on Kafka at any time, embedded while no server runs on the
data directory; where one does, or --console names one, its console is asked.`,
		Args: cobra.NoArgs,
	}, config.Log, config.Console, config.Tokens)
	askFlags(c)
	c.Flags().StringVar(&w.user, "user", "", "id of the user")
	c.Flags().StringVar(&w.from, "from", "", "only what was recorded after this time")
	c.Flags().StringVar(&w.to, "to", "", "only what was recorded up to this time")
	c.Flags().StringVar(&w.stream, "stream", "", "show what could be seen of this conversation: g|GROUP or p|USER|USER")
	c.Flags().StringVar(&w.after, "after", "", "with --stream: after this position")
	c.Flags().IntVar(&w.limit, "limit", 100, fmt.Sprintf("with --stream: so many at most, up to %d", explore.MostEvents))
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := w.check(); err != nil {
			return usageError{err}
		}
		return p.read(c, w.atRest, w.ofServer(p))
	}
	return c
}

func (w *seenWanted) check() (err error) {
	if w.user == "" {
		return errors.New("--user is missing")
	}
	if w.begin, err = moment(w.from); err != nil {
		return err
	}
	if w.end, err = moment(w.to); err != nil {
		return err
	}
	if w.stream != "" {
		if w.in, err = events.ParseKey(w.stream); err != nil {
			return fmt.Errorf("%q is not a conversation: g|GROUP or p|USER|USER", w.stream)
		}
	} else if w.after != "" {
		return errors.New("--after goes with --stream")
	}
	if _, err = events.ParsePosition(w.after); w.after != "" && err != nil {
		return err
	}
	return nil
}

func (w *seenWanted) atRest(ctx context.Context, p *program, a kafka.AtRest) (shown, error) {
	reader, err := p.judged(ctx, a, a.Layout().Partitions()...)
	if err != nil {
		return nil, err
	}
	x := &visible.Reader{Reader: reader}
	span, err := x.Between(ctx, w.begin, w.end)
	if err != nil {
		return nil, err
	}
	if w.stream == "" {
		show, finish := p.progress("records")
		defer finish()
		found, err := x.Seen(ctx, w.user, span, func(done, total int64) { show("looking", done, total) })
		return conversations{found}, err
	}
	after := events.Start
	if at, err := events.ParsePosition(w.after); err == nil {
		after = at.Offset
	}
	found, err := x.Messages(ctx, w.user, w.in, span, after, w.limit)
	return listed{found}, err
}

func (w *seenWanted) ofServer(p *program) func(context.Context, *console.Client) (shown, error) {
	return func(ctx context.Context, client *console.Client) (shown, error) {
		params := url.Values{"user": {w.user}, "from": {rfc3339(w.begin)}, "to": {rfc3339(w.end)}}
		if w.stream == "" {
			return w.conversations(ctx, p, client, params)
		}
		params.Set("stream", w.stream)
		params.Set("after", w.after)
		all := &explore.Events{}
		for {
			params.Set("limit", strconv.Itoa(w.limit-len(all.Events)))
			part := &explore.Events{}
			if err := client.Get(ctx, "/api/audit/seen/messages", params, part); err != nil {
				return nil, err
			}
			all = joined(all, part, true)
			if !part.Incomplete || len(all.Events) >= w.limit {
				return listed{all}, nil
			}
			params.Set("after", part.Next.String())
		}
	}
}

func (w *seenWanted) conversations(ctx context.Context, p *program, client *console.Client, params url.Values) (shown, error) {
	show, finish := p.progress("records")
	defer finish()
	found, whole := []visible.Conversation{}, false
	err := client.Lines(ctx, http.MethodGet, "/api/audit/seen", params, nil, func(raw []byte) error {
		var l console.SeenLine
		if err := json.Unmarshal(raw, &l); err != nil {
			return err
		}
		switch {
		case l.Progress != nil:
			show("looking", l.Progress.Done, l.Progress.Total)
		case l.Conversation != nil:
			found = append(found, *l.Conversation)
		case l.End != nil:
			whole = true
		}
		return nil
	})
	if err == nil && !whole {
		err = io.ErrUnexpectedEOF
	}
	return conversations{found}, err
}

// conversations are what a user could see, as it is printed.
type conversations struct{ all []visible.Conversation }

func (c conversations) MarshalJSON() ([]byte, error) { return json.Marshal(c.all) }

func (c conversations) show(to io.Writer) error {
	for _, one := range c.all {
		fmt.Fprintf(to, "%s  %d messages (%d recalled since), %d edits, %d recalls", one.Stream, one.Messages, one.Recalled, one.Edits, one.Recalls)
		if one.First != nil {
			fmt.Fprintf(to, "  %s to %s", one.First, one.Last)
		}
		fmt.Fprintln(to)
		for _, m := range one.Memberships {
			fmt.Fprintf(to, "  since %s%s\n", m.Since, until(m.Until))
		}
	}
	if len(c.all) == 0 {
		fmt.Fprintln(to, "nothing")
	}
	return nil
}
