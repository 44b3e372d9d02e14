package feed

import (
	"encoding/binary"
	"errors"
	"slices"
	"strconv"

	"lishi/events"
)

// constant are headers that say the same in every record, or what the key says.
// No reader of the feed needs them.
var constant = map[string]bool{"content-type": true, "ce_specversion": true, "ce_source": true, "ce_subject": true}

// encode writes an event as the record that it is in the log: key, headers and
// value, each behind its length.
func encode(e events.Recorded) ([]byte, error) {
	r, err := events.Encode(e.Event)
	if err != nil {
		return nil, err
	}
	r.Headers = slices.DeleteFunc(r.Headers, func(h events.Header) bool { return constant[h.Key] })
	r.Headers = append(r.Headers, events.Header{
		Key: events.HeaderRecordedTime, Value: strconv.AppendInt(nil, e.At.UnixMilli(), 10),
	})
	size := len(r.Key) + len(r.Value) + 16
	for _, h := range r.Headers {
		size += len(h.Key) + len(h.Value) + 4
	}
	b := make([]byte, 0, size)
	b = appendBytes(b, r.Key)
	b = binary.AppendUvarint(b, uint64(len(r.Headers)))
	for _, h := range r.Headers {
		b = appendBytes(b, []byte(h.Key))
		b = appendBytes(b, h.Value)
	}
	return appendBytes(b, r.Value), nil
}

func appendBytes(b, part []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(part))), part...)
}

var errRecord = errors.New("feed: a row holds no record")

// decode reads what encode wrote.
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
