package exports

import (
	"archive/tar"
	"archive/zip"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Archived tells whether a package's name asks for an archive, and gives the
// name of the directory that it is made in.
func Archived(output string) (dir string, archive bool) {
	for _, end := range []string{".zip", ".tar"} {
		if name, ok := strings.CutSuffix(output, end); ok && name != "" {
			return output + ".files", true
		}
	}
	return output, false
}

// Pack makes a .zip or .tar of a package's directory, then removes that. The
// archive appears whole or not at all.
func Pack(ctx context.Context, dir, output string) (err error) {
	f, err := os.OpenFile(output+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if strings.HasSuffix(output, ".tar") {
		err = WriteTar(ctx, dir, f)
	} else {
		err = WriteZip(ctx, dir, f)
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(output+".new"))
	}
	if err := os.Rename(output+".new", output); err != nil {
		return err
	}
	return os.RemoveAll(dir)
}

// WriteZip writes a package's files in the order of their names, without times.
func WriteZip(ctx context.Context, dir string, w io.Writer) error {
	z := zip.NewWriter(w)
	err := eachFile(ctx, dir, func(name string, _ int64, content io.Reader) error {
		to, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate})
		if err != nil {
			return err
		}
		_, err = io.Copy(to, content)
		return err
	})
	return errors.Join(err, z.Close())
}

// WriteTar does the same as WriteZip.
func WriteTar(ctx context.Context, dir string, w io.Writer) error {
	t := tar.NewWriter(w)
	err := eachFile(ctx, dir, func(name string, size int64, content io.Reader) error {
		if err := t.WriteHeader(&tar.Header{Name: name, Size: size, Mode: 0o600, Typeflag: tar.TypeReg}); err != nil {
			return err
		}
		_, err := io.Copy(t, content)
		return err
	})
	return errors.Join(err, t.Close())
}

func eachFile(ctx context.Context, dir string, each func(name string, size int64, content io.Reader) error) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		return each(filepath.ToSlash(name), info.Size(), f)
	})
}
