package seals

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"lishi/events"
	"lishi/events/merkle"
)

// Kept is a checkpoint, opened and trusted, that a partition is held against.
type Kept struct {
	Name string // of the file or position that it stands in
	When int64  // when it was published, in Unix milliseconds; 0 if that is not known
	merkle.Checkpoint
}

// Check holds a partition's records against what was signed of it.
type Check struct {
	Partition events.Partition
	Records   int64 // in the log
	Kept      []Kept
	// Leaves are the hashes that were stored when records were sealed; nil if
	// there are none. They count as far as a checkpoint vouches for them, and
	// tell which record is wrong where checkpoints alone tell between which
	// offsets it is.
	Leaves *Leaves
	// Now is the reader's clock, in Unix milliseconds.
	Now int64
}

// Checked is what a check found.
type Checked struct {
	Partition string `json:"partition"`
	Records   int64  `json:"records"`
	// Vouched is how many records a checkpoint vouches for, Checkpoints how
	// many of them were held against the log.
	Vouched     int64 `json:"checkpointed"`
	Checkpoints int   `json:"checkpoints"`
	// First and Last are the first offset that can be wrong, and the last: the
	// same where the record itself is known. Problem is empty if all holds.
	First   int64  `json:"first,omitempty"`
	Last    int64  `json:"last,omitempty"`
	Problem string `json:"problem,omitempty"`
	Back    Skew   `json:"clockBack"`
	Ahead   Skew   `json:"clockAhead"`
}

var errFound = errors.New("found")

// Run reads the partition once. An error means that it could not be done.
func (c *Check) Run(ctx context.Context, read func(ctx context.Context, from, end int64, each func(offset int64, r events.Record) error) error, show func(done int64)) (Checked, error) {
	res := Checked{Partition: c.Partition.String(), Records: c.Records}
	cs := slices.Clone(c.Kept)
	slices.SortStableFunc(cs, func(a, b Kept) int { return int(min(max(a.Size-b.Size, -1), 1)) })
	known := c.known(cs)
	var clock Clock
	clock.now = c.Now
	var tree merkle.Tree
	var final []events.Hash
	var wrong [2]events.Hash // the first wrong record's leaf and the one behind it
	var sealed [2]events.Hash
	differ := 0
	heads := func() bool { // of the checkpoints that have as many records as were read
		for res.Checkpoints < len(cs) && cs[res.Checkpoints].Size == tree.Size() {
			k := cs[res.Checkpoints]
			if k.Root != tree.Root() {
				res.First, res.Last = res.Vouched, k.Size-1
				res.Problem = fmt.Sprintf("%s is not what %s says: the first wrong record is at one of the offsets from %d to %d",
					c.Partition, k.Name, res.First, res.Last)
				return false
			}
			res.Vouched = k.Size
			res.Checkpoints++
		}
		return true
	}
	next := 0 // the first checkpoint that vouches for the record
	each := func(offset int64, r events.Record) error {
		leaf := events.LeafHash(r)
		if differ > 0 || offset < known {
			if offset < known {
				s, err := c.Leaves.Leaf(offset)
				if err != nil {
					return err
				}
				if sealed[differ] = s; differ > 0 || s != leaf {
					wrong[differ] = leaf
					differ++
				}
			} else {
				wrong[differ], differ = leaf, differ+1
			}
			if differ == 2 {
				return errFound
			}
			if differ == 1 {
				res.First, res.Last = offset, offset
				return nil
			}
		}
		at := RecordedAt(r)
		clock.Record(offset, at)
		for next < len(cs) && cs[next].Size <= offset {
			next++
		}
		if next < len(cs) && cs[next].When > 0 && at-cs[next].When > ClockTolerance.Milliseconds() {
			clock.Ahead.add(offset, at-cs[next].When)
		}
		final = tree.Append(final[:0], leaf)
		if show != nil && (offset%1000 == 0 || offset == c.Records-1) {
			show(offset + 1)
		}
		if !heads() {
			return errFound
		}
		return nil
	}
	err := error(nil)
	if heads() {
		err = read(ctx, 0, c.Records, each)
	}
	res.Back, res.Ahead = clock.Back, clock.Ahead
	switch {
	case err != nil && !errors.Is(err, errFound) && !errors.Is(err, events.ErrDamaged):
		return res, err
	case differ > 0:
		res.Problem = fmt.Sprintf("%s is the first wrong record: %s", events.Position{Partition: c.Partition, Offset: res.First}, what(wrong, sealed, differ))
	case res.Problem != "":
	case err != nil && !errors.Is(err, errFound):
		res.First, res.Last, res.Problem = tree.Size(), tree.Size(), err.Error()
	case res.Checkpoints < len(cs):
		k := cs[res.Checkpoints]
		res.First, res.Last = c.Records, k.Size-1
		res.Problem = fmt.Sprintf("%s has %d records, %s says %d: the records from offset %d on are gone", c.Partition, c.Records, k.Name, k.Size, c.Records)
	}
	return res, nil
}

// known is how many stored leaves a checkpoint vouches for.
func (c *Check) known(cs []Kept) int64 {
	if c.Leaves == nil {
		return 0
	}
	for _, k := range slices.Backward(cs) {
		if k.Size > c.Leaves.Size() {
			continue
		}
		if root, err := c.Leaves.Root(k.Size); err == nil && root == k.Root {
			return k.Size
		}
	}
	return 0
}

// what was done to the first wrong record, as far as its leaf and the next tell.
func what(is, was [2]events.Hash, n int) string {
	switch {
	case n == 2 && is[0] == was[1] && is[1] == was[0]:
		return "it was swapped with the next"
	case n == 2 && is[0] == was[1]:
		return "the record that stood there is gone"
	case n == 2 && is[1] == was[0]:
		return "it was put in"
	}
	return "it is another than the one that was sealed"
}

// Published collects what stands in lishi.seals up to an offset: the checkpoints
// of each partition that the keys, and those they handed over to, have signed.
// What nobody trusted has signed, and what is no checkpoint of this log, is a
// problem, and named.
func Published(ctx context.Context, logID string, keys merkle.Keys, end int64, read func(ctx context.Context, from, end int64, each func(offset int64, r events.Record) error) error) (map[events.Partition][]Kept, merkle.Keys, string, error) {
	kept := map[events.Partition][]Kept{}
	problem := ""
	note := func(at events.Position, err error) {
		if problem == "" {
			problem = fmt.Sprintf("%s: %v", at, err)
		}
	}
	each := func(first bool) func(offset int64, r events.Record) error {
		return func(offset int64, r events.Record) error {
			at := events.Position{Partition: sealsPartition, Offset: offset}
			e, err := events.Decode(at, r)
			if err != nil {
				note(at, err)
				return nil
			}
			switch b := e.Body.(type) {
			case events.KeyChanged:
				next, err := keys.Follow([]byte(b.Change))
				if err == nil {
					keys = next
				} else if !first {
					note(at, err)
				}
			case events.CheckpointSigned:
				if first {
					return nil
				}
				cp, err := keys.Open([]byte(b.Checkpoint))
				if err != nil {
					note(at, err)
					return nil
				}
				id, p, err := merkle.ParseOrigin(cp.Origin)
				if err != nil || id != logID {
					note(at, fmt.Errorf("it is a checkpoint of %s, and this is log %s", cp.Origin, logID))
					return nil
				}
				kept[p] = append(kept[p], Kept{at.String(), e.At.UnixMilli(), cp})
			}
			return nil
		}
	}
	for _, first := range []bool{true, true, false} { // keys before what they signed, later ones before earlier ones
		if err := read(ctx, 0, end, each(first)); err != nil {
			return kept, keys, problem, err
		}
	}
	return kept, keys, problem, nil
}

// KeptIn collects the checkpoints of a file like those that are kept in the data
// directory.
func KeptIn(path string, b []byte, keys merkle.Keys) ([]Kept, error) {
	var kept []Kept
	read := 0
	for e, n := range Notes(b) {
		read += n
		cp, err := keys.Open(e.Signed)
		if err != nil {
			return kept, fmt.Errorf("%s: %w", path, err)
		}
		kept = append(kept, Kept{Name: path, Checkpoint: cp})
	}
	if read < len(b) {
		return kept, fmt.Errorf("%s: what stands behind %d bytes is no checkpoint", path, read)
	}
	return kept, nil
}

// Now is the clock that a check compares recorded times with.
func Now() int64 { return time.Now().UnixMilli() }
