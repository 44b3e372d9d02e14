package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A backup has the log directory's segments, kfake's list of topics, and
//
//	backup.json   what is in it: for each partition its records, bytes and hash
//
// but no format file, so that nobody opens it as a log. The manifest is written
// last: what it does not speak of is no part of the backup.
const (
	manifestName    = "backup.json"
	manifestVersion = 1
)

// Manifest says what a backup holds.
type Manifest struct {
	Version    int               `json:"version"`
	Format     int               `json:"format"` // of the log directory
	Taken      time.Time         `json:"taken"`
	Partitions []BackedPartition `json:"partitions"`
}

// BackedPartition is one partition of a backup.
type BackedPartition struct {
	Name    string `json:"name"`
	Records int64  `json:"records"`
	Bytes   int64  `json:"bytes"`
	SHA256  string `json:"sha256"` // of its record batches one after the other, as they stand in the segments
	// Segment is the first offset of the last segment, Size what the backup has of it.
	Segment int64 `json:"segment"`
	Size    int64 `json:"size"`
}

// BackupOptions say what is backed up to where.
type BackupOptions struct {
	Dir, To string
	// First are the topics whose ends are looked up before the others', in this
	// order, because their records speak of records of those that come later.
	First []string
	// Progress is told how many bytes of about how many were "copied" and
	// "verified"; it may be nil.
	Progress func(phase string, done, total int64)
}

// Backup copies what is durable in a log directory, which a running broker may
// be using: every record acknowledged before Backup began, and perhaps some
// after. It asks the broker nothing, since segments are only ever appended to
// and their durable end stands beside them. An earlier backup in To is continued
// with what is new. Then all of the backup is read again and checked.
//
// added are the bytes that were copied. *Damage says what is wrong with the log
// or the backup.
func Backup(ctx context.Context, o BackupOptions) (m Manifest, added int64, err error) {
	from, to := directory{path: o.Dir}, directory{path: o.To}
	if old, err := from.checkFormat(); err != nil {
		return m, 0, err
	} else if !old {
		return m, 0, fmt.Errorf("there is no log in %s", o.Dir)
	}
	if _, err := os.Stat(to.join("format")); err == nil {
		return m, 0, fmt.Errorf("%s is a log; a backup wants a directory of its own", o.To)
	}
	if err := os.MkdirAll(to.kafka(), 0o700); err != nil {
		return m, 0, err
	}
	if to.lock, err = lockFile(to.join("lock")); err != nil {
		return m, 0, err
	}
	defer to.unlock()
	before, err := readManifest(to)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return m, 0, err
	}
	parts, err := from.durable(o.First)
	if err != nil {
		return m, 0, err
	}
	if err := continues(from, to, before, parts); err != nil {
		return m, 0, err
	}
	if err := copyState(from, to, parts); err != nil {
		return m, 0, err
	}
	work := newMeter("copied", o.Progress, from, parts, before)
	for _, p := range parts {
		n, err := copySegments(ctx, from, to, p.Name, before.partition(p.Name), p.Records, work)
		added += n
		if err != nil {
			return m, added, err
		}
	}
	m = Manifest{Version: manifestVersion, Format: formatVersion, Taken: time.Now().UTC().Truncate(time.Millisecond)}
	if m.Partitions, err = to.readAll(ctx, parts, o.Progress); err != nil {
		return m, added, err
	}
	raw, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return m, added, err
	}
	return m, added, replaceFile(to.join(manifestName), append(raw, '\n'))
}

// VerifyBackup reads a backup and compares it with its manifest: *Damage if it
// is not what was backed up.
func VerifyBackup(ctx context.Context, dir string, progress func(phase string, done, total int64)) (Manifest, error) {
	d := directory{path: dir}
	m, err := readManifest(d)
	if err != nil {
		return m, err
	}
	found, err := d.readAll(ctx, m.Partitions, progress)
	if err != nil {
		return m, err
	}
	return m, same(d, m.Partitions, found)
}

// Restore makes a log directory of a backup and checks it. to must not be there;
// it appears when it is whole.
func Restore(ctx context.Context, dir, to string, progress func(phase string, done, total int64)) (Manifest, error) {
	backup := directory{path: dir}
	m, err := readManifest(backup)
	if err != nil {
		return m, err
	}
	if _, err := os.Stat(to); !errors.Is(err, fs.ErrNotExist) {
		return m, fmt.Errorf("%s is there already; a backup is restored to where nothing is", to)
	}
	d := directory{path: to + ".restoring"} // what an interrupted restore left
	if err := os.RemoveAll(d.path); err != nil {
		return m, err
	}
	for _, sub := range []string{d.kafka(), d.ends(), d.aside()} {
		if err := os.MkdirAll(sub, 0o700); err != nil {
			return m, err
		}
	}
	if err := copyState(backup, d, m.Partitions); err != nil {
		return m, err
	}
	work := newMeter("copied", progress, backup, m.Partitions, Manifest{})
	for _, p := range m.Partitions {
		if _, err := copySegments(ctx, backup, d, p.Name, BackedPartition{}, p.Records, work); err != nil {
			return m, err
		}
	}
	found, err := d.readAll(ctx, m.Partitions, progress)
	if err != nil {
		return m, err
	}
	if err := same(backup, m.Partitions, found); err != nil {
		return m, err
	}
	for _, p := range m.Partitions {
		if err := d.writeEnd(p.Name, p.Records); err != nil {
			return m, err
		}
	}
	if err := d.writeFormat(); err != nil {
		return m, err
	}
	for _, name := range []string{d.ends(), d.kafka(), d.path} {
		if err := syncDirectory(name); err != nil {
			return m, err
		}
	}
	if err := os.Rename(d.path, to); err != nil {
		return m, err
	}
	return m, syncDirectory(filepath.Dir(to))
}

func readManifest(d directory) (m Manifest, err error) {
	raw, err := os.ReadFile(d.join(manifestName))
	if err != nil {
		return m, fmt.Errorf("%s is no whole backup: %w", d.path, err)
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return m, &Damage{d.join(manifestName), -1, 0, err.Error()}
	}
	if m.Version > manifestVersion || m.Format > formatVersion {
		return m, fmt.Errorf("%s was written by a newer lishi", d.join(manifestName))
	}
	for _, p := range m.Partitions {
		if p.Name == "" || filepath.Base(p.Name) != p.Name || p.Name == ".." || p.Records < 0 {
			return m, &Damage{d.join(manifestName), -1, 0, fmt.Sprintf("it names a partition %q of %d records", p.Name, p.Records)}
		}
	}
	return m, nil
}

func (m Manifest) partition(name string) BackedPartition {
	if i := slices.IndexFunc(m.Partitions, func(p BackedPartition) bool { return p.Name == name }); i >= 0 {
		return m.Partitions[i]
	}
	return BackedPartition{}
}

// durable lists the partitions with their durable ends, those of the topics
// first named before the others, in their order.
func (d directory) durable(first []string) ([]BackedPartition, error) {
	entries, err := os.ReadDir(d.ends())
	if err != nil {
		return nil, err
	}
	turn := func(e os.DirEntry) int {
		topic := e.Name()[:max(0, strings.LastIndexByte(e.Name(), '-'))]
		if i := slices.Index(first, topic); i >= 0 {
			return i
		}
		return len(first)
	}
	slices.SortStableFunc(entries, func(a, b os.DirEntry) int { return turn(a) - turn(b) })
	var parts []BackedPartition
	for _, e := range entries {
		end, err := d.readEnd(e.Name())
		if err != nil {
			return nil, err
		}
		parts = append(parts, BackedPartition{Name: e.Name(), Records: end})
	}
	return parts, nil
}

func (d directory) readEnd(name string) (int64, error) {
	f, err := os.Open(filepath.Join(d.ends(), name))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return (&endFile{f: f}).read()
}

func (d directory) writeEnd(name string, end int64) error {
	e, _, err := openEndFile(filepath.Join(d.ends(), name))
	if err != nil {
		return err
	}
	defer e.f.Close()
	return errors.Join(e.write(end), e.sync())
}

// copyState copies what kfake must know to find the partitions. Nothing else of
// its files is needed, and one of them holds a password.
func copyState(from, to directory, parts []BackedPartition) error {
	for _, name := range []string{"meta.json", "topics.json"} {
		raw, err := os.ReadFile(filepath.Join(from.kafka(), name))
		if err != nil {
			return err
		}
		if err := replaceFile(filepath.Join(to.kafka(), name), raw); err != nil {
			return err
		}
	}
	known, err := to.knownPartitions()
	if err != nil {
		return err
	}
	for _, p := range parts {
		if !known[p.Name] {
			return fmt.Errorf("%s does not name partition %s, which has records", from.topics(), p.Name)
		}
	}
	return nil
}

// same compares what was read with what the manifest says.
func same(d directory, want, found []BackedPartition) error {
	for i, p := range want {
		if found[i].SHA256 != p.SHA256 || found[i].Bytes != p.Bytes {
			return &Damage{d.partition(p.Name), -1, p.Records, fmt.Sprintf("its %d records have the hash %s, the manifest says %s", p.Records, found[i].SHA256, p.SHA256)}
		}
	}
	return nil
}
