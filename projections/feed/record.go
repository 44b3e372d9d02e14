package feed

import (
	"encoding/binary"
	"errors"
	"strconv"
	"time"

	"lishi/events"
)

// constant tells which headers say the same in every record, or what the key says.
// No reader of the feed needs them.
func constant(key string) bool {
	switch key {
	case "content-type", "ce_specversion", "ce_source", "ce_subject":
		return true
	}
	return false
}

// appendRecord writes a record: key, headers and value, each behind its length.
func appendRecord(b []byte, r events.Record, at time.Time) []byte {
	b = appendPart(b, r.Key)
	n := 1
	for _, h := range r.Headers {
		if !constant(h.Key) {
			n++
		}
	}
	b = binary.AppendUvarint(b, uint64(n))
	for _, h := range r.Headers {
		if !constant(h.Key) {
			b = appendPart(appendPart(b, h.Key), h.Value)
		}
	}
	var ms [20]byte
	b = appendPart(appendPart(b, events.HeaderRecordedTime), strconv.AppendInt(ms[:0], at.UnixMilli(), 10))
	return appendPart(b, r.Value)
}

func appendPart[T string | []byte](b []byte, part T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(part))), part...)
}

var errRecord = errors.New("feed: a row holds no record")

// decode reads what appendRecord wrote.
func decode(p events.Position, b []byte) (events.Recorded, error) {
	var r events.Record
	next := func() (part []byte, ok bool) {
		n, used := binary.Uvarint(b)
		if used <= 0 || n > uint64(len(b)-used) {
			return nil, false
		}
		part, b = b[used:used+int(n)], b[used+int(n):]
		return part, true
	}
	var ok bool
	if r.Key, ok = next(); !ok {
		return events.Recorded{}, errRecord
	}
	n, used := binary.Uvarint(b)
	if used <= 0 || n > uint64(len(b)) {
		return events.Recorded{}, errRecord
	}
	b = b[used:]
	for range n {
		key, ok := next()
		value, also := next()
		if !ok || !also {
			return events.Recorded{}, errRecord
		}
		r.Headers = append(r.Headers, events.Header{Key: string(key), Value: value})
	}
	if r.Value, ok = next(); !ok || len(b) > 0 {
		return events.Recorded{}, errRecord
	}
	return events.Decode(p, r)
}
