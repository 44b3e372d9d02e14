package seals

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"

	"lishi/events/merkle"
)

// chain is a file of signed checkpoints of one partition, oldest first, each
// followed by an empty line. It is only ever appended to; sizes grow.
type chain struct {
	f    *os.File
	end  int64
	last Entry
}

// Entry is a checkpoint as it was published.
type Entry struct {
	merkle.Checkpoint
	Signed []byte // the note
}

// An entry has two keys' signatures at most, so it is far shorter than this.
const longestEntry = 4 << 10

// openChain opens or makes the file. What a crash left of a last entry is cut off.
func openChain(path string) (*chain, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	c := &chain{f: f}
	if c.end, err = f.Seek(0, io.SeekEnd); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	from := max(0, c.end-2*longestEntry)
	if from, err = c.begin(from); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	for e, end := range c.entries(from) {
		c.last, from = e, end
	}
	if from < c.end {
		c.end = from
		err = f.Truncate(c.end)
	}
	return c, err
}

// append adds a checkpoint behind the last, of more records.
func (c *chain) append(e Entry) error {
	b := append(bytes.Clone(e.Signed), '\n')
	if _, err := c.f.WriteAt(b, c.end); err != nil {
		return err
	}
	c.end += int64(len(b))
	c.last = e
	return nil
}

// begin finds where the first entry at or behind a byte begins.
func (c *chain) begin(at int64) (int64, error) {
	if at == 0 {
		return 0, nil
	}
	from := max(0, at-2)
	b := make([]byte, min(2*longestEntry, c.end-from))
	if _, err := c.f.ReadAt(b, from); err != nil && err != io.EOF {
		return 0, err
	}
	if i := bytes.Index(b, []byte("\n\nlishi.log/")); i >= 0 {
		return from + int64(i) + 2, nil
	}
	return c.end, nil
}

// entries are those from a byte on where one begins, each with the byte behind
// it. It ends before what is not a whole entry.
func (c *chain) entries(from int64) iter.Seq2[Entry, int64] {
	return func(yield func(Entry, int64) bool) {
		b := make([]byte, 256<<10)
		for from < c.end {
			n, err := c.f.ReadAt(b[:min(int64(len(b)), c.end-from)], from)
			if err != nil && err != io.EOF {
				return
			}
			rest, some := b[:n], false
			for e, size := range Notes(rest) {
				from += int64(size)
				if some = true; !yield(e, from) {
					return
				}
			}
			if !some {
				return
			}
		}
	}
}

// Notes are the checkpoints of a file like those that are kept in the data
// directory, each with the bytes that it takes there. Whose signatures they bear
// is not asked. It ends before what is not one.
func Notes(b []byte) iter.Seq2[Entry, int] {
	return func(yield func(Entry, int) bool) {
		for len(b) > 0 {
			i := bytes.Index(b, []byte("\n\n"))
			if i < 0 {
				return
			}
			j := bytes.Index(b[i+2:], []byte("\n\n"))
			if j < 0 {
				return
			}
			end := i + 2 + j + 1
			cp, err := merkle.ParseCheckpoint(string(b[:i+1]))
			if err != nil {
				return
			}
			if !yield(Entry{cp, bytes.Clone(b[:end])}, end+1) {
				return
			}
			b = b[end+1:]
		}
	}
}

// find is the first entry of at least so many records, and where it begins: at
// the end if there is none.
func (c *chain) find(size int64) (found Entry, at int64, err error) {
	lo, hi := int64(0), c.end
	at = c.end
	for lo < hi {
		begins, err := c.begin(lo + (hi-lo)/2)
		if err != nil {
			return found, at, err
		}
		e, end, ok := c.first(begins)
		switch {
		case !ok || begins >= hi: // the first entry behind the middle is none of these
			hi = lo + (hi-lo)/2
		case e.Size >= size:
			found, at, hi = e, begins, lo+(hi-lo)/2
		default:
			lo = end
		}
	}
	return found, at, nil
}

func (c *chain) first(at int64) (Entry, int64, bool) {
	for e, end := range c.entries(at) {
		return e, end, true
	}
	return Entry{}, 0, false
}

// newest are at most n entries of fewer than before records, newest first.
func (c *chain) newest(n int, before int64) ([]Entry, error) {
	_, end, err := c.find(before)
	if err != nil {
		return nil, err
	}
	var out []Entry
	for end > 0 && len(out) < n {
		from, err := c.begin(max(0, end-64<<10))
		if err != nil {
			return nil, err
		}
		if from >= end {
			return nil, fmt.Errorf("%s: %d bytes before %d are no checkpoints", c.f.Name(), 64<<10, end)
		}
		var some []Entry
		for e, to := range c.entries(from) {
			if some = append(some, e); to >= end {
				break
			}
		}
		for i := len(some) - 1; i >= 0 && len(out) < n; i-- {
			out = append(out, some[i])
		}
		end = from
	}
	return out, nil
}

// ReadChanges reads a file of changes of the key, oldest first; none if it is not
// there.
func ReadChanges(path string) ([][]byte, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	var changes [][]byte
	parts := strings.SplitAfter(string(b), "\n\n")
	for i := 0; i+1 < len(parts); i += 2 {
		changes = append(changes, []byte(parts[i]+strings.TrimSuffix(parts[i+1], "\n")))
	}
	return changes, err
}
