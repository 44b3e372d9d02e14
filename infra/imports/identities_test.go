package imports

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"lishi/events"
)

// Identical lines differ by which of them each is, the same in every reading; a
// reading that needs no ids makes none.
func TestIdenticalLinesAreTold(t *testing.T) {
	file := filepath.Join(t.TempDir(), "chat.jsonl")
	var text string
	for _, said := range []string{"a", "b", "a", "a", "b"} {
		text += fmt.Sprintf(`{"time": "2020-01-02 03:04:05", "from": "x", "to": "y", "text": %q}`+"\n", said)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(file, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	read := func(before *identities) (ids []events.ID) {
		if err := s.read(time.UTC, before, func(_ int, l Line, bad *BadLine) error {
			if bad != nil {
				return bad
			}
			ids = append(ids, l.id)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return ids
	}
	first := read(newIdentities())
	distinct := map[events.ID]bool{}
	for i, again := range read(newIdentities()) {
		if again != first[i] {
			t.Errorf("line %d has another id when it is read again", i+1)
		}
		distinct[again] = true
	}
	if len(first) != 5 || len(distinct) != 5 {
		t.Errorf("%d lines have %d ids", len(first), len(distinct))
	}
	for _, id := range read(nil) {
		if !id.IsZero() {
			t.Error("an id where none was wanted")
		}
	}
}

// What an import remembers of a line is little more than the line's identity, which
// has 16 bytes: files may have many millions.
func TestLinesAreRememberedInLittle(t *testing.T) {
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	const lines = 1_000_000
	before, memory := heap(), newIdentities()
	for n := range uint64(lines) {
		var id events.ID
		binary.BigEndian.PutUint64(id[:], n*0x9e3779b97f4a7c15)
		memory.next(id)
	}
	if each := float64(heap()-before) / lines; each > 40 {
		t.Errorf("a line takes %.0f bytes", each)
	}
	runtime.KeepAlive(memory)
}
