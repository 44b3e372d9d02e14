package app

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"lishi/infra/bench"
	"lishi/infra/config"
)

func (p *program) bench() *cobra.Command {
	l := bench.Pairs{}
	c, b := p.load(&cobra.Command{
		Use:   "bench [--pairs 100] [--depth 8] [--seconds 10]",
		Short: "Load a running server over its sockets: durable messages a second, latencies",
		Long: `Load a running server (started with --rate 0) over its sockets. Pairs of people
are made, become friends, and one writes to the other with so many messages under
way, or with --offered so many messages a second whatever is under way; latencies
count from when a message was to be sent.

A run in which a message was lost, repeated, changed or out of order gives no
figure. A bar that is missed (--least, --most-p99) makes the exit status 3.`,
		Example: `  lishi serve --rate 0 &
  lishi bench --pairs 50 --depth 1
  lishi bench --pairs 50 --offered 5000 --most-p99 50ms
  lishi bench group --members 1000`,
	})
	c.Flags().IntVar(&l.Pairs, "pairs", 100, "pairs of people")
	c.Flags().IntVar(&l.Depth, "depth", 8, "messages under way in each pair")
	c.Flags().Float64Var(&l.Rate, "offered", 0, "messages a second offered in all, instead of --depth")
	b.bytes(c, &l.Bytes)
	b.barred(c)
	b.run(c, func(s bench.Lishi) (fmt.Stringer, error) {
		if l.Pairs < 1 || l.Depth < 1 || l.Rate < 0 {
			return nil, usageError{errors.New("pairs and depth must be 1 or more, offered not negative")}
		}
		l.Duration = b.duration()
		return b.judge(l.Run(c.Context(), s))
	})
	c.AddCommand(p.benchGroup(), p.benchMixed(), p.benchSoak(), p.benchIdle(), p.benchStorm(), p.benchPages(), p.benchChat(), p.benchSearch(), p.benchLarge())
	return c
}

func (p *program) benchGroup() *cobra.Command {
	l := bench.Group{}
	c, b := p.load(&cobra.Command{
		Use:   "group [--members 1000] [--depth 8] [--seconds 10]",
		Short: "One person writes to a group whose members are all connected: deliveries a second",
		Long: `One person writes to a group whose members are all connected. A message is over
when it was answered and every member has it; so many are under way. With --stopped
there are more members, who read nothing: the others must not notice.`,
	})
	c.Flags().IntVar(&l.Members, "members", 1000, "members who receive")
	c.Flags().IntVar(&l.Stopped, "stopped", 0, "more members, who are connected and read nothing")
	c.Flags().IntVar(&l.Depth, "depth", 8, "messages under way")
	b.bytes(c, &l.Bytes)
	b.barred(c)
	b.run(c, func(s bench.Lishi) (fmt.Stringer, error) {
		if l.Members < 2 || l.Stopped < 0 || l.Depth < 1 || l.Depth > 1000 {
			return nil, usageError{errors.New("members must be 2 or more, stopped not negative, depth 1 to 1000")}
		}
		l.Duration = b.duration()
		return b.judge(l.Run(c.Context(), s))
	})
	return c
}

func (p *program) benchMixed() *cobra.Command {
	l := bench.Mixed{}
	c, b := p.load(&cobra.Command{
		Use:   "mixed FILE… [--offered 1000]",
		Short: "Pairs and groups that write with the sizes and the rhythm of real chat",
		Long: `Pairs and groups write when, and as much as, the conversations of FILE did (JSON
lines as lishi import reads them, gzip too), pressed together so that so many
messages a second are offered in all.`,
		Args: cobra.MinimumNArgs(1),
	})
	mixed(c, &l, 1000)
	b.barred(c)
	b.run(c, func(s bench.Lishi) (fmt.Stringer, error) {
		if err := b.mixed(c, &l); err != nil {
			return nil, err
		}
		return b.judge(l.Run(c.Context(), s))
	})
	return c
}

func (p *program) benchSoak() *cobra.Command {
	l := bench.Soak{Progress: func(r bench.SoakReport) { fmt.Fprintln(p.err, r) }}
	c, b := p.load(&cobra.Command{
		Use:   "soak FILE… [--offered 200] [--cut 1m] [--seconds 3600]",
		Short: "The load of bench mixed for long, over connections that break",
		Long: `The load of lishi bench mixed, for an hour or as long as wanted. Connections are
cut without a word wherever they stand, and people come back with their cursors;
a server that goes away, or is killed, is waited for. Messages that were not
answered are sent again with the same uniqueNo. In the end every message must have
been answered, and have come to each receiver once, unchanged and in order.

scripts/soak starts a server for it, kills it now and then, and watches its memory.`,
		Args: cobra.MinimumNArgs(1),
	})
	mixed(c, &l.Mixed, 200)
	c.Flags().DurationVar(&l.Cut, "cut", time.Minute, "how long a connection lives on the average; 0: until the server ends it")
	c.Flags().DurationVar(&l.Patience, "patience", 2*time.Minute, "how long the server may be away, and an answer late")
	c.Flags().DurationVar(&l.Every, "every", time.Minute, "how often a line on stderr says how far it is")
	b.seconds, c.Flags().Lookup("seconds").DefValue = 3600, "3600"
	b.run(c, func(s bench.Lishi) (fmt.Stringer, error) {
		if l.Cut < 0 || l.Patience <= 0 || l.Every <= 0 {
			return nil, usageError{errors.New("patience and every must be above 0, cut not negative")}
		}
		if err := b.mixed(c, &l.Mixed); err != nil {
			return nil, err
		}
		return l.Run(c.Context(), s)
	})
	return c
}

// mixed are the flags of a load with the rhythm of real chat.
func mixed(c *cobra.Command, l *bench.Mixed, rate float64) {
	c.Flags().IntVar(&l.Pairs, "pairs", 50, "pairs, each with a conversation of two of the files")
	c.Flags().IntVar(&l.Groups, "groups", 2, "groups, each with a group's of the files")
	c.Flags().IntVar(&l.Members, "members", 50, "members of each group who receive")
	c.Flags().Float64Var(&l.Rate, "offered", rate, "messages a second offered in all, on the average")
}

// mixed completes such a load by its files.
func (b *benchLoad) mixed(c *cobra.Command, l *bench.Mixed) (err error) {
	if l.Pairs < 0 || l.Groups < 0 || l.Pairs+l.Groups == 0 || l.Members < 2 || l.Rate <= 0 {
		return usageError{errors.New("pairs or groups must be 1 or more, members 2 or more, offered above 0")}
	}
	l.Duration = b.duration()
	l.Lines, err = bench.ReadLines(c.Flags().Args()...)
	return err
}

func (p *program) benchIdle() *cobra.Command {
	l := bench.Idle{}
	c, b := p.load(&cobra.Command{
		Use:   "idle [--people 10000] [--pid PID] [--seconds 120]",
		Short: "Many people who are connected and silent: memory and descriptors of the server",
		Long: `Many people are connected and silent; with --trickle one pair writes meanwhile.
With --pid, the server's process on this machine, its memory and descriptors are
looked at before they come, before they go, and after (Linux). Load and server need
a descriptor for each of them: see ulimit -n. With --name the same people come
again; else they are new, and what their registration costs is part of the figures.`,
	})
	c.Flags().IntVar(&l.People, "people", 10000, "who are connected")
	c.Flags().StringVar(&l.Name, "name", "", "what their names begin with (default: people who were never there)")
	c.Flags().IntVar(&l.PID, "pid", 0, "the server's process, on this machine")
	c.Flags().Float64Var(&l.Trickle, "trickle", 0, "messages a second that one pair writes")
	b.seconds, c.Flags().Lookup("seconds").DefValue = 120, "120"
	b.run(c, func(s bench.Lishi) (fmt.Stringer, error) {
		if l.People < 1 || l.Trickle < 0 || l.PID < 0 {
			return nil, usageError{errors.New("people must be 1 or more, trickle and pid not negative")}
		}
		l.Duration = b.duration()
		return l.Run(c.Context(), s)
	})
	return c
}

func (p *program) benchStorm() *cobra.Command {
	l := bench.Storm{}
	c, b := p.load(&cobra.Command{
		Use:   "storm [--people 10000] [--missed 3] [--patience 60s]",
		Short: "Many people come back at once with their cursors: time until all are live",
		Long: `Many people lose their connection, are written to meanwhile, and come back all at
once with their cursors. Each must get what was missed, in order and once, and be
live within the patience. With --others so many messages of others lie in between:
the server's memory (32768 events of each partition) holds the cursors no more. One
pair writes on all the time; what its messages take is shown beside what they took
before.`,
	})
	c.Flags().IntVar(&l.People, "people", 10000, "who come back")
	c.Flags().IntVar(&l.Missed, "missed", 3, "messages that each has missed")
	c.Flags().IntVar(&l.Others, "others", 0, "messages that others wrote to each other meanwhile")
	c.Flags().DurationVar(&l.Patience, "patience", time.Minute, "until all must be live")
	b.bytes(c, &l.Bytes)
	b.run(c, func(s bench.Lishi) (fmt.Stringer, error) {
		if l.People < 1 || l.Missed < 0 || l.Others < 0 || l.Missed > 1000 || l.Patience <= 0 {
			return nil, usageError{errors.New("people must be 1 or more, missed 0 to 1000, others not negative, patience above 0")}
		}
		return l.Run(c.Context(), s)
	})
	return c
}

// benchLoad is what all loads have.
type benchLoad struct {
	program *program
	seconds float64
	least   float64
	mostP99 time.Duration
	size    *int
}

func (p *program) load(c *cobra.Command) (*cobra.Command, *benchLoad) {
	if c.Args == nil {
		c.Args = cobra.NoArgs
	}
	b := &benchLoad{program: p}
	c = settings(c, config.Address, config.Tokens)
	c.Flags().Float64Var(&b.seconds, "seconds", 10, "how long")
	return c, b
}

// barred lets the command line say what is good enough.
func (b *benchLoad) barred(c *cobra.Command) {
	c.Flags().Float64Var(&b.least, "least", 0, "the fewest messages a second that are good enough")
	c.Flags().DurationVar(&b.mostP99, "most-p99", 0, "the most that 99 of 100 messages may take to arrive")
}

func (b *benchLoad) bytes(c *cobra.Command, into *int) {
	c.Flags().IntVar(into, "bytes", 200, "bytes of each message's content")
	b.size = into
}

func (b *benchLoad) duration() time.Duration {
	return time.Duration(b.seconds * float64(time.Second))
}

func (b *benchLoad) run(c *cobra.Command, work func(bench.Lishi) (fmt.Stringer, error)) {
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, _, err := load(c)
		if err != nil {
			return err
		}
		if b.seconds <= 0 || b.size != nil && (*b.size < 24 || *b.size > 16384) {
			return usageError{errors.New("seconds must be above 0, bytes 24 to 16384")}
		}
		s := bench.Lishi{Addr: cfg.Listen}
		if s.Token, err = tokensOf(cfg); err != nil {
			return err
		}
		r, err := work(s)
		if missed := (*Finding)(nil); err != nil && !errors.As(err, &missed) {
			return err
		}
		return errors.Join(b.program.report(r), err)
	}
}

// judge says which bar a run has missed.
func (b *benchLoad) judge(r bench.Report, err error) (fmt.Stringer, error) {
	p99 := time.Duration(r.Push.P99) * time.Microsecond
	switch {
	case err != nil:
		return nil, err
	case r.PerSecond < b.least:
		return r, &Finding{fmt.Sprintf("%.0f messages/s, %.0f were to be reached", r.PerSecond, b.least)}
	case b.mostP99 > 0 && p99 > b.mostP99:
		return r, &Finding{fmt.Sprintf("p99 is %v, %v were allowed", p99, b.mostP99)}
	}
	return r, nil
}
