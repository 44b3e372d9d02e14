package broker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
)

// ErrClosed is what a sync ends with when the broker is closed meanwhile.
var ErrClosed = errors.New("the broker is closed")

// syncer makes records durable. A partition is synced for all who wait for it at
// once; whoever comes meanwhile waits for the next time. Partitions are synced
// in parallel and do not wait for each other: in one common cycle each would
// have the latency of the slowest, which cost a fifth of the throughput.
//
// A partition whose sync failed is closed for good: the kernel may have dropped
// what it could not write and may call a second fsync a success.
type syncer struct {
	dir   directory
	fsync func(*os.File) error

	mu     sync.Mutex
	parts  map[string]*syncedPartition
	closed bool
	busy   sync.WaitGroup
}

type waiter struct {
	end  int64
	done chan error
}

type syncedPartition struct {
	name   string
	dir    string
	synced atomic.Int64
	failed atomic.Pointer[error]
	ends   atomic.Pointer[endFile] // nil before the first sync

	gather  sync.Mutex // guards waiting and syncing
	waiting []waiter
	syncing bool

	mu   sync.Mutex // guards what follows: how far the segments were read back
	file *os.File   // the segment that is being written, as far as known
	pos  int64      // position in it
	end  int64      // offset after the last whole batch before pos
	buf  []byte
}

func newSyncer(d directory, fsync func(*os.File) error) *syncer {
	return &syncer{dir: d, fsync: fsync, parts: map[string]*syncedPartition{}}
}

// add registers a partition that was found on disk and verified, and makes
// durable what a crash may have left in the kernel's memory only.
func (s *syncer) add(name string, p *partition, ends *endFile, recorded int64) error {
	sp := &syncedPartition{name: name, dir: p.dir}
	sp.ends.Store(ends)
	s.mu.Lock()
	s.parts[name] = sp
	s.mu.Unlock()
	for i, seg := range p.segments {
		if i+1 < len(p.segments) && p.segments[i+1].base <= recorded {
			continue // the next one was begun when this one was durable
		}
		f, err := os.Open(p.segmentPath(seg.base))
		if err != nil {
			return err
		}
		if sp.file != nil {
			sp.file.Close()
		}
		sp.file, sp.pos = f, seg.size
		if err := s.fsync(f); err != nil {
			return err
		}
	}
	if sp.file != nil {
		if err := sp.syncNames(s.dir); err != nil {
			return err
		}
	}
	sp.end = p.end
	sp.synced.Store(p.end)
	if p.end > recorded {
		return ends.write(p.end)
	}
	return nil
}

func (s *syncer) partition(topic string, number int32) *syncedPartition {
	name := partitionName(topic, number)
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.parts[name]
	if p == nil {
		p = &syncedPartition{name: name, dir: filepath.Join(s.dir.kafka(), "partitions", name)}
		s.parts[name] = p
	}
	return p
}

// wait returns when everything up to end is durable.
func (s *syncer) wait(ctx context.Context, p *syncedPartition, end int64) error {
	if p.synced.Load() >= end {
		return nil
	}
	if err := p.failed.Load(); err != nil {
		return *err
	}
	w := waiter{end, make(chan error, 1)}
	if err := s.gather(p, w); err != nil {
		return err
	}
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// gather adds a waiter, and begins syncing the partition if nobody does.
func (s *syncer) gather(p *syncedPartition, w waiter) error {
	p.gather.Lock()
	defer p.gather.Unlock()
	if !p.syncing {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.closed {
			return ErrClosed
		}
		p.syncing = true
		s.busy.Go(func() { p.syncGathered(s) })
	}
	p.waiting = append(p.waiting, w)
	return nil
}

// syncGathered syncs as long as somebody waits.
func (p *syncedPartition) syncGathered(s *syncer) {
	for {
		p.gather.Lock()
		ws := p.waiting
		p.waiting = nil
		p.syncing = len(ws) > 0
		p.gather.Unlock()
		if len(ws) == 0 {
			return
		}
		want := int64(0)
		for _, w := range ws {
			want = max(want, w.end)
		}
		var err error
		if p.synced.Load() < want {
			err = p.sync(want, s)
		}
		for _, w := range ws {
			if p.synced.Load() >= w.end {
				w.done <- nil
			} else {
				w.done <- err
			}
		}
	}
}

// sync makes everything that is whole in the segments durable, at least up to want.
func (p *syncedPartition) sync(want int64, s *syncer) error {
	if failed := p.failed.Load(); failed != nil {
		return *failed
	}
	p.mu.Lock()
	end, err := p.readBack(want, s)
	file := p.file
	p.mu.Unlock()
	if err == nil && end < want {
		err = fmt.Errorf("the broker answered up to offset %d but its files hold %d", want, end)
	}
	if err == nil && end > p.synced.Load() {
		if err = s.fsync(file); err == nil {
			p.synced.Store(end)
			err = p.record(end, s.dir)
		}
	}
	if err != nil {
		return p.fail(err)
	}
	return nil
}

// record remembers the durable end.
func (p *syncedPartition) record(end int64, d directory) error {
	ends := p.ends.Load()
	if ends == nil {
		var err error
		if ends, _, err = openEndFile(filepath.Join(d.ends(), p.name)); err != nil {
			return err
		}
		p.ends.Store(ends)
		if err := syncDirectory(d.ends()); err != nil {
			return err
		}
	}
	return ends.write(end)
}

// fail closes the partition for writing until the next start, which verifies it.
func (p *syncedPartition) fail(err error) error {
	err = fmt.Errorf("partition %s takes no more records until a restart: %w", p.name, err)
	p.failed.CompareAndSwap(nil, &err)
	return err
}

// readBack reads and checks the batches that were written since it was last
// called, over the ends of segments if want is not reached before.
func (p *syncedPartition) readBack(want int64, s *syncer) (int64, error) {
	for {
		if p.file != nil {
			if err := p.readSegment(); err != nil {
				return p.end, err
			}
		}
		if p.end >= want {
			return p.end, nil
		}
		next, err := os.Open(filepath.Join(p.dir, strconv.FormatInt(p.end, 10)+".dat"))
		if errors.Is(err, fs.ErrNotExist) || err == nil && p.file != nil && p.file.Name() == next.Name() {
			if err == nil {
				next.Close()
			}
			return p.end, nil
		}
		if err != nil {
			return p.end, err
		}
		if p.file != nil {
			if err := s.fsync(p.file); err != nil {
				return p.end, err
			}
			p.file.Close()
		}
		p.file, p.pos = next, 0
		if err := p.syncNames(s.dir); err != nil {
			return p.end, err
		}
	}
}

// syncNames makes a new segment's name durable, and for a new partition the
// names above it, down from the directory that holds topics.json. That must name
// the partition: kfake would forget it, and only warns if it can't write there.
func (p *syncedPartition) syncNames(d directory) error {
	dirs := []string{p.dir}
	if p.end == 0 {
		known, err := d.knownPartitions()
		if err != nil {
			return err
		}
		if !known[p.name] {
			return fmt.Errorf("the broker did not write down partition %s", p.name)
		}
		dirs = append(dirs, filepath.Dir(p.dir), d.kafka())
	}
	for _, dir := range dirs {
		if err := syncDirectory(dir); err != nil {
			return err
		}
	}
	return nil
}

func (p *syncedPartition) readSegment() error {
	if len(p.buf) == 0 {
		p.buf = make([]byte, 64<<10)
	}
	for {
		n, err := p.file.ReadAt(p.buf, p.pos)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		rest := p.buf[:n]
		for len(rest) >= batchPrefix {
			size := batchSize(rest)
			if size == 0 {
				return &Damage{p.file.Name(), p.pos, p.end, "what was written is no batch"}
			}
			if len(rest) < size {
				break
			}
			b, reason := parseBatch(rest[:size], p.end)
			if reason != "" {
				return &Damage{p.file.Name(), p.pos, p.end, reason}
			}
			p.pos, p.end, rest = p.pos+int64(size), b.end(), rest[size:]
		}
		if n < len(p.buf) {
			return nil // what is left, if anything, is still being written
		}
		if len(rest) == n && n >= batchPrefix { // a batch longer than the buffer
			p.buf = make([]byte, batchSize(rest))
		}
	}
}

// written is the offset after the last whole batch in the files, durable or not.
func (p *syncedPartition) written(s *syncer) (int64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	end, err := p.readBack(p.end+1, s)
	if err != nil {
		return 0, p.fail(err)
	}
	return end, nil
}

func (s *syncer) syncEnds() (err error) {
	s.mu.Lock()
	parts := make([]*syncedPartition, 0, len(s.parts))
	for _, p := range s.parts {
		parts = append(parts, p)
	}
	s.mu.Unlock()
	for _, p := range parts {
		if ends := p.ends.Load(); ends != nil {
			err = errors.Join(err, ends.sync())
		}
	}
	return err
}

func (s *syncer) close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.busy.Wait()
	err := s.syncEnds()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.parts {
		if ends := p.ends.Load(); ends != nil {
			ends.f.Close()
		}
		if p.file != nil {
			p.file.Close()
		}
	}
	return err
}
