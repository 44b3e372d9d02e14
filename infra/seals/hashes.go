package seals

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/mod/sumdb/tlog"

	"lishi/events"
	"lishi/events/merkle"
)

const hashSize = int64(len(events.Hash{}))

// hashes is the stored tree of one partition: the hash with number i
// (tlog.StoredHashIndex) stands at byte 32·i, 64 bytes a record in all. It holds
// nothing that the log does not give again, so it is never synced: what is in
// doubt is cut off and made again. add and flush are for one goroutine; reading
// what was flushed is for any.
type hashes struct {
	f    *os.File
	w    *bufio.Writer
	tree merkle.Tree
	buf  []events.Hash
}

func openHashes(path string) (*hashes, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	return &hashes{f: f, w: bufio.NewWriterSize(f, 256<<10)}, nil
}

// stored is the size of the largest tree that the file has room for.
func (h *hashes) stored() (int64, error) {
	info, err := h.f.Stat()
	if err != nil {
		return 0, err
	}
	count := info.Size() / hashSize
	size := count / 2 // there are less than two hashes a record
	for tlog.StoredHashCount(size+1) <= count {
		size++
	}
	return size, nil
}

// cut makes the file the tree of that size, ready to grow.
func (h *hashes) cut(size int64) error {
	end := tlog.StoredHashCount(size) * hashSize
	tree, err := merkle.Load(size, h)
	if err == nil {
		err = h.f.Truncate(end)
	}
	if err == nil {
		_, err = h.f.Seek(end, 0)
	}
	if err != nil {
		return err
	}
	h.tree = tree
	h.w.Reset(h.f)
	return nil
}

func (h *hashes) add(leaf events.Hash) error {
	h.buf = h.tree.Append(h.buf[:0], leaf)
	for i := range h.buf {
		if _, err := h.w.Write(h.buf[i][:]); err != nil {
			return err
		}
	}
	return nil
}

func (h *hashes) flush() error { return h.w.Flush() }

// ReadHashes implements tlog.HashReader.
func (h *hashes) ReadHashes(at []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(at))
	for i, number := range at {
		if _, err := h.f.ReadAt(out[i][:], number*hashSize); err != nil {
			return nil, fmt.Errorf("%s: hash %d: %w", h.f.Name(), number, err)
		}
	}
	return out, nil
}

// Leaves reads the leaves' hashes of stored trees one after the other.
type Leaves struct {
	f    *os.File
	r    *bufio.Reader
	next int64 // number of the hash that r gives next
	size int64
	hash events.Hash
}

// OpenLeaves reads the stored hashes of a partition in a directory of seals, for
// whoever holds a log against them; nil if there are none.
func OpenLeaves(dir string, p events.Partition) (*Leaves, error) {
	f, err := os.Open(hashesFile(dir, p))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	size, err := (&hashes{f: f}).stored()
	return &Leaves{f: f, r: bufio.NewReaderSize(f, 256<<10), size: size}, err
}

// Size is how many leaves there are.
func (l *Leaves) Size() int64 { return l.size }

// Root is the root that the stored hashes give a tree of that size.
func (l *Leaves) Root(size int64) (events.Hash, error) {
	if size > l.size {
		return events.Hash{}, fmt.Errorf("%s has %d leaves, not %d", l.f.Name(), l.size, size)
	}
	return merkle.Root(size, &hashes{f: l.f})
}

// Leaf is the hash of the record at an offset; offsets must be asked for in
// order, each once.
func (l *Leaves) Leaf(offset int64) (events.Hash, error) {
	at := tlog.StoredHashIndex(0, offset)
	if _, err := l.r.Discard(int((at - l.next) * hashSize)); err != nil {
		return l.hash, err
	}
	if _, err := io.ReadFull(l.r, l.hash[:]); err != nil {
		return l.hash, err
	}
	l.next = at + 1
	return l.hash, nil
}

// Close closes the file.
func (l *Leaves) Close() error { return l.f.Close() }

// Consistency is the path that shows that the tree of a size is the beginning of
// that of a larger one.
func (l *Leaves) Consistency(size, old int64) ([]events.Hash, error) {
	if size > l.size {
		return nil, fmt.Errorf("%s has %d leaves, not %d", l.f.Name(), l.size, size)
	}
	return merkle.ProveConsistency(size, old, &hashes{f: l.f})
}
