package kafka_test

import (
	"os/signal"
	"syscall"
)

// ignoreFileSizeSignal lets writes beyond the limit fail rather than end the
// process.
func ignoreFileSizeSignal() { signal.Ignore(syscall.SIGXFSZ) }
