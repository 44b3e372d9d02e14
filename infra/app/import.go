package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"lishi/events/tail"
	"lishi/infra/config"
	"lishi/infra/imports"
	"lishi/infra/telemetry"
)

func (p *program) imports() *cobra.Command {
	var source string
	var skipBad bool
	c := settings(&cobra.Command{
		Use:   "import FILE… [--source NAME] [--skip-bad]",
		Short: "Bring chat history into the log: JSON lines, gzip too, - for stdin",
		Long: `Bring chat history into the log. Each line is one message:

  {"time": "2020-01-02 03:04:05", "from": "a", "to": "b", "text": "…"}
  {"time": "2020-01-02 03:04:05", "from": "a", "group": "g", "text": "…"}

Users, groups and friendships are made as the messages need them: the first who
speaks in a group owns it, all who speak are members, and who wrote to each other
are friends. Times are read in the configured zone and kept beside the recorded
time. Imported events are pushed to nobody and count as read.

The input is checked first: a bad line is named and nothing is imported, unless
--skip-bad counts such lines. Importing again adds nothing: a line is known by its
source (the file's base name without .gz, or --source), time, from, to, text, and
which of several identical ones it is.

The server must not be running on the same data directory.`,
		Args: cobra.MinimumNArgs(1),
	}, config.Log, config.Zone)
	c.Flags().StringVar(&source, "source", "", "name of the source that the lines' identity rests on")
	c.Flags().BoolVar(&skipBad, "skip-bad", false, "count bad lines and go on")
	c.RunE = func(c *cobra.Command, files []string) (err error) {
		cfg, _, err := load(c)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithCancel(c.Context())
		defer cancel()
		zone, err := time.LoadLocation(cfg.Zone)
		if err != nil {
			return err
		}
		var sources []*imports.Source
		for _, f := range files {
			s, err := imports.Open(f, source, p.in)
			if err != nil {
				return err
			}
			defer s.Close()
			sources = append(sources, s)
		}
		logger := telemetry.Logger(p.err, "warn", cfg.LogFormat)
		log, open, err := openLog(ctx, cfg, telemetry.NewMetrics(), logger)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, open.close()) }()
		known := imports.NewKnown()
		t := tail.New(log, tail.Options{Ring: 1}, known)
		ended := make(chan error, 1)
		go func() { ended <- t.Run(ctx) }()
		defer func() { cancel(); err = errors.Join(err, <-ended) }()
		select {
		case <-t.Ready():
		case err := <-ended:
			ended <- nil
			return errors.Join(err, ctx.Err())
		}
		progress, finish := p.progress("lines")
		sum, err := imports.New(log, t, known, imports.Options{Zone: zone, SkipBad: skipBad, Progress: func(s imports.Summary) {
			progress("import", int64(s.Lines), int64(s.Total))
		}}).Run(ctx, sources...)
		finish()
		if err != nil {
			if imports.IsBad(err) {
				return fmt.Errorf("%w (nothing of this run's messages was imported; --skip-bad goes on without such lines)", err)
			}
			return err
		}
		openSnapshots(cfg, log, logger).Last(t.Book()) // or the next start would read all that again
		return p.importSummary(sum)
	}
	return c
}

func (p *program) importSummary(s imports.Summary) error {
	perSecond := 0.0
	if sec := s.Elapsed.Seconds(); sec > 0 {
		perSecond = float64(s.Messages) / sec
	}
	if p.asJSON {
		return p.json(map[string]any{
			"lines": s.Lines, "messages": s.Messages, "known": s.Known, "bad": s.Bad, "users": s.Users,
			"groups": s.Groups, "joined": s.Joined, "friends": s.Friends, "seconds": s.Elapsed.Seconds(), "messagesPerSecond": perSecond,
		})
	}
	_, err := fmt.Fprintf(p.out, "%d lines: %d messages imported, %d known already, %d bad; %d users, %d groups, %d memberships, %d friendships made; %.1f s, %.0f messages/s\n",
		s.Lines, s.Messages, s.Known, s.Bad, s.Users, s.Groups, s.Joined, s.Friends, s.Elapsed.Seconds(), perSecond)
	return err
}
