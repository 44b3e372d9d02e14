package app

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"lishi/infra/chdb"
	"lishi/infra/config"
)

func (p *program) engine() *cobra.Command {
	c := settings(&cobra.Command{
		Use:   "engine --listen ADDR",
		Short: "Serve the embedded ClickHouse over ClickHouse's HTTP interface",
		Long: `Serve the embedded ClickHouse engine, on the data directory, over ClickHouse's
HTTP interface, so that several nodes or other programs can use it as a server:
give them --clickhouse http://ADDR.

There are no users: whoever reaches the address may do everything. Keep it on
a loopback address.`,
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
		l, err := listen(c.Context(), cfg.Listen)
		if err != nil {
			return err
		}
		defer l.Close()
		e, err := chdb.Open(chdb.Options{Dir: filepath.Join(cfg.Data, "clickhouse"), Library: cfg.CHDB, MaxMemory: cfg.EngineMemory})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, e.Close()) }()
		fmt.Fprintf(p.out, "ClickHouse %s on http://%s/, data in %s\n", chdb.Version(), l.Addr(), filepath.Join(cfg.Data, "clickhouse"))
		return chdb.Serve(c.Context(), l, e)
	}
	return c
}
