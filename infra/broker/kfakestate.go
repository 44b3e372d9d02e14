package broker

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// kfake keeps beside each segment an index, and beside each partition a
// snapshot. Both can be made from the segments, and both mislead kfake when a
// crash left them behind: without a fitting snapshot it holds the whole log in
// memory at once to read it back. So they are made to fit before it opens.
// kfake's persist.go is the source of both formats (its version 1).

const indexEntry = 15

// appendIndex adds a batch's index entry: version, checksum, epoch (0), the
// greatest timestamp so far, flags (no transaction).
func appendIndex(index []byte, maxTimestamp int64) []byte {
	var e [indexEntry]byte
	e[0] = 1
	binary.LittleEndian.PutUint64(e[6:], uint64(maxTimestamp))
	e[1] = byte(crc32.Checksum(e[2:], castagnoli))
	return append(index, e[:]...)
}

func (p *partition) repairIndex(base int64, index []byte) error {
	path := filepath.Join(p.dir, strconv.FormatInt(base, 10)+".idx")
	have, err := os.ReadFile(path)
	if err == nil && bytes.Equal(have, index) {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return replaceFile(path, index)
}

type snapshot struct {
	Version          int               `json:"version"`
	HighWatermark    int64             `json:"high_watermark"`
	LastStableOffset int64             `json:"last_stable_offset"`
	LogStartOffset   int64             `json:"log_start_offset"`
	MaxTimestamp     int64             `json:"max_timestamp"`
	CreatedAt        time.Time         `json:"created_at"`
	Segments         []snapshotSegment `json:"segments"`
}

type snapshotSegment struct {
	Base int64 `json:"base_offset"`
	Size int64 `json:"size"`
}

func (p *partition) writeSnapshot() error {
	if len(p.segments) == 0 {
		return nil
	}
	s := snapshot{
		Version:          1,
		HighWatermark:    p.end,
		LastStableOffset: p.end,
		MaxTimestamp:     p.maxTimestamp,
		CreatedAt:        time.Now(),
	}
	for _, seg := range p.segments {
		s.Segments = append(s.Segments, snapshotSegment{seg.base, seg.size})
	}
	raw, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return replaceFile(filepath.Join(p.dir, "snapshot.json"), raw)
}

// partitionName names a partition's directory as kfake does, and its record of
// the end.
func partitionName(topic string, number int32) string {
	return url.PathEscape(topic) + "-" + strconv.Itoa(int(number))
}

// checkState makes sure that kfake will know every partition that has records:
// what it does not know it would overwrite. It returns the partitions' names.
func (d directory) checkState() ([]string, error) {
	names := map[string]bool{}
	for _, dir := range []string{filepath.Join(d.kafka(), "partitions"), d.ends()} {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, e := range entries {
			names[e.Name()] = true
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	if _, err := os.Stat(filepath.Join(d.kafka(), "meta.json")); err != nil {
		return nil, fmt.Errorf("log directory is not whole: %w", err)
	}
	known, err := d.knownPartitions()
	if err != nil {
		return nil, fmt.Errorf("log directory is not whole: %w", err)
	}
	for name := range names {
		if !known[name] {
			return nil, fmt.Errorf("log directory is not whole: %s does not name partition %s, which has records", d.topics(), name)
		}
	}
	return slices.Sorted(maps.Keys(names)), nil
}

func (d directory) topics() string { return filepath.Join(d.kafka(), "topics.json") }

// knownPartitions are those that kfake will look for at its next start.
func (d directory) knownPartitions() (map[string]bool, error) {
	raw, err := os.ReadFile(d.topics())
	if err != nil {
		return nil, err
	}
	var state struct {
		Topics []struct {
			Name       string `json:"name"`
			Partitions int32  `json:"partitions"`
		} `json:"topics"`
	}
	if err := json.Unmarshal(raw, &state); err != nil {
		return nil, fmt.Errorf("%s: %w", d.topics(), err)
	}
	known := map[string]bool{}
	for _, t := range state.Topics {
		for n := range t.Partitions {
			known[partitionName(t.Name, n)] = true
		}
	}
	return known, nil
}
