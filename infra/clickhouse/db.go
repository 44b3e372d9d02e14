// Package clickhouse is projections.DB on clickhouse-go: on the engine inside
// this process, or on a server or cluster named by a DSN. Callers cannot tell
// which, and neither can their SQL.
package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	ch "github.com/ClickHouse/clickhouse-go/v2"

	"lishi/infra/certificates"
	"lishi/infra/chdb"
	"lishi/projections"
)

// Options say where ClickHouse is. The zero value of each has a default, except
// that either DSN or DataDir must be given.
type Options struct {
	// DSN of a server, as clickhouse-go reads it: http://host:8123/database or
	// clickhouse://host1:9000,host2:9000/database. Empty: the embedded engine.
	DSN string

	// TLS is how a DSN's TLS (https, or secure=true) is spoken; as the system
	// has it if nil.
	TLS *certificates.Client

	// DataDir is the embedded engine's directory. It is made, and locked.
	DataDir string

	// Library is the path of the embedded engine's libchdb. Empty: what
	// LISHI_CHDB names, else where scripts/fetch-engine put it.
	Library string

	// Database holds lishi's tables, unless the DSN names one; it is created
	// where it is missing. Default "lishi".
	Database string

	// MaxMemory bounds the embedded engine, in bytes. Default 1 GiB.
	MaxMemory int64

	// Roles that the embedded engine's sessions can be limited to; see chdb.Options.
	Roles map[string][]string

	// MaxConns bounds the statements under way at a time; others wait.
	// Default 16.
	MaxConns int
}

// DB implements projections.DB. It is safe for concurrent use. When a server
// goes away, calls fail with projections.ErrUnavailable; when it is back, they
// work again, without any doing.
type DB struct {
	conn    ch.Conn
	options *ch.Options // as opened, to open others like it
	engine  *chdb.Engine
	owner   bool // of the engine
}

var _ projections.DB = (*DB)(nil)

// Open opens the embedded engine, which must succeed, or prepares to speak with
// a server, which need not be there yet.
func Open(o Options) (*DB, error) {
	if o.Database == "" {
		o.Database = "lishi"
	}
	if o.MaxConns == 0 {
		o.MaxConns = 16
	}
	if o.DSN == "" {
		return openEmbedded(o)
	}
	options, err := ch.ParseDSN(withTLS(o.DSN))
	if err != nil {
		return nil, fmt.Errorf("the DSN of ClickHouse: %w", err)
	}
	if o.TLS != nil {
		if options.TLS == nil {
			return nil, errors.New("certificates are given for ClickHouse, but its DSN speaks no TLS: write https://, or secure=true behind a ?")
		}
		speakTLS(options, o.TLS)
	}
	if options.Auth.Database == "" {
		options.Auth.Database = o.Database
	}
	return open(options, o.MaxConns, nil)
}

func openEmbedded(o Options) (*DB, error) {
	engine, err := chdb.Open(chdb.Options{Dir: o.DataDir, Library: o.Library, MaxMemory: o.MaxMemory, MaxConns: o.MaxConns, Roles: o.Roles})
	if err != nil {
		return nil, err
	}
	db, err := open(&ch.Options{
		Protocol:      ch.HTTP,
		Addr:          []string{"embedded"},
		Auth:          ch.Auth{Database: o.Database},
		TransportFunc: func(*http.Transport) (http.RoundTripper, error) { return engine.Transport(), nil },
	}, o.MaxConns, engine)
	if err != nil {
		return nil, errors.Join(err, engine.Close())
	}
	db.owner = true
	return db, nil
}

func open(options *ch.Options, conns int, engine *chdb.Engine) (*DB, error) {
	if options.DialTimeout == 0 {
		// Over the native protocol the driver's handshake heeds this alone, not the context.
		options.DialTimeout = 5 * time.Second
	}
	if options.MaxOpenConns == 0 {
		options.MaxOpenConns = conns
	}
	if options.MaxIdleConns == 0 {
		options.MaxIdleConns = options.MaxOpenConns
	}
	if options.Settings == nil {
		options.Settings = ch.Settings{}
	}
	// An insert that is acknowledged from a server's buffer is not durable.
	options.Settings["async_insert"] = 0
	conn, err := ch.Open(options)
	if err != nil {
		return nil, fmt.Errorf("opening ClickHouse: %w", err)
	}
	return &DB{conn: conn, options: options, engine: engine}, nil
}

// In opens a second way to the same ClickHouse, with another database, which is
// created where it is missing. Closing it leaves db open.
func (db *DB) In(database string) (*DB, error) {
	options := *db.options
	options.Auth.Database = database
	return db.beside(&options)
}

// Share opens a second way to the same database that has at most conns
// statements under way; others wait. Closing it leaves db open.
func (db *DB) Share(conns int) (*DB, error) {
	options := *db.options
	options.MaxOpenConns, options.MaxIdleConns = conns, conns
	return db.beside(&options)
}

// ReadOnly opens a second way to the same database for the SQL of people: it
// cannot write, reach files or the network, or lift the limits, which are
// ClickHouse settings such as max_execution_time and max_result_rows. Closing
// it leaves db open.
func (db *DB) ReadOnly(limits map[string]any) (*DB, error) {
	options := *db.options
	options.Settings = ch.Settings{"readonly": 1}
	for name, value := range limits {
		options.Settings[name] = value
	}
	return db.beside(&options)
}

func (db *DB) beside(options *ch.Options) (*DB, error) {
	conn, err := ch.Open(options)
	if err != nil {
		return nil, fmt.Errorf("opening ClickHouse once more: %w", err)
	}
	return &DB{conn: conn, options: options, engine: db.engine}, nil
}

// HTTP is the way to this ClickHouse's HTTP interface, and its url with user and
// password. A server whose DSN is of the native protocol has none here.
func (db *DB) HTTP() (http.RoundTripper, *url.URL, error) {
	if db.engine != nil {
		return db.engine.Transport(), &url.URL{Scheme: "http", Host: "embedded", Path: "/"}, nil
	}
	if db.options.Protocol != ch.HTTP {
		return nil, nil, errors.New("its DSN is of the native protocol, not http or https")
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig, t.DisableCompression = db.options.TLS, true
	u := &url.URL{Scheme: "http", Host: db.options.Addr[0], Path: "/", User: url.UserPassword(db.options.Auth.Username, db.options.Auth.Password)}
	if db.options.TLS != nil {
		u.Scheme = "https"
	}
	return t, u, nil
}

// Engine is the embedded engine, nil with a server.
func (db *DB) Engine() *chdb.Engine { return db.engine }

// Database is the name of the database that unqualified names are in.
func (db *DB) Database() string { return db.options.Auth.Database }

// Close ends all connections, and the embedded engine if Open started it.
func (db *DB) Close() error {
	err := db.conn.Close()
	if db.owner {
		err = errors.Join(err, db.engine.Close())
	}
	return err
}

// Ping asks whether statements can be run now.
func (db *DB) Ping(ctx context.Context) error {
	return db.attempt(ctx, func() error { return db.conn.Ping(ctx) })
}

// Exec implements projections.DB.
func (db *DB) Exec(ctx context.Context, sql string, args ...projections.Arg) error {
	return db.attempt(ctx, func() error { return db.conn.Exec(ctx, sql, named(args)...) })
}

// Query implements projections.DB.
func (db *DB) Query(ctx context.Context, sql string, args ...projections.Arg) (projections.RowScanner, error) {
	ctx, cancel := context.WithCancel(ctx)
	r := &rows{ctx: ctx, cancel: cancel}
	err := db.attempt(ctx, func() (err error) {
		r.Rows, err = db.conn.Query(ctx, sql, named(args)...)
		return err
	})
	if err != nil {
		cancel()
		return nil, err
	}
	return r, nil
}

// maxInsertRows keeps an insert below ClickHouse's own block size
// (max_insert_block_size): above it, one INSERT may become several parts, and
// is no longer whole or nothing.
const maxInsertRows = 1_000_000

// mergeRows is the setting that has ClickHouse look for rows with the same key in
// what it is about to write.
const mergeRows = "optimize_on_insert"

// Insert implements projections.DB, for at most a million rows that belong into
// one partition of the table.
func (db *DB) Insert(ctx context.Context, table string, columns []projections.Column, how ...projections.Insertion) error {
	n, err := height(columns)
	if err != nil {
		return fmt.Errorf("inserting into %s: %w", table, err)
	}
	if n == 0 {
		return nil
	}
	types := make([]ch.ColumnNameAndType, len(columns))
	names := make([]string, len(columns))
	for i, c := range columns {
		types[i] = ch.ColumnNameAndType{Name: c.Name, Type: c.Type}
		names[i] = quote(c.Name)
	}
	distinct := slices.Contains(how, projections.Distinct)
	sql := "INSERT INTO " + quoteTable(table) + " (" + strings.Join(names, ", ") + ")"
	if db.engine != nil {
		native := false
		err := db.attempt(ctx, func() (err error) { native, err = db.insertNative(ctx, sql, columns, n, distinct); return err })
		if err != nil {
			return fmt.Errorf("inserting %d rows into %s: %w", n, table, err)
		}
		if native {
			return nil
		}
	}
	// With the types given, the driver does not ask DESCRIBE for every insert.
	with := []ch.QueryOption{ch.WithColumnNamesAndTypes(types)}
	if distinct {
		settings := maps.Clone(db.options.Settings) // those of a statement take the place of all others
		settings[mergeRows] = 0
		with = append(with, ch.WithSettings(settings))
	}
	ctx = ch.Context(ctx, with...)
	err = db.attempt(ctx, func() error {
		batch, err := db.conn.PrepareBatch(ctx, sql)
		if err != nil {
			return err
		}
		defer batch.Close()
		for i, c := range columns {
			if err := batch.Column(i).Append(plain(c)); err != nil {
				return fmt.Errorf("column %s: %w", c.Name, err)
			}
		}
		return batch.Send()
	})
	if err != nil {
		return fmt.Errorf("inserting %d rows into %s: %w", n, table, err)
	}
	return nil
}

// attempt calls f and classifies its error. If the server has no such database
// yet, it is created and f called once more.
func (db *DB) attempt(ctx context.Context, f func() error) error {
	err := f()
	if Code(err) == unknownDatabase {
		if db.createDatabase(ctx) == nil {
			err = f()
		}
	}
	return classify(ctx, err)
}

func (db *DB) createDatabase(ctx context.Context) error {
	options := *db.options
	options.Auth.Database = ""
	options.MaxOpenConns, options.MaxIdleConns = 1, 1
	conn, err := ch.Open(&options)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Exec(ctx, "CREATE DATABASE IF NOT EXISTS "+quote(db.Database()))
}

// height is the number of rows of the columns.
func height(columns []projections.Column) (int, error) {
	n := 0
	for i, c := range columns {
		rows, err := c.Len()
		if err != nil {
			return 0, err
		}
		if i > 0 && rows != n {
			return 0, fmt.Errorf("column %s has %d rows, column %s has %d", c.Name, rows, columns[0].Name, n)
		}
		n = rows
	}
	if n > maxInsertRows {
		return 0, fmt.Errorf("%d rows are more than the %d that go in whole or not at all", n, maxInsertRows)
	}
	return n, nil
}

// plain is the column's data as the driver takes it: it has no []bool for UInt8,
// and packs strings itself.
func plain(c projections.Column) any {
	switch d := c.Data.(type) {
	case projections.Texts:
		return d.Strings()
	case projections.Symbols:
		return d.Strings()
	case projections.Lists:
		return d.Strings()
	case []bool:
		if c.Type == "UInt8" {
			return raw(d) // Go's bools are the bytes 0 and 1
		}
	}
	return c.Data
}

func named(args []projections.Arg) []any {
	all := make([]any, len(args))
	for i, a := range args {
		all[i] = ch.Named(a.Name, a.Value)
	}
	return all
}

func quote(name string) string {
	return "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(name) + "`"
}

// quoteTable quotes "table" and "database.table".
func quoteTable(name string) string {
	if database, table, qualified := strings.Cut(name, "."); qualified {
		return quote(database) + "." + quote(table)
	}
	return quote(name)
}
