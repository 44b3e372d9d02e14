package snapshots

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lishi/events"
	"lishi/events/ledger"
	"lishi/projections/projectiontest"
)

// memory is a log with an id whose records can be changed.
type memory struct {
	*projectiontest.Log
	id     string
	change func(*events.Recorded) error
}

func (m *memory) ID() string { return m.id }

func (m *memory) At(ctx context.Context, p events.Position) (events.Recorded, error) {
	r, err := m.Log.At(ctx, p)
	if err == nil && m.change != nil {
		err = m.change(&r)
	}
	return r, err
}

var layout = events.Layout{Conversations: 2, Users: 1}

func newMemory() *memory { return &memory{Log: projectiontest.NewLog(layout), id: "log"} }

func (m *memory) register(t *testing.T, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		u := fmt.Sprint("u", i)
		_, err := m.Append(t.Context(), events.Event{
			ID: events.NewID("r", u, ""), Stream: events.UserStream(u), Actor: u, Time: time.UnixMilli(1).UTC(), Revision: 1,
			Body: events.UserRegistered{NickName: u},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// fold brings the ledgers to the log's end.
func (m *memory) fold(t *testing.T, restored ...*ledger.Ledger) *ledger.Book {
	t.Helper()
	book := ledger.NewBook(layout)
	for _, l := range restored {
		if err := book.Replace(l); err != nil {
			t.Fatal(err)
		}
	}
	end, _ := m.End(t.Context())
	for p, last := range end {
		for o := book.Ledger(p).Folded() + 1; o <= last; o++ {
			r, err := m.Log.At(t.Context(), events.Position{Partition: p, Offset: o})
			if err == nil {
				_, err = book.Ledger(p).Admit(r)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return book
}

func (m *memory) open(dir string, told *bytes.Buffer) *Store {
	return Open(dir, m, Options{Events: 10, Age: time.Hour, Look: time.Millisecond, Logger: slog.New(slog.NewTextHandler(told, nil))})
}

func bytesOf(t *testing.T, l *ledger.Ledger) string {
	t.Helper()
	var b bytes.Buffer
	if _, err := l.Snapshot(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func names(t *testing.T, s *Store) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func TestAStartGoesOnFromASnapshot(t *testing.T) {
	m, dir, told := newMemory(), t.TempDir(), &bytes.Buffer{}
	m.register(t, 0, 100)
	first := m.open(dir, told)
	if got := first.Restore(t.Context()); len(got) != 0 {
		t.Fatalf("%d ledgers of an empty directory", len(got))
	}
	first.Last(m.fold(t))
	if got := names(t, first); len(got) != 1 || got[0] != fmt.Sprintf("u0-100.r%d", ledger.RulesVersion) {
		t.Fatalf("files: %v", got) // the other partitions have one record each: not worth a file
	}

	m.register(t, 100, 150)
	second := m.open(dir, told)
	restored := second.Restore(t.Context())
	if len(restored) != 1 || restored[0].Folded() != 100 {
		t.Fatalf("restored: %d", len(restored))
	}
	book := m.fold(t, restored...)
	for _, p := range layout.Partitions() {
		if bytesOf(t, book.Ledger(p)) != bytesOf(t, m.fold(t).Ledger(p)) {
			t.Errorf("%s is another than when folded from the start", p)
		}
	}
	second.Last(book)
	m.register(t, 150, 200)
	second.Last(m.fold(t))
	second.Last(m.fold(t)) // nothing new
	if got := names(t, second); len(got) != kept {
		t.Fatalf("files: %v", got)
	}
	if told.Len() > 0 {
		t.Fatalf("complaints: %s", told)
	}
}

func TestKeepSavesInTheBackground(t *testing.T) {
	m := newMemory()
	m.register(t, 0, 9)
	s := m.open(t.TempDir(), &bytes.Buffer{})
	s.Restore(t.Context())
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	book := m.fold(t)
	go func() { s.Keep(ctx, book); close(ended) }()
	projectiontest.Eventually(t, "a snapshot of 10 events", func() bool {
		files, err := s.list()
		return err == nil && len(files) == 1
	})
	cancel()
	<-ended
}

func TestWhatIsInDoubtIsThrownAway(t *testing.T) {
	for name, c := range map[string]struct {
		file func(t *testing.T, path string) // what happens to the newest
		log  func(m *memory)
		want int64 // the offset restored; Start for none
		says string
	}{
		"in order": {want: 150},
		"a flipped bit": {want: 100, says: "checksum", file: func(t *testing.T, path string) {
			b, _ := os.ReadFile(path)
			b[len(b)/2] ^= 1
			write(t, path, b)
		}},
		"cut": {want: 100, says: "checksum", file: func(t *testing.T, path string) {
			b, _ := os.ReadFile(path)
			write(t, path, b[:len(b)-1])
		}},
		"empty": {want: 100, says: "cut", file: func(t *testing.T, path string) { write(t, path, nil) }},
		"other rules": {want: 100, says: "rules 1", file: func(t *testing.T, path string) {
			if err := os.Rename(path, strings.TrimSuffix(path, filepath.Ext(path))+".r1"); err != nil {
				t.Fatal(err)
			}
		}},
		"under another name": {want: 100, says: "not of u0-160", file: func(t *testing.T, path string) {
			if err := os.Rename(path, strings.Replace(path, "u0-150", "u0-160", 1)); err != nil {
				t.Fatal(err)
			}
		}},
		"another record there": {want: events.Start, says: "is not the record", log: func(m *memory) {
			m.change = func(r *events.Recorded) error { r.At = r.At.Add(time.Second); return nil }
		}},
		"a shorter log": {want: events.Start, says: "no record at", log: func(m *memory) {
			id := m.id
			*m = *newMemory()
			m.id = id
		}},
		"another log": {want: events.Start, log: func(m *memory) { m.id = "other" }},
	} {
		t.Run(name, func(t *testing.T) {
			m, dir, told := newMemory(), t.TempDir(), &bytes.Buffer{}
			s := m.open(dir, told)
			m.register(t, 0, 100)
			s.Last(m.fold(t))
			m.register(t, 100, 150)
			s.Last(m.fold(t))
			before := len(names(t, s))
			if c.file != nil {
				c.file(t, filepath.Join(s.dir, fmt.Sprintf("u0-150.r%d", ledger.RulesVersion)))
			}
			if c.log != nil {
				c.log(m)
			}
			at := events.Start
			for _, l := range m.open(dir, told).Restore(t.Context()) {
				at = l.Folded()
			}
			if at != c.want {
				t.Errorf("restored at %d, want %d", at, c.want)
			}
			if c.says == "" && told.Len() > 0 || !strings.Contains(told.String(), c.says) {
				t.Errorf("the log says %q, want %q", told, c.says)
			}
			if gone := before - len(names(t, s)); gone != strings.Count(told.String(), "thrown away") {
				t.Errorf("%d files are gone, %q", gone, told)
			}
		})
	}
}

// A log that can't be asked is no reason to throw anything away.
func TestALogOutOfReach(t *testing.T) {
	m, dir, told := newMemory(), t.TempDir(), &bytes.Buffer{}
	m.register(t, 0, 100)
	s := m.open(dir, told)
	s.Last(m.fold(t))
	m.change = func(*events.Recorded) error { return fmt.Errorf("%w: %w", events.ErrUnavailable, errors.New("away")) }
	if got := s.Restore(t.Context()); len(got) != 0 {
		t.Fatal("restored without asking the log")
	}
	if got := names(t, s); len(got) != 1 {
		t.Fatalf("files: %v", got)
	}
}

// A directory that can't be written costs a line in the log, nothing else.
func TestNoPlace(t *testing.T) {
	m, told := newMemory(), &bytes.Buffer{}
	m.register(t, 0, 100)
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, nil)
	m.open(file, told).Last(m.fold(t))
	if !strings.Contains(told.String(), "was not written") {
		t.Fatalf("the log says %q", told)
	}
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
