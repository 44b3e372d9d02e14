package seals

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"lishi/events"
	"lishi/events/merkle"
)

// resume makes the stored tree continue the newest checkpoint that it agrees
// with; what stands behind that is made again from the log. With no agreement at
// all the tree is made again from the first record, and then held against the
// last checkpoint: who changed the log does not get by with removing the tree.
func (s *Sealer) resume(part *part) error {
	stored, err := part.hashes.stored()
	if err != nil {
		return err
	}
	size := int64(0)
	entries, err := part.chain.newest(64, stored+1)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if root, err := merkle.Root(e.Size, part.hashes); err == nil && root == e.Root {
			size = e.Size
			break
		}
	}
	if last := part.chain.last.Size; size < last {
		s.o.Logger.Info("a tree is made again from the log", "partition", part.p.String(), "kept", size, "sealed", last)
	}
	part.mu.Lock()
	defer part.mu.Unlock()
	if err := part.hashes.cut(size); err != nil {
		return err
	}
	part.ready = true
	return nil
}

// grow reads the log until the tree has that many records, if the log has them.
// A tree that was made again must come by the last checkpoint.
func (s *Sealer) grow(ctx context.Context, part *part, size int64) error {
	if !part.ready {
		if err := s.resume(part); err != nil {
			return err
		}
	}
	size = min(size, part.end)
	if part.hashes.tree.Size() >= size {
		return nil
	}
	begun := time.Now()
	live := part.hashes.tree.Size() == part.chain.last.Size && !part.sealed.IsZero()
	part.mu.RLock()
	clock := part.clock
	part.mu.RUnlock()
	clock.begin(begun, live)
	read := s.log.Records(ctx, part.p, part.hashes.tree.Size(), size, func(offset int64, r events.Record) error {
		clock.Record(offset, RecordedAt(r))
		if err := part.hashes.add(events.LeafHash(r)); err != nil {
			return err
		}
		if last := part.chain.last; part.hashes.tree.Size() == last.Size && part.hashes.tree.Root() != last.Root {
			return s.notWhatWasSealed(part, last)
		}
		return nil
	})
	part.mu.Lock()
	part.clock = clock
	part.mu.Unlock()
	if err := part.hashes.flush(); err != nil {
		return err
	}
	if found := clock.end(); found != "" {
		s.o.Logger.Warn("clocks disagree", "partition", part.p.String(), "problem", found)
	}
	if read != nil {
		return fmt.Errorf("reading %s: %w", part.p, read)
	}
	return nil
}

// notWhatWasSealed tells of a tree, made from the log, that contradicts what was
// signed before.
func (s *Sealer) notWhatWasSealed(part *part, e Entry) error {
	problem := fmt.Sprintf("the first %d records are not those of the checkpoint that was signed; lishi audit verify --log names the first wrong one", e.Size)
	s.contradicted(part.p, problem)
	return fmt.Errorf("%s: %s", part.p, problem)
}

// RecordedAt is a record's recorded time in Unix milliseconds; 0 if it has none.
func RecordedAt(r events.Record) int64 {
	for i := len(r.Headers) - 1; i >= 0; i-- {
		if r.Headers[i].Key == events.HeaderRecordedTime {
			ms, _ := strconv.ParseInt(string(r.Headers[i].Value), 10, 64)
			return ms
		}
	}
	return 0
}
