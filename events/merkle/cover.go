package merkle

import (
	"fmt"
	"iter"
	"math/bits"

	"lishi/events"
)

// Cover splits the leaves from an offset up to and without another into perfect
// subtrees, from the left, each as large as its place allows: it yields where
// each begins, and its height. Their roots stand for the leaves between.
func Cover(from, to int64) iter.Seq2[int64, int] {
	return func(yield func(int64, int) bool) {
		for at := from; at < to; {
			height := bits.Len64(uint64(to-at)) - 1
			if at > 0 {
				height = min(height, bits.TrailingZeros64(uint64(at)))
			}
			if !yield(at, height) {
				return
			}
			at += 1 << height
		}
	}
}

// AppendSubtree adds the next 2^height leaves by the root of their perfect
// subtree. Such a one stands only where Cover puts it: at a multiple of its size.
func (t *Tree) AppendSubtree(height int, root events.Hash) error {
	if height < 0 || height > 62 || t.size&(1<<height-1) != 0 || t.size > 1<<62 {
		return fmt.Errorf("merkle: no perfect subtree of height %d begins at leaf %d", height, t.size)
	}
	h := root
	for range bits.TrailingZeros64(^uint64(t.size >> height)) {
		last := len(t.subtrees) - 1
		h = node(t.subtrees[last], h)
		t.subtrees = t.subtrees[:last]
	}
	t.subtrees = append(t.subtrees, h)
	t.size += 1 << height
	return nil
}
