package app

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"lishi/events"
	"lishi/events/merkle"
	"lishi/infra/config"
	"lishi/infra/console"
	"lishi/infra/kafka"
	"lishi/infra/secrets"
	"lishi/infra/telemetry"
)

func (p *program) audit() *cobra.Command {
	c := &cobra.Command{
		Use:   "audit",
		Short: "Sign, prove and verify what the log holds",
		Long: `Sign, prove and verify what the log holds.

Each partition of the log is a Merkle tree (RFC 6962) whose leaf n is the record
at offset n. A checkpoint is its size and root, signed. Kept somewhere else, a
checkpoint shows for ever whether the records under it are still the same ones;
a proof shows somebody who has neither log nor server that a record is one of
them. The formats are C2SP's (tlog-checkpoint, tlog-proof, signed-note) and are
read by other people's tools; docs/audit.md has them.

The embedded log can be read while no server runs on its data directory; a log
on Kafka at any time.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(p.auditKey(), p.auditCheckpoint(), p.auditProve(), p.auditConsistency(), p.auditVerify(), p.auditWatch(), p.auditWho(), p.auditSeen(), p.auditLooks(), p.auditExport())
	return c
}

// auditorsKey signs checkpoints: the configured one, or the one kept with the data.
func auditorsKey(cfg config.Config) (merkle.Key, error) {
	text, origin := cfg.AuditKey, "flags, environment or file"
	if text == "" {
		if cfg.KafkaBrokers != "" {
			return merkle.Key{}, &config.Error{Setting: "audit-key", Origin: "default",
				Problem: "it must be given with Kafka: who reads the log elsewhere must be able to say which key is the log's"}
		}
		var err error
		if text, err = secrets.File(cfg.Data, "audit.key"); err != nil {
			return merkle.Key{}, err
		}
		origin = filepath.Join(cfg.Data, "audit.key")
	}
	seed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err == nil {
		var key merkle.Key
		if key, err = merkle.NewKey(seed); err == nil {
			return key, nil
		}
	}
	return merkle.Key{}, &config.Error{Setting: "audit-key", Origin: origin, Problem: fmt.Sprintf("it is not %d bytes in URL-safe base64 without padding", secrets.Size)}
}

// printedKey is how a public key is told to people, and given with --key.
func printedKey(k ed25519.PublicKey) string { return base64.RawURLEncoding.EncodeToString(k) }

// trusted are the keys given with --key, or else the own one.
func trusted(cfg config.Config, given []string) (keys []ed25519.PublicKey, err error) {
	for _, text := range given {
		b, err := base64.RawURLEncoding.Strict().DecodeString(text)
		if err != nil || len(b) != ed25519.PublicKeySize {
			return nil, usageError{fmt.Errorf("--key %q is not a public key as lishi audit key prints it", text)}
		}
		keys = append(keys, b)
	}
	if len(keys) > 0 {
		return keys, nil
	}
	own, err := auditorsKey(cfg)
	if err != nil {
		return nil, err
	}
	more, err := publicKeys(cfg.AuditTrust)
	return append([]ed25519.PublicKey{own.Public()}, more...), err
}

// audited opens the log that a command's settings name, with the key that signs
// for it, for as long as work takes.
func (p *program) audited(c *cobra.Command, work func(a *kafka.Archive, key merkle.Key) error) (err error) {
	cfg, _, err := load(c)
	if err != nil {
		return err
	}
	key, err := auditorsKey(cfg)
	if err != nil {
		return err
	}
	a, open, err := p.archive(c.Context(), cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, open.close()) }()
	return work(a, key)
}

// archive opens the log that the settings name, to be read alone.
func (p *program) archive(ctx context.Context, cfg config.Config) (_ *kafka.Archive, open closers, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, open.close())
		}
	}()
	if err := logIsThere(cfg); err != nil {
		return nil, nil, err
	}
	o, open, err := logOptions(ctx, cfg, telemetry.NewMetrics(), telemetry.Logger(p.err, "warn", cfg.LogFormat))
	if err != nil {
		return nil, nil, err
	}
	a, err := kafka.OpenArchive(ctx, o)
	if err != nil {
		return nil, open, err
	}
	open.add(a.Close)
	return a, open, nil
}

// leaves hands on the leaves of a partition's tree, with the records.
func (p *program) leaves(ctx context.Context, a *kafka.Archive, part events.Partition, size int64, each func(offset int64, r events.Record)) error {
	show, finish := p.progress("records")
	defer finish()
	return a.Read(ctx, part, 0, size, func(offset int64, r events.Record) error {
		if offset%1000 == 0 || offset == size-1 {
			show("reading "+part.String(), offset+1, size)
		}
		each(offset, r)
		return nil
	})
}

func (p *program) auditKey() *cobra.Command {
	c := settings(&cobra.Command{
		Use:   "key",
		Short: "Print the public key that checkpoints are verified with",
		Long: `Print the public key that checkpoints are verified with. Give it to whoever is to
verify them, by a way that they trust. The secret half is the setting audit-key,
or stands in audit.key of the data directory, where it is made when it is missing.`,
		Args: cobra.NoArgs,
	}, config.Audit)
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, _, err := load(c)
		if err != nil {
			return err
		}
		key, err := auditorsKey(cfg)
		if err != nil {
			return err
		}
		if p.asJSON {
			return p.json(map[string]string{"key": printedKey(key.Public())})
		}
		_, err = fmt.Fprintln(p.out, printedKey(key.Public()))
		return err
	}
	c.AddCommand(p.auditRotate())
	return c
}

// signedHead is a checkpoint as it is printed.
type signedHead struct {
	Partition  string `json:"partition"`
	Size       int64  `json:"size"`
	Root       string `json:"root"`
	Checkpoint string `json:"checkpoint"`
}

func (p *program) auditCheckpoint() *cobra.Command {
	out := ""
	c := settings(&cobra.Command{
		Use:   "checkpoint [PARTITION…] [--out DIR]",
		Short: "Sign the size and root of each partition's tree",
		Long: `Read the log, compute the root of each partition's tree (or of the partitions
named: c0, u0 …) and sign it. Keep what is printed where nobody can change it
who can change the log.

Where a server runs on the data directory, or --console names one, it gives the
checkpoints that it published last, seconds old at most.

With --out each checkpoint is written to DIR/PARTITION-SIZE.checkpoint; a file
that is there already is left as it is, and compared.`,
	}, config.Log, config.Audit, config.Console)
	askFlags(c)
	c.Flags().StringVar(&out, "out", "", "directory for the checkpoints")
	c.RunE = func(c *cobra.Command, args []string) error {
		return p.orAsk(c, func() error {
			return p.audited(c, func(a *kafka.Archive, key merkle.Key) error {
				heads, err := p.heads(c.Context(), a, key, args)
				if err != nil {
					return err
				}
				return p.published(heads, out)
			})
		}, func(ctx context.Context, client *console.Client) error {
			heads, err := publishedHeads(ctx, client, args)
			if err != nil {
				return err
			}
			return p.published(heads, out)
		})
	}
	return c
}

// heads signs the heads of the partitions named, or of all.
func (p *program) heads(ctx context.Context, a *kafka.Archive, key merkle.Key, named []string) ([]signedHead, error) {
	parts, err := partitions(a, named)
	if err != nil {
		return nil, err
	}
	var heads []signedHead
	for _, part := range parts {
		head, signed, err := p.head(ctx, a, part, key)
		if err != nil {
			return nil, err
		}
		heads = append(heads, signedHead{part.String(), head.Size, base64.StdEncoding.EncodeToString(head.Root[:]), string(signed)})
	}
	return heads, nil
}

// published prints heads, or keeps them in a directory.
func (p *program) published(heads []signedHead, out string) error {
	if out != "" {
		for _, h := range heads {
			if err := keep(out, fmt.Sprintf("%s-%d.checkpoint", h.Partition, h.Size), []byte(h.Checkpoint)); err != nil {
				return err
			}
		}
	}
	if p.asJSON {
		return p.json(heads)
	}
	for _, h := range heads {
		if out == "" {
			fmt.Fprintln(p.out, h.Checkpoint)
		} else {
			fmt.Fprintf(p.out, "%s  %d records\n", h.Partition, h.Size)
		}
	}
	return nil
}

// partitions are those named, or all.
func partitions(a *kafka.Archive, named []string) ([]events.Partition, error) {
	all := a.Partitions()
	if len(named) == 0 {
		return all, nil
	}
	byName := map[string]events.Partition{}
	for _, part := range all {
		byName[part.String()] = part
	}
	var parts []events.Partition
	for _, name := range named {
		part, ok := byName[name]
		if !ok {
			return nil, usageError{fmt.Errorf("the log has no partition %q", name)}
		}
		parts = append(parts, part)
	}
	return parts, nil
}

// head computes and signs a partition's head.
func (p *program) head(ctx context.Context, a *kafka.Archive, part events.Partition, key merkle.Key) (merkle.Checkpoint, []byte, error) {
	var tree merkle.Tree
	var final []events.Hash
	err := p.leaves(ctx, a, part, a.Records[part], func(_ int64, r events.Record) {
		final = tree.Append(final[:0], events.LeafHash(r))
	})
	if err != nil {
		return merkle.Checkpoint{}, nil, err
	}
	head := merkle.Checkpoint{Origin: merkle.Origin(a.LogID, part), Size: tree.Size(), Root: tree.Root()}
	signed, err := merkle.Sign(head, key)
	return head, signed, err
}

// keep writes a file that never changes: one that is there must be the same.
func keep(dir, name string, content []byte) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	path := filepath.Join(dir, name)
	there, err := os.ReadFile(path)
	switch {
	case err == nil && string(there) == string(content):
		return nil
	case err == nil:
		was, _, _ := strings.Cut(string(there), "\n\n")
		is, _, _ := strings.Cut(string(content), "\n\n")
		if was == is {
			return nil // signed with another key, but the same head
		}
		return &Finding{fmt.Sprintf("%s says something else of the same size:\n%s\nthe log says\n%s", path, was, is)}
	case !errors.Is(err, os.ErrNotExist):
		return err
	}
	return os.WriteFile(path, content, 0o644)
}
