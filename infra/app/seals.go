package app

import (
	"context"
	"crypto/ed25519"
	"log/slog"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"lishi/events/merkle"
	"lishi/infra/config"
	"lishi/infra/console"
	"lishi/infra/kafka"
	"lishi/infra/seals"
)

// openSeals opens what signs the log while it grows; nil if the settings want none.
func openSeals(cfg config.Config, log *kafka.Log, logger *slog.Logger) (*seals.Sealer, error) {
	if !cfg.Seal {
		return nil, nil
	}
	o := seals.Options{
		Dir: cfg.Data, Interval: cfg.SealInterval, Events: int64(cfg.SealEvents), Alone: cfg.KafkaBrokers == "", Logger: logger,
	}
	var err error
	if o.Trusted, err = publicKeys(cfg.AuditTrust); err != nil {
		return nil, err
	}
	if cfg.AuditKey == "" && cfg.KafkaBrokers != "" {
		logger.Warn("this node signs no checkpoints of the log: no audit-key is given")
	} else {
		key, err := auditorsKey(cfg)
		if err != nil {
			return nil, err
		}
		o.Key = &key
	}
	for url := range strings.SplitSeq(cfg.SealWitnesses, ",") {
		if url != "" {
			o.Witnesses = append(o.Witnesses, url)
		}
	}
	return seals.Open(log, o)
}

// publicKeys reads those of a setting, joined by commas.
func publicKeys(list string) (keys []ed25519.PublicKey, err error) {
	for text := range strings.SplitSeq(list, ",") {
		if text == "" {
			continue
		}
		k, err := merkle.ParsePublic(text)
		if err != nil {
			return nil, &config.Error{Setting: "audit-trust", Origin: "flags, environment or file", Problem: err.Error()}
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// seal signs the log until ctx ends. Several nodes share the signing out among
// them, and each checks what the others sign.
func (n *node) seal(ctx context.Context) error {
	if n.seals == nil {
		return nil
	}
	if n.cfg.KafkaBrokers != "" {
		ended := make(chan error, 1)
		go func() { ended <- n.log.Share(ctx, "seals", n.seals.Mine) }()
		defer func() { <-ended }()
	}
	return n.seals.Run(ctx)
}

// sealer is what the console asks; nil where nothing is sealed.
func (n *node) sealer() console.Sealer {
	if n.seals == nil {
		return nil
	}
	return n.seals
}

var (
	sealSize       = prometheus.NewDesc("lishi_seal_records", "Records under the newest checkpoint of a partition.", []string{"partition"}, nil)
	sealLag        = prometheus.NewDesc("lishi_seal_lag_records", "Records of a partition that no checkpoint vouches for yet.", []string{"partition"}, nil)
	sealWaiting    = prometheus.NewDesc("lishi_seal_waiting_seconds", "How long the oldest record of a partition that no checkpoint vouches for waits.", []string{"partition"}, nil)
	sealFailures   = prometheus.NewDesc("lishi_seal_failures_total", "Rounds of sealing that did not do all; they are made again.", nil, nil)
	contradictions = prometheus.NewDesc("lishi_seal_contradictions", "Contradictions found between the log and what was signed of it.", nil, nil)
	witnessLag     = prometheus.NewDesc("lishi_witness_lag_records", "Sealed records that a witness has not acknowledged.", []string{"witness"}, nil)
	witnessFails   = prometheus.NewDesc("lishi_witness_failures_total", "Checkpoints that a witness did not take; they are sent again.", []string{"witness"}, nil)
	clockSkew      = prometheus.NewDesc("lishi_clock_skew_records_total", "Records whose recorded time runs back, or is ahead of or behind this node's clock.", []string{"partition", "skew"}, nil)
)

// sealFigures gives the figures of the sealing when they are asked for.
type sealFigures struct{ n *node }

// Describe implements prometheus.Collector.
func (f sealFigures) Describe(c chan<- *prometheus.Desc) {
	for _, d := range sealDescs {
		c <- d
	}
}

var sealDescs = []*prometheus.Desc{sealSize, sealLag, sealWaiting, sealFailures, contradictions, witnessLag, witnessFails, clockSkew}

// Collect implements prometheus.Collector.
func (f sealFigures) Collect(c chan<- prometheus.Metric) {
	if f.n.seals == nil {
		return
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		c <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	count := func(d *prometheus.Desc, v int64, labels ...string) {
		c <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	st := f.n.seals.Status()
	for _, p := range st.Partitions {
		gauge(sealSize, float64(p.Size), p.Partition)
		gauge(sealLag, float64(max(0, p.Records-p.Size)), p.Partition)
		gauge(sealWaiting, p.Waiting, p.Partition)
		count(clockSkew, p.Back.Records, p.Partition, "back")
		count(clockSkew, p.Ahead.Records, p.Partition, "ahead")
		count(clockSkew, p.Behind.Records, p.Partition, "behind")
	}
	count(sealFailures, st.Failures)
	gauge(contradictions, float64(len(st.Wrong)))
	for _, w := range st.Witnesses {
		gauge(witnessLag, float64(w.Lag), w.URL)
		count(witnessFails, w.Failures, w.URL)
	}
}
