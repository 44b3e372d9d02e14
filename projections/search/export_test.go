package search

import "testing"

// SmallWindows lets a test's few messages fill several windows. Nothing else may
// run meanwhile.
func SmallWindows(t testing.TB) {
	s, f, w := stride, firstWindow, widen
	stride, firstWindow, widen = 2, 8, 2
	t.Cleanup(func() { stride, firstWindow, widen = s, f, w })
}
