package chdb

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
)

// ErrInUse means that another process has the engine's directory open.
var ErrInUse = errors.New("in use")

// lock takes the lock file for this process or names the process that has it.
// It is freed by closing the file, and by the kernel if the process dies.
func lock(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		pid, _ := io.ReadAll(io.LimitReader(file, 32))
		file.Close()
		return nil, fmt.Errorf("%s is %w by process %s: one process at a time can open a ClickHouse directory", path, ErrInUse, strings.TrimSpace(string(pid)))
	}
	if err == nil {
		err = file.Truncate(0)
	}
	if err == nil {
		_, err = fmt.Fprintln(file, os.Getpid())
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	return file, nil
}
