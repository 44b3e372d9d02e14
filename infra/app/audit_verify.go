package app

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"lishi/events/merkle"
	"lishi/infra/config"
	"lishi/infra/seals"
)

func (p *program) auditVerify() *cobra.Command {
	var keys []string
	var old string
	var kept []string
	log, changes := false, ""
	c := settings(&cobra.Command{
		Use:   "verify FILE… [--key KEY] [--old CHECKPOINT] [--log]",
		Short: "Verify packages, proofs and checkpoints; with --log, the log against checkpoints",
		Long: `Verify files that "lishi audit" wrote: proofs of events, proofs that a log
continues (with --old, the older checkpoint), checkpoints, packages (a directory,
.zip or .tar that audit export wrote; with --checkpoint, which may be repeated,
compared with checkpoints that were kept elsewhere). Neither log nor server is
needed; --key is the public key to trust, as "lishi audit key" prints it
(again for each key that is to be trusted, or --changes with the file of the
changes by which one handed over to the next). Without --key it is the own one.

With --log the files are checkpoints that were kept elsewhere, and the log that
the settings name is read whole and held against all of them, and against what a
running lishi has signed: the checkpoints in lishi.seals and in seals/ of the data
directory. An altered, removed, inserted, swapped or cut record under any of them
is found. Where the tree in seals/ agrees with the checkpoints the first wrong
record is named; else the offsets between two checkpoints. Without files, a log
that somebody changed together with everything that was signed of it passes: keep
checkpoints elsewhere, or have them witnessed.

Exit status 3 means that something does not hold.`,
		Args: func(c *cobra.Command, args []string) error {
			if log, _ := c.Flags().GetBool("log"); log {
				return nil
			}
			return cobra.MinimumNArgs(1)(c, args)
		},
	}, config.Log, config.Audit)
	c.Flags().StringArrayVar(&keys, "key", nil, "public key to trust")
	c.Flags().StringVar(&old, "old", "", "the older checkpoint of a consistency proof")
	c.Flags().StringArrayVar(&kept, "checkpoint", nil, "a checkpoint that was kept elsewhere, to compare a package with")
	c.Flags().BoolVar(&log, "log", false, "hold the log against the checkpoints")
	c.Flags().StringVar(&changes, "changes", "", "file of the changes of the key (seals/LOG/keys of the data directory), to follow them")
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
		follow, err := followed(trust, changes)
		if err != nil {
			return err
		}
		if packaged(args) {
			return p.verifyPackages(args, follow.Public(), kept)
		}
		var before *merkle.Checkpoint
		if old != "" {
			cp, err := openCheckpoint(old, follow)
			if err != nil {
				return err
			}
			before = &cp
		}
		for _, path := range args {
			if err := p.verifyFile(path, before, follow); err != nil {
				return err
			}
		}
		return nil
	}
	return c
}

// followed are the keys trusted, with those that they handed over to as far as a
// file of changes tells.
func followed(trust []ed25519.PublicKey, path string) (merkle.Keys, error) {
	keys := merkle.Trust(trust...)
	if path == "" {
		return keys, nil
	}
	if _, err := os.Stat(path); err != nil {
		return keys, err
	}
	changes, err := seals.ReadChanges(path)
	if err == nil {
		keys, err = keys.FollowAll(changes)
	}
	if errors.Is(err, merkle.ErrKey) {
		return keys, &Finding{fmt.Sprintf("%s: %v", path, err)}
	}
	return keys, err
}

// openCheckpoint reads a checkpoint's file; one that nobody trusted signed is a
// finding.
func openCheckpoint(path string, trust merkle.Keys) (merkle.Checkpoint, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return merkle.Checkpoint{}, err
	}
	c, err := trust.Open(text)
	if err != nil {
		return c, &Finding{fmt.Sprintf("%s: %v", path, err)}
	}
	return c, nil
}

func (p *program) verifyFile(path string, old *merkle.Checkpoint, trust merkle.Keys) error {
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
		c, err := trust.Open(in.Checkpoint)
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
		c, err := trust.Open(co.Checkpoint)
		if err != nil {
			return wrong(err)
		}
		if err := co.Verify(*old, c); err != nil {
			return wrong(err)
		}
		return p.holds(path, c, fmt.Sprintf("%s continues: its first %d of %d records are what they were", c.Origin, old.Size, c.Size))
	}
	c, err := trust.Open(text)
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
