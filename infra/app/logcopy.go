package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"lishi/infra/config"
	"lishi/infra/kafka"
	"lishi/infra/telemetry"
)

func (p *program) logs() *cobra.Command {
	c := &cobra.Command{
		Use:   "log",
		Short: "Look at a log, or copy it to Kafka or back",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(p.logCopy(), p.logInfo())
	return c
}

// toFlag and toEnv begin the names of the target's settings.
const (
	toFlag = "to-"
	toEnv  = "LISHI_TO_"
)

func (p *program) logCopy() *cobra.Command {
	c := settings(&cobra.Command{
		Use:   "copy --to-kafka-brokers HOST:PORT,… | --to-data DIR",
		Short: "Copy the log to empty topics, every record at its offset, and compare",
		Long: `Copy the log that the settings name to another place: from the embedded broker
to Kafka, from Kafka to Kafka, or back. The target is named by the same settings
with to- before them (--to-kafka-brokers, LISHI_TO_KAFKA_BROKERS), or by a file
of settings (--to-config).

Every record stands at the same offset there, with its key, headers and value
byte for byte, so positions, cursors and read models stay good. The target's
topics are made with the source's number of partitions, or must be empty. Then
both sides are read and the roots of their Merkle trees printed, one a partition.

Stop all nodes first; nothing may write to either side. While a copy is not
finished lishi refuses to open its target; the same command goes on with it. On
a target that is whole it only compares. Nothing is ever deleted from the source.

Exit status 3 means that the target holds something else than the source.

  lishi log copy --data /var/lib/lishi/data --to-kafka-brokers kafka1:9092,kafka2:9092,kafka3:9092`,
		Args: cobra.NoArgs,
	}, config.Log)
	var toFile string
	c.Flags().StringVar(&toFile, toFlag+"config", "", "YAML file with settings of the target")
	for _, s := range config.Settings() {
		if s.Of(config.Log) && s.Name != "log-format" && !strings.HasSuffix(s.Name, "-partitions") {
			c.Flags().String(toFlag+s.Name, s.Default, fmt.Sprintf("of the target: %s (%s%s)", s.Help, toEnv, strings.TrimPrefix(s.Env, "LISHI_")))
		}
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		from, to, err := loadBoth(c, toFile)
		if err != nil {
			return err
		}
		logger := telemetry.Logger(p.err, "warn", from.LogFormat)
		return p.copyLog(c.Context(), from, to, logger)
	}
	return c
}

// loadBoth reads the settings of both sides.
func loadBoth(c *cobra.Command, toFile string) (from, to config.Config, err error) {
	file, _ := c.Flags().GetString("config")
	if file == "" {
		file = os.Getenv("LISHI_CONFIG")
	}
	givenFrom, givenTo := map[string]string{}, map[string]string{}
	c.Flags().Visit(func(f *pflag.Flag) {
		if name, of := strings.CutPrefix(f.Name, toFlag); of {
			givenTo[name] = f.Value.String()
		} else {
			givenFrom[f.Name] = f.Value.String()
		}
	})
	var envFrom, envTo []string
	for _, kv := range os.Environ() {
		if name, of := strings.CutPrefix(kv, toEnv); of {
			envTo = append(envTo, "LISHI_"+name)
		} else {
			envFrom = append(envFrom, kv)
		}
	}
	others := func(s config.Setting) bool { return !s.Of(config.Log) }
	from, _, err = config.Load(file, envFrom, givenFrom)
	if err = config.Without(err, others); err != nil {
		return from, to, err
	}
	to, all, err := config.Load(toFile, envTo, givenTo)
	if err = config.Without(err, others); err != nil {
		return from, to, fmt.Errorf("target: %w", err)
	}
	for _, s := range all {
		if (s.Name == "data" || s.Name == "kafka-brokers") && s.Origin != "default" {
			return from, to, nil
		}
	}
	return from, to, usageError{errors.New("name the target: --to-kafka-brokers, --to-data or --to-config (see lishi log copy --help)")}
}

func (p *program) copyLog(ctx context.Context, from, to config.Config, logger *slog.Logger) (err error) {
	var open closers
	defer func() { err = errors.Join(err, open.close()) }()
	if err := logIsThere(from); err != nil {
		return fmt.Errorf("source: %w", err)
	}
	var o kafka.CopyOptions
	var more closers
	if o.From, open, err = logOptions(ctx, from, telemetry.NewMetrics(), logger); err != nil {
		return fmt.Errorf("source: %w", err)
	}
	if o.To, more, err = logOptions(ctx, to, telemetry.NewMetrics(), logger); err != nil {
		return fmt.Errorf("target: %w", err)
	}
	open = append(open, more...)
	progress, finish := p.progress("records")
	o.Progress = func(g kafka.CopyProgress) { progress(g.Phase, g.Done, g.Total) }
	res, err := kafka.Copy(ctx, o)
	finish()
	var differs *kafka.DiffersError
	if errors.As(err, &differs) {
		return &Finding{differs.Error()}
	}
	if err != nil {
		return err
	}
	return p.copied(res)
}

// logIsThere refuses an embedded log that opening would make.
func logIsThere(cfg config.Config) error {
	if cfg.KafkaBrokers != "" {
		return nil
	}
	dir := filepath.Join(cfg.Data, "log")
	if _, err := os.Stat(filepath.Join(dir, "format")); err != nil {
		return fmt.Errorf("there is no log in %s: %w", dir, err)
	}
	return nil
}

func (p *program) copied(res kafka.CopyResult) error {
	type row struct {
		Partition string `json:"partition"`
		Records   int64  `json:"records"`
		Copied    int64  `json:"copied"`
		Source    string `json:"source"`
		Target    string `json:"target"`
	}
	var rows []row
	for _, c := range res.Partitions {
		rows = append(rows, row{c.Partition.String(), c.Records, c.Records - c.There, c.Source, c.Target})
	}
	if p.asJSON {
		return p.json(map[string]any{"logId": res.LogID, "equal": true, "partitions": rows})
	}
	total, copied := int64(0), int64(0)
	for _, r := range rows {
		total, copied = total+r.Records, copied+r.Copied
		fmt.Fprintf(p.out, "%s  %d records\n  source %s\n  target %s\n", r.Partition, r.Records, r.Source, r.Target)
	}
	_, err := fmt.Fprintf(p.out, "log %s: %d records, %d of them copied now; source and target are equal\n", res.LogID, total, copied)
	return err
}

func (p *program) logInfo() *cobra.Command {
	c := settings(&cobra.Command{
		Use:   "info",
		Short: "Print a log's id, partitions and numbers of records",
		Long: `Print a log's id, its partitions and how many records they hold. The embedded log
can be looked at while no server runs on its directory. Nothing is changed.`,
		Args: cobra.NoArgs,
	}, config.Log)
	c.RunE = func(c *cobra.Command, _ []string) (err error) {
		cfg, _, err := load(c)
		if err != nil {
			return err
		}
		if err := logIsThere(cfg); err != nil {
			return err
		}
		o, open, err := logOptions(c.Context(), cfg, telemetry.NewMetrics(), telemetry.Logger(p.err, "warn", cfg.LogFormat))
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, open.close()) }()
		info, err := kafka.OpenArchive(c.Context(), o)
		if err != nil {
			return err
		}
		defer info.Close()
		type row struct {
			Partition string `json:"partition"`
			Records   int64  `json:"records"`
		}
		var rows []row
		for _, part := range info.Partitions() {
			rows = append(rows, row{part.String(), info.Records[part]})
		}
		if p.asJSON {
			return p.json(map[string]any{"logId": info.LogID, "partitions": rows})
		}
		fmt.Fprintf(p.out, "log %s\n", info.LogID)
		for _, r := range rows {
			fmt.Fprintf(p.out, "%s  %d records\n", r.Partition, r.Records)
		}
		return nil
	}
	return c
}
