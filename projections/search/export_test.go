package search

import "testing"

// SmallWindows lets a test's few messages fill several windows. Nothing else may
// run meanwhile.
func SmallWindows(t testing.TB) { windows(t, 2, 8, 2) }

// FirstWindow lets a search begin with so many texts.
func FirstWindow(t testing.TB, n int64) { windows(t, stride, n, widen) }

func windows(t testing.TB, every, first int64, more int) {
	s, f, w := stride, firstWindow, widen
	stride, firstWindow, widen = every, first, more
	t.Cleanup(func() { stride, firstWindow, widen = s, f, w })
}
