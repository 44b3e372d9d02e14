package app

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"lishi/infra/clickhouse"
	"lishi/infra/config"
	"lishi/infra/looks"
	sqlapi "lishi/infra/sql"
	"lishi/infra/telemetry"
	"lishi/infra/tokens"
	"lishi/ws/wire"
)

// openSQL makes the endpoint of people's SQL over the node's ClickHouse. A server
// that is reached by the native protocol needs an http address beside it; without
// one there is no SQL.
func openSQL(cfg config.Config, db *clickhouse.DB, r *looks.Recorder, verify func(string, time.Time) (tokens.Claims, error), m *telemetry.Metrics, logger *slog.Logger) (*sqlapi.Endpoint, error) {
	transport, base, err := db.HTTP()
	if cfg.SQLServer != "" {
		if base, err = url.Parse(cfg.SQLServer); err == nil && (base.Scheme != "http" && base.Scheme != "https" || base.Host == "") {
			err = errors.New("is no url like http://user:password@host:8123")
		}
		if err != nil {
			return nil, &config.Error{Setting: "sql-clickhouse", Origin: "flags, environment or file", Problem: "it must be an http or https url with a host"}
		}
		base.Path = "/"
		if transport == nil {
			transport = http.DefaultTransport
		}
	}
	if base == nil {
		if cfg.SQL != "off" {
			logger.Warn("there is no SQL endpoint: sql-clickhouse must say how ClickHouse is reached over http", "error", err)
		}
		return nil, nil
	}
	if t, server := transport.(*http.Transport); server {
		transport = sqlapi.Watching(t)
	}
	o := sqlapi.Options{
		Engine: transport, Base: base, Database: db.Database(), Verify: verify, Password: cfg.SQLPassword, Limits: sqlLimits(cfg), Answered: m.Asked, Logger: logger,
	}
	if r != nil {
		o.Looks = r
	}
	return sqlapi.New(o), nil
}

func sqlLimits(cfg config.Config) sqlapi.Limits {
	return sqlapi.Limits{Time: cfg.SQLTime, Rows: cfg.SQLRows, Memory: cfg.SQLMemory, AtOnce: cfg.SQLAtOnce, Threads: 2}
}

// listenSQL opens the SQL endpoint's address; nil: there is none.
func listenSQL(ctx context.Context, cfg config.Config, all []config.Setting, logger *slog.Logger) (net.Listener, error) {
	return sideAddress{
		setting: "sql", address: cfg.SQL, example: "127.0.0.1:8123", name: "SQL endpoint",
		exposed: "its passwords and what it shows can be read on the way; use tls-cert, or a loopback address",
	}.listen(ctx, cfg, all, logger)
}

// serveSQL serves the endpoint until the function that it gives is called, which
// ends the statements under way.
func (n *node) serveSQL(l net.Listener, trusted []netip.Prefix, served chan<- error) (end func(context.Context)) {
	if l == nil || n.sql == nil {
		return func(context.Context) {}
	}
	base, cancel := context.WithCancel(context.Background())
	server := wire.NewServer(behindProxies(trusted, ownPages(n.sql)))
	server.ReadTimeout = time.Minute
	server.BaseContext = func(net.Listener) context.Context { return base }
	return serveSide("sql", server, l, n.logger, served, cancel)
}
