package ledger

import (
	"hash/maphash"

	"lishi/events"
)

// W is how many of the latest offsets of a partition the ledger remembers ids
// for, and how far behind a message's writer may be. It is a constant of the
// format: another value would give other verdicts.
const W = 262144

// window remembers the ids of the last width offsets: one entry of 24 bytes an
// offset in a ring of chunks, and an index by open addressing with 8 bytes an
// entry when full. Both grow as the partition does.
type window struct {
	width  int64
	chunks [][]entry
	index  []uint32 // slot + 1 of the newest entry of an id; 0 is free
	used   int
	seed   maphash.Seed // clients choose what ids are made of; the seed keeps them from choosing clusters
}

// entry is what one offset's record left: its id, and which occurrence of the id
// decides. A record that is no occurrence leaves none.
type entry struct {
	id   events.ID
	what uint64 // first offset << 8 | its verdict
}

const (
	none      = ^uint64(0)
	chunkSize = 4096
)

func newWindow(width int64) window {
	return window{width: width, seed: maphash.MakeSeed()}
}

func (e *entry) first() (int64, Verdict) { return int64(e.what >> 8), Verdict(e.what) }

func (w *window) slot(offset int64) uint32 { return uint32(offset % w.width) }

func (w *window) at(slot uint32) *entry { return &w.chunks[slot/chunkSize][slot%chunkSize] }

// find gives the occurrence that decides for an id: its offset, which may be
// older than the window where repeats came after it, and its verdict.
func (w *window) find(id events.ID) (int64, Verdict, bool) {
	if i, ok := w.probe(id); ok {
		offset, v := w.at(w.index[i] - 1).first()
		return offset, v, true
	}
	return 0, 0, false
}

// put enters the record at offset, whose id is decided by the occurrence at
// first, and forgets the record that is width older.
func (w *window) put(offset int64, id events.ID, first int64, v Verdict) {
	e := w.turn(offset)
	*e = entry{id: id, what: uint64(first)<<8 | uint64(v)}
	if (w.used+1)*2 > len(w.index) {
		w.grow()
	}
	i, ok := w.probe(id)
	if !ok {
		w.used++
	}
	w.index[i] = w.slot(offset) + 1
}

// skip passes an offset whose record is no occurrence of any id.
func (w *window) skip(offset int64) { w.turn(offset).what = none }

// turn frees the slot for an offset.
func (w *window) turn(offset int64) *entry {
	slot := w.slot(offset)
	for int(slot/chunkSize) >= len(w.chunks) {
		chunk := make([]entry, min(chunkSize, w.width-int64(len(w.chunks))*chunkSize))
		for i := range chunk {
			chunk[i].what = none
		}
		w.chunks = append(w.chunks, chunk)
	}
	e := w.at(slot)
	if e.what != none {
		if i, ok := w.probe(e.id); ok && w.index[i] == slot+1 {
			w.free(i)
			w.used--
		}
	}
	return e
}

// probe finds the index's place of an id: where it is, or where it would go.
func (w *window) probe(id events.ID) (uint32, bool) {
	if len(w.index) == 0 {
		return 0, false
	}
	mask := uint32(len(w.index) - 1)
	for i := w.home(id); ; i = (i + 1) & mask {
		switch s := w.index[i]; {
		case s == 0:
			return i, false
		case w.at(s-1).id == id:
			return i, true
		}
	}
}

func (w *window) home(id events.ID) uint32 {
	return uint32(maphash.Bytes(w.seed, id[:])) & uint32(len(w.index)-1)
}

// free empties a place and closes the gap, so that probing needs no tombstones.
func (w *window) free(i uint32) {
	mask := uint32(len(w.index) - 1)
	for j := (i + 1) & mask; w.index[j] != 0; j = (j + 1) & mask {
		home := w.home(w.at(w.index[j] - 1).id)
		if (j-home)&mask >= (j-i)&mask {
			w.index[i] = w.index[j]
			i = j
		}
	}
	w.index[i] = 0
}

func (w *window) grow() {
	old := w.index
	w.index = make([]uint32, max(64, 2*len(old)))
	for _, s := range old {
		if s != 0 {
			i, _ := w.probe(w.at(s - 1).id)
			w.index[i] = s
		}
	}
}
