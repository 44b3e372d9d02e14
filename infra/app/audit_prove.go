package app

import (
	"context"
	"encoding"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"lishi/events"
	"lishi/events/merkle"
	"lishi/infra/config"
	"lishi/infra/console"
	"lishi/infra/kafka"
	"lishi/infra/seals"
)

func (p *program) auditProve() *cobra.Command {
	out := ""
	c := settings(&cobra.Command{
		Use:   "prove POSITION [--out FILE]",
		Short: "Prove that an event stands in the log",
		Long: `Prove that an event stands at a position (c3-182736) of the log: the record, the
hashes beside its way to the root, and a checkpoint with that root, signed now.
The proof is a C2SP tlog-proof; "lishi audit verify" checks it with neither log
nor server.

Where a server runs on the data directory, or --console names one, it answers,
under the checkpoint that it published last; that is a look, which is recorded.`,
		Args: cobra.ExactArgs(1),
	}, config.Log, config.Audit, config.Console)
	askFlags(c)
	c.Flags().StringVar(&out, "out", "", "file for the proof; without it, it is printed")
	c.RunE = func(c *cobra.Command, args []string) error {
		at, err := events.ParsePosition(args[0])
		if err != nil {
			return usageError{err}
		}
		return p.orOfServer(c, out, func() error { return p.proveAtRest(c, at, out) }, func(ctx context.Context, client *console.Client) (string, error) {
			return provedByServer(ctx, client, at)
		})
	}
	return c
}

func (p *program) proveAtRest(c *cobra.Command, at events.Position, out string) error {
	return p.audited(c, func(a *kafka.Archive, key merkle.Key) error {
		return p.prove(c.Context(), a, key, at.Partition, out, func(size int64) (offsets, olds []int64, err error) {
			if at.Offset >= size {
				return nil, nil, fmt.Errorf("%s is not in the log: the partition has %d records", at, size)
			}
			return []int64{at.Offset}, nil, nil
		}, func(v *merkle.Prover, records map[int64][]byte, signed []byte) (encoding.TextMarshaler, error) {
			path, err := v.Inclusion(at.Offset)
			return &merkle.Inclusion{Record: records[at.Offset], Offset: at.Offset, Path: path, Checkpoint: signed}, err
		})
	})
}

func (p *program) auditConsistency() *cobra.Command {
	out := ""
	c := settings(&cobra.Command{
		Use:   "consistency OLD [NEW] [--out FILE]",
		Short: "Prove that the log continues an older checkpoint",
		Long: `Prove that what an older checkpoint (a file) stood for is the beginning of what the
log holds now, or of what a newer one (another file) stood for: that no record
under it was changed, removed, or put in between. The proof ends with the newer
checkpoint, which is signed now if none is given. "lishi audit verify --old OLD
PROOF" checks it with neither log nor server.

Where a server runs on the data directory, or --console names one, it answers.`,
		Args: cobra.RangeArgs(1, 2),
	}, config.Log, config.Audit, config.Console)
	askFlags(c)
	c.Flags().StringVar(&out, "out", "", "file for the proof; without it, it is printed")
	c.RunE = func(c *cobra.Command, args []string) error {
		return p.orOfServer(c, out, func() error {
			return p.audited(c, func(a *kafka.Archive, key merkle.Key) error {
				return p.proveConsistency(c.Context(), a, key, args, out)
			})
		}, func(ctx context.Context, client *console.Client) (string, error) {
			if len(args) == 1 {
				return continuedByServer(ctx, client, args[0], 0)
			}
			newer, err := unopened(args[1])
			if err != nil {
				return "", err
			}
			return continuedByServer(ctx, client, args[0], newer.Size)
		})
	}
	return c
}

func (p *program) proveConsistency(ctx context.Context, a *kafka.Archive, key merkle.Key, paths []string, out string) error {
	keys, err := handedOver(ctx, a, key)
	if err != nil {
		return err
	}
	path := paths[0]
	old, err := openCheckpoint(path, keys)
	if err != nil {
		return err
	}
	_, part, err := merkle.ParseOrigin(old.Origin)
	if err != nil {
		return &Finding{fmt.Sprintf("%s: %v", path, err)}
	}
	if len(paths) == 2 {
		return p.proveBetween(ctx, a, keys, part, old, paths[1], out)
	}
	return p.prove(ctx, a, key, part, out, func(size int64) (offsets, olds []int64, err error) {
		if old.Size > size {
			return nil, nil, &Finding{fmt.Sprintf("%s had %d records and has %d: it was rolled back", part, old.Size, size)}
		}
		return nil, []int64{old.Size}, nil
	}, func(v *merkle.Prover, _ map[int64][]byte, signed []byte) (encoding.TextMarshaler, error) {
		path, err := v.Consistency(old.Size)
		if err != nil {
			return nil, err
		}
		now, err := merkle.Open(signed, key.Public())
		if err != nil {
			return nil, err
		}
		proof := &merkle.Consistency{Old: old.Size, Path: path, Checkpoint: signed}
		if err := proof.Verify(old, now); err != nil {
			return nil, &Finding{err.Error()}
		}
		return proof, nil
	})
}

// handedOver are the own key and those that handed over to it, as lishi.seals
// tells: old checkpoints were signed by them.
func handedOver(ctx context.Context, a *kafka.Archive, key merkle.Key) (merkle.Keys, error) {
	topic := events.Partition{Topic: events.Seals}
	_, keys, _, err := seals.Published(ctx, a.LogID, merkle.Trust(key.Public()), a.Records[topic], func(ctx context.Context, from, end int64, each func(int64, events.Record) error) error {
		return a.Read(ctx, topic, from, end, each)
	})
	return keys, err
}

// wanted says which proofs are to be made of a partition of that size, and made
// makes one of what was read.
type (
	wanted func(size int64) (offsets, olds []int64, err error)
	made   func(v *merkle.Prover, records map[int64][]byte, signed []byte) (encoding.TextMarshaler, error)
)

// prove reads a partition once, signs its head and writes what is made of both.
func (p *program) prove(ctx context.Context, a *kafka.Archive, key merkle.Key, part events.Partition, out string, wanted wanted, made made) error {
	size, ok := a.Records[part]
	if !ok {
		return fmt.Errorf("the log has no partition %s", part)
	}
	offsets, olds, err := wanted(size)
	if err != nil {
		return err
	}
	prover, err := merkle.NewProver(size, offsets, olds)
	if err != nil {
		return err
	}
	records := map[int64][]byte{}
	for _, o := range offsets {
		records[o] = nil
	}
	err = p.leaves(ctx, a, part, size, func(offset int64, r events.Record) {
		prover.Append(events.LeafHash(r))
		if _, ok := records[offset]; ok {
			records[offset] = events.AppendRecord(nil, r)
		}
	})
	if err != nil {
		return err
	}
	signed, err := merkle.Sign(merkle.Checkpoint{Origin: merkle.Origin(a.LogID, part), Size: size, Root: prover.Root()}, key)
	if err != nil {
		return err
	}
	proof, err := made(prover, records, signed)
	if err != nil {
		return err
	}
	text, err := proof.MarshalText()
	if err != nil {
		return err
	}
	return p.proof(out, text)
}

// proveBetween proves that a newer checkpoint, which was signed before, continues
// an older one.
func (p *program) proveBetween(ctx context.Context, a *kafka.Archive, keys merkle.Keys, part events.Partition, old merkle.Checkpoint, path, out string) error {
	newer, err := openCheckpoint(path, keys)
	if err != nil {
		return err
	}
	switch {
	case newer.Origin != old.Origin:
		return usageError{fmt.Errorf("%s is of %s, the other of %s", path, newer.Origin, old.Origin)}
	case newer.Size < old.Size:
		return usageError{fmt.Errorf("%s is the older one: give it first", path)}
	case newer.Size > a.Records[part]:
		return &Finding{fmt.Sprintf("%s had %d records and has %d: it was rolled back", part, newer.Size, a.Records[part])}
	}
	prover, err := merkle.NewProver(newer.Size, nil, []int64{old.Size})
	if err != nil {
		return err
	}
	if err := p.leaves(ctx, a, part, newer.Size, func(_ int64, r events.Record) { prover.Append(events.LeafHash(r)) }); err != nil {
		return err
	}
	if prover.Root() != newer.Root {
		return &Finding{fmt.Sprintf("the first %d records of %s are not what %s says", newer.Size, part, path)}
	}
	proof := &merkle.Consistency{Old: old.Size}
	if proof.Path, err = prover.Consistency(old.Size); err != nil {
		return err
	}
	if err := proof.Verify(old, newer); err != nil {
		return &Finding{err.Error()}
	}
	if proof.Checkpoint, err = os.ReadFile(path); err != nil {
		return err
	}
	text, err := proof.MarshalText()
	if err != nil {
		return err
	}
	return p.proof(out, text)
}

// verifiedEvent is what a proof shows of its record.
type verifiedEvent struct {
	Position string `json:"position"`
	Type     string `json:"type,omitempty"`
	Stream   string `json:"stream,omitempty"`
	Actor    string `json:"actor,omitempty"`
	Said     string `json:"said,omitempty"`
	Recorded string `json:"recorded,omitempty"`
	Value    string `json:"value"`
	Size     int64  `json:"size"` // of the checkpoint
}

// describe reads the record of a proof that holds.
func describe(origin string, size int64, offset int64, r events.Record) (verifiedEvent, error) {
	_, part, err := merkle.ParseOrigin(origin)
	if err != nil {
		return verifiedEvent{}, err
	}
	at := events.Position{Partition: part, Offset: offset}
	e, err := events.Decode(at, r)
	if err != nil {
		return verifiedEvent{}, err
	}
	v := verifiedEvent{Position: at.String(), Value: string(r.Value), Size: size}
	if _, foreign := e.Body.(events.Foreign); !foreign {
		v.Type, v.Stream, v.Actor = e.Body.Type(), e.Stream.Key(), e.Actor
		v.Said, v.Recorded = e.Time.UTC().Format(rfc3339Milli), e.At.UTC().Format(rfc3339Milli)
	}
	return v, nil
}

const rfc3339Milli = "2006-01-02T15:04:05.000Z07:00"
