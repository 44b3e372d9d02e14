// Package seals keeps the Merkle trees of a log while it grows, and publishes
// their signed heads (package merkle):
//
//	log ─▶ leaves ─▶ tree ─▶ checkpoint ─▶ lishi.seals ─▶ every node's files
//	                                                   └▶ witnesses
//
// What is published is read back from lishi.seals before it counts, by the node
// that signed it like by every other, and held against the own tree: nodes that
// don't read the same log find out. Nothing here is in the way of a message; when
// it fails, people go on chatting, and those who watch are told.
package seals

import (
	"context"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"lishi/events"
	"lishi/events/merkle"
)

// Log is what is sealed, and where checkpoints are published.
type Log interface {
	ID() string
	Layout() events.Layout
	Ends(ctx context.Context) (events.Cursor, error)
	Records(ctx context.Context, p events.Partition, from, end int64, each func(offset int64, r events.Record) error) error
	Append(ctx context.Context, es ...events.Event) ([]events.Position, error)
}

// Options say what is signed, and when. Zero values stand for the defaults.
type Options struct {
	// Dir is where trees and checkpoints are kept, under the log's id.
	Dir string
	// Key signs. Without one, what others sign is followed and checked.
	Key *merkle.Key
	// Trusted are keys that signed before, beside the own one.
	Trusted []ed25519.PublicKey
	// Interval is how long new records of a partition wait for a checkpoint
	// (default 5 s), Events how many don't wait (default 10,000).
	Interval time.Duration
	Events   int64
	// Look is how often that is looked at (default 1 s).
	Look time.Duration
	// Witnesses are urls that are sent every checkpoint; see Witness.
	Witnesses []string
	// Alone tells that no other node seals this log. Else Mine names the
	// partitions that this node signs, as they are shared out.
	Alone  bool
	Logger *slog.Logger
}

// Sealer is safe for concurrent use.
type Sealer struct {
	dir       string
	log       Log
	o         Options
	parts     map[events.Partition]*part
	order     []events.Partition
	witnesses []*witness
	keep      sync.Mutex // one writer of small files
	base      context.Context
	end       context.CancelFunc
	working   sync.WaitGroup // on what base bounds

	mu       sync.Mutex
	keys     merkle.Keys
	mine     map[events.Partition]bool
	followed int64   // offset of lishi.seals that was read last
	wrong    []Wrong // what was found to contradict
	failed   error   // why the last round did not do all
	failures int64
	verified Verified
}

// part is one partition's tree and checkpoints. Only the sealing goroutine
// changes them, under mu.
type part struct {
	p      events.Partition
	origin string

	mu     sync.RWMutex
	hashes *hashes
	chain  *chain
	ready  bool        // the tree continues the last checkpoint
	sealed time.Time   // when that was read back
	since  time.Time   // when the first record came that waits; zero if none does
	end    int64       // records in the log, as far as is known
	wrong  atomic.Bool // nothing more is signed
	clock  Clock
}

// Wrong is a contradiction that was found: between nodes, or between what the
// log is and what it was.
type Wrong struct {
	Partition string    `json:"partition"`
	Problem   string    `json:"problem"`
	Found     time.Time `json:"found"`
}

// Directory is where a log's trees and checkpoints are kept.
func Directory(data, logID string) string { return filepath.Join(data, "seals", logID) }

func hashesFile(dir string, p events.Partition) string {
	return filepath.Join(dir, p.String()+".hashes")
}

// CheckpointsFile is the file with a partition's checkpoints, one after the other.
func CheckpointsFile(dir string, p events.Partition) string {
	return filepath.Join(dir, p.String()+".checkpoints")
}

// KeysFile is the file with the changes of the key.
func KeysFile(dir string) string { return filepath.Join(dir, "keys") }

// Sealed lists the partitions that are sealed: all but that of the seals, whose
// records are signed themselves.
func Sealed(l events.Layout) []events.Partition {
	return append(l.Partitions(), events.Partition{Topic: events.Audit})
}

var sealsPartition = events.Partition{Topic: events.Seals}

// Open opens the files of a log's seals. Nothing of the log is read before Run.
func Open(log Log, o Options) (_ *Sealer, err error) {
	if o.Interval <= 0 {
		o.Interval = 5 * time.Second
	}
	if o.Events <= 0 {
		o.Events = 10_000
	}
	if o.Look <= 0 {
		o.Look = min(time.Second, o.Interval)
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	s := &Sealer{dir: Directory(o.Dir, log.ID()), log: log, o: o, parts: map[events.Partition]*part{}, order: Sealed(log.Layout()), mine: map[events.Partition]bool{}}
	s.base, s.end = context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, err
	}
	if s.keys, err = readKeys(s.dir, o); err != nil {
		return nil, err
	}
	if s.followed, err = readOffset(s.offsetFile()); err != nil {
		return nil, err
	}
	for _, p := range s.order {
		part := &part{p: p, origin: merkle.Origin(log.ID(), p)}
		if part.hashes, err = openHashes(hashesFile(s.dir, p)); err != nil {
			return nil, err
		}
		s.parts[p] = part
		if part.chain, err = openChain(CheckpointsFile(s.dir, p)); err != nil {
			return nil, err
		}
		s.mine[p] = o.Alone
	}
	s.verified = readVerified(s.dir)
	for _, url := range o.Witnesses {
		s.witnesses = append(s.witnesses, newWitness(s, url))
	}
	return s, nil
}

// readKeys are the keys trusted by the settings, with those they handed over to
// as far as this directory knows.
func readKeys(dir string, o Options) (merkle.Keys, error) {
	roots := o.Trusted
	if o.Key != nil {
		roots = append([]ed25519.PublicKey{o.Key.Public()}, roots...)
	}
	keys := merkle.Trust(roots...)
	changes, err := ReadChanges(KeysFile(dir))
	if err != nil {
		return keys, err
	}
	return keys.FollowAll(changes)
}

// Close closes the files, after Run has ended.
func (s *Sealer) Close() error {
	s.end()
	s.working.Wait()
	var errs []error
	for _, p := range s.parts {
		if p.hashes != nil {
			errs = append(errs, p.hashes.f.Close())
		}
		if p.chain != nil {
			errs = append(errs, p.chain.f.Close())
		}
	}
	return errors.Join(errs...)
}

// Mine is told which partitions this node signs, where nodes share them out.
func (s *Sealer) Mine(ps []events.Partition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.mine)
	for _, p := range ps {
		s.mine[p] = true
		if p.Topic == events.Users && p.Number == 0 { // looks go with somebody's share
			s.mine[events.Partition{Topic: events.Audit}] = true
		}
	}
}

func (s *Sealer) signs(p events.Partition) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.o.Key != nil && s.mine[p] && s.keys.Signs(s.o.Key.Public())
}

// contradicted notes a contradiction, loudly, and lets nothing more be signed of
// that partition.
func (s *Sealer) contradicted(p events.Partition, problem string) {
	if part := s.parts[p]; part != nil {
		part.wrong.Store(true)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.wrong {
		if w.Partition == p.String() && w.Problem == problem {
			return
		}
	}
	s.wrong = append(s.wrong, Wrong{p.String(), problem, time.Now().UTC()})
	s.o.Logger.Error("THE LOG IS NOT WHAT WAS SIGNED", "partition", p.String(), "problem", problem)
}

// Run seals until ctx ends.
func (s *Sealer) Run(ctx context.Context) error {
	var sending sync.WaitGroup
	for _, w := range s.witnesses {
		sending.Go(func() { w.run(ctx) })
	}
	defer sending.Wait()
	look := time.NewTicker(s.o.Look)
	defer look.Stop()
	for {
		s.round(ctx, false)
		select {
		case <-look.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// Last seals, at a clean stop, what has come since the last checkpoint, after
// Run has ended.
func (s *Sealer) Last(ctx context.Context) { s.round(ctx, true) }

// round reads what others published, publishes what is due, and reads that back.
func (s *Sealer) round(ctx context.Context, all bool) {
	err := s.follow(ctx)
	if err == nil {
		var published bool
		if published, err = s.publish(ctx, all); published {
			err = errors.Join(err, s.follow(ctx))
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil && ctx.Err() == nil {
		if s.failures++; s.failed == nil || s.failed.Error() != err.Error() {
			s.o.Logger.Warn("checkpoints wait", "error", err)
		}
	}
	if ctx.Err() == nil {
		s.failed = err
	}
}
