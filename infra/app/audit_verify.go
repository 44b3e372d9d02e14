package app

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"lishi/events"
	"lishi/events/merkle"
	"lishi/infra/config"
	"lishi/infra/kafka"
)

func (p *program) auditVerify() *cobra.Command {
	var keys []string
	var old string
	var kept []string
	log := false
	c := settings(&cobra.Command{
		Use:   "verify FILE… [--key KEY] [--old CHECKPOINT] [--log]",
		Short: "Verify packages, proofs and checkpoints; with --log, the log against checkpoints",
		Long: `Verify files that "lishi audit" wrote: proofs of events, proofs that a log
continues (with --old, the older checkpoint), checkpoints, packages (a directory,
.zip or .tar that audit export wrote; with --checkpoint, which may be repeated,
compared with checkpoints that were kept elsewhere). Neither log nor server is
needed; --key is the public key to trust, as "lishi audit key" prints it
(again for each key, where it was changed). Without --key it is the own one.

With --log the files are checkpoints that were kept elsewhere, and the log that
the settings name is read whole and held against all of them: an altered,
removed, inserted, swapped or cut record under any of them is found. The more
checkpoints, the closer the place of the first wrong record is told.

Exit status 3 means that something does not hold.`,
		Args: cobra.MinimumNArgs(1),
	}, config.Log, config.Audit)
	c.Flags().StringArrayVar(&keys, "key", nil, "public key to trust")
	c.Flags().StringVar(&old, "old", "", "the older checkpoint of a consistency proof")
	c.Flags().StringArrayVar(&kept, "checkpoint", nil, "a checkpoint that was kept elsewhere, to compare a package with")
	c.Flags().BoolVar(&log, "log", false, "hold the log against the checkpoints")
	c.RunE = func(c *cobra.Command, args []string) error {
		cfg, _, err := load(c)
		if err != nil {
			return err
		}
		trust, err := trusted(cfg, keys)
		if err != nil {
			return err
		}
		if log {
			return p.verifyLog(c.Context(), cfg, args, trust)
		}
		if packaged(args) {
			return p.verifyPackages(args, trust, kept)
		}
		var before *merkle.Checkpoint
		if old != "" {
			cp, err := openCheckpoint(old, trust)
			if err != nil {
				return err
			}
			before = &cp
		}
		for _, path := range args {
			if err := p.verifyFile(path, before, trust); err != nil {
				return err
			}
		}
		return nil
	}
	return c
}

// openCheckpoint reads a checkpoint's file; one that nobody trusted signed is a
// finding.
func openCheckpoint(path string, trust []ed25519.PublicKey) (merkle.Checkpoint, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return merkle.Checkpoint{}, err
	}
	c, err := merkle.Open(text, trust...)
	if err != nil {
		return c, &Finding{fmt.Sprintf("%s: %v", path, err)}
	}
	return c, nil
}

func (p *program) verifyFile(path string, old *merkle.Checkpoint, trust []ed25519.PublicKey) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	wrong := func(err error) error { return &Finding{fmt.Sprintf("%s: %v", path, err)} }
	var in merkle.Inclusion
	if bytes.HasPrefix(text, []byte("c2sp.org/")) {
		if err := in.UnmarshalText(text); err != nil {
			return wrong(err)
		}
		c, err := merkle.Open(in.Checkpoint, trust...)
		if err != nil {
			return wrong(err)
		}
		r, err := in.Verify(c)
		if err != nil {
			return wrong(err)
		}
		v, err := describe(c.Origin, c.Size, in.Offset, r)
		if err != nil {
			return wrong(err)
		}
		if p.asJSON {
			return p.json(v)
		}
		fmt.Fprintf(p.out, "%s holds: %s is in %s, among %d records\n", path, v.Position, c.Origin, c.Size)
		if v.Type != "" {
			fmt.Fprintf(p.out, "  %s in %s by %s, said %s, recorded %s\n", v.Type, v.Stream, v.Actor, v.Said, v.Recorded)
		}
		_, err = fmt.Fprintf(p.out, "  %s\n", v.Value)
		return err
	}
	var co merkle.Consistency
	if co.UnmarshalText(text) == nil {
		if old == nil {
			return usageError{fmt.Errorf("%s proves that a log continues: give the older checkpoint with --old", path)}
		}
		c, err := merkle.Open(co.Checkpoint, trust...)
		if err != nil {
			return wrong(err)
		}
		if err := co.Verify(*old, c); err != nil {
			return wrong(err)
		}
		return p.holds(path, c, fmt.Sprintf("%s continues: its first %d of %d records are what they were", c.Origin, old.Size, c.Size))
	}
	c, err := merkle.Open(text, trust...)
	if err != nil {
		return wrong(err)
	}
	return p.holds(path, c, fmt.Sprintf("%s had %d records; a trusted key signed it", c.Origin, c.Size))
}

func (p *program) holds(path string, c merkle.Checkpoint, text string) error {
	if p.asJSON {
		return p.json(map[string]any{"file": path, "holds": true, "origin": c.Origin, "size": c.Size})
	}
	_, err := fmt.Fprintf(p.out, "%s holds: %s\n", path, text)
	return err
}

// verifyLog reads the log once and compares its trees with all checkpoints.
func (p *program) verifyLog(ctx context.Context, cfg config.Config, files []string, trust []ed25519.PublicKey) (err error) {
	a, open, err := p.archive(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, open.close()) }()
	byPart := map[events.Partition][]kept{}
	for _, path := range files {
		c, err := openCheckpoint(path, trust)
		if err != nil {
			return err
		}
		id, part, err := merkle.ParseOrigin(c.Origin)
		if err != nil {
			return &Finding{fmt.Sprintf("%s: %v", path, err)}
		}
		if id != a.LogID {
			return &Finding{fmt.Sprintf("%s is of log %s, this is log %s", path, id, a.LogID)}
		}
		byPart[part] = append(byPart[part], kept{path, c})
	}
	parts := make([]events.Partition, 0, len(byPart))
	for part := range byPart {
		parts = append(parts, part)
	}
	slices.SortFunc(parts, func(a, b events.Partition) int {
		return int(a.Topic)<<16 + int(a.Number) - int(b.Topic)<<16 - int(b.Number)
	})
	for _, part := range parts {
		if err := p.verifyPartition(ctx, a, part, byPart[part]); err != nil {
			return err
		}
	}
	return nil
}

// kept is a checkpoint that was kept elsewhere.
type kept struct {
	path string
	merkle.Checkpoint
}

// verifyPartition finds the first checkpoint that the partition contradicts: the
// first wrong record lies between it and the last one that holds.
func (p *program) verifyPartition(ctx context.Context, a *kafka.Archive, part events.Partition, cs []kept) error {
	slices.SortStableFunc(cs, func(a, b kept) int { return int(a.Size - b.Size) })
	size := a.Records[part]
	last := kept{}
	var tree merkle.Tree
	var final []events.Hash
	var wrong error
	check := func() {
		for wrong == nil && len(cs) > 0 && cs[0].Size == tree.Size() {
			if cs[0].Root != tree.Root() {
				wrong = &Finding{fmt.Sprintf("%s of log %s is not what %s says: the first wrong record is at one of the offsets from %d to %d",
					part, a.LogID, cs[0].path, last.Size, cs[0].Size-1)}
				return
			}
			last, cs = cs[0], cs[1:]
		}
	}
	check()
	err := p.leaves(ctx, a, part, size, func(_ int64, r events.Record) {
		final = tree.Append(final[:0], events.LeafHash(r))
		check()
	})
	switch {
	case errors.Is(err, events.ErrDamaged):
		return &Finding{err.Error()}
	case err != nil:
		return err
	case wrong != nil:
		return wrong
	case len(cs) > 0:
		return &Finding{fmt.Sprintf("%s of log %s has %d records, %s says %d: the records from offset %d on are gone",
			part, a.LogID, size, cs[0].path, cs[0].Size, size)}
	}
	if p.asJSON {
		return p.json(map[string]any{"partition": part.String(), "holds": true, "records": size, "checkpointed": last.Size})
	}
	_, err = fmt.Fprintf(p.out, "%s holds: %d records, of which checkpoints vouch for the first %d\n", part, size, last.Size)
	return err
}
