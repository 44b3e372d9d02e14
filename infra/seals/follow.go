package seals

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"lishi/events"
	"lishi/events/merkle"
)

// follow reads what was published in lishi.seals since the last time. A
// checkpoint counts once it is read here, and the own tree has the same root.
func (s *Sealer) follow(ctx context.Context) error {
	ends, err := s.log.Ends(ctx)
	if err != nil {
		return err
	}
	for p, part := range s.parts {
		part.grown(ends[p]+1, time.Now())
		if last := part.chain.last.Size; part.end < last && !part.wrong.Load() {
			s.contradicted(p, fmt.Sprintf("a checkpoint vouches for %d records, and the log has %d: it was rolled back", last, part.end))
		}
	}
	end := ends[sealsPartition]
	switch {
	case end < s.followed:
		s.contradicted(sealsPartition, fmt.Sprintf("%s was read, and the partition ends at offset %d: it was rolled back", events.Position{Partition: sealsPartition, Offset: s.followed}, end))
		return fmt.Errorf("%s was rolled back", sealsPartition)
	case end == s.followed:
		return nil
	case s.followed == events.Start:
		if err := s.learnKeys(ctx, end); err != nil {
			return err
		}
	}
	err = s.log.Records(ctx, sealsPartition, s.followed+1, end+1, func(offset int64, r events.Record) error {
		if err := s.take(ctx, events.Position{Partition: sealsPartition, Offset: offset}, r); err != nil {
			return err
		}
		s.mu.Lock()
		s.followed = offset
		s.mu.Unlock()
		return nil
	})
	return errors.Join(err, s.keepOffset())
}

// grown notes how many records the log has.
func (part *part) grown(end int64, now time.Time) {
	part.mu.Lock()
	defer part.mu.Unlock()
	part.end = end
	if end > part.chain.last.Size {
		if part.since.IsZero() {
			part.since = now
		}
	} else {
		part.since = time.Time{}
	}
}

// learnKeys reads all changes of the key before any checkpoint, where nothing
// was read yet: who has only the newest key learns of those before it.
func (s *Sealer) learnKeys(ctx context.Context, end int64) error {
	var changes [][]byte
	err := s.log.Records(ctx, sealsPartition, 0, end+1, func(offset int64, r events.Record) error {
		e, err := events.Decode(events.Position{Partition: sealsPartition, Offset: offset}, r)
		if b, ok := e.Body.(events.KeyChanged); ok && err == nil {
			changes = append(changes, []byte(b.Change))
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	keys, err := s.keys.FollowAll(changes)
	if err == nil { // else take names the one that is wrong
		s.keys = keys
	}
	return nil
}

// take checks one record of lishi.seals. Only errors that may pass are returned:
// what is wrong for ever is noted, and passed.
func (s *Sealer) take(ctx context.Context, at events.Position, r events.Record) error {
	e, err := events.Decode(at, r)
	if err != nil {
		s.contradicted(sealsPartition, err.Error())
		return nil
	}
	switch b := e.Body.(type) {
	case events.CheckpointSigned:
		return s.takeCheckpoint(ctx, at, e.At, b)
	case events.KeyChanged:
		return s.takeChange(at, b)
	}
	return nil // log.opened, or not lishi's
}

func (s *Sealer) takeCheckpoint(ctx context.Context, at events.Position, recorded time.Time, b events.CheckpointSigned) error {
	s.mu.Lock()
	keys := s.keys
	s.mu.Unlock()
	cp, err := keys.Open([]byte(b.Checkpoint))
	if err != nil {
		s.contradicted(sealsPartition, fmt.Sprintf("%s: %v", at, err))
		return nil
	}
	id, p, err := merkle.ParseOrigin(cp.Origin)
	part := s.parts[p]
	if err != nil || id != s.log.ID() || part == nil {
		s.contradicted(sealsPartition, fmt.Sprintf("%s is a checkpoint of %s, which is no partition of this log", at, cp.Origin))
		return nil
	}
	if part.end < cp.Size {
		ends, err := s.log.Ends(ctx)
		if err != nil {
			return err
		}
		part.grown(ends[p]+1, time.Now())
		if part.end < cp.Size {
			s.contradicted(p, fmt.Sprintf("%s vouches for %d records, and the log has %d: it was rolled back", at, cp.Size, part.end))
			return nil
		}
	}
	if part.wrong.Load() {
		return nil
	}
	if err := s.grow(ctx, part, max(cp.Size, part.chain.last.Size)); err != nil {
		if part.wrong.Load() {
			return nil
		}
		return err
	}
	root, err := merkle.Root(cp.Size, part.hashes)
	if err != nil {
		return err
	}
	if root != cp.Root {
		s.contradicted(p, fmt.Sprintf("%s says another root of the first %d records than this node's tree: the log was forked", at, cp.Size))
		return nil
	}
	part.mu.Lock()
	defer part.mu.Unlock()
	if cp.Size > part.chain.last.Size {
		if err := part.chain.append(Entry{cp, []byte(b.Checkpoint)}); err != nil {
			return err
		}
		part.sealed = recorded
		if part.since = (time.Time{}); part.end > cp.Size {
			part.since = time.Now()
		}
	}
	return nil
}

func (s *Sealer) takeChange(at events.Position, b events.KeyChanged) error {
	s.mu.Lock()
	before := s.keys
	keys, err := before.Follow([]byte(b.Change))
	s.mu.Unlock()
	if err != nil {
		s.contradicted(sealsPartition, fmt.Sprintf("%s: %v", at, err))
		return nil
	}
	if s.o.Key != nil && before.Signs(s.o.Key.Public()) && !keys.Signs(s.o.Key.Public()) {
		s.o.Logger.Error("this node's key was handed over to another: it signs nothing more until it is given that one (audit-key)",
			"key", merkle.PublicText(s.o.Key.Public()))
	}
	s.mu.Lock()
	s.keys = keys
	s.mu.Unlock()
	return appendChange(KeysFile(s.dir), []byte(b.Change))
}

// appendChange adds a change to the file of changes, if it is not there.
func appendChange(path string, change []byte) error {
	there, err := ReadChanges(path)
	if err != nil {
		return err
	}
	for _, c := range there {
		if string(c) == string(change) {
			return nil
		}
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(change, '\n'))
	return errors.Join(err, f.Sync(), f.Close())
}

func (s *Sealer) offsetFile() string { return filepath.Join(s.dir, "followed") }

// Followed is the offset up to which a node read lishi.seals; events.Start if it
// did not, or that is not known.
func Followed(dir string) (int64, error) { return readOffset(filepath.Join(dir, "followed")) }

// keepOffset remembers how far lishi.seals was read. If that is lost it is read
// again.
func (s *Sealer) keepOffset() error {
	return replaceFile(s.offsetFile(), []byte(strconv.FormatInt(s.followed, 10)+"\n"))
}

func replaceFile(path string, content []byte) error {
	tmp := path + ".new"
	if err := os.WriteFile(tmp, content, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

func readOffset(path string) (int64, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return events.Start, nil
	}
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	if err != nil || n < events.Start {
		return events.Start, nil // a crash of the system; all is read again
	}
	return n, nil
}
