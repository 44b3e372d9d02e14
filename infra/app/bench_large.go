package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"lishi/infra/bench/large"
)

func (p *program) benchLarge() *cobra.Command {
	o := large.Options{}
	var messages []string
	c := &cobra.Command{
		Use:   "large FILE… [--messages 1000000,10000000]",
		Short: "What very many messages are like: import, storage, pages, search, SQL, exports, replay",
		Long: `Make so many messages of the real chat in FILE (JSON lines as lishi import reads
them, gzip too), import them, have some edited, answered and recalled, and measure
what people will ask of them, in servers and commands of their own. Several numbers
are measured one after the other, and stand beside each other. A million messages
take about 3 GB of disk while they are measured.

Progress comes on stderr, a table of each part on stdout. What is refused, because
it would take more memory or time than it may, stands as refused in the table. A
download may take half an hour here (the setting sql-time).

The parts are: ` + strings.Join(large.Parts(), ", ") + `.`,
		Example: `  lishi bench large chat.jsonl.gz
  lishi bench large chat.jsonl.gz --messages 1000000,10000000 --json
  lishi bench large chat.jsonl.gz --dir ./large --only search,sql`,
		Args: cobra.MinimumNArgs(1),
	}
	f := c.Flags()
	f.StringSliceVar(&messages, "messages", []string{"1000000"}, "how many; several numbers are several runs")
	f.StringVar(&o.Dir, "dir", "", "folder that keeps what was imported, and is used again (default: all is removed)")
	f.StringSliceVar(&o.Parts, "only", nil, "parts to measure (default: all)")
	f.Float64Var(&o.Seconds, "seconds", 5, "how long each measurement of latencies lasts")
	f.IntVar(&o.Words, "words", 150, "words of each class that are searched")
	f.IntVar(&o.Readers, "readers", 8, "how many read at once, where many do")
	c.RunE = func(c *cobra.Command, files []string) error {
		for _, m := range messages {
			n, err := strconv.Atoi(m)
			if err != nil || n < 1000 {
				return usageError{fmt.Errorf("messages must be 1000 or more, not %q", m)}
			}
			o.Messages = append(o.Messages, n)
		}
		for _, part := range o.Parts {
			if !slices.Contains(large.Parts(), part) {
				return usageError{fmt.Errorf("there is no part %q; there are: %s", part, strings.Join(large.Parts(), ", "))}
			}
		}
		if o.Seconds <= 0 || o.Words < 1 || o.Readers < 1 {
			return usageError{errors.New("seconds must be above 0, words and readers 1 or more")}
		}
		var err error
		if o.Program, err = os.Executable(); err != nil {
			return err
		}
		o.Files, o.Say = files, func(text string) { fmt.Fprintln(p.err, text) }
		r, err := large.Run(c.Context(), o)
		if len(r.Runs) > 0 { // also what was measured before something failed
			if p.asJSON {
				err = errors.Join(err, p.json(r))
			} else {
				err = errors.Join(err, r.Markdown(p.out))
			}
		}
		if c.Context().Err() != nil {
			return context.Cause(c.Context())
		}
		return err
	}
	return c
}
