package large

import (
	"runtime"
	"syscall"
)

// resident is the most that was resident, in bytes: getrusage has KiB, but on
// macOS bytes.
func resident(u *syscall.Rusage) int64 {
	if runtime.GOOS == "darwin" {
		return int64(u.Maxrss)
	}
	return int64(u.Maxrss) << 10
}
