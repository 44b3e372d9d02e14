package app

import (
	"crypto/tls"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"lishi/infra/certificates"
	"lishi/infra/chdb"
	"lishi/infra/config"
	sqlapi "lishi/infra/sql"
	"lishi/infra/telemetry"
)

func (p *program) engine() *cobra.Command {
	c := settings(&cobra.Command{
		Use:   "engine --listen ADDR",
		Short: "Serve the embedded ClickHouse over ClickHouse's HTTP interface",
		Long: `Serve the embedded ClickHouse engine, on the data directory, over ClickHouse's
HTTP interface, so that several nodes or other programs can use it as a server:
give them --clickhouse http://ADDR.

Without a password it serves loopback addresses only, and whoever reaches it may do
whatever this process may. With --engine-password-file there is one user, who may
do the same: --clickhouse https://lishi:PASSWORD@HOST:8123/lishi. Give it TLS too
(--tls-cert, --tls-key) where others share the network.

Deployments that share it have a database each: --clickhouse http://ADDR/shop. For
SQL of theirs it must know the names: --engine-databases lishi,shop.`,
		Args: cobra.NoArgs,
	}, config.Address, config.Engine)
	c.Flags().Lookup("listen").DefValue = "127.0.0.1:8123"
	c.RunE = func(c *cobra.Command, _ []string) (err error) {
		cfg, _, err := load(c)
		if err != nil {
			return err
		}
		if !c.Flags().Changed("listen") {
			cfg.Listen = "127.0.0.1:8123"
		}
		if cfg.EnginePassword == "" && !loopback(cfg.Listen) {
			return &config.Error{Setting: "engine-password", Origin: "default", Problem: "must be given to listen on " + cfg.Listen + ": whoever reaches the engine may do whatever this process may"}
		}
		databases, err := engineDatabases(cfg.EngineDatabases)
		if err != nil {
			return err
		}
		l, err := listen(c.Context(), cfg.Listen, "listen")
		if err != nil {
			return err
		}
		defer l.Close()
		scheme := "http"
		if cfg.TLSCert != "" {
			t, err := certificates.Server(cfg.TLSCert, cfg.TLSKey, telemetry.Logger(p.err, "info", cfg.LogFormat))
			if err != nil {
				return &config.Error{Setting: "tls-cert", Origin: "flags, environment or file", Problem: err.Error()}
			}
			l, scheme = tls.NewListener(l, t), "https"
		}
		e, err := chdb.Open(chdb.Options{Dir: filepath.Join(cfg.Data, "clickhouse"), Library: cfg.CHDB, MaxMemory: cfg.EngineMemory, Roles: sqlapi.Grants(databases...)})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, e.Close()) }()
		h := e.Handler()
		if cfg.EnginePassword != "" {
			h = ownPages(chdb.Authorised(cfg.EngineUser, cfg.EnginePassword, h))
		} else {
			h = localOnly(h)
		}
		fmt.Fprintf(p.out, "ClickHouse %s on %s://%s/, data in %s\n", chdb.Version(), scheme, l.Addr(), filepath.Join(cfg.Data, "clickhouse"))
		return chdb.Serve(c.Context(), l, h)
	}
	return c
}

var databaseName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// engineDatabases are the databases of the deployments that use an engine.
func engineDatabases(list string) ([]string, error) {
	var all []string
	for name := range strings.SplitSeq(list, ",") {
		if name = strings.TrimSpace(name); !databaseName.MatchString(name) {
			return nil, &config.Error{Setting: "engine-databases", Origin: "flags, environment or file", Problem: fmt.Sprintf("%q is no name of a database: letters, digits and underscores", name)}
		}
		all = append(all, name)
	}
	return all, nil
}
