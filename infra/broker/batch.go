package broker

import (
	"encoding/binary"
	"hash/crc32"
)

// A segment file is record batches (magic 2) one after the other, as they go
// over Kafka's protocol: https://kafka.apache.org/documentation/#recordbatch.
// Only the header is looked at here; what records say is other people's matter.
const (
	batchHeader = 61       // bytes up to the first record
	batchPrefix = 12       // base offset and length, which length does not count
	batchMax    = 64 << 20 // no batch is that long; a length beyond it is damage
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// batch is the header of a record batch.
type batch struct {
	base         int64 // offset of the first record
	size         int   // bytes, all told
	epoch        int32
	records      int32
	maxTimestamp int64
}

func (b batch) end() int64 { return b.base + int64(b.records) }

// batchSize reads how long a batch is, from its first 12 bytes. A length that no
// batch has gives 0.
func batchSize(raw []byte) int {
	n := int64(int32(binary.BigEndian.Uint32(raw[8:]))) + batchPrefix
	if n < batchHeader || n > batchMax {
		return 0
	}
	return int(n)
}

func batchBase(raw []byte) int64 { return int64(binary.BigEndian.Uint64(raw)) }

// parseBatch checks one whole batch that must start at offset next. The reason
// is empty if all is well.
func parseBatch(raw []byte, next int64) (b batch, reason string) {
	b = batch{
		base:         batchBase(raw),
		size:         len(raw),
		epoch:        int32(binary.BigEndian.Uint32(raw[12:])),
		records:      int32(binary.BigEndian.Uint32(raw[57:])),
		maxTimestamp: int64(binary.BigEndian.Uint64(raw[35:])),
	}
	switch {
	case crc32.Checksum(raw[21:], castagnoli) != binary.BigEndian.Uint32(raw[17:]):
		return b, "the checksum does not match"
	case raw[16] != 2:
		return b, "not a record batch"
	case b.epoch != 0: // the checksum does not cover it, and one broker has one epoch
		return b, "the leader epoch is not 0"
	case b.base != next:
		return b, "the offsets are not consecutive"
	case b.records < 1 || int32(binary.BigEndian.Uint32(raw[23:])) != b.records-1:
		return b, "the number of records is wrong"
	}
	return b, ""
}
