// Package merkle proves what a partition of the log holds. Each partition is one
// append-only Merkle tree as RFC 6962 defines it; its leaf n is the record at
// offset n, in the canonical encoding of events.AppendRecord. A signed root is a
// checkpoint; a path of hashes proves that a record is under it, or that an
// older checkpoint is a beginning of a newer one.
//
// The formats are those of other people's tools: C2SP signed notes, tlog-checkpoint
// and tlog-proof (https://c2sp.org), hash storage and proofs of
// golang.org/x/mod/sumdb/tlog. docs/audit.md says it all, with test vectors.
package merkle

import (
	"crypto/sha256"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"

	"lishi/events"
)

// Tree is what must be known of a partition's tree so that it can grow: the
// roots of its perfect subtrees, one for each bit that is set in its size. It is
// for one goroutine at a time.
type Tree struct {
	size     int64
	subtrees []events.Hash // from the left, largest first
}

// Size is the number of leaves.
func (t *Tree) Size() int64 { return t.size }

// Append adds the next leaf, and appends to dst the hashes that this made final:
// the leaf, then the root of each perfect subtree that it completes, from the
// leaf up. Written one after the other they are the storage that tlog.HashReader
// reads: hash i at byte 32·i.
func (t *Tree) Append(dst []events.Hash, leaf events.Hash) []events.Hash {
	dst = append(dst, leaf)
	h := leaf
	for range bits.TrailingZeros64(^uint64(t.size)) { // as many subtrees are as large as what grew
		last := len(t.subtrees) - 1
		h = node(t.subtrees[last], h)
		t.subtrees = t.subtrees[:last]
		dst = append(dst, h)
	}
	t.subtrees = append(t.subtrees, h)
	t.size++
	return dst
}

// Root is the tree's root hash; of an empty tree, the hash of nothing.
func (t *Tree) Root() events.Hash {
	if t.size == 0 {
		return sha256.Sum256(nil)
	}
	last := len(t.subtrees) - 1
	h := t.subtrees[last]
	for i := last - 1; i >= 0; i-- {
		h = node(t.subtrees[i], h)
	}
	return h
}

func node(left, right events.Hash) events.Hash {
	var b [1 + 2*sha256.Size]byte
	b[0] = 1
	copy(b[1:], left[:])
	copy(b[1+sha256.Size:], right[:])
	return sha256.Sum256(b[:])
}

// Load is the tree of that size of which the hashes are stored, ready to grow.
func Load(size int64, hashes tlog.HashReader) (Tree, error) {
	t := Tree{size: size}
	var at []int64
	for level, before := bits.Len64(uint64(size))-1, int64(0); level >= 0; level-- {
		if n := int64(1) << level; size&n != 0 {
			at = append(at, tlog.StoredHashIndex(level, before>>level))
			before += n
		}
	}
	found, err := hashes.ReadHashes(at)
	if err != nil {
		return Tree{}, err
	}
	t.subtrees = ours(found)
	return t, nil
}

// Root is the root that the tree had at a size, from its stored hashes.
func Root(size int64, hashes tlog.HashReader) (events.Hash, error) {
	t, err := Load(size, hashes)
	return t.Root(), err
}
