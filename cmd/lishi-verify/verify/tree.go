package verify

import (
	"crypto/sha256"
	"errors"
	"math/bits"
)

type hash = [sha256.Size]byte

// tree folds a partition's Merkle tree (RFC 6962, section 2.1) from the leaves
// that the package holds and, for those between them, the roots of the perfect
// subtrees that cover them, which are the lines of the proof.
type tree struct {
	size  int64
	roots []hash // of the perfect subtrees so far, one for each bit set in size
	proof func() (hash, error)
}

func leafHash(record []byte) hash {
	h := sha256.New()
	h.Write([]byte{0})
	h.Write(record)
	return hash(h.Sum(nil))
}

func node(left, right hash) hash {
	var b [1 + 2*sha256.Size]byte
	b[0] = 1
	copy(b[1:], left[:])
	copy(b[1+sha256.Size:], right[:])
	return sha256.Sum256(b[:])
}

// add takes the root of the next 2^height leaves.
func (t *tree) add(height int, h hash) {
	for range bits.TrailingZeros64(^uint64(t.size >> height)) {
		last := len(t.roots) - 1
		h = node(t.roots[last], h)
		t.roots = t.roots[:last]
	}
	t.roots = append(t.roots, h)
	t.size += 1 << height
}

// fill takes subtrees from the proof up to and without an offset: each as large
// as its place allows.
func (t *tree) fill(to int64) error {
	for t.size < to {
		height := bits.Len64(uint64(to-t.size)) - 1
		if t.size > 0 {
			height = min(height, bits.TrailingZeros64(uint64(t.size)))
		}
		h, err := t.proof()
		if err != nil {
			return err
		}
		t.add(height, h)
	}
	return nil
}

var errEmptyTree = errors.New("a tree without leaves")

func (t *tree) root() (hash, error) {
	if len(t.roots) == 0 {
		return hash{}, errEmptyTree
	}
	h := t.roots[len(t.roots)-1]
	for i := len(t.roots) - 2; i >= 0; i-- {
		h = node(t.roots[i], h)
	}
	return h, nil
}
