package projectiontest

import (
	"syscall"
	"testing"
	"time"
)

// Processor is the time that this process has spent on any core: what a busy
// machine changes less than what the clock says.
func Processor() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// Loop runs f as b.Loop does and reports the processor time of each as well.
func Loop(b *testing.B, f func()) {
	used := -Processor()
	for b.Loop() {
		f()
	}
	used += Processor()
	b.ReportMetric(float64(used.Microseconds())/1000/float64(b.N), "cpu-ms/op")
}
