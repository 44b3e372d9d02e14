package chdb

import (
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

//go:embed engine.pin
var pin string

// Version is the pinned version of the engine, as npm names it.
func Version() string {
	for line := range strings.Lines(pin) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == "version" {
			return f[1]
		}
	}
	panic("engine.pin names no version")
}

// NotFoundError says that there is no engine to load, where it was looked for,
// and what brings it there.
type NotFoundError struct {
	Path string // where it was looked for
	Own  bool   // the path came from LISHI_CHDB or Options.Library
}

func (e *NotFoundError) Error() string {
	if e.Own {
		return fmt.Sprintf("no ClickHouse engine at %s, which LISHI_CHDB or the configuration names: it must be a copy of libchdb (chDB %s)", e.Path, Version())
	}
	return fmt.Sprintf("no ClickHouse engine at %s: fetch it once with scripts/fetch-engine (make run does that too), or set LISHI_CHDB=/path/to/libchdb.so to use a copy of your own (chDB %s)", e.Path, Version())
}

// Find tells where the engine's library is: what LISHI_CHDB names, else the
// user's cache folder, where scripts/fetch-engine puts it. The error is a
// *NotFoundError if nothing is there.
func Find() (string, error) {
	if own := os.Getenv("LISHI_CHDB"); own != "" {
		return own, present(own, true)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("looking for the ClickHouse engine: %w (set HOME, or LISHI_CHDB to a copy of libchdb)", err)
	}
	path := filepath.Join(cache, "lishi", "engine", Version()+"-"+platform(), "libchdb.so")
	return path, present(path, false)
}

// platform is the pin file's name of this system: linux-x64, darwin-arm64, ….
func platform() string {
	arch := runtime.GOARCH
	if arch == "amd64" {
		arch = "x64"
	}
	return runtime.GOOS + "-" + arch
}

func present(path string, own bool) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && info.IsDir():
		return &NotFoundError{Path: path, Own: own}
	case err != nil:
		return fmt.Errorf("looking for the ClickHouse engine: %w", err)
	}
	return nil
}
