package app

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"lishi/events"
	"lishi/events/merkle"
	"lishi/infra/config"
	"lishi/infra/kafka"
	"lishi/infra/seals"
	"lishi/infra/secrets"
	"lishi/infra/telemetry"
)

func (p *program) auditRotate() *cobra.Command {
	out := ""
	c := settings(&cobra.Command{
		Use:   "rotate [--out FILE]",
		Short: "Let another key sign checkpoints from now on",
		Long: `Make a new key, and let the one of now hand over to it: a note with both keys and
the sizes up to which the old one signed, signed by both, is appended to
lishi.seals. Who trusts the old key follows it to the new one, and believes the old
one nothing more than those sizes; who is given only the new key believes the old
one's checkpoints as far. Do so from time to time, and at once when somebody may
have read the old key.

With an embedded log the server must be stopped, and the new key takes the old
one's place in audit.key. Where audit-key is given the new one is written to
--out: give it to all nodes and restart them. A node signs nothing more once it
has read that its key handed over.

Interrupted, it is finished by the same command.`,
		Args: cobra.NoArgs,
	}, config.Log, config.Audit)
	c.Flags().StringVar(&out, "out", "", "file for the new key, where the old one is given by audit-key")
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, _, err := load(c)
		if err != nil {
			return err
		}
		switch {
		case cfg.AuditKey != "" && out == "":
			return usageError{errors.New("audit-key is given: name a file for the new one with --out")}
		case cfg.AuditKey == "" && out != "":
			return usageError{errors.New("--out is for a key that is given by audit-key; this one stands in the data directory")}
		}
		if err := logIsThere(cfg); err != nil {
			return err
		}
		key, err := auditorsKey(cfg)
		if err != nil {
			return err
		}
		l, open, err := openLog(c.Context(), cfg, telemetry.NewMetrics(), telemetry.Logger(p.err, "warn", cfg.LogFormat))
		if err != nil {
			return err
		}
		return errors.Join(p.rotate(c.Context(), cfg, l, key, out), open.close())
	}
	return c
}

// rotate lets a key hand over to a new one. The new one is on disk before the
// log knows of it, and takes the old one's place after.
func (p *program) rotate(ctx context.Context, cfg config.Config, l *kafka.Log, key merkle.Key, out string) error {
	topic := events.Partition{Topic: events.Seals}
	ends, err := l.Ends(ctx)
	if err != nil {
		return err
	}
	kept, keys, problem, err := seals.Published(ctx, l.ID(), merkle.Trust(key.Public()), ends[topic]+1, func(ctx context.Context, from, end int64, each func(int64, events.Record) error) error {
		return l.Records(ctx, topic, from, end, each)
	})
	if err != nil {
		return err
	}
	if problem != "" {
		return &Finding{problem}
	}
	dir, name := cfg.Data, "audit.key.new"
	if out != "" {
		dir, name = filepath.Split(out)
		dir = filepath.Clean(dir)
	}
	text, err := secrets.File(dir, name) // of an attempt that was interrupted, if there was one
	if err != nil {
		return err
	}
	seed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(dir, name), err)
	}
	next, err := merkle.NewKey(seed)
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(dir, name), err)
	}
	switch {
	case keys.Signs(key.Public()):
		change := merkle.Change{LogID: l.ID(), Number: len(keys.Changes()) + 1, Sizes: map[events.Partition]int64{}}
		for part, ks := range kept {
			for _, k := range ks {
				change.Sizes[part] = max(change.Sizes[part], k.Size)
			}
		}
		signed, err := merkle.SignChange(change, key, next)
		if err != nil {
			return err
		}
		stream := events.Stream{Kind: events.Seal, ID: "keys"}
		_, err = l.Append(ctx, events.Event{
			ID: events.NewID(stream.Key(), "", string(signed)), Stream: stream, Time: time.Now().UTC().Truncate(time.Millisecond), Body: events.KeyChanged{Change: string(signed)},
		})
		if err != nil {
			return err
		}
	case !keys.Signs(next.Public()):
		newest := keys.Public()
		return fmt.Errorf("this key handed over before: %s signs now", printedKey(newest[len(newest)-1]))
	}
	if out == "" {
		if err := os.Rename(filepath.Join(dir, name), filepath.Join(dir, "audit.key")); err != nil {
			return err
		}
	}
	if p.asJSON {
		return p.json(map[string]string{"old": printedKey(key.Public()), "key": printedKey(next.Public())})
	}
	fmt.Fprintln(p.out, printedKey(next.Public()))
	if out != "" {
		fmt.Fprintf(p.err, "%s has the new audit-key: give it to all nodes, and restart them\n", out)
	}
	return nil
}
