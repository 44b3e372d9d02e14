package ledger

import "slices"

// offsets is a sorted set of offsets, 8 bytes each.
type offsets []int64

func (o offsets) has(offset int64) bool {
	_, ok := slices.BinarySearch(o, offset)
	return ok
}

// add is cheap near the end, which is where nearly everything goes.
func (o *offsets) add(offset int64) {
	if n := len(*o); n == 0 || (*o)[n-1] < offset {
		*o = append(*o, offset)
		return
	}
	if i, ok := slices.BinarySearch(*o, offset); !ok {
		*o = slices.Insert(*o, i, offset)
	}
}

// below counts the offsets less than at.
func (o offsets) below(at int64) int {
	i, _ := slices.BinarySearch(o, at)
	return i
}
