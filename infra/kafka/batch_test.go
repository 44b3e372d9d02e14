package kafka

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go/protocol"
	"pgregory.net/rapid"

	"lishi/events"
)

func batchOf(ms int64, rs ...events.Record) []byte {
	return appendBatch(nil, ms, func(yield func([]byte) bool) {
		for _, r := range rs {
			if !yield(appendPayload(nil, r)) {
				return
			}
		}
	})
}

func genRecord() *rapid.Generator[events.Record] {
	return rapid.Custom(func(t *rapid.T) events.Record {
		// nil and empty are different on the wire
		some := rapid.OneOf(rapid.Just([]byte(nil)), rapid.SliceOf(rapid.Byte()))
		r := events.Record{Key: some.Draw(t, "key"), Value: some.Draw(t, "value")}
		for range rapid.IntRange(0, 5).Draw(t, "headers") {
			r.Headers = append(r.Headers, events.Header{Key: rapid.String().Draw(t, "name"), Value: some.Draw(t, "header")})
		}
		return r
	})
}

// What is written is read, by this package and by the client's own decoding.
func TestBatchRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rs := rapid.SliceOfN(genRecord(), 1, 10).Draw(t, "records")
		ms := rapid.Int64Range(0, 1<<45).Draw(t, "ms")
		raw := batchOf(ms, rs...)
		if most := batchSizeAtMost(rs); len(raw) > most {
			t.Fatalf("%d bytes, said to be at most %d", len(raw), most)
		}
		stamp := events.Header{Key: events.HeaderRecordedTime, Value: fmt.Append(nil, ms)}
		var want []events.Record
		for _, r := range rs {
			r.Headers = append(r.Headers[:len(r.Headers):len(r.Headers)], stamp)
			want = append(want, r)
		}

		b, records, rest, ok, err := nextBatch(raw)
		if err != nil || !ok || len(rest) != 0 || int(b.records) != len(rs) {
			t.Fatal(b, ok, err)
		}
		var got []events.Record
		err = eachRecord(records, b.records, func(delta int64, r events.Record) error {
			if delta != int64(len(got)) {
				t.Fatalf("record %d says %d", len(got), delta)
			}
			r.Headers = append([]events.Header(nil), r.Headers...)
			got = append(got, r)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}

		var theirs protocol.RecordSet
		framed := append([]byte{byte(len(raw) >> 24), byte(len(raw) >> 16), byte(len(raw) >> 8), byte(len(raw))}, raw...)
		if _, err := theirs.ReadFrom(bytes.NewReader(framed)); err != nil {
			t.Fatal(err)
		}
		for i := range rs {
			r, err := theirs.Records.ReadRecord()
			if err != nil {
				t.Fatal(i, err)
			}
			key, _ := protocol.ReadAll(r.Key)
			value, _ := protocol.ReadAll(r.Value)
			if !bytes.Equal(key, rs[i].Key) || !bytes.Equal(value, rs[i].Value) || !r.Time.Equal(time.UnixMilli(ms)) || len(r.Headers) != len(want[i].Headers) {
				t.Fatalf("the client reads record %d as %v", i, r)
			}
		}
		if _, err := theirs.Records.ReadRecord(); !errors.Is(err, io.EOF) {
			t.Fatal("the client reads more")
		}
	})
}

func batchSizeAtMost(rs []events.Record) int {
	n := batchHeader
	for _, r := range rs {
		n += len(appendPayload(nil, r)) + recordOverhead
	}
	return n
}

func TestPayloadSizeIsEnough(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := genRecord().Draw(t, "record")
		if n := len(appendPayload(nil, r)); n > payloadSize(r) {
			t.Fatalf("%d bytes, said to be at most %d", n, payloadSize(r))
		}
	})
}

var partition0 = events.Partition{Topic: events.Conversations}

// Gaps, repeats and records out of place are damage, named by position; what
// comes before is kept.
func TestDecodeNamesDamage(t *testing.T) {
	foreign := events.Record{Value: []byte("x")}
	at := func(base int64, n int) []byte {
		raw := batchOf(1, make([]events.Record, n)...)
		raw[7] = byte(base) // the checksum does not cover the offset
		return raw
	}
	for name, tc := range map[string]struct {
		raw  []byte
		next int64
		want string
		kept int
	}{
		"whole":             {append(at(5, 2), at(7, 1)...), 5, "", 3},
		"from the middle":   {append(at(5, 2), at(7, 1)...), 6, "", 2},
		"old batches first": {append(at(5, 2), at(7, 1)...), 7, "", 1},
		"cut short":         {append(at(5, 2), at(7, 1)[:50]...), 5, "", 2},
		"nothing":           {nil, 5, "", 0},
		"a gap":             {append(at(5, 2), at(8, 1)...), 5, "c0-7 is missing; offset 8 follows", 2},
		"a gap at once":     {at(8, 1), 5, "c0-5 is missing", 0},
		"a flipped bit": {func() []byte {
			raw := append(at(5, 2), at(7, 1)...)
			raw[len(raw)-1] ^= 1
			return raw
		}(), 5, "c0-7", 2},
		"compacted": {func() []byte {
			raw := batchOf(1, foreign, foreign)
			raw[60] = 1 // says one record
			fixChecksum(raw)
			return raw
		}(), 0, "records are missing", 0},
		"too few records": {func() []byte {
			raw := batchOf(1, foreign)
			raw[60], raw[26] = 2, 1
			fixChecksum(raw)
			return raw
		}(), 0, "not a whole record batch", 1},
	} {
		rs, err := decode(partition0, tc.next, tc.raw)
		if len(rs) != tc.kept || (err == nil) != (tc.want == "") {
			t.Errorf("%s: %d records, %v", name, len(rs), err)
			continue
		}
		if err != nil && (!errors.Is(err, events.ErrDamaged) || !bytes.Contains([]byte(err.Error()), []byte(tc.want))) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(batchOf(1, events.Record{Value: []byte("x")}), int64(0))
	f.Add(append(batchOf(1, events.Record{Key: []byte("k")}), batchOf(2, events.Record{})...), int64(0))
	r, err := events.Encode(events.Event{ID: events.ID{1}, Stream: events.GroupStream("g"), Time: time.UnixMilli(1), Body: events.MessageSent{}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(batchOf(1_700_000_000_000, r, r, r), int64(1))
	f.Add(batchOf(1, r)[:70], int64(0))
	f.Fuzz(func(t *testing.T, raw []byte, next int64) {
		if len(raw) > batchHeader { // get past the checksum
			fixChecksum(raw)
		}
		rs, err := decode(partition0, max(next, 0), raw)
		if err != nil && !errors.Is(err, events.ErrDamaged) && !errors.Is(err, errBatch) {
			t.Fatal(err)
		}
		for i, r := range rs {
			if r.Position.Offset != max(next, 0)+int64(i) {
				t.Fatalf("record %d at %s, from %d on", i, r.Position, next)
			}
		}
	})
}

func FuzzParseFetch(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x01t\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x03abc"))
	f.Fuzz(func(t *testing.T, body []byte) {
		if res, err := parseFetch(body, 0); err == nil && len(res.raw) > len(body) {
			t.Fatal("more than there is")
		}
	})
}

func fixChecksum(raw []byte) {
	size := int(int32(binary.BigEndian.Uint32(raw[8:]))) + batchPrefix
	if size > len(raw) || size < batchHeader {
		size = len(raw)
	}
	binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[21:size], castagnoli))
}
