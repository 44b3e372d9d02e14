package broker

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// A log of several segments and batches in dir, all of it durable.
func makeLog(t *testing.T) (dir string, values []string) {
	t.Helper()
	dir = t.TempDir()
	b, err := Open(t.Context(), Options{Dir: dir, Logger: quiet(), SegmentBytes: 300})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	c := client(t, b)
	createTopic(t, c, 1)
	for i := range 18 {
		v := []string{fmt.Sprint("value ", i), fmt.Sprint("another ", i)}
		mustProduce(t, b, c, 0, v...)
		values = append(values, v...)
	}
	return dir, values
}

func partitionDir(dir string) string {
	return filepath.Join(dir, "kafka", "partitions", partitionName(topic, 0))
}

func segments(t *testing.T, dir string) []string {
	t.Helper()
	bases, err := listSegments(partitionDir(dir))
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, b := range bases {
		paths = append(paths, filepath.Join(partitionDir(dir), fmt.Sprintf("%d.dat", b)))
	}
	return paths
}

func copyDir(t testing.TB, from string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

// refused opens dir and expects damage to be named.
func refused(t testing.TB, dir, file, reason string) {
	t.Helper()
	b, err := Open(t.Context(), Options{Dir: dir, Logger: quiet()})
	if err == nil {
		b.Close()
		t.Fatal("a damaged log was opened")
	}
	var d *Damage
	if !errors.As(err, &d) || !strings.Contains(d.File, file) || !strings.Contains(d.Reason, reason) {
		t.Fatalf("got %v\nwant %s: %s", err, file, reason)
	}
}

func edit(t testing.TB, path string, change func([]byte) []byte) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, change(raw), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestAnyFlippedBitIsRefused(t *testing.T) {
	dir, _ := makeLog(t)
	paths := segments(t, dir)
	raws := make([][]byte, len(paths))
	for i, path := range paths {
		raws[i], _ = os.ReadFile(path)
	}
	_, recorded, err := openEndFile(filepath.Join(dir, "ends", partitionName(topic, 0)))
	if err != nil {
		t.Fatal(err)
	}
	aside := t.TempDir()
	rapid.Check(t, func(r *rapid.T) {
		i := rapid.IntRange(0, len(paths)-1).Draw(r, "segment")
		at := rapid.IntRange(0, len(raws[i])-1).Draw(r, "byte")
		bit := rapid.IntRange(0, 7).Draw(r, "bit")
		raw := append([]byte(nil), raws[i]...)
		raw[at] ^= 1 << bit
		if err := os.WriteFile(paths[i], raw, 0o600); err != nil {
			r.Fatal(err)
		}
		defer os.WriteFile(paths[i], raws[i], 0o600)
		var d *Damage
		if _, err := verifyPartition(partitionDir(dir), aside, recorded); !errors.As(err, &d) {
			r.Fatalf("bit %d of byte %d of %s: %v", bit, at, paths[i], err)
		}
		if now, _ := os.ReadFile(paths[i]); string(now) != string(raw) {
			r.Fatalf("%s was changed", paths[i])
		}
	})
}

func TestDamageIsRefused(t *testing.T) {
	log, values := makeLog(t)
	names := segments(t, log)
	last := filepath.Base(names[len(names)-1])
	for _, tc := range []struct {
		name   string
		damage func(t *testing.T, dir string)
		file   string
		reason string
	}{
		{"flipped bit", func(t *testing.T, dir string) {
			edit(t, segments(t, dir)[1], func(b []byte) []byte { b[len(b)-5] ^= 4; return b })
		}, filepath.Base(names[1]), "checksum"},
		{"acknowledged batch cut in its middle", func(t *testing.T, dir string) {
			edit(t, filepath.Join(partitionDir(dir), last), func(b []byte) []byte { return b[:len(b)-3] })
		}, last, "were acknowledged"},
		{"acknowledged batches cut off", func(t *testing.T, dir string) {
			edit(t, filepath.Join(partitionDir(dir), last), func(b []byte) []byte { return nil })
		}, partitionName(topic, 0), fmt.Sprintf("%d records were acknowledged", len(values))},
		{"cut in the middle of the log", func(t *testing.T, dir string) {
			edit(t, segments(t, dir)[1], func(b []byte) []byte { return b[:len(b)-3] })
		}, filepath.Base(names[1]), "another segment follows"},
		{"first segment missing", func(t *testing.T, dir string) {
			os.Remove(segments(t, dir)[0])
		}, filepath.Base(names[1]), "a segment is missing"},
		{"middle segment missing", func(t *testing.T, dir string) {
			os.Remove(segments(t, dir)[2])
		}, filepath.Base(names[3]), "a segment is missing"},
		{"last segment missing", func(t *testing.T, dir string) {
			os.Remove(filepath.Join(partitionDir(dir), last))
		}, partitionName(topic, 0), "records were acknowledged"},
		{"all segments missing", func(t *testing.T, dir string) {
			for _, s := range segments(t, dir) {
				os.Remove(s)
			}
		}, partitionName(topic, 0), "records were acknowledged"},
		{"partition missing", func(t *testing.T, dir string) {
			os.RemoveAll(partitionDir(dir))
		}, partitionName(topic, 0), "directory is missing"},
		{"garbage after the end", func(t *testing.T, dir string) {
			edit(t, filepath.Join(partitionDir(dir), last), func(b []byte) []byte { return append(b, "0123456789abcdef"...) })
		}, last, "no batch has such a length"},
		{"a batch repeated", func(t *testing.T, dir string) {
			edit(t, segments(t, dir)[0], func(b []byte) []byte { return append(b, b...) })
		}, filepath.Base(names[0]), "not consecutive"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := copyDir(t, log)
			tc.damage(t, dir)
			refused(t, dir, tc.file, tc.reason)
			refused(t, dir, tc.file, tc.reason) // and it stays so
		})
	}
}

func TestIncompleteDirectoryIsRefused(t *testing.T) {
	log, _ := makeLog(t)
	for name, want := range map[string]string{
		"format":            "no format file",
		"ends":              "not whole",
		"kafka":             "not whole",
		"aside":             "not whole",
		"kafka/meta.json":   "not whole",
		"kafka/topics.json": "not whole",
	} {
		dir := copyDir(t, log)
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), Options{Dir: dir, Logger: quiet()}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("without %s: %v", name, err)
		}
	}
	dir := copyDir(t, log)
	edit(t, filepath.Join(dir, "kafka", "topics.json"), func([]byte) []byte { return []byte(`{"version":1,"topics":[]}`) })
	if _, err := Open(t.Context(), Options{Dir: dir, Logger: quiet()}); err == nil || !strings.Contains(err.Error(), "does not name") {
		t.Errorf("a forgotten topic: %v", err)
	}
	dir = copyDir(t, log)
	edit(t, filepath.Join(dir, "ends", partitionName(topic, 0)), func(b []byte) []byte { clear(b); return b })
	if _, err := Open(t.Context(), Options{Dir: dir, Logger: quiet()}); err == nil || !strings.Contains(err.Error(), "recorded end") {
		t.Errorf("a zeroed end: %v", err)
	}
}

// A batch nobody was told of may be cut anywhere, or be followed by zeros that
// the file system gave and nobody filled.
func TestUnfinishedBatchIsSetAside(t *testing.T) {
	log, values := makeLog(t)
	b := open(t, log)
	if _, err := produce(t.Context(), client(t, b), 0, "never acknowledged"); err != nil {
		t.Fatal(err)
	}
	b.Close()
	names := segments(t, log)
	last := names[len(names)-1]
	info, _ := os.Stat(last)
	size := int(info.Size()) // the last segment may hold acknowledged batches before
	raw, _ := os.ReadFile(last)
	start := size - batchSizeAtEnd(raw)
	for _, cut := range []int{start + 1, start + 11, start + 12, start + 61, size - 1, -1} {
		dir := copyDir(t, log)
		file := filepath.Join(partitionDir(dir), filepath.Base(last))
		var tail []byte
		edit(t, file, func(b []byte) []byte {
			if cut < 0 {
				b = append(b[:start], make([]byte, 3<<20)...)
				cut = len(b)
			}
			tail = append(tail, b[start:cut]...)
			return b[:cut]
		})
		b := open(t, dir)
		c := client(t, b)
		if got := consume(t, c, 0, 0, int64(len(values))); strings.Join(got, "|") != strings.Join(values, "|") {
			t.Fatalf("cut at %d: got %q", cut, got)
		}
		if end := mustProduce(t, b, c, 0, "next"); end != int64(len(values))+1 {
			t.Fatalf("cut at %d: the next record's end is %d", cut, end)
		}
		kept, err := filepath.Glob(filepath.Join(dir, "aside", "*.dat"))
		if err != nil || len(kept) != 1 {
			t.Fatalf("cut at %d: kept %q, %v", cut, kept, err)
		}
		if got, _ := os.ReadFile(kept[0]); string(got) != string(tail) {
			t.Fatalf("cut at %d: kept %d bytes of %d", cut, len(got), len(tail))
		}
		b.Close()
	}
}

func batchSizeAtEnd(raw []byte) int {
	for {
		n := batchSize(raw)
		if n == len(raw) {
			return n
		}
		raw = raw[n:]
	}
}

// What kfake derives from segments may be missing or wrong: it is made anew.
func TestDerivedFilesAreMadeAnew(t *testing.T) {
	log, values := makeLog(t)
	for _, change := range []func(path string) error{
		os.Remove,
		func(path string) error { return os.WriteFile(path, []byte("{}"), 0o600) },
		func(path string) error { return os.Truncate(path, 7) },
	} {
		dir := copyDir(t, log)
		filepath.WalkDir(partitionDir(dir), func(path string, d fs.DirEntry, err error) error {
			if strings.HasSuffix(path, ".idx") || strings.HasSuffix(path, ".json") {
				return change(path)
			}
			return err
		})
		b := open(t, dir)
		c := client(t, b)
		values := append(values[:len(values):len(values)], "more")
		end := mustProduce(t, b, c, 0, "more")
		if got := consume(t, c, 0, 0, end); strings.Join(got, "|") != strings.Join(values, "|") {
			t.Fatalf("got %q", got)
		}
		b.Close()
		b = open(t, dir)
		if synced := b.Synced(topic, 0); synced != end {
			t.Fatal(synced)
		}
		b.Close()
	}
}

// FuzzVerify: whatever stands in a segment, verifying it ends in whole batches
// or in damage, and never grows or panics.
func FuzzVerify(f *testing.F) {
	one := rawBatch(0, 1, 10)
	two := rawBatch(1, 3, 20)
	f.Add(one, int64(0))
	f.Add(append(append([]byte(nil), one...), two...), int64(4))
	f.Add(append(append([]byte(nil), one...), two[:40]...), int64(1))
	f.Add(append(append([]byte(nil), one...), make([]byte, 100)...), int64(1))
	f.Fuzz(func(t *testing.T, raw []byte, recorded int64) {
		dir, aside := t.TempDir(), t.TempDir()
		path := filepath.Join(dir, "0.dat")
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := verifyPartition(dir, aside, recorded)
		after, readErr := os.ReadFile(path)
		if readErr != nil || !strings.HasPrefix(string(raw), string(after)) {
			t.Fatal("the segment is not a prefix of what it was")
		}
		var d *Damage
		switch {
		case errors.As(err, &d):
			if len(after) != len(raw) {
				t.Fatal("damage was cut")
			}
		case err != nil:
			t.Fatal(err)
		case p.end < recorded:
			t.Fatal("shorter than what was acknowledged")
		case len(after) != len(raw) && p.cut == "":
			t.Fatal("cut in silence")
		}
	})
}
