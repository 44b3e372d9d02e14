package merkle

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"lishi/events"
)

// Inclusion proves that a record stands at an offset of a partition: the record,
// the hashes beside its way to the root, and the signed checkpoint with the root
// (C2SP tlog-proof; the record, in its canonical encoding, is the extra data).
type Inclusion struct {
	Record     []byte // canonical encoding
	Offset     int64
	Path       []events.Hash // from the leaf's sibling up
	Checkpoint []byte        // the signed note, as it was published
}

// Consistency proves that the tree of Size Old is the beginning of the tree of a
// later checkpoint: that nothing in it was changed, removed or put in between.
type Consistency struct {
	Old        int64
	Path       []events.Hash
	Checkpoint []byte // the later one, a signed note
}

const (
	inclusionHeader   = "c2sp.org/tlog-proof@v1"
	consistencyHeader = "lishi consistency v1"
)

// ProveInclusion reads the path of a record from the tree's hashes; size is the
// checkpoint's.
func ProveInclusion(size, offset int64, hashes tlog.HashReader) ([]events.Hash, error) {
	path, err := tlog.ProveRecord(size, offset, hashes)
	return ours(path), err
}

// ProveConsistency reads the path from one size to a later one.
func ProveConsistency(size, old int64, hashes tlog.HashReader) ([]events.Hash, error) {
	if old == 0 || old == size {
		return nil, nil // everything begins with nothing, and is itself
	}
	path, err := tlog.ProveTree(size, old, hashes)
	return ours(path), err
}

// ErrProof means that a proof does not prove what it says.
var ErrProof = errors.New("merkle: the proof does not hold")

// Verify checks the path to a checkpoint that the caller has opened and trusts,
// and reads the record.
func (p *Inclusion) Verify(c Checkpoint) (events.Record, error) {
	r, err := events.ParseRecord(p.Record)
	if err != nil {
		return events.Record{}, fmt.Errorf("%w: %w", ErrProof, err)
	}
	leaf := events.LeafHash(r)
	if p.Offset < 0 || p.Offset >= c.Size {
		return events.Record{}, fmt.Errorf("%w: offset %d is not in a tree of %d", ErrProof, p.Offset, c.Size)
	}
	if err := tlog.CheckRecord(theirs(p.Path), c.Size, tlog.Hash(c.Root), p.Offset, tlog.Hash(leaf)); err != nil {
		return events.Record{}, fmt.Errorf("%w: the record is not at offset %d under the root of %s", ErrProof, p.Offset, c.Origin)
	}
	return r, nil
}

// Verify checks that the tree of old is the beginning of that of c. Both must be
// opened and trusted.
func (p *Consistency) Verify(old, c Checkpoint) error {
	switch {
	case old.Origin != c.Origin:
		return fmt.Errorf("%w: %s and %s are different trees", ErrProof, old.Origin, c.Origin)
	case p.Old != old.Size:
		return fmt.Errorf("%w: it begins at size %d, not %d", ErrProof, p.Old, old.Size)
	case old.Size > c.Size:
		return fmt.Errorf("%w: %s had %d records and has %d: it was rolled back", ErrProof, c.Origin, old.Size, c.Size)
	case old.Size == 0 && len(p.Path) == 0:
		return nil
	case old.Size == c.Size && old.Root == c.Root && len(p.Path) == 0:
		return nil
	case old.Size == c.Size:
		return fmt.Errorf("%w: %s has two roots at size %d: it was forked", ErrProof, c.Origin, c.Size)
	}
	if old.Size == 0 || tlog.CheckTree(theirs(p.Path), c.Size, tlog.Hash(c.Root), old.Size, tlog.Hash(old.Root)) != nil {
		return fmt.Errorf("%w: the first %d records of %s are not what they were", ErrProof, old.Size, c.Origin)
	}
	return nil
}

// MarshalText writes the proof as a .tlog-proof file.
func (p *Inclusion) MarshalText() ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\nextra %s\nindex %d\n", inclusionHeader, base64.StdEncoding.EncodeToString(p.Record), p.Offset)
	writePath(&b, p.Path, p.Checkpoint)
	return b.Bytes(), nil
}

// UnmarshalText reads what MarshalText wrote, and nothing written otherwise. It
// checks the form alone; see Verify.
func (p *Inclusion) UnmarshalText(text []byte) error {
	lines, checkpoint, err := readProof(text, inclusionHeader, 2)
	if err != nil {
		return err
	}
	q := Inclusion{Checkpoint: checkpoint}
	extra, _ := strings.CutPrefix(lines[0], "extra ")
	if q.Record, err = base64.StdEncoding.Strict().DecodeString(extra); err != nil {
		return fmt.Errorf("merkle: the proof's record: %w", err)
	}
	if q.Offset, err = count(lines[1], "index "); err != nil {
		return err
	}
	if q.Path, err = readPath(lines[2:]); err != nil {
		return err
	}
	return exactly(&q, p, text)
}

// MarshalText writes the proof: a header, the old size, the path, and after an
// empty line the later checkpoint.
func (p *Consistency) MarshalText() ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\nold %d\n", consistencyHeader, p.Old)
	writePath(&b, p.Path, p.Checkpoint)
	return b.Bytes(), nil
}

// UnmarshalText reads what MarshalText wrote, and nothing written otherwise.
func (p *Consistency) UnmarshalText(text []byte) error {
	lines, checkpoint, err := readProof(text, consistencyHeader, 1)
	if err != nil {
		return err
	}
	q := Consistency{Checkpoint: checkpoint}
	if q.Old, err = count(lines[0], "old "); err != nil {
		return err
	}
	if q.Path, err = readPath(lines[1:]); err != nil {
		return err
	}
	return exactly(&q, p, text)
}

func writePath(b *bytes.Buffer, path []events.Hash, checkpoint []byte) {
	for i := range path {
		b.WriteString(base64.StdEncoding.EncodeToString(path[i][:]))
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	b.Write(checkpoint)
}

// readProof cuts a proof into the lines between its header and the empty line,
// of which it has some at least, and the checkpoint.
func readProof(text []byte, header string, least int) (lines []string, checkpoint []byte, err error) {
	head, checkpoint, ok := bytes.Cut(text, []byte("\n\n"))
	if !ok {
		return nil, nil, errors.New("merkle: a proof without a checkpoint")
	}
	all := strings.Split(string(head), "\n")
	if all[0] != header {
		return nil, nil, fmt.Errorf("merkle: not a proof that begins with %q", header)
	}
	if len(all) < 1+least || len(all) > 1+least+2*maxHeight {
		return nil, nil, fmt.Errorf("merkle: a proof of %d lines", len(all))
	}
	return all[1:], checkpoint, nil
}

const maxHeight = 64

func count(line, name string) (int64, error) {
	s, ok := strings.CutPrefix(line, name)
	n, err := strconv.ParseInt(s, 10, 64)
	if !ok || err != nil || n < 0 {
		return 0, fmt.Errorf("merkle: %.60q is not %sand a number", line, name)
	}
	return n, nil
}

func readPath(lines []string) (path []events.Hash, err error) {
	for _, line := range lines {
		h, err := parseHash(line)
		if err != nil {
			return nil, fmt.Errorf("merkle: the proof's path: %w", err)
		}
		path = append(path, h)
	}
	return path, nil
}

// exactly hands q to p if it is written as it was read, so that a proof has one
// form and its hash can stand for it.
func exactly[T any, P interface {
	*T
	MarshalText() ([]byte, error)
}](q, p P, text []byte) error {
	again, err := q.MarshalText()
	if err != nil {
		return err
	}
	if !bytes.Equal(again, text) {
		return errors.New("merkle: the proof would be written otherwise")
	}
	*p = *q
	return nil
}

func ours(hs []tlog.Hash) []events.Hash {
	out := make([]events.Hash, len(hs))
	for i, h := range hs {
		out[i] = events.Hash(h)
	}
	return out
}

func theirs(hs []events.Hash) []tlog.Hash {
	out := make([]tlog.Hash, len(hs))
	for i, h := range hs {
		out[i] = tlog.Hash(h)
	}
	return out
}
