package app

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"lishi/events"
	"lishi/events/merkle"
	"lishi/infra/config"
	"lishi/infra/console"
	"lishi/infra/kafka"
	"lishi/infra/seals"
	"lishi/infra/witness"
)

// console looks at a running lishi.
func (w *watcher) console(client *console.Client) look {
	return func(ctx context.Context) error {
		var keys struct{ Changes []string }
		if err := client.Get(ctx, "/api/audit/keys", nil, &keys); err != nil {
			return err
		}
		var changes [][]byte
		for _, c := range keys.Changes {
			changes = append(changes, []byte(c))
		}
		if err := w.memory.Follow(changes...); err != nil {
			return err
		}
		var heads struct {
			Checkpoints []struct{ Partition, Checkpoint string }
		}
		if err := client.Get(ctx, "/api/audit/checkpoints", nil, &heads); err != nil {
			return err
		}
		var errs []error
		for _, h := range heads.Checkpoints {
			errs = append(errs, w.see(ctx, []byte(h.Checkpoint), func(old, now merkle.Checkpoint) ([]events.Hash, error) {
				var answer struct{ Proof string }
				err := client.Get(ctx, "/api/audit/consistency", url.Values{
					"partition": {h.Partition}, "old": {strconv.FormatInt(old.Size, 10)}, "size": {strconv.FormatInt(now.Size, 10)},
				}, &answer)
				if err != nil {
					return nil, err
				}
				var co merkle.Consistency
				err = co.UnmarshalText([]byte(answer.Proof))
				return co.Path, err
			}))
		}
		return errors.Join(errs...)
	}
}

// files looks at checkpoints in a file, or in the files of a directory of seals.
func (w *watcher) files(path string) look {
	return func(ctx context.Context) error {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		names := []string{path}
		if info.IsDir() {
			if names, err = filepath.Glob(filepath.Join(path, "*.checkpoints")); err != nil {
				return err
			}
			if len(names) == 0 {
				return fmt.Errorf("there are no checkpoints in %s", path)
			}
			changes, err := seals.ReadChanges(seals.KeysFile(path))
			if err == nil {
				err = w.memory.Follow(changes...)
			}
			if err != nil {
				return err
			}
		}
		var errs []error
		for _, name := range names {
			errs = append(errs, w.file(ctx, name))
		}
		return errors.Join(errs...)
	}
}

// file looks at one file of checkpoints. Where the stored tree stands beside it,
// that proves that they continue what is remembered; else what is remembered must
// stand among them.
func (w *watcher) file(ctx context.Context, path string) error {
	text, err := readIf(path)
	if err != nil {
		return err
	}
	last, among := text, false // a single note
	size := int64(-1)
	for e := range seals.Notes(text) {
		last = e.Signed
		if size < 0 {
			size, _ = w.memory.Size(e.Origin)
		}
		if e.Size == size {
			among = true
			if err := w.see(ctx, e.Signed, witness.Unproved); err != nil {
				return err
			}
		}
	}
	if len(last) == 0 {
		if size, known := w.sizeIn(path); known {
			return fmt.Errorf("%s is empty, and %d records were seen", path, size)
		}
		return nil
	}
	return w.see(ctx, last, func(old, now merkle.Checkpoint) ([]events.Hash, error) {
		_, part, err := merkle.ParseOrigin(now.Origin)
		if err != nil {
			return nil, err
		}
		leaves, err := seals.OpenLeaves(filepath.Dir(path), part)
		if err != nil {
			return nil, err
		}
		if leaves == nil && !among {
			return nil, fmt.Errorf("%s does not hold the checkpoint of %d records that was seen before, and no tree (%s.hashes) stands beside it to prove that it continues", path, old.Size, part)
		}
		if leaves == nil {
			return witness.Unproved(old, now)
		}
		defer leaves.Close()
		return leaves.Consistency(now.Size, old.Size)
	})
}

// sizeIn tells of a file named after its partition what is remembered of that.
func (w *watcher) sizeIn(path string) (int64, bool) {
	name := strings.TrimSuffix(filepath.Base(path), ".checkpoints")
	for origin := range w.memory.Heads() {
		if strings.HasSuffix(origin, "/"+name) {
			return w.memory.Size(origin)
		}
	}
	return 0, false
}

// topic looks at lishi.seals.
func (w *watcher) topic(cfg config.Config) look {
	seals := events.Partition{Topic: events.Seals}
	return func(ctx context.Context) (err error) {
		a, open, err := w.archive(ctx, cfg)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, open.close()) }()
		followed, end := w.memory.Followed(a.LogID), a.Records[seals]
		if followed >= end && followed != events.Start {
			return w.memory.RolledBack(merkle.Origin(a.LogID, seals), followed+1, end, nil)
		}
		if followed == events.Start {
			if err := w.changes(ctx, a, end); err != nil {
				return err
			}
		}
		var alarm *witness.Alarm
		err = a.Read(ctx, seals, followed+1, end, func(offset int64, r events.Record) error {
			err := w.published(ctx, a, events.Position{Partition: seals, Offset: offset}, r)
			if followed = offset; errors.As(err, &alarm) {
				w.raise(ctx, alarm)
				return nil
			}
			return err
		})
		err = errors.Join(err, w.memory.Passed(a.LogID, followed))
		for _, part := range a.Partitions() {
			origin := merkle.Origin(a.LogID, part)
			if size, known := w.memory.Size(origin); known && a.Records[part] < size {
				w.raise(ctx, w.memory.RolledBack(origin, size, a.Records[part], nil))
			}
		}
		return err
	}
}

// changes follows all changes of the key before any checkpoint.
func (w *watcher) changes(ctx context.Context, a *kafka.Archive, end int64) error {
	var changes [][]byte
	seals := events.Partition{Topic: events.Seals}
	err := a.Read(ctx, seals, 0, end, func(offset int64, r events.Record) error {
		e, err := events.Decode(events.Position{Partition: seals, Offset: offset}, r)
		if b, ok := e.Body.(events.KeyChanged); ok && err == nil {
			changes = append(changes, []byte(b.Change))
		}
		return nil
	})
	if err != nil {
		return err
	}
	return w.memory.Follow(changes...)
}

// published takes one record of lishi.seals.
func (w *watcher) published(ctx context.Context, a *kafka.Archive, at events.Position, r events.Record) error {
	e, err := events.Decode(at, r)
	if err != nil {
		return err
	}
	switch b := e.Body.(type) {
	case events.KeyChanged:
		return w.memory.Follow([]byte(b.Change))
	case events.CheckpointSigned:
		_, err := w.memory.See([]byte(b.Checkpoint), func(old, now merkle.Checkpoint) ([]events.Hash, error) {
			if b.Old != old.Size { // two nodes signed at once: the log itself tells
				return proved(ctx, a, old, now)
			}
			var path []events.Hash
			for _, text := range b.Proof {
				h, err := base64.StdEncoding.DecodeString(text)
				if err != nil || len(h) != len(events.Hash{}) {
					return nil, nil // proves nothing
				}
				path = append(path, events.Hash(h))
			}
			return path, nil
		})
		var behind *witness.Behind
		if errors.As(err, &behind) {
			return nil // likewise; a log that is shorter is found below
		}
		return err
	}
	return nil
}

// proved reads the log for a proof that nobody published.
func proved(ctx context.Context, a *kafka.Archive, old, now merkle.Checkpoint) ([]events.Hash, error) {
	_, part, err := merkle.ParseOrigin(now.Origin)
	if err != nil {
		return nil, err
	}
	prover, err := merkle.NewProver(now.Size, nil, []int64{old.Size})
	if err != nil {
		return nil, err
	}
	err = a.Read(ctx, part, 0, now.Size, func(_ int64, r events.Record) error {
		prover.Append(events.LeafHash(r))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return prover.Consistency(old.Size)
}
