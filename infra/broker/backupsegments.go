package broker

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
)

func (d directory) partition(name string) string {
	return filepath.Join(d.kafka(), "partitions", name)
}

func (d directory) segment(name string, base int64) string {
	return filepath.Join(d.partition(name), strconv.FormatInt(base, 10)+".dat")
}

// segments lists a partition's segments; none if it has no directory.
func (d directory) segments(name string) ([]int64, error) {
	bases, err := listSegments(d.partition(name))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return bases, err
}

// continues refuses a backup that is not the beginning of the log.
func continues(from, to directory, before Manifest, parts []BackedPartition) error {
	ends := map[string]int64{}
	for _, p := range parts {
		ends[p.Name] = p.Records
	}
	const another = "%s is the backup of another log, or of a later state of this one (%s). Give another directory"
	for _, p := range before.Partitions {
		if p.Records == 0 {
			continue
		}
		if ends[p.Name] < p.Records {
			return fmt.Errorf(another, to.path, fmt.Sprintf("it holds %d records of %s, the log %d", p.Records, p.Name, ends[p.Name]))
		}
		// The first batch has the log's id in it; the last is as young as can be.
		for _, at := range []struct{ base, from, upTo int64 }{
			{0, 0, min(p.Size, identity)}, {p.Segment, max(0, p.Size-identity), p.Size},
		} {
			equal, err := equalBytes(from.segment(p.Name, at.base), to.segment(p.Name, at.base), at.from, at.upTo)
			if err != nil {
				return err
			}
			if !equal {
				return fmt.Errorf(another, to.path, fmt.Sprintf("segment %d of %s differs", at.base, p.Name))
			}
		}
	}
	return nil
}

const identity = 64 << 10 // bytes compared at the beginning and the end of what a backup has

func equalBytes(a, b string, from, upTo int64) (bool, error) {
	var parts [2][]byte
	for i, path := range []string{a, b} {
		f, err := os.Open(path)
		if err != nil {
			return false, err
		}
		parts[i], err = io.ReadAll(io.NewSectionReader(f, from, upTo-from))
		f.Close()
		if err != nil {
			return false, err
		}
	}
	return bytes.Equal(parts[0], parts[1]), nil
}

// copySegments appends to a partition of to what it lacks of from, up to offset
// end, batch by batch, each checked, and makes it durable.
func copySegments(ctx context.Context, from, to directory, name string, has BackedPartition, end int64, work *meter) (added int64, err error) {
	next := has.Records
	if next == end {
		return 0, nil
	}
	bases, err := from.segments(name)
	if err != nil {
		return 0, err
	}
	if err := os.MkdirAll(to.partition(name), 0o700); err != nil {
		return 0, err
	}
	for _, base := range bases {
		start := int64(0)
		switch {
		case next == end:
			continue
		case base < has.Segment:
			continue
		case base == has.Segment:
			start = has.Size
		case base != next:
			return added, &Damage{from.segment(name, base), -1, next, "a segment is missing before it"}
		}
		n, err := copySegment(ctx, from.segment(name, base), to.segment(name, base), start, &next, end, work)
		added += n
		if err != nil {
			return added, err
		}
	}
	if next != end {
		return added, &Damage{from.partition(name), -1, next, fmt.Sprintf("the log ends here but %d records are durable", end)}
	}
	for _, dir := range []string{to.partition(name), filepath.Dir(to.partition(name)), to.kafka()} {
		if err := syncDirectory(dir); err != nil {
			return added, err
		}
	}
	return added, nil
}

func copySegment(ctx context.Context, from, to string, start int64, next *int64, end int64, work *meter) (n int64, err error) {
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if err := out.Truncate(start); err != nil { // what an interrupted backup left behind it
		return 0, err
	}
	if _, err := out.Seek(start, io.SeekStart); err != nil {
		return 0, err
	}
	w := bufio.NewWriterSize(out, 1<<20)
	n, err = eachBatch(ctx, from, start, next, end, func(raw []byte) error {
		work.add(int64(len(raw)))
		_, err := w.Write(raw)
		return err
	})
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = out.Sync()
	}
	return n, err
}

// eachBatch hands on the whole batches of a segment from a byte on, checked, up
// to offset end, and moves next behind them. What stands behind end is nobody's
// matter: it may be being written. size are the bytes handed on.
func eachBatch(ctx context.Context, path string, from int64, next *int64, end int64, each func(raw []byte) error) (size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if _, err := f.Seek(from, io.SeekStart); err != nil {
		return 0, err
	}
	in := bufio.NewReaderSize(f, 1<<20)
	var raw []byte
	for *next < end {
		if ctx.Err() != nil {
			return size, ctx.Err()
		}
		head, err := in.Peek(batchPrefix)
		if errors.Is(err, io.EOF) && len(head) == 0 {
			return size, nil
		}
		n := 0
		if len(head) == batchPrefix {
			n = batchSize(head)
		}
		if n > cap(raw) {
			raw = make([]byte, n)
		}
		raw = raw[:n]
		if _, err := io.ReadFull(in, raw); err != nil || n == 0 {
			return size, &Damage{path, from + size, *next, "no whole batch stands here"}
		}
		b, reason := parseBatch(raw, *next)
		if reason == "" && b.end() > end {
			reason = fmt.Sprintf("a batch goes beyond the durable end %d", end)
		}
		if reason != "" {
			return size, &Damage{path, from + size, *next, reason}
		}
		if err := each(raw); err != nil {
			return size, err
		}
		size += int64(n)
		*next = b.end()
	}
	return size, nil
}

// readAll reads partitions from their beginning up to their number of records,
// checks every batch, and says what was found.
func (d directory) readAll(ctx context.Context, parts []BackedPartition, progress func(string, int64, int64)) ([]BackedPartition, error) {
	work := newMeter("verified", progress, d, parts, Manifest{})
	found := make([]BackedPartition, 0, len(parts))
	for _, p := range parts {
		f := BackedPartition{Name: p.Name, Records: p.Records}
		bases, err := d.segments(p.Name)
		if err != nil {
			return nil, err
		}
		sum, next := sha256.New(), int64(0)
		for _, base := range bases {
			if next == p.Records {
				break
			}
			if base != next {
				return nil, &Damage{d.segment(p.Name, base), -1, next, "a segment is missing before it"}
			}
			n, err := eachBatch(ctx, d.segment(p.Name, base), 0, &next, p.Records, func(raw []byte) error {
				work.add(int64(len(raw)))
				_, err := sum.Write(raw)
				return err
			})
			if err != nil {
				return nil, err
			}
			f.Bytes, f.Segment, f.Size = f.Bytes+n, base, n
		}
		if next != p.Records {
			return nil, &Damage{d.partition(p.Name), -1, next, fmt.Sprintf("it ends here, but %d records were backed up", p.Records)}
		}
		f.SHA256 = hex.EncodeToString(sum.Sum(nil))
		found = append(found, f)
	}
	return found, nil
}

// meter counts the bytes of one phase of the work.
type meter struct {
	tell        func(phase string, done, total int64)
	phase       string
	done, total int64
	told        int64
}

// newMeter expects the segments of the partitions but for what a backup has.
func newMeter(phase string, tell func(string, int64, int64), d directory, parts []BackedPartition, before Manifest) *meter {
	m := &meter{tell: tell, phase: phase}
	for _, p := range parts {
		has := before.partition(p.Name)
		bases, _ := d.segments(p.Name)
		for _, base := range bases {
			if info, err := os.Stat(d.segment(p.Name, base)); err == nil && base >= has.Segment {
				m.total += info.Size()
			}
		}
		m.total -= has.Size
	}
	return m
}

func (m *meter) add(n int64) {
	m.done += n
	if m.tell != nil && (m.done-m.told >= 1<<20 || m.done >= m.total) {
		m.told = m.done
		m.tell(m.phase, m.done, max(m.total, m.done))
	}
}
