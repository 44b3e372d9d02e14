package broker

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Damage says where a log is not what was acknowledged. Nothing is opened then.
type Damage struct {
	File   string
	Byte   int64 // position in File; -1 where it does not apply
	Offset int64 // of the record that should stand there
	Reason string
}

func (d *Damage) Error() string {
	at := ""
	if d.Byte >= 0 {
		at = fmt.Sprintf(" at byte %d", d.Byte)
	}
	return fmt.Sprintf("log damaged: %s%s, offset %d: %s", d.File, at, d.Offset, d.Reason)
}

// segment is one verified segment file.
type segment struct {
	base int64
	size int64
}

// partition is one partition as found on disk.
type partition struct {
	dir      string
	segments []segment
	end      int64 // offset after the last record
	cut      string

	maxTimestamp int64
}

// verifyPartition reads every batch of a partition before kfake does, because
// kfake cuts a segment silently at the first batch it can't read. recorded is
// the end that was durable. Only an unfinished last batch, which nobody was
// told of, is cut; a copy goes to the directory aside.
func verifyPartition(dir, aside string, recorded int64) (*partition, error) {
	p := &partition{dir: dir}
	bases, err := listSegments(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if recorded > 0 {
			return nil, &Damage{dir, -1, 0, fmt.Sprintf("the directory is missing; %d records were acknowledged", recorded)}
		}
		return p, nil
	}
	if err != nil {
		return nil, err
	}
	buf := make([]byte, 1<<20)
	for i, base := range bases {
		if base != p.end {
			return nil, &Damage{p.segmentPath(base), -1, p.end, fmt.Sprintf("a segment is missing; this one begins at offset %d", base)}
		}
		if err := p.verifySegment(base, i == len(bases)-1, recorded, aside, &buf); err != nil {
			return nil, err
		}
	}
	if p.end < recorded {
		return nil, &Damage{dir, -1, p.end, fmt.Sprintf("the log ends here but %d records were acknowledged", recorded)}
	}
	return p, nil
}

func listSegments(dir string) ([]int64, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var bases []int64
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".dat")
		if !ok {
			continue
		}
		base, err := strconv.ParseInt(name, 10, 64)
		if err != nil || strconv.FormatInt(base, 10) != name {
			return nil, &Damage{filepath.Join(dir, e.Name()), -1, 0, "not a segment's name"}
		}
		bases = append(bases, base)
	}
	slices.Sort(bases)
	return bases, nil
}

func (p *partition) segmentPath(base int64) string {
	return filepath.Join(p.dir, strconv.FormatInt(base, 10)+".dat")
}

func (p *partition) verifySegment(base int64, last bool, recorded int64, aside string, buf *[]byte) error {
	path := p.segmentPath(base)
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	seg := segment{base: base}
	var index []byte
	have, eof := 0, false // bytes in buf, from the file's position seg.size on
	for {
		rest := (*buf)[:have]
		used := 0
		for {
			b := rest[used:]
			if len(b) < batchPrefix || batchSize(b) == 0 || len(b) < batchSize(b) {
				break
			}
			bt, reason := parseBatch(b[:batchSize(b)], p.end)
			if reason != "" {
				return &Damage{path, seg.size, p.end, reason}
			}
			seg.size += int64(bt.size)
			p.end = bt.end()
			p.maxTimestamp = max(p.maxTimestamp, bt.maxTimestamp)
			index = appendIndex(index, p.maxTimestamp)
			used += bt.size
		}
		have = copy(*buf, rest[used:])
		if eof {
			break
		}
		if have >= batchPrefix {
			if need := batchSize(*buf); need > len(*buf) {
				*buf = append(make([]byte, 0, need), (*buf)[:have]...)[:need]
			} else if need == 0 && !isZero((*buf)[:have]) {
				return &Damage{path, seg.size, p.end, "no batch has such a length"}
			}
		}
		if have == len(*buf) { // zeros without end: read on only to see that it is nothing but zeros
			have = batchPrefix
		}
		n, err := f.Read((*buf)[have:])
		have += n
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		eof = errors.Is(err, io.EOF)
	}
	if have > 0 {
		if err := p.cutTail(path, seg.size, (*buf)[:have], last, recorded, aside); err != nil {
			return err
		}
	}
	p.segments = append(p.segments, seg)
	return p.repairIndex(base, index)
}

// cutTail cuts the file at pos, where an unfinished batch begins, if it is one
// that nobody was told of.
func (p *partition) cutTail(path string, pos int64, tail []byte, last bool, recorded int64, aside string) error {
	switch {
	case !last:
		return &Damage{path, pos, p.end, "the batch is cut short, and another segment follows"}
	case p.end < recorded:
		return &Damage{path, pos, p.end, fmt.Sprintf("the batch is cut short, but records up to offset %d were acknowledged", recorded-1)}
	case len(tail) >= batchPrefix && !isZero(tail) && (batchSize(tail) == 0 || batchBase(tail) != p.end):
		return &Damage{path, pos, p.end, "what stands here is no unfinished batch"}
	}
	name := fmt.Sprintf("%s-%d-%d.dat", filepath.Base(p.dir), p.end, time.Now().UnixMilli())
	if err := copyTail(path, pos, filepath.Join(aside, name)); err != nil {
		return fmt.Errorf("setting aside the unfinished batch of %s: %w", path, err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(pos); err != nil {
		return fmt.Errorf("cutting the unfinished batch of %s: %w", path, err)
	}
	p.cut = filepath.Join(aside, name)
	return f.Sync()
}

func copyTail(path string, pos int64, to string) error {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	if _, err := in.Seek(pos, io.SeekStart); err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	if err := out.Sync(); err != nil {
		return err
	}
	return syncDirectory(filepath.Dir(to))
}

func isZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
