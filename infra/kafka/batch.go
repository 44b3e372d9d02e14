package kafka

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"

	"lishi/events"
)

// Record batches, magic 2: https://kafka.apache.org/documentation/#recordbatch.
// They are encoded here and not by the client, so that a batch that is sent
// again is the same bytes, its size is known before, and reading makes no copy.
const (
	batchHeader = 61
	batchPrefix = 12 // base offset and length, which length does not count

	attrCompression   = 0x07
	attrTransactional = 0x10
	attrControl       = 0x20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// recordOverhead is at most what a record takes beside its payload: length,
// attributes, deltas, and the header of the recorded time.
const recordOverhead = 5 + 1 + 1 + 5 + 1 + len(events.HeaderRecordedTime) + 1 + 20

// appendPayload encodes the part of a record that does not depend on its place:
// key, value, and headers with room in their count for the recorded time, which
// the batch adds.
func appendPayload(b []byte, r events.Record) []byte {
	b = appendBytes(b, r.Key)
	b = appendBytes(b, r.Value)
	b = binary.AppendVarint(b, int64(len(r.Headers)+1))
	for _, h := range r.Headers {
		b = binary.AppendVarint(b, int64(len(h.Key)))
		b = append(b, h.Key...)
		b = appendBytes(b, h.Value)
	}
	return b
}

func appendBytes(b, v []byte) []byte {
	if v == nil {
		return binary.AppendVarint(b, -1)
	}
	return append(binary.AppendVarint(b, int64(len(v))), v...)
}

// appendBatch encodes payloads as one batch, all recorded at ms.
func appendBatch(b []byte, ms int64, payloads func(yield func([]byte) bool)) []byte {
	start := len(b)
	b = append(b, make([]byte, batchHeader)...)
	var tail []byte
	tail = binary.AppendVarint(tail, int64(len(events.HeaderRecordedTime)))
	tail = append(tail, events.HeaderRecordedTime...)
	tail = appendBytes(tail, strconv.AppendInt(nil, ms, 10))

	n := 0
	var lead [12]byte
	for p := range payloads {
		h := append(lead[:0], 0, 0) // attributes, timestamp delta
		h = binary.AppendVarint(h, int64(n))
		b = binary.AppendVarint(b, int64(len(h)+len(p)+len(tail)))
		b = append(b, h...)
		b = append(b, p...)
		b = append(b, tail...)
		n++
	}
	sealBatch(b[start:], n, ms, ms)
	return b
}

// sealBatch writes the header of a batch of n records whose timestamps begin at
// first and are at most last.
func sealBatch(h []byte, n int, first, last int64) {
	be := binary.BigEndian
	be.PutUint32(h[8:], uint32(len(h)-batchPrefix))
	be.PutUint32(h[12:], 0xffffffff) // leader epoch: the broker's matter
	h[16] = 2
	be.PutUint32(h[23:], uint32(n-1))
	be.PutUint64(h[27:], uint64(first))
	be.PutUint64(h[35:], uint64(last))
	be.PutUint64(h[43:], ^uint64(0)) // no producer id, epoch, sequence
	be.PutUint16(h[51:], ^uint16(0))
	be.PutUint32(h[53:], ^uint32(0))
	be.PutUint32(h[57:], uint32(n))
	be.PutUint32(h[17:], crc32.Checksum(h[21:], castagnoli))
}

// batchInfo is the header of a batch that was read.
type batchInfo struct {
	base       int64
	lastDelta  int32
	records    int32
	attributes uint16
	timestamp  int64 // that the records' own are counted from
}

func (b batchInfo) end() int64 { return b.base + int64(b.lastDelta) + 1 }

var errBatch = errors.New("not a whole record batch")

// nextBatch splits the first batch off what a broker answered. A batch that is
// cut short at the end of an answer, as brokers may do, gives ok false.
func nextBatch(raw []byte) (b batchInfo, records, rest []byte, ok bool, err error) {
	if len(raw) < batchHeader {
		return b, nil, nil, false, nil
	}
	be := binary.BigEndian
	size := int64(int32(be.Uint32(raw[8:]))) + batchPrefix
	if size < batchHeader || raw[16] != 2 {
		return b, nil, nil, false, fmt.Errorf("%w: length %d, magic %d", errBatch, size, raw[16])
	}
	if size > int64(len(raw)) {
		return b, nil, nil, false, nil
	}
	b = batchInfo{
		base:       int64(be.Uint64(raw)),
		lastDelta:  int32(be.Uint32(raw[23:])),
		records:    int32(be.Uint32(raw[57:])),
		attributes: be.Uint16(raw[21:]),
		timestamp:  int64(be.Uint64(raw[27:])),
	}
	if crc32.Checksum(raw[21:size], castagnoli) != be.Uint32(raw[17:]) {
		return b, nil, nil, false, fmt.Errorf("%w: the checksum does not match", errBatch)
	}
	if b.base < 0 || b.records < 0 || b.lastDelta < 0 {
		return b, nil, nil, false, fmt.Errorf("%w: negative counts", errBatch)
	}
	return b, raw[batchHeader:size], raw[size:], true, nil
}

// countRecords adds up what the headers of whole batches say, to make room once.
func countRecords(raw []byte) int {
	n := 0
	for len(raw) >= batchHeader {
		size := int64(int32(binary.BigEndian.Uint32(raw[8:]))) + batchPrefix
		if size < batchHeader || size > int64(len(raw)) {
			break
		}
		records := int32(binary.BigEndian.Uint32(raw[57:]))
		if records < 0 || int64(records) > size { // a record has more than a byte
			break
		}
		n += int(records)
		raw = raw[size:]
	}
	return n
}

// eachRecord hands on a batch's records. They share memory with raw, except for
// the known header names. Headers are valid until each returns.
func eachRecord(raw []byte, n int32, each func(delta int64, r events.Record) error) error {
	var headers []events.Header
	return eachEncoded(raw, n, func(e encoded) (err error) {
		var r events.Record
		if r, headers, err = parsePayload(e.payload, headers[:0]); err != nil {
			return err
		}
		return each(e.delta, r)
	})
}

// encoded is a record as it stands in a batch.
type encoded struct {
	attributes byte
	timestamp  int64 // counted from the batch's
	delta      int64 // of the offset
	payload    []byte
}

// eachEncoded hands on a batch's records without looking into them.
func eachEncoded(raw []byte, n int32, each func(encoded) error) error {
	d := decoder{b: raw}
	for range n {
		size := d.varint()
		if d.bad || size < 1 || size > int64(len(d.b)) {
			return errBatch
		}
		r := decoder{b: d.b[:size:size]}
		d.b = d.b[size:]
		e := encoded{attributes: r.b[0]}
		r.skip(1)
		e.timestamp, e.delta = r.varint(), r.varint()
		if e.payload = r.b; r.bad {
			return errBatch
		}
		if err := each(e); err != nil {
			return err
		}
	}
	if len(d.b) != 0 {
		return errBatch
	}
	return nil
}

// parsePayload reads what appendPayload wrote. The headers are appended to room.
func parsePayload(payload []byte, room []events.Header) (r events.Record, headers []events.Header, err error) {
	d := decoder{b: payload}
	r.Key, r.Value = d.bytes(), d.bytes()
	count := d.varint()
	if d.bad || count < 0 || count > int64(len(d.b)) {
		return r, room, errBatch
	}
	for range count {
		key := d.bytes()
		room = append(room, events.Header{Key: headerName(key), Value: d.bytes()})
	}
	if d.bad || len(d.b) != 0 {
		return r, room, errBatch
	}
	r.Headers = room
	return r, room, nil
}

// headerNames saves an allocation for each header of each record.
var headerNames = map[string]string{}

func init() {
	for _, name := range []string{
		"content-type", "ce_specversion", "ce_id", "ce_type", "ce_source", "ce_subject", "ce_time",
		"ce_revision", "ce_prev", "ce_basis", "ce_actor", "ce_actorname", "ce_request",
		"ce_fingerprint", "ce_imported", events.HeaderRecordedTime,
	} {
		headerNames[name] = name
	}
}

func headerName(b []byte) string {
	if name, ok := headerNames[string(b)]; ok {
		return name
	}
	return string(b)
}

// decoder reads varints and byte strings; bad stays set after the first mistake.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.bad = true
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) skip(n int) {
	if len(d.b) < n {
		d.bad = true
		return
	}
	d.b = d.b[n:]
}

// bytes reads a byte string; nil for the null one.
func (d *decoder) bytes() []byte {
	n := d.varint()
	if n < 0 {
		return nil
	}
	if n > int64(len(d.b)) {
		d.bad = true
		return nil
	}
	v := d.b[:n:n]
	d.b = d.b[n:]
	return v
}

// payloadSize is at least as long as appendPayload will be.
func payloadSize(r events.Record) int {
	n := 15 + len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		n += 10 + len(h.Key) + len(h.Value)
	}
	return n
}
