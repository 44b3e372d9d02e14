// Package snapshots keeps what the ledgers know beside the data, so that the
// next start reads the end of the log and not all of it. A snapshot is never the
// truth: it can be deleted at any time, and is thrown away when there is the
// least doubt about it.
//
//	<directory>/<log's id>/<partition>-<offset>.r<rules>   "c3-182736.r3"
package snapshots

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"lishi/events"
	"lishi/events/ledger"
)

// Log is what a snapshot is held against.
type Log interface {
	ID() string
	Layout() events.Layout
	At(ctx context.Context, p events.Position) (events.Recorded, error)
}

// Options are when snapshots are written; zero values stand for the defaults.
type Options struct {
	// Events is how many new events of a partition make a snapshot worth while
	// (default 20,000); fewer wait for Age (default 10 minutes).
	Events int64
	Age    time.Duration
	// Look is how often that is looked at (default 15 s).
	Look   time.Duration
	Logger *slog.Logger
}

// kept is how many snapshots of a partition stay: should the last one turn out
// to be damaged, there is one before it.
const kept = 2

// Store is the snapshots of one log in one directory. Its methods are safe for
// concurrent use; several processes may share the directory.
type Store struct {
	dir     string
	log     Log
	options Options

	mu    sync.Mutex
	saved map[events.Partition]saved
}

type saved struct {
	offset int64
	at     time.Time
}

// Open names a directory, which is made when there is something to keep.
func Open(dir string, log Log, o Options) *Store {
	if o.Events <= 0 {
		o.Events = 20_000
	}
	if o.Age <= 0 {
		o.Age = 10 * time.Minute
	}
	if o.Look <= 0 {
		o.Look = 15 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return &Store{dir: filepath.Join(dir, log.ID()), log: log, options: o, saved: map[events.Partition]saved{}}
}

// Restore gives the newest ledger of each partition that the log continues. Of a
// partition without one there is none: it is read from its first record.
func (s *Store) Restore(ctx context.Context) []*ledger.Ledger {
	files, err := s.list()
	if err != nil {
		s.options.Logger.Warn("snapshots can't be listed; the whole log is read", "directory", s.dir, "error", err)
		return nil
	}
	partitions := s.log.Layout().Partitions()
	found := make([]*ledger.Ledger, len(partitions))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, p := range partitions {
		group.Go(func() error {
			found[i] = s.restore(ctx, files[p])
			return nil
		})
	}
	group.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, p := range partitions {
		at := saved{events.Start, time.Now()}
		if found[i] != nil {
			at.offset = found[i].Folded()
		}
		s.saved[p] = at
	}
	return slices.DeleteFunc(found, func(l *ledger.Ledger) bool { return l == nil })
}

func (s *Store) restore(ctx context.Context, newestFirst []file) *ledger.Ledger {
	for _, f := range newestFirst {
		l, err := s.read(ctx, f)
		if err == nil {
			return l
		}
		if errors.Is(err, events.ErrUnavailable) || ctx.Err() != nil {
			s.options.Logger.Warn("a snapshot can't be held against the log now and is passed over", "file", f.path, "error", err)
			continue
		}
		s.options.Logger.Warn("a snapshot is thrown away; more of the log is read instead", "file", f.path, "error", err)
		if err := os.Remove(f.path); err != nil {
			s.options.Logger.Warn("a snapshot can't be removed", "error", err)
		}
	}
	return nil
}

func (s *Store) read(ctx context.Context, f file) (*ledger.Ledger, error) {
	if f.rules != ledger.RulesVersion {
		return nil, fmt.Errorf("it was made by rules %d, these are %d", f.rules, ledger.RulesVersion)
	}
	raw, err := os.Open(f.path)
	if err != nil {
		return nil, err
	}
	defer raw.Close()
	l, err := ledger.Restore(raw)
	if err != nil {
		return nil, err
	}
	if at := (events.Position{Partition: l.Partition(), Offset: l.Folded()}); at != f.at {
		return nil, fmt.Errorf("it is of %s, not of %s", at, f.at)
	}
	last, err := s.log.At(ctx, f.at)
	if err != nil {
		return nil, fmt.Errorf("the last record it knows, %s: %w", f.at, err)
	}
	return l, l.Continues(last)
}

// Keep saves ledgers in the background until ctx ends.
func (s *Store) Keep(ctx context.Context, book *ledger.Book) {
	look := time.NewTicker(s.options.Look)
	defer look.Stop()
	for {
		select {
		case <-look.C:
		case <-ctx.Done():
			return
		}
		s.save(book, func(gained int64, age time.Duration) bool {
			return ctx.Err() == nil && (gained >= s.options.Events || age >= s.options.Age)
		})
	}
}

// Last saves, at a clean stop, what has come since the last time.
func (s *Store) Last(book *ledger.Book) {
	least := min(s.options.Events, 100) // fewer are read faster than they are saved
	s.save(book, func(gained int64, _ time.Duration) bool { return gained >= least })
}

func (s *Store) save(book *ledger.Book, due func(gained int64, age time.Duration) bool) {
	for _, p := range book.Layout().Partitions() {
		l := book.Ledger(p)
		s.mu.Lock()
		before, known := s.saved[p]
		s.mu.Unlock()
		if !known {
			before = saved{events.Start, time.Now()}
		}
		gained := l.Folded() - before.offset
		if gained <= 0 || !due(gained, time.Since(before.at)) {
			if !known {
				s.remember(p, before)
			}
			continue
		}
		began := time.Now()
		at, size, err := s.write(l)
		if err != nil {
			s.options.Logger.Warn("a snapshot was not written; the next start reads more of the log", "partition", p.String(), "error", err)
			before.at = time.Now() // not at every look
			s.remember(p, before)
			continue
		}
		s.remember(p, saved{at, time.Now()})
		s.options.Logger.Debug("snapshot", "partition", p.String(), "offset", at, "bytes", size, "took", time.Since(began).Round(time.Millisecond))
	}
}

func (s *Store) remember(p events.Partition, at saved) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.saved[p] = at
}

// write makes a snapshot's file, whole and synced or not at all, and removes
// those that are too many.
func (s *Store) write(l *ledger.Ledger) (offset, size int64, err error) {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return 0, 0, err
	}
	tmp, err := os.CreateTemp(s.dir, "writing-*")
	if err != nil {
		return 0, 0, err
	}
	defer os.Remove(tmp.Name()) // fails once it has its name
	defer tmp.Close()
	w := bufio.NewWriter(tmp)
	if offset, err = l.Snapshot(w); err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = tmp.Sync()
	}
	if err != nil {
		return 0, 0, err
	}
	if size, err = tmp.Seek(0, 1); err != nil {
		return 0, 0, err
	}
	at := events.Position{Partition: l.Partition(), Offset: offset}
	if err := os.Rename(tmp.Name(), filepath.Join(s.dir, fmt.Sprintf("%s.r%d", at, ledger.RulesVersion))); err != nil {
		return 0, 0, err
	}
	if err := syncDirectory(s.dir); err != nil {
		return 0, 0, err
	}
	return offset, size, s.prune(l.Partition())
}

// prune removes all but the newest snapshots of a partition, and files that were
// never finished.
func (s *Store) prune(p events.Partition) error {
	files, err := s.list()
	if err != nil {
		return err
	}
	var errs []error
	for i, f := range files[p] {
		if i >= kept {
			errs = append(errs, os.Remove(f.path))
		}
	}
	unfinished, _ := filepath.Glob(filepath.Join(s.dir, "writing-*"))
	for _, path := range unfinished {
		if info, err := os.Stat(path); err == nil && time.Since(info.ModTime()) > time.Hour {
			errs = append(errs, os.Remove(path))
		}
	}
	return errors.Join(errs...)
}

type file struct {
	path  string
	at    events.Position
	rules int
}

// list is the snapshots by partition, the newest first.
func (s *Store) list() (map[events.Partition][]file, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	files := map[events.Partition][]file{}
	for _, e := range entries {
		position, rules, ok := strings.Cut(e.Name(), ".r")
		f := file{path: filepath.Join(s.dir, e.Name())}
		if f.at, err = events.ParsePosition(position); !ok || err != nil {
			continue
		}
		if _, err := fmt.Sscanf(rules, "%d", &f.rules); err != nil {
			continue
		}
		files[f.at.Partition] = append(files[f.at.Partition], f)
	}
	for _, fs := range files {
		slices.SortFunc(fs, func(a, b file) int { return cmp.Compare(b.at.Offset, a.at.Offset) })
	}
	return files, nil
}

func syncDirectory(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
