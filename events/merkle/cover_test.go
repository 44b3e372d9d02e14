package merkle

import (
	"testing"

	"pgregory.net/rapid"

	"lishi/events"
)

// Some leaves and the roots of the subtrees between them make the same root as
// all leaves.
func TestLeavesAndCoverMakeTheRoot(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.Int64Range(1, 300).Draw(t, "size")
		chosen := rapid.MapOf(rapid.Int64Range(0, size-1), rapid.Bool()).Draw(t, "chosen")
		leaf := func(n int64) events.Hash { return events.LeafHash(events.Record{Key: []byte{byte(n), byte(n >> 8)}}) }
		var whole, folded Tree
		for n := range size {
			whole.Append(nil, leaf(n))
		}
		for at := int64(0); at < size; {
			if chosen[at] {
				folded.Append(nil, leaf(at))
				at++
				continue
			}
			to := at
			for to < size && !chosen[to] {
				to++
			}
			next := at
			for begin, height := range Cover(at, to) {
				if begin != next {
					t.Fatalf("a subtree begins at %d, not %d", begin, next)
				}
				var sub Tree
				for n := begin; n < begin+1<<height; n++ {
					sub.Append(nil, leaf(n))
				}
				if err := folded.AppendSubtree(height, sub.Root()); err != nil {
					t.Fatal(err)
				}
				next = begin + 1<<height
			}
			if next != to {
				t.Fatalf("the cover of [%d,%d) ends at %d", at, to, next)
			}
			at = to
		}
		if folded.Size() != size || folded.Root() != whole.Root() {
			t.Fatalf("size %d of %d, root %x, want %x", folded.Size(), size, folded.Root(), whole.Root())
		}
	})
	var tree Tree
	tree.Append(nil, events.Hash{})
	if tree.AppendSubtree(1, events.Hash{}) == nil || tree.AppendSubtree(-1, events.Hash{}) == nil || tree.AppendSubtree(63, events.Hash{}) == nil {
		t.Error("a subtree was appended where none can begin")
	}
}
