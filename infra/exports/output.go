package exports

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"lishi/cmd/lishi-verify/verify"
)

// unfinished ends the name of the file beside a package's directory that says how
// far the export is. A package is finished when it is gone.
const unfinished = ".unfinished"

func (o *output) marker() string { return o.dir + unfinished }

// state is what a restart goes on from.
type state struct {
	Request Request            `json:"request"`
	Log     string             `json:"log"`
	Program string             `json:"program"`
	Done    []verify.Partition `json:"done"`
	Next    int64              `json:"next"` // offset in the partition after those done
	Events  map[string]int64   `json:"events"`
	Void    int64              `json:"void"`
	Rows    map[string]int64   `json:"rows"`
	Sizes   map[string]int64   `json:"sizes"` // of the files, as far as the above goes
}

// output is a package that is being written.
type output struct {
	dir        string
	lock       *os.File
	state      state
	files      map[string]*file
	events     *file
	messages   *file
	membership *file
	access     *file
}

// file is one of a package; rows of tables are counted.
type file struct {
	*bufio.Writer
	f    *os.File
	size int64
	out  *output
	name string
}

func (f *file) write(b []byte) error {
	n, err := f.Write(b)
	f.size += int64(n)
	return err
}

func (f *file) row(line []byte) error {
	f.out.state.Rows[f.name]++
	return f.write(line)
}

// ErrExists means that there is something where a package is to be written.
var ErrExists = errors.New("there is something already, and nothing is overwritten")

// openOutput makes a package's directory, or finds the one that the same request
// has begun.
func openOutput(dir string, fresh state) (_ *output, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	o := &output{dir: dir, state: fresh, files: map[string]*file{}}
	raw, err := os.ReadFile(o.marker())
	switch {
	case err == nil:
		if err := o.continues(raw, fresh); err != nil {
			return nil, fmt.Errorf("%s: %w", dir, err)
		}
	case len(entries) > 0:
		return nil, fmt.Errorf("%s: %w", dir, ErrExists)
	}
	for _, d := range []string{dir, filepath.Join(dir, "checkpoints"), filepath.Join(dir, "proofs")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, err
		}
	}
	if o.lock, err = os.Open(dir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			o.close()
		}
	}()
	if err := unix.Flock(int(o.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, fmt.Errorf("%s: another export is being written there", dir)
	}
	if raw == nil {
		if err := o.keep(); err != nil {
			return nil, err
		}
	}
	for _, t := range []struct {
		to      **file
		name    string
		columns []string
	}{{&o.events, "events.jsonl", nil}, {&o.messages, "messages.csv", messageColumns}, {&o.membership, "membership.csv", membershipColumns}, {&o.access, "access.csv", accessColumns}} {
		if *t.to, err = o.open(t.name); err != nil {
			return nil, err
		}
		if (*t.to).size == 0 && t.columns != nil {
			if err := (*t.to).write(verify.AppendRow(nil, t.columns...)); err != nil {
				return nil, err
			}
		}
	}
	return o, nil
}

// continues takes over what was begun, if the same was asked for.
func (o *output) continues(raw []byte, fresh state) error {
	var begun state
	if err := json.Unmarshal(raw, &begun); err != nil {
		return fmt.Errorf("%s is damaged; remove both and begin anew: %w", o.marker(), err)
	}
	was, is := begun.Request, fresh.Request
	if len(is.Until) == 0 || is.untilOpen {
		is.Until, is.untilOpen = was.Until, false
	}
	if begun.Log != fresh.Log || begun.Program != fresh.Program || was.text() != is.text() {
		return fmt.Errorf("another export was begun there, by %s of %s: %s", begun.Request.AskedBy, begun.Program, begun.Request.text())
	}
	o.state = begun
	return nil
}

// open opens a file as long as the state says it is.
func (o *output) open(name string) (*file, error) {
	f, err := os.OpenFile(filepath.Join(o.dir, filepath.FromSlash(name)), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	size := o.state.Sizes[name]
	if err := f.Truncate(size); err != nil {
		f.Close()
		return nil, err
	}
	if _, err := f.Seek(size, 0); err != nil {
		f.Close()
		return nil, err
	}
	out := &file{Writer: bufio.NewWriterSize(f, 1<<18), f: f, size: size, out: o, name: name}
	o.files[name] = out
	return out, nil
}

func (o *output) count(typ string, void bool) {
	o.state.Events[typ]++
	if void {
		o.state.Void++
	}
}

// save makes sure that a restart goes on from here.
func (o *output) save() error {
	sizes := maps.Clone(o.state.Sizes)
	for name, f := range o.files {
		if err := errors.Join(f.Flush(), f.f.Sync()); err != nil {
			return err
		}
		sizes[name] = f.size
	}
	o.state.Sizes = sizes
	return o.keep()
}

func (o *output) keep() error {
	b, err := json.Marshal(o.state)
	if err != nil {
		return err
	}
	path := o.marker()
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// end closes one of the files.
func (o *output) end(f *file) error {
	delete(o.files, f.name)
	return errors.Join(f.Flush(), f.f.Sync(), f.f.Close())
}

func (o *output) close() {
	for _, f := range o.files {
		f.f.Close()
	}
	if o.lock != nil {
		o.lock.Close() // and with it the lock
	}
}

// whole writes a small file of the package.
func (o *output) whole(name string, content []byte) error {
	path := filepath.Join(o.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o600)
}
