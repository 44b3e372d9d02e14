package broker

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The directory holds
//
//	format   the version of this layout
//	lock     held while a process has the directory open; says which
//	kafka/   what kfake writes: segments, indexes, topics, group offsets
//	ends/    the durable end of each partition, which proves a cut tail
//	aside/   what was cut from a segment, kept for people to look at
const formatVersion = 1

// ErrInUse means that another process has the directory open.
var ErrInUse = errors.New("in use")

const formatPrefix = "lishi log "

type directory struct {
	path string
	lock *os.File
}

func (d directory) join(parts ...string) string {
	return filepath.Join(append([]string{d.path}, parts...)...)
}
func (d directory) kafka() string { return d.join("kafka") }
func (d directory) ends() string  { return d.join("ends") }
func (d directory) aside() string { return d.join("aside") }

// openDirectory makes path if it is not there, locks it, and checks its format.
func openDirectory(path string) (d directory, err error) {
	d.path = path
	if err := os.MkdirAll(path, 0o700); err != nil {
		return d, fmt.Errorf("log directory: %w", err)
	}
	if err := os.Chmod(path, 0o700); err != nil {
		return d, fmt.Errorf("log directory: it must be private: %w", err)
	}
	if d.lock, err = lockFile(d.join("lock")); err != nil {
		return d, err
	}
	defer func() {
		if err != nil {
			d.unlock()
		}
	}()
	old, err := d.checkFormat()
	if err != nil || old {
		return d, err
	}
	for _, sub := range []string{d.kafka(), d.ends(), d.aside()} {
		if err := os.Mkdir(sub, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return d, fmt.Errorf("log directory: %w", err)
		}
	}
	// Last, so that a directory with a format file has all that belongs to it.
	return d, d.writeFormat()
}

func (d directory) writeFormat() error {
	return replaceFile(d.join("format"), []byte(formatPrefix+strconv.Itoa(formatVersion)+"\n"))
}

// checkFormat tells whether the directory was in use before.
func (d directory) checkFormat() (old bool, err error) {
	raw, err := os.ReadFile(d.join("format"))
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(d.join("kafka", "partitions")); err == nil {
			return false, fmt.Errorf("log directory %s holds records but no format file; it is not whole, so nothing is opened", d.path)
		}
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("log directory: %w", err)
	}
	text, ok := strings.CutPrefix(strings.TrimSpace(string(raw)), formatPrefix)
	version, convErr := strconv.Atoi(text)
	switch {
	case !ok || convErr != nil || version < 1:
		return false, fmt.Errorf("log directory: %s does not say %q and a version", d.join("format"), formatPrefix)
	case version > formatVersion:
		return false, fmt.Errorf("log directory %s has format %d, written by a newer lishi; this one reads up to %d", d.path, version, formatVersion)
	}
	for _, sub := range []string{d.kafka(), d.ends(), d.aside()} {
		if _, err := os.Stat(sub); err != nil {
			return false, fmt.Errorf("log directory is not whole: %w", err)
		}
	}
	return true, nil
}

func (d directory) unlock() { d.lock.Close() }

// lockFile takes an advisory lock that ends with the process, however it ends.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("log directory: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		defer f.Close()
		holder := make([]byte, 32)
		n, _ := f.Read(holder)
		if pid := strings.TrimSpace(string(holder[:n])); errors.Is(err, unix.EWOULDBLOCK) && pid != "" {
			return nil, fmt.Errorf("directory %s is %w by process %s", filepath.Dir(path), ErrInUse, pid)
		}
		return nil, fmt.Errorf("directory %s is in use: %w", filepath.Dir(path), err)
	}
	if err := f.Truncate(0); err != nil {
		f.Close()
		return nil, fmt.Errorf("log directory: %w", err)
	}
	if _, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil {
		f.Close()
		return nil, fmt.Errorf("log directory: %w", err)
	}
	return f, nil
}

// replaceFile writes a whole file or leaves the old one, also across power loss.
func replaceFile(path string, data []byte) error {
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err == nil {
		err = syncDirectory(filepath.Dir(path))
	}
	return err
}

// syncDirectory makes the names in a directory durable.
func syncDirectory(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
