package verify

import (
	"archive/tar"
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Files are the files of a package by their names in it. Close lets go of them.
type Files struct {
	open  map[string]func() (io.ReadCloser, error)
	twice string // a name that stands twice
	close func() error
}

// Close lets go of the package.
func (f *Files) Close() error { return f.close() }

// Open finds a package: a directory, a .zip or a .tar of one.
func Open(path string) (*Files, error) {
	f := &Files{open: map[string]func() (io.ReadCloser, error){}, close: func() error { return nil }}
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if info.IsDir() {
		return f, f.directory(path)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	f.close = file.Close
	if strings.HasSuffix(path, ".tar") {
		err = f.tar(file)
	} else {
		err = f.zip(file)
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("%s is neither a package's directory nor a .zip or .tar of one: %w", path, err)
	}
	return f, nil
}

// add takes a file; archives of "." name it with "./" before.
func (f *Files) add(name string, open func() (io.ReadCloser, error)) {
	name = strings.TrimPrefix(name, "./")
	if f.open[name] != nil {
		f.twice = name
	}
	f.open[name] = open
}

func (f *Files) directory(dir string) error {
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		f.add(filepath.ToSlash(name), func() (io.ReadCloser, error) {
			if !e.Type().IsRegular() {
				return nil, errors.New("not a regular file")
			}
			return os.Open(path)
		})
		return err
	})
}

func (f *Files) zip(file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	z, err := zip.NewReader(file, info.Size())
	if err != nil {
		return err
	}
	for _, entry := range z.File {
		if !strings.HasSuffix(entry.Name, "/") {
			f.add(entry.Name, entry.Open)
		}
	}
	return nil
}

func (f *Files) tar(file *os.File) error {
	t := tar.NewReader(file)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if h.Typeflag == tar.TypeDir || h.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		begin, err := file.Seek(0, io.SeekCurrent) // tar reads no further than the header
		if err != nil {
			return err
		}
		f.add(h.Name, func() (io.ReadCloser, error) { return io.NopCloser(io.NewSectionReader(file, begin, h.Size)), nil })
	}
}
