package app

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lishi/events"
	"lishi/infra/config"
	"lishi/infra/console"
	"lishi/infra/kafka"
	"lishi/infra/looks"
)

func (p *program) auditLooks() *cobra.Command {
	var f looks.Filter
	var from, to, before string
	limit := 0
	c := settings(&cobra.Command{
		Use:   "looks [--actor ID] [--role ROLE] [--way console|sql|export] [--text TEXT] [--from TIME] [--to TIME] [--before POSITION] [--limit 100]",
		Short: "List who looked at what, and why",
		Long: `List the looks that admins, auditors and analysts took, newest first: who, as what,
why, by which way, at what, from where. Each stands in the topic lishi.audit since
before it was answered, and is proved like any event ("lishi audit prove a0-17").

The log is read itself: on Kafka at any time, embedded while no server runs on the
data directory; where one does, or --console names one, its console is asked,
which is a look too.`,
		Args: cobra.NoArgs,
	}, config.Log, config.Console, config.Tokens)
	askFlags(c)
	c.Flags().StringVar(&f.Actor, "actor", "", "only this one's looks")
	c.Flags().StringVar(&f.Role, "role", "", "only those of auditor, admin, analyst, groups or figures")
	c.Flags().StringVar(&f.Way, "way", "", "only those by console, sql or export")
	c.Flags().StringVar(&f.Text, "text", "", "only those with this text in reason or look")
	c.Flags().StringVar(&from, "from", "", "only those recorded at this time or later")
	c.Flags().StringVar(&to, "to", "", "only those recorded before this time")
	c.Flags().StringVar(&before, "before", "", "only older ones than that at this position")
	c.Flags().IntVar(&limit, "limit", 100, fmt.Sprintf("so many at most, up to %d", looks.MostLooks))
	c.RunE = func(c *cobra.Command, _ []string) error {
		var err error
		if f.From, err = moment(from); err == nil {
			f.To, err = moment(to)
		}
		if err == nil {
			err = f.Check()
		}
		at := events.Position{Partition: looks.Partition}
		if before != "" && err == nil {
			at, err = events.ParsePosition(before)
		}
		if err == nil && (limit < 1 || limit > looks.MostLooks) {
			err = looks.ErrLimit
		}
		if err != nil {
			return usageError{err}
		}
		return p.read(c, func(ctx context.Context, _ *program, a kafka.AtRest) (shown, error) {
			all := &looks.Page{Looks: []looks.Entry{}}
			for next := at.Offset; ; next = all.Next.Offset {
				page, err := looks.List(ctx, a, f, next, limit-len(all.Looks))
				if err != nil {
					return nil, err
				}
				if all = older(all, page); all.Next == nil || len(all.Looks) == limit {
					return looked{all}, nil
				}
			}
		}, func(ctx context.Context, client *console.Client) (shown, error) {
			params := url.Values{"actor": {f.Actor}, "role": {f.Role}, "way": {f.Way}, "text": {f.Text}, "from": {rfc3339(f.From)}, "to": {rfc3339(f.To)}, "before": {before}}
			all := &looks.Page{Looks: []looks.Entry{}}
			for {
				params.Set("limit", strconv.Itoa(limit-len(all.Looks)))
				page := &looks.Page{}
				if err := client.Get(ctx, "/api/audit/looks", params, page); err != nil {
					return nil, err
				}
				if all = older(all, page); all.Next == nil || len(all.Looks) == limit {
					return looked{all}, nil
				}
				params.Set("before", all.Next.String())
			}
		})
	}
	return c
}

// older joins a page and the next one.
func older(all, page *looks.Page) *looks.Page {
	return &looks.Page{Looks: append(all.Looks, page.Looks...), Next: page.Next, Scanned: all.Scanned + page.Scanned}
}

// moment reads a time, or a day, which begins in UTC; "" is the zero time.
func moment(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return t, fmt.Errorf("%q is neither a time (2026-01-02T15:04:05Z) nor a day (2026-01-02)", text)
	}
	return t, nil
}

// rfc3339 writes a time for a url; "" for none.
func rfc3339(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// looked are looks as they are printed.
type looked struct{ *looks.Page }

func (l looked) show(to io.Writer) error {
	inside := strings.NewReplacer("\n", "\n  ").Replace // nothing that was asked looks like a look
	for _, e := range l.Looks {
		fmt.Fprintf(to, "%s  %s  %s  %s  %s  from %s\n  %s\n", e.Position, e.Time, named(e.Actor, e.ActorName), e.Role, e.Way, orDash(e.From), inside(e.What))
		if e.Text != "" {
			fmt.Fprintf(to, "  %s\n", inside(e.Text))
		}
		if e.Reason != "" {
			fmt.Fprintf(to, "  because: %s\n", inside(e.Reason))
		}
	}
	if len(l.Looks) == 0 {
		fmt.Fprintln(to, "nobody looked")
	}
	if l.Next != nil {
		fmt.Fprintf(to, "older ones: --before %s\n", l.Next)
	}
	return nil
}
