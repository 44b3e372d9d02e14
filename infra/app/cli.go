// Package app puts the parts together: the command line, and the node that reads
// like the way of a message.
package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"lishi/infra/config"
	"lishi/infra/kafka"
	"lishi/infra/telemetry"
)

// Version is set by the build.
var Version = "dev"

// Exit statuses.
const (
	done        = 0
	failed      = 1
	misuse      = 2 // usage or configuration
	finding     = 3 // a verified negative finding
	interrupted = 130
)

// Finding is a negative result that was verified: a rebuild that differs. The
// program ends with exit status 3.
type Finding struct{ Text string }

func (f *Finding) Error() string { return f.Text }

type usageError struct{ error }

func (u usageError) Unwrap() error { return u.error }

// program is one run of the command line.
type program struct {
	in       io.Reader
	out, err io.Writer
	asJSON   bool
}

// Main runs the command line and returns its exit status. The first SIGINT or
// SIGTERM ends work in an orderly way, the second at once.
func Main(args []string, in io.Reader, out, errs io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	if f, ok := out.(*os.File); ok && telemetry.IsTerminal(f) {
		out = &terminal{file: f}
	}
	p := &program{in: in, out: out, err: errs}
	root := p.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return done
	}
	status := failed
	var f *Finding
	var c *config.Error
	var u usageError
	var a *kafka.AccessError
	switch {
	case errors.As(err, &f):
		status = finding
	case errors.As(err, &c), errors.As(err, &u), errors.As(err, &a):
		status = misuse
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		fmt.Fprintln(errs, "interrupted")
		return interrupted
	}
	why := err.Error()
	if telemetry.IsTerminal(errs) {
		why = harmless(why)
	}
	fmt.Fprintln(errs, "lishi:", why)
	return status
}

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "lishi",
		Short: "An event-sourced chat backend: the log is the chat, everything else is a view of it",
		Long: `lishi keeps a chat as an immutable log of events and everything else as views of it.

Without settings everything runs in this one process: an embedded Kafka-protocol
broker and an embedded ClickHouse, with their data in ./data. Two settings,
kafka-brokers and clickhouse, point the same program to Apache Kafka and a
ClickHouse server. "lishi config" lists every setting with its value and origin.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetIn(p.in)
	root.SetOut(p.out)
	root.SetErr(p.err)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w (see %s --help)", err, c.CommandPath())}
	})
	root.PersistentFlags().BoolVar(&p.asJSON, "json", false, "results as JSON on stdout")
	separateSettings(root)
	root.AddCommand(p.serve(), p.token(), p.imports(), p.replay(), p.query(), p.verify(), p.logs(), p.audit(), p.events(), p.tail(), p.history(), p.backup(), p.restore(), p.engine(), p.config(), p.version(), p.bench())
	for _, c := range all(root) {
		if check := c.Args; check != nil {
			c.Args = func(c *cobra.Command, args []string) error {
				if err := check(c, args); err != nil {
					return usageError{fmt.Errorf("%w (see %s --help)", err, c.CommandPath())}
				}
				return nil
			}
		}
	}
	return root
}

// all is a command with those below it.
func all(c *cobra.Command) []*cobra.Command {
	cs := []*cobra.Command{c}
	for _, sub := range c.Commands() {
		cs = append(cs, all(sub)...)
	}
	return cs
}

// settings gives a command --config and a flag for each setting of the parts it
// runs; for each setting there is, if none is named.
func settings(c *cobra.Command, parts ...config.Part) *cobra.Command {
	c.Flags().String("config", "", "YAML file with settings (environment LISHI_CONFIG)")
	for _, s := range config.Settings() {
		if len(parts) > 0 && !s.Of(parts...) {
			continue
		}
		c.Flags().String(s.Name, s.Default, fmt.Sprintf("%s (%s)", s.Help, s.Env))
		if s.Default == "true" || s.Default == "false" {
			c.Flags().Lookup(s.Name).NoOptDefVal = "true"
		}
		markSetting(c.Flags().Lookup(s.Name), len(parts) == 0)
	}
	return c
}

// load reads a command's settings. One that the command has no flag for may say
// what it likes: it is another command's matter.
func load(c *cobra.Command) (config.Config, []config.Setting, error) {
	file, _ := c.Flags().GetString("config")
	if file == "" {
		file = os.Getenv("LISHI_CONFIG")
	}
	given := map[string]string{}
	c.Flags().Visit(func(f *pflag.Flag) { given[f.Name] = f.Value.String() })
	cfg, all, err := config.Load(file, os.Environ(), given)
	return cfg, all, config.Without(err, func(s config.Setting) bool { return c.Flags().Lookup(s.Name) == nil })
}

func (p *program) config() *cobra.Command {
	return settings(&cobra.Command{
		Use:   "config",
		Short: "Print every setting with its value, origin and meaning",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, all, err := load(c)
			if all == nil {
				return err
			}
			if p.asJSON {
				for i := range all {
					all[i].Value = all[i].Shown()
				}
				return errors.Join(p.json(all), err)
			}
			w := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "SETTING\tVALUE\tFROM\tENVIRONMENT\tMEANING")
			for _, s := range all {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", s.Name, orDash(s.Shown()), s.Origin, s.Env, s.Help)
			}
			return errors.Join(w.Flush(), err)
		},
	})
}

func (p *program) version() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			v := map[string]string{"version": Version, "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH}
			if p.asJSON {
				return p.json(v)
			}
			_, err := fmt.Fprintf(p.out, "lishi %s %s %s\n", v["version"], v["go"], v["platform"])
			return err
		},
	}
}

func (p *program) json(v any) error {
	e := json.NewEncoder(p.out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// terminal tells whether a person watches the progress on stderr.
func (p *program) terminal() bool { return telemetry.IsTerminal(p.err) }

func orDash(s string) string {
	if strings.TrimSpace(s) == "" {
		return "-"
	}
	return s
}
