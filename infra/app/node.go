package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"lishi/commands"
	"lishi/events"
	"lishi/events/ledger"
	"lishi/events/tail"
	"lishi/infra/certificates"
	"lishi/infra/clickhouse"
	"lishi/infra/config"
	"lishi/infra/console"
	"lishi/infra/explore"
	"lishi/infra/exports"
	"lishi/infra/kafka"
	"lishi/infra/looks"
	"lishi/infra/seals"
	"lishi/infra/snapshots"
	sqlapi "lishi/infra/sql"
	"lishi/infra/telemetry"
	"lishi/infra/tokens"
	"lishi/projections"
	"lishi/projections/asof"
	"lishi/projections/dates"
	"lishi/projections/feed"
	"lishi/projections/friends"
	"lishi/projections/groups"
	"lishi/projections/history"
	"lishi/projections/presence"
	"lishi/projections/recents"
	"lishi/projections/records"
	"lishi/projections/requests"
	"lishi/projections/search"
	"lishi/ws"
	"lishi/ws/wire"
)

// node is one running lishi. It reads like the way of a message: the log, its
// one reader, those who decide, those who remember, those who tell.
type node struct {
	cfg     config.Config
	logger  *slog.Logger
	metrics *telemetry.Metrics
	keys    *tokens.Keys

	log       *kafka.Log
	snapshots *snapshots.Store
	tail      *tail.Tail
	handler   *commands.Handler
	db        *clickhouse.DB
	engine    *projections.Engine
	server    *ws.Server
	exports   *exports.Jobs
	past      *asof.Past
	console   *console.Server
	reader    *projections.Reader // for those who ask without being a user
	history   *telemetry.History  // of its figures
	following *explore.Observer   // for those who look on
	started   time.Time
	seals     *seals.Sealer

	presence *presence.Board
	sql      *sqlapi.Endpoint // nil where ClickHouse can't be asked over HTTP

	open   closers
	cancel context.CancelFunc
	ended  chan struct{} // all runs of start are over
	failed chan error
}

func openNode(ctx context.Context, cfg config.Config, logger *slog.Logger) (_ *node, err error) {
	n := &node{cfg: cfg, logger: logger, metrics: telemetry.NewMetrics(), ended: make(chan struct{}), failed: make(chan error, 1)}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.open.close())
		}
	}()
	if n.keys, err = keys(cfg, func() { n.server.KeysChanged() }, logger); err != nil {
		return nil, err
	}
	format, err := dates.New(dates.Style(cfg.Dates), cfg.Zone)
	if err != nil {
		return nil, err
	}
	if n.log, n.open, err = openLog(ctx, cfg, n.metrics, logger); err != nil {
		return nil, err
	}
	if n.db, err = openDB(cfg, logger); err != nil {
		return nil, err
	}
	n.open.add(n.db.Close)
	// Queries have a share of ClickHouse's connections, so that however many
	// wait, the inserts that they wait for find a place.
	reads, err := n.db.Share(queryConns)
	if err != nil {
		return nil, err
	}
	n.open.add(reads.Close)

	n.snapshots = openSnapshots(cfg, n.log, logger)
	n.tail = tail.New(n.log, tail.Options{Restored: n.snapshots.Restore(ctx)})
	n.engine = projections.New(n.db, n.tail, models(), projections.Options{Database: n.db.Database(), Log: logger, Share: share(cfg, n.log.Share)})
	n.handler = commands.NewHandler(recent{n.log, n.tail}, n.tail, commands.Options{
		Policy:   commands.Policy{Strangers: cfg.Strangers, Expiry: cfg.ApplyExpiry, RecallWindow: cfg.RecallWindow},
		Deadline: cfg.Deadline,
		Requests: memory{requests.Memory{Engine: n.engine, DB: reads}},
	})
	reader := &projections.Reader{Engine: n.engine, DB: reads, Book: n.tail.Book(), Dates: format, Log: logger}
	origins, err := wire.ParseOrigins(cfg.Origins)
	if err != nil {
		return nil, fmt.Errorf("origins: %w", err)
	}
	limits := commands.DefaultLimits
	limits.Content = cfg.MaxContent
	n.server = ws.New(n.verify, n.handler, n.tail, reader, backlog{feed.Backlog{Engine: n.engine, DB: reads}, n.tail.Book()}, ws.Options{
		Wire: wire.Options{
			Origins: origins, MessageLimit: cfg.MaxMessage, QueueLimit: cfg.SendQueue, PingInterval: cfg.Ping,
		},
		Limits: limits, Dates: format, Rate: cfg.Rate, Burst: cfg.Burst, OfAddress: cfg.PerAddress, RecallWindow: cfg.RecallWindow, Metrics: n.metrics, Logger: logger,
	})
	n.presence = presence.New(reads, n.server, presence.Options{Log: logger})
	reader.Presence = n.presence
	n.reader = reader
	n.past = newPast(n.tail, *reader)
	n.following = explore.NewObserver(n.tail)
	n.tail.Observe(n.server, n.following)
	if n.seals, err = openSeals(cfg, n.log, logger); err != nil {
		return nil, err
	}
	if n.seals != nil {
		n.open.add(n.seals.Close)
	}
	if n.exports, err = openExports(cfg, n.log, logger); err != nil {
		return nil, err
	}
	n.open.add(n.exports.Close)
	n.started, n.history = time.Now(), telemetry.NewHistory(n.metrics, sampleEvery, samplesKept)
	if n.sql, err = openSQL(cfg, n.db, &looks.Recorder{Log: n.log}, n.keys.Verify, n.metrics, logger); err != nil {
		return nil, err
	}
	n.console = n.openConsole()
	n.metrics.Register(state{n}, replays{n.engine.Jobs}, sealFigures{n})
	return n, nil
}

// queryConns is how many queries run at once; ClickHouse takes 16 statements.
const queryConns = 12

// openDB opens the ClickHouse that the settings name.
func openDB(cfg config.Config, logger *slog.Logger) (*clickhouse.DB, error) {
	o := clickhouse.Options{
		DSN: cfg.ClickHouse, DataDir: filepath.Join(cfg.Data, "clickhouse"), Library: cfg.CHDB, MaxMemory: cfg.EngineMemory,
		MaxConns: 16 + cfg.SQLAtOnce, Roles: sqlapi.Grants(projections.DefaultDatabase),
	}
	files := certificates.ClientFiles{CA: cfg.ClickHouseCA, Cert: cfg.ClickHouseCert, Key: cfg.ClickHouseKey}
	var err error
	if files != (certificates.ClientFiles{}) {
		if o.TLS, err = certificates.NewClient(files, logger); err != nil {
			return nil, &config.Error{Setting: "clickhouse-tls-ca", Origin: "flags, environment or file", Problem: err.Error()}
		}
	}
	db, err := clickhouse.Open(o)
	if err != nil {
		return nil, fmt.Errorf("read models: %w", err)
	}
	for _, a := range projections.Audiences("") {
		if db.Database() == a.Database {
			return nil, errors.Join(&config.Error{Setting: "clickhouse", Origin: "flags, environment or file", Problem: "can't name the database " + a.Database + ", which is for the views of a deployment in " + projections.DefaultDatabase}, db.Close())
		}
	}
	return db, nil
}

// models lists the read models: a new projection is one line here.
func models() []projections.Projection {
	return []projections.Projection{
		friends.Projection{}, groups.Projection{}, history.Projection{}, recents.Projection{}, requests.Projection{},
		search.Projection{}, records.Projection{},
		feed.New(func(e events.Recorded, book *ledger.Book) []feed.Audience {
			keys := ws.FeedAudiences(e, book)
			as := make([]feed.Audience, len(keys))
			for i, k := range keys {
				as[i] = feed.Audience(k)
			}
			return as
		}),
	}
}

// start reads the log and fills the read models until stop. The channel tells of
// an end that nobody asked for.
func (n *node) start() <-chan error {
	ctx, cancel := context.WithCancel(context.Background())
	n.cancel = cancel
	done := make(chan struct{}, 7)
	run := func(what string, f func(context.Context) error) {
		if err := f(ctx); err != nil && ctx.Err() == nil {
			select {
			case n.failed <- fmt.Errorf("%s: %w", what, err):
			default:
			}
		}
		done <- struct{}{}
	}
	go run("log", n.tail.Run)
	go run("read models", n.engine.Run)
	go run("presence", n.presence.Run)
	go run("seals", n.seal)
	go run("figures", n.history.Run)
	go run("token keys", func(ctx context.Context) error { n.keys.Run(ctx); return nil })
	go run("snapshots", func(ctx context.Context) error { n.snapshots.Keep(ctx, n.tail.Book()); return nil })
	go func() {
		for range cap(done) {
			<-done
		}
		close(n.ended)
	}()
	return n.failed
}

// stop ends in order: no new work, answers for what is under way, sockets closed
// with 1001, then the parts from the last to the first.
func (n *node) stop(ctx context.Context) error {
	var errs []error
	late := func(what string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("stopping %s: %w", what, err))
		}
	}
	late("sockets", n.server.Shutdown(ctx))
	late("commands", n.handler.Close(ctx))
	n.cancel()
	select {
	case <-n.ended:
		n.snapshots.Last(n.tail.Book())
		if n.seals != nil {
			n.seals.Last(ctx)
		}
	case <-ctx.Done():
		late("read models", ctx.Err())
	}
	late("the log and the read models", n.open.close())
	return errors.Join(errs...)
}

func (n *node) verify(token string, now time.Time) (ws.Claims, error) {
	c, err := n.keys.Verify(token, now)
	return ws.Claims{UserID: c.UserID, Name: c.Name, Role: c.Role, Expires: c.Expires}, err
}

// recent is the log for commands: what was read lately need not be fetched again.
type recent struct {
	events.AsyncLog
	tail *tail.Tail
}

func (r recent) At(ctx context.Context, p events.Position) (events.Recorded, error) {
	return r.tail.At(ctx, p)
}

// memory lets commands ask for requests older than the ledger's window.
type memory struct{ requests.Memory }

func (m memory) Find(ctx context.Context, p events.Partition, id events.ID, upTo int64) (events.Position, bool, error) {
	at, _, found, err := m.Memory.Find(ctx, p, upTo, id)
	if errors.Is(err, projections.ErrUnavailable) {
		err = fmt.Errorf("%w: %w", events.ErrUnavailable, err)
	}
	return at, found, err
}

// backlog lets a resuming client have its part of the feed: its own rows, and
// those of its groups while it was a member.
type backlog struct {
	feed feed.Backlog
	book *ledger.Book
}

func (b backlog) Backlog(ctx context.Context, users []string, p events.Partition, after, upTo int64, each func(events.Recorded) error) (int64, error) {
	var wants []feed.Want
	relations := b.book.Ledger(p).Relations()
	for _, user := range users {
		wants = append(wants, feed.Want{Audience: feed.Audience(events.UserStream(user).Key())})
		for _, g := range relations.Groups(user) {
			wants = append(wants, feed.Want{Audience: feed.Audience(g.Key()), Intervals: relations.Intervals(g, user)})
		}
	}
	return b.feed.Read(ctx, p, after, upTo, wants, each)
}
