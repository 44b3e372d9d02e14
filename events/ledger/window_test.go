package ledger

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"unsafe"

	"lishi/events"
)

func numbered(n uint64) (id events.ID) {
	binary.BigEndian.PutUint64(id[:], n+1)
	return id
}

// The window against the list it stands for, past many turns of the ring.
func TestWindowAgainstAList(t *testing.T) {
	type put struct {
		offset, first int64
		v             Verdict
	}
	for _, width := range []int64{1, 2, 7, 64, 5000} {
		w, rng := newWindow(width), rand.New(rand.NewPCG(1, uint64(width)))
		newest := map[events.ID]put{}
		for offset := range 4*width + 100 {
			id := numbered(rng.Uint64N(uint64(2 * width)))
			if rng.IntN(5) == 0 {
				w.skip(offset)
			} else {
				p := put{offset, offset - rng.Int64N(offset+1), Verdict(rng.IntN(int(verdicts)))}
				w.put(offset, id, p.first, p.v)
				newest[id] = p
			}
			for range 8 {
				id := numbered(rng.Uint64N(uint64(2 * width)))
				p, want := newest[id]
				want = want && offset-p.offset < width
				first, v, ok := w.find(id)
				if ok != want || ok && (first != p.first || v != p.v) {
					t.Fatalf("width %d, offset %d: find gives %d %s %v, want %+v %v", width, offset, first, v, ok, p, want)
				}
			}
		}
	}
}

func TestWindowMemory(t *testing.T) {
	bytes := func(w *window) (n int64) {
		for _, c := range w.chunks {
			n += int64(cap(c)) * int64(unsafe.Sizeof(entry{}))
		}
		return n + int64(cap(w.index))*4
	}
	w := newWindow(W)
	if bytes(&w) != 0 {
		t.Fatal("an empty window takes memory")
	}
	for offset := range int64(100) {
		w.put(offset, numbered(uint64(offset)), offset, Valid)
	}
	if n := bytes(&w); n > 128<<10 {
		t.Errorf("100 records take %d bytes", n)
	}
	for offset := int64(100); offset < 2*W; offset++ {
		w.put(offset, numbered(uint64(offset)), offset, Valid)
	}
	if per := float64(bytes(&w)) / W; per > 32 {
		t.Errorf("%.1f bytes an entry, at most 32 are allowed", per)
	}
	if w.used != W {
		t.Errorf("%d ids in the index", w.used)
	}
}
