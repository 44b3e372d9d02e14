package app

import (
	"context"
	"log/slog"
	"path/filepath"

	"lishi/infra/config"
	"lishi/infra/exports"
	"lishi/infra/kafka"
)

// openExports goes on with the audit packages that the console was asked for. With
// Kafka and without the setting audit-key there is nothing to sign them with: it
// gives nil, and the console says so.
func openExports(cfg config.Config, log *kafka.Log, logger *slog.Logger) (*exports.Jobs, error) {
	if cfg.AuditKey == "" && cfg.KafkaBrokers != "" {
		return nil, nil
	}
	key, err := auditorsKey(cfg)
	if err != nil {
		return nil, err
	}
	source := func(ctx context.Context) (exports.Source, error) {
		ends, err := log.Ends(ctx)
		return exports.Source{Log: log, LogID: log.ID(), Layout: log.Layout(), Ends: ends}, err
	}
	return exports.OpenJobs(filepath.Join(cfg.Data, "exports"), source, exports.Options{Key: key, Program: "lishi " + Version}, logger)
}
