package broker

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"sync/atomic"
)

// endFile remembers up to where a partition is durable. Segments alone can't
// tell that whole batches are gone from their end; this can.
//
// The end is written after each sync and made durable itself once a second and
// at Close: it is never ahead of the records, and behind them by a second at
// most, and only after a power loss. Two copies take turns, in different
// sectors, so that a torn write leaves the other.
type endFile struct {
	f        *os.File
	turn     uint64
	unsynced atomic.Bool
}

const (
	endSector = 512
	endSize   = 8 + 8 + 4 // turn, end, checksum
)

// openEndFile opens or makes the record and returns the end in it, 0 if new.
func openEndFile(path string) (*endFile, int64, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, 0, err
	}
	e := &endFile{f: f}
	end, err := e.read()
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return e, end, nil
}

func (e *endFile) read() (end int64, err error) {
	raw := make([]byte, endSector+endSize)
	n, err := e.f.ReadAt(raw, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	valid := n == 0
	for _, at := range []int{0, endSector} {
		if n < at+endSize {
			continue
		}
		slot := raw[at : at+endSize]
		if crc32.Checksum(slot[:16], castagnoli) != binary.BigEndian.Uint32(slot[16:]) {
			continue
		}
		valid = true
		if turn := binary.BigEndian.Uint64(slot); turn >= e.turn {
			e.turn, end = turn, int64(binary.BigEndian.Uint64(slot[8:]))
		}
	}
	if !valid {
		return 0, fmt.Errorf("%s: the recorded end can't be read", e.f.Name())
	}
	return end, nil
}

func (e *endFile) write(end int64) error {
	e.turn++
	var slot [endSize]byte
	binary.BigEndian.PutUint64(slot[:], e.turn)
	binary.BigEndian.PutUint64(slot[8:], uint64(end))
	binary.BigEndian.PutUint32(slot[16:], crc32.Checksum(slot[:16], castagnoli))
	_, err := e.f.WriteAt(slot[:], int64(e.turn%2)*endSector)
	e.unsynced.Store(true)
	return err
}

func (e *endFile) sync() error {
	if !e.unsynced.Swap(false) {
		return nil
	}
	return e.f.Sync()
}
