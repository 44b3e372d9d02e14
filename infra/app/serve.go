package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lishi/infra/certificates"
	"lishi/infra/config"
	"lishi/infra/telemetry"
	"lishi/ws/wire"
)

func (p *program) serve() *cobra.Command {
	return settings(&cobra.Command{
		Use:   "serve",
		Short: "Run everything: log, read models, sockets, the page",
		Long: `Run lishi. Without settings the log and the read models are embedded, with their
data in ./data; --kafka-brokers and --clickhouse point to servers instead.

SIGTERM and Ctrl-C end it in order: no new work is taken, what is under way is
answered, sockets are closed with 1001. It is gone within the shutdown grace.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, all, err := load(c)
			if err != nil {
				return err
			}
			return p.run(c.Context(), cfg, all)
		},
	})
}

// run serves until ctx ends or the log turns out to be damaged.
func (p *program) run(ctx context.Context, cfg config.Config, all []config.Setting) error {
	begun := time.Now()
	logger := telemetry.Logger(p.err, cfg.LogLevel, cfg.LogFormat)
	if cfg.Demo && !loopback(cfg.Listen) {
		return &config.Error{Setting: "demo", Origin: "flags or environment", Problem: "lets anybody be anybody, so it needs a loopback address, not " + cfg.Listen}
	}
	if cfg.Demo && cfg.TokenKey == "" && cfg.TokenJWKS != "" {
		return &config.Error{Setting: "demo", Origin: "flags or environment", Problem: "makes tokens for its people, so it needs token-key beside token-jwks"}
	}
	l, err := listen(ctx, cfg.Listen, "listen")
	if err != nil {
		return err
	}
	defer l.Close()
	forConsole, err := listenConsole(ctx, cfg, all, logger)
	if err != nil {
		return err
	}
	forSQL, err := listenSQL(ctx, cfg, all, logger)
	if err != nil {
		return err
	}
	if forSQL != nil {
		defer forSQL.Close()
	}
	scheme := ""
	if cfg.TLSCert != "" {
		t, err := certificates.Server(cfg.TLSCert, cfg.TLSKey, logger)
		if err != nil {
			return &config.Error{Setting: "tls-cert", Origin: "flags, environment or file", Problem: err.Error()}
		}
		l, scheme = tls.NewListener(l, t), "s"
		if forConsole != nil {
			forConsole = tls.NewListener(forConsole, t)
		}
		if forSQL != nil {
			forSQL = tls.NewListener(forSQL, t)
		}
	}
	if err := debug(ctx, cfg.DebugListen); err != nil {
		return err
	}
	n, err := openNode(ctx, cfg, logger)
	if err != nil {
		return err
	}
	networks, err := config.ParseNetworks(cfg.TrustedProxies)
	if err != nil {
		return err
	}
	server := wire.NewServer(behindProxies(networks, n.routes()))
	server.ErrorLog = slog.NewLogLogger(logger.Handler(), slog.LevelDebug) // of handshakes that failed, mostly
	places := &crowd{most: mostConnections(cfg.MaxConnections), sockets: n.server.Sockets, refused: func() { n.metrics.Refused("all") }, logger: logger}
	server.ConnState = places.state
	served := make(chan error, 2)
	go func() { served <- server.Serve(l) }()
	endConsole := n.serveConsole(forConsole, networks, served)
	endSQL := n.serveSQL(forSQL, networks, served)
	failed := n.start()
	go paceCollector(ctx)

	go func() {
		select {
		case <-n.tail.Ready():
			if cfg.Demo {
				if err := n.makeDemo(ctx); err != nil && ctx.Err() == nil {
					logger.Error("the demo people could not be made", "error", err)
				}
			}
			p.greet(l.Addr(), scheme, cfg, time.Since(begun))
			p.greetConsole(n, forConsole, scheme)
			if forSQL != nil {
				fmt.Fprintf(p.out, "  sql      http%s://%s/ (docs/sql.md)\n", scheme, forSQL.Addr())
			}
		case <-ctx.Done():
		}
	}()

	select {
	case <-ctx.Done():
		err = nil
	case err = <-failed:
		logger.Error("stopping", "error", err)
	case err = <-served:
		err = fmt.Errorf("serving: %w", err)
	}
	grace, cancel := context.WithTimeout(context.Background(), cfg.ShutdownGrace)
	defer cancel()
	l.Close()
	endConsole(grace)
	endSQL(grace)
	err = errors.Join(err, n.stop(grace))
	if closing := server.Shutdown(grace); closing != nil {
		server.Close()
	}
	return err
}

// greet tells a person where to go, once the log is read.
func (p *program) greet(addr net.Addr, s string, cfg config.Config, took time.Duration) {
	fmt.Fprintf(p.out, "lishi %s is ready after %.1f s\n", Version, took.Seconds())
	fmt.Fprintf(p.out, "  page     http%s://%s/\n", s, addr)
	fmt.Fprintf(p.out, "  sockets  ws%s://%s/ws\n", s, addr)
	fmt.Fprintf(p.out, "  health   http%s://%s/readyz and /metrics\n", s, addr)
	if cfg.KafkaBrokers == "" || cfg.ClickHouse == "" {
		fmt.Fprintf(p.out, "  data     %s\n", cfg.Data)
	}
	if cfg.Demo {
		fmt.Fprintf(p.out, "Open the page in two windows and be two of the demo people.\n")
	}
}

func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	return loopbackHost(host)
}

func loopbackHost(host string) bool {
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// debug serves Go's profiles on an address of their own until ctx ends.
func debug(ctx context.Context, addr string) error {
	if addr == "" {
		return nil
	}
	if !loopback(addr) {
		return &config.Error{Setting: "debug-listen", Origin: "flags or environment", Problem: addr + " is not a loopback address"}
	}
	l, err := listen(ctx, addr, "debug-listen")
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	s := wire.NewServer(localOnly(mux))
	s.WriteTimeout = 0 // a profile takes as long as it was asked to
	go s.Serve(l)
	context.AfterFunc(ctx, func() { s.Close() })
	return nil
}
