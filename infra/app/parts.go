package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"time"

	"lishi/events"
	"lishi/infra/broker"
	"lishi/infra/certificates"
	"lishi/infra/config"
	"lishi/infra/kafka"
	"lishi/infra/snapshots"
	"lishi/infra/telemetry"
	"lishi/projections"
)

// closers close what was opened, last first.
type closers []func() error

func (c *closers) add(f func() error) { *c = append(*c, f) }

func (c closers) close() error {
	var errs []error
	for i := len(c) - 1; i >= 0; i-- {
		errs = append(errs, c[i]())
	}
	return errors.Join(errs...)
}

// openLog opens the log that the settings name: Kafka by address, or the embedded
// broker on the data directory, which it locks.
func openLog(ctx context.Context, cfg config.Config, m *telemetry.Metrics, logger *slog.Logger) (_ *kafka.Log, _ closers, err error) {
	o, open, err := logOptions(ctx, cfg, m, logger)
	if err != nil {
		return nil, nil, err
	}
	l, err := reach(ctx, o, logger)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("log: %w", err), open.close())
	}
	open.add(l.Close)
	return l, open, nil
}

// A start waits for Kafka so long: brokers that start at the same time are not
// there yet, and of several one may be gone.
const (
	startPatience = time.Minute
	startPause    = 500 * time.Millisecond
)

// reach opens the log, again and again while Kafka can't be reached.
func reach(ctx context.Context, o kafka.Options, logger *slog.Logger) (*kafka.Log, error) {
	for deadline := time.Now().Add(startPatience); ; {
		l, err := kafka.Open(ctx, o)
		if err == nil || o.Embedded != nil || !errors.Is(err, events.ErrUnavailable) || time.Now().After(deadline) {
			return l, err
		}
		logger.Warn("Kafka can't be reached, trying again", "error", err)
		select {
		case <-time.After(startPause):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// logOptions says where the log is that the settings name, and opens the
// embedded broker if it is that.
func logOptions(ctx context.Context, cfg config.Config, m *telemetry.Metrics, logger *slog.Logger) (o kafka.Options, open closers, err error) {
	o = kafka.Options{
		TopicPrefix: cfg.TopicPrefix,
		Logger:      logger,
		Observer: kafka.Observer{
			Appended: func(_ string, _ int32, records, _ int, answered, synced time.Duration) {
				m.Appended(records, answered+synced)
				if synced > 0 {
					m.Synced(synced)
				}
			},
			AppendFailed: func(topic string, partition int32, attempt int, err error) {
				logger.Warn("append failed", "topic", topic, "partition", partition, "attempt", attempt, "error", err)
			},
			ReadFailed: func(p events.Partition, attempt int, err error) {
				logger.Warn("read failed", "partition", p.String(), "attempt", attempt, "error", err)
			},
		},
	}
	o.Layout, o.Replication = newTopics(cfg)
	// A byte of content may take six (\u001f); of what is beside it less is allowed.
	o.EventBytes = min(900_000, 6*cfg.MaxContent+cfg.MaxMessage)
	if cfg.KafkaBrokers == "" {
		b, err := broker.Open(ctx, broker.Options{Dir: filepath.Join(cfg.Data, "log"), Logger: logger})
		if err != nil {
			return o, nil, fmt.Errorf("embedded log: %w", err)
		}
		open.add(b.Close)
		o.Embedded = b
	} else {
		o.Brokers = strings.Split(cfg.KafkaBrokers, ",")
		err = access(cfg, &o, logger)
	}
	return o, open, err
}

// access says how Kafka is reached: TLS, user and password.
func access(cfg config.Config, o *kafka.Options, logger *slog.Logger) error {
	const origin = "flags, environment or file"
	if cfg.KafkaTLS {
		files := certificates.ClientFiles{CA: cfg.KafkaTLSCA, Cert: cfg.KafkaTLSCert, Key: cfg.KafkaTLSKey}
		client, err := certificates.NewClient(files, logger)
		if err != nil {
			return &config.Error{Setting: "kafka-tls", Origin: origin, Problem: err.Error()}
		}
		o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			t := client.Config()
			t.ServerName = cfg.KafkaTLSName
			return (&tls.Dialer{Config: t}).DialContext(ctx, network, address)
		}
	}
	if cfg.KafkaSASL == "" {
		return nil
	}
	c := kafka.Credentials{Mechanism: cfg.KafkaSASL, User: cfg.KafkaUser, Password: cfg.KafkaPassword, PasswordFile: cfg.KafkaPasswordFile}
	if err := c.Check(); err != nil {
		return &config.Error{Setting: "kafka-sasl", Origin: origin, Problem: err.Error()}
	}
	if !cfg.KafkaTLS {
		logger.Warn("user and password go to Kafka without TLS (kafka-tls)")
	}
	o.SASL = c
	return nil
}

// share is how read models are shared with other nodes, where there can be any:
// on a Kafka and a ClickHouse that are reached by address. An embedded log or
// engine belongs to one process, which locks it, so that process fills everything.
func share(cfg config.Config, with projections.Share) projections.Share {
	if cfg.KafkaBrokers == "" || cfg.ClickHouse == "" {
		return nil
	}
	return with
}

// openSnapshots names where this process keeps what its ledgers know.
func openSnapshots(cfg config.Config, log *kafka.Log, logger *slog.Logger) *snapshots.Store {
	return snapshots.Open(filepath.Join(cfg.Data, "snapshots"), log, snapshots.Options{Logger: logger})
}

// newTopics is how topics are made that are not there yet. On Kafka three
// replicas are asked for by number: a cluster's own default is one, and a log
// with one replica is lost with its broker.
func newTopics(cfg config.Config) (l events.Layout, replication int) {
	l, replication = events.Layout{Conversations: 4, Users: 1}, 1
	if cfg.KafkaBrokers != "" {
		l, replication = events.Layout{Conversations: 16, Users: 4}, 3
	}
	if cfg.ConversationPartitions > 0 {
		l.Conversations = int32(cfg.ConversationPartitions)
	}
	if cfg.UserPartitions > 0 {
		l.Users = int32(cfg.UserPartitions)
	}
	if cfg.Replicas > 0 {
		replication = cfg.Replicas
	}
	return l, replication
}
