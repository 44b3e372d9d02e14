package app

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"lishi/cmd/lishi-verify/verify"
	"lishi/events"
	"lishi/events/merkle"
	"lishi/infra/broker"
	"lishi/infra/config"
	"lishi/infra/console"
	"lishi/infra/exports"
	"lishi/infra/kafka"
)

// exportFlags are what the command is told.
type exportFlags struct {
	query            exports.Query
	groups           []string
	from, to         string
	until            string
	reason, by, into string
}

func (p *program) auditExport() *cobra.Command {
	var f exportFlags
	c := settings(&cobra.Command{
		Use:   "export --reason TEXT --output DIR|FILE.zip|FILE.tar [QUERY]",
		Short: "Export messages and events as a package that proves itself",
		Long: `Write what a query asks for, with proofs, to a package that stands alone: whoever
gets it verifies it with "lishi audit verify", with the small program
lishi-verify, or by opening its index.html; with neither log, server nor network.

Values of one kind widen a query (--user a --user b), each further kind narrows it
(--user a --group g). A message is exported with all its versions, edited and
recalled ones too, if one of them matches. Times are those at which it was said;
--to itself is outside.

The package has messages.csv, membership.csv, access.csv, events.jsonl
(CloudEvents), proofs, signed checkpoints, manifest.json with every file's
SHA-256, and index.html. --format adds what archives take: actiance (XML), eml
(one mail a conversation and day), parquet, or all.

The log is read itself: on Kafka at any time, embedded while no server runs on the
data directory. Where one does, or --console names one, its console makes the
package (--token), and it is fetched and verified here.

Nothing is overwritten. After an interruption the same command goes on where it
was. The same query up to the same positions (--until, as the manifest says it)
makes the same bytes. docs/audit.md has the format, and says what a package
proves and what it can't.`,
		Example: `  lishi audit export --participant alice --from 2026-01-01 --to 2026-04-01 --reason "case 17" --output case17.zip
  lishi audit export --group g1 --text 合同 --format all --reason "audit 2026" --output ./audit2026
  lishi audit export --conversation "p|alice|bob" --reason "asked by bob" --output bob.tar
  lishi audit export --all --reason archive --output ./archive --until c0-17,c1-203,c2-0,c3-55,u0-9`,
		Args: cobra.NoArgs,
	}, config.Log, config.Audit, config.Zone, config.Console, config.Tokens)
	flags := c.Flags()
	flags.StringArrayVar(&f.query.Users, "user", nil, "what this user did (again for more)")
	flags.StringArrayVar(&f.query.Participants, "participant", nil, "what happened where this user was, while they could see it (again for more)")
	flags.StringArrayVar(&f.groups, "group", nil, "in this group (again for more)")
	flags.StringArrayVar(&f.query.Conversations, "conversation", nil, `in this conversation: "p|alice|bob" or "g|ID" (again for more)`)
	flags.StringVar(&f.from, "from", "", "said at or after: 2026-01-31, with a time, or RFC 3339")
	flags.StringVar(&f.to, "to", "", "said before")
	flags.StringVar(&f.query.Text, "text", "", "messages with this text in one of their versions, upper and lower case alike")
	flags.BoolVar(&f.query.All, "all", false, "everything")
	flags.StringVar(&f.until, "until", "", "last position of each partition to look at (as a manifest's until); default: the log's end now")
	flags.StringSliceVar(&f.query.Formats, "format", nil, "beside what every package has: "+strings.Join(exports.Formats, ", ")+", or all")
	flags.StringVar(&f.reason, "reason", "", "why: it is written into the package (required)")
	flags.String("token", "", "token of an admin or auditor, for a running server (default: one made with the configured or the data directory's key)")
	flags.StringVar(&f.by, "as", "", "who asks: it is written into the package (default: the user of this machine)")
	flags.StringVar(&f.into, "output", "", "directory, .zip or .tar that is not there yet (required)")
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, _, err := load(c)
		if err != nil {
			return err
		}
		r, err := f.request(cfg)
		if err != nil {
			return misasked(err)
		}
		dir, archive := exports.Archived(f.into)
		if _, err := os.Stat(f.into); archive && err == nil {
			return fmt.Errorf("%s: %w", f.into, exports.ErrExists)
		}
		err = broker.ErrInUse
		if !c.Flags().Changed("console") {
			err = p.exportAtRest(c, r, dir, f.into)
		}
		if !errors.Is(err, broker.ErrInUse) {
			return misasked(err)
		}
		if c.Flags().Changed("as") {
			return usageError{errors.New("a running server knows who asks by the token: --as can't say so")}
		}
		client, err := p.ask(c, cfg, console.Auditor)
		if err != nil {
			return err
		}
		return misused(p.exportOfServer(c.Context(), client, r, f.into))
	}
	return c
}

// exportAtRest makes a package of the log that the settings name.
func (p *program) exportAtRest(c *cobra.Command, r exports.Request, dir, into string) error {
	return p.audited(c, func(a *kafka.Archive, key merkle.Key) error {
		rest := kafka.AtRest{Archive: a}
		ends, err := rest.Ends(c.Context())
		if err != nil {
			return err
		}
		fmt.Fprintf(p.err, "from log %s at rest\n", a.LogID)
		show, finish := p.progress("")
		m, err := exports.Export(c.Context(), exports.Source{Log: rest, LogID: a.LogID, Layout: a.Layout, Ends: ends}, r, dir,
			exports.Options{Key: key, Program: "lishi " + Version, Progress: show})
		if err == nil && dir != into {
			err = exports.Pack(c.Context(), dir, into)
		}
		finish()
		if errors.Is(err, context.Canceled) {
			return fmt.Errorf("%w; the same command goes on where it was", err)
		}
		if err != nil {
			return err
		}
		return p.exported(into, m)
	})
}

// misasked makes a query that can't be asked a misuse of the program.
func misasked(err error) error {
	var bad *exports.QueryError
	if errors.As(err, &bad) {
		return usageError{err}
	}
	return err
}

// request is what the flags ask for.
func (f exportFlags) request(cfg config.Config) (exports.Request, error) {
	r := exports.Request{Query: f.query, AskedBy: f.by, Reason: f.reason}
	if f.into == "" {
		return r, usageError{errors.New("--output is missing: a directory, .zip or .tar for the package")}
	}
	if r.AskedBy == "" {
		r.AskedBy = machineUser("")
	}
	for _, g := range f.groups {
		r.Query.Conversations = append(r.Query.Conversations, events.GroupStream(g).Key())
	}
	r.Query.Zone = cfg.Zone
	var err error
	if r.Query.From, err = exports.ParseTimeIn(f.from, cfg.Zone); err != nil {
		return r, err
	}
	if r.Query.To, err = exports.ParseTimeIn(f.to, cfg.Zone); err != nil {
		return r, err
	}
	if r.Until, err = events.ParseCursor(f.until); err != nil {
		return r, usageError{fmt.Errorf("--until: %w", err)}
	}
	if r.Query, err = r.Query.Normal(); err != nil {
		return r, err
	}
	return r, exports.CheckReason(r.Reason, r.AskedBy)
}

// exported tells what a package has.
func (p *program) exported(path string, m verify.Manifest) error {
	if p.asJSON {
		return p.json(map[string]any{"package": path, "events": m.Events, "void": m.Void, "rows": m.Rows, "until": m.Until, "files": len(m.Files), "key": m.Key})
	}
	n := int64(0)
	for _, k := range m.Events {
		n += k
	}
	_, err := fmt.Fprintf(p.out, "%s: %d events, %d versions of messages, %d memberships; verified\nuntil %s\n",
		path, n, m.Rows["messages.csv"], m.Rows["membership.csv"], m.Until)
	return err
}

// verifyPackage verifies what audit export wrote.
func (p *program) verifyPackage(path string, o verify.Options) error {
	f, err := verify.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	show, finish := p.progress("")
	o.Progress = show
	r, err := verify.Package(f, o)
	finish()
	var b *verify.Broken
	if errors.As(err, &b) {
		return &Finding{fmt.Sprintf("%s does not hold (%s): %v", path, b.Code, b)}
	}
	if err != nil {
		return err
	}
	if p.asJSON {
		return p.json(map[string]any{"file": path, "holds": true, "manifest": r.Manifest, "compared": r.Compared})
	}
	fmt.Fprint(p.out, path, " ")
	r.Print(p.out, o)
	return nil
}

// packaged tells whether packages are to be verified: directories and archives.
func packaged(paths []string) bool {
	return slices.ContainsFunc(paths, func(path string) bool {
		info, err := os.Stat(path)
		_, archive := exports.Archived(path)
		return archive || err == nil && info.IsDir()
	})
}

func (p *program) verifyPackages(paths []string, trust []ed25519.PublicKey, kept []string) error {
	o := verify.Options{Keys: trust}
	for _, path := range kept {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		o.Checkpoints = append(o.Checkpoints, text)
	}
	for _, path := range paths {
		if err := p.verifyPackage(path, o); err != nil {
			return err
		}
	}
	return nil
}
