package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lishi/infra/chdb"
	"lishi/infra/config"
	"lishi/infra/console"
	sqlapi "lishi/infra/sql"
	"lishi/infra/telemetry"
)

// sqlFormats are the names of --format; others are ClickHouse's own.
var sqlFormats = map[string]string{
	"table": "PrettyCompact", "json": "JSON", "jsonl": "JSONEachRow", "csv": "CSVWithNames", "tsv": "TSVWithNames",
	"parquet": "Parquet", "arrow": "ArrowStream", "markdown": "Markdown",
}

// queryWanted is what `lishi query` was asked for.
type queryWanted struct {
	sql            string
	format, output string
	params         map[string]string
}

func (p *program) query() *cobra.Command {
	var w queryWanted
	var file string
	c := settings(&cobra.Command{
		Use:   `query "SELECT …" | --file FILE | -`,
		Short: "Ask the chat with SQL",
		Long: `Ask the chat with SQL: the views of docs/sql.md, among them messages, memberships,
friendships, users and events. Only statements that read are taken.

A running server's SQL endpoint is asked (--sql, --token, --reason). Where none answers
at the address, and --sql does not name one, the data directory is opened itself, or
the ClickHouse that --clickhouse names. Which of the two is said on stderr.

  lishi query "SELECT sender, count() FROM messages GROUP BY sender ORDER BY 2 DESC LIMIT 10"
  lishi query "SELECT * FROM messages WHERE sender = {who:String}" --param who=alice --format csv
  lishi query --file report.sql --format parquet --output report.parquet

Formats: table (on a terminal), json, jsonl, csv, tsv (elsewhere), parquet, arrow, markdown, or
the name of any of ClickHouse's. A FORMAT clause in the statement wins. ^C ends the
statement in the server too.`,
		Args: cobra.MaximumNArgs(1),
	}, config.SQL, config.Tokens, config.Models)
	askFlags(c)
	c.Flags().StringVarP(&file, "file", "f", "", "file that holds the statement")
	c.Flags().StringVar(&w.format, "format", "", "table, json, jsonl, csv, tsv, parquet, arrow, markdown, or one of ClickHouse's")
	c.Flags().StringVarP(&w.output, "output", "o", "", "file for the answer, made only when it is whole")
	c.Flags().StringToStringVar(&w.params, "param", nil, "NAME=VALUE of a {NAME:Type} in the statement")
	c.RunE = func(c *cobra.Command, args []string) (err error) {
		if w.sql, err = p.statement(file, args); err != nil {
			return err
		}
		if p.asJSON && w.format == "" {
			w.format = "json"
		}
		switch known := sqlFormats[w.format]; {
		case w.format == "" && w.output == "" && telemetry.IsTerminal(p.out):
			w.format = sqlFormats["table"]
		case w.format == "":
			w.format = sqlFormats["tsv"]
		case known != "":
			w.format = known
		}
		cfg, _, err := load(c)
		if err != nil {
			return err
		}
		shown := &queryProgress{program: p, begun: time.Now()}
		ctx := c.Context()
		if p.terminal() {
			ctx = chdb.Watch(ctx, chdb.Watcher{Every: 200 * time.Millisecond, Told: shown.told})
		}
		answer, err := p.answer(ctx, c, cfg, w)
		if err == nil {
			err = p.deliver(ctx, answer, w.output, shown)
		}
		shown.end()
		return err
	}
	return c
}

// statement is the argument, or what a file or stdin holds.
func (p *program) statement(file string, args []string) (string, error) {
	if (file != "") == (len(args) > 0) {
		return "", usageError{errors.New("give one statement, --file FILE, or - for stdin")}
	}
	var raw []byte
	var err error
	switch {
	case file == "-" || len(args) > 0 && args[0] == "-":
		raw, err = io.ReadAll(p.in)
	case file != "":
		raw, err = os.ReadFile(file)
	default:
		raw = []byte(args[0])
	}
	if err == nil && strings.TrimSpace(string(raw)) == "" {
		err = usageError{errors.New("the statement is empty")}
	}
	return string(raw), err
}

// answer asks the running server, or the read models at rest.
func (p *program) answer(ctx context.Context, c *cobra.Command, cfg config.Config, w queryWanted) (io.ReadCloser, error) {
	named := c.Flags().Changed("sql")
	base := cfg.SQL
	if !strings.Contains(base, "://") {
		scheme := "http://"
		if cfg.TLSCert != "" {
			scheme = "https://"
		}
		base = scheme + base
	}
	u, err := url.Parse(base)
	if err != nil || u.Host == "" && cfg.SQL != "off" {
		return nil, &config.Error{Setting: "sql", Origin: "flags, environment or file", Problem: "is neither an address nor a url"}
	}
	if cfg.SQL == "off" || !named && !answers(ctx, u.Host) {
		fmt.Fprintf(p.err, "no server answers at %s: reading at rest\n", cfg.SQL)
		return p.answerAtRest(ctx, cfg, w)
	}
	client, err := p.ask(c, cfg, console.Admin) // for its token
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(p.err, "asking %s\n", base)
	q := url.Values{"default_format": {w.format}, "query_id": {fmt.Sprintf("lishi-query-%d-%d", os.Getpid(), time.Now().UnixNano())}}
	for name, v := range w.params {
		q.Set("param_"+name, v)
	}
	u.RawQuery = q.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), strings.NewReader(w.sql))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+client.Token)
	if client.Reason != "" {
		r.Header.Set("Lishi-Reason", url.PathEscape(client.Reason))
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig, transport.DisableCompression = client.TLS, true
	response, err := sqlapi.Watching(transport).RoundTrip(r)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, fmt.Errorf("no SQL endpoint answers at %s: %w", base, err)
	}
	return sqlapi.Answered(response)
}

// answers tells whether somebody listens at an address.
func answers(ctx context.Context, address string) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// atRest is an answer with the parts that it comes from.
type atRest struct {
	io.ReadCloser
	db io.Closer
}

func (a atRest) Close() error { return errors.Join(a.ReadCloser.Close(), a.db.Close()) }

func (p *program) answerAtRest(ctx context.Context, cfg config.Config, w queryWanted) (_ io.ReadCloser, err error) {
	if _, missing := os.Stat(filepath.Join(cfg.Data, "clickhouse")); cfg.ClickHouse == "" && missing != nil {
		return nil, fmt.Errorf("there are no read models in %s: --data names the data directory, --sql a running server", cfg.Data)
	}
	logger := telemetry.Logger(p.err, "warn", cfg.LogFormat)
	db, err := openDB(cfg, logger)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, db.Close())
		}
	}()
	e, err := openSQL(cfg, db, nil, nil, telemetry.NewMetrics(), logger)
	if err != nil {
		return nil, err
	}
	if e == nil {
		return nil, &config.Error{Setting: "sql-clickhouse", Origin: "default", Problem: "must say how ClickHouse is reached over http"}
	}
	answer, err := e.Open(ctx, sqlapi.Caller{ID: "lishi query", Role: "admin"}, sqlapi.Statement{SQL: w.sql, Params: w.params, Format: w.format})
	if err != nil {
		return nil, err
	}
	return atRest{answer, db}, nil
}

// deliver writes an answer to stdout or to a file, which gets its name once it is
// whole.
func (p *program) deliver(ctx context.Context, answer io.ReadCloser, output string, shown *queryProgress) (err error) {
	defer func() { err = errors.Join(err, answer.Close()) }()
	to := p.out
	if output != "" {
		part, err := os.CreateTemp(filepath.Dir(output), ".lishi-query-*")
		if err != nil {
			return err
		}
		defer os.Remove(part.Name())
		defer part.Close()
		to = part
	}
	shown.arriving(answer, output == "" && telemetry.IsTerminal(p.out))
	_, err = io.CopyBuffer(struct{ io.Writer }{to}, shown, make([]byte, 256<<10))
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if part, ok := to.(*os.File); ok && output != "" && err == nil {
		if err = part.Close(); err == nil {
			err = os.Rename(part.Name(), output)
		}
	}
	return err
}
