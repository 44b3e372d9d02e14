package events

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"testing"
)

func TestCanonicalRecord(t *testing.T) {
	r := Record{Key: []byte("g|x"), Headers: []Header{{"ce_id", []byte("7")}, {"e", nil}}, Value: []byte("{}")}
	// Pinned: the leaves of every proof are made of these bytes.
	const want = "01" + "00000003" + "677c78" + "00000002" + "00000005" + "63655f6964" + "00000001" + "37" + "00000001" + "65" + "00000000" + "00000002" + "7b7d"
	b := AppendRecord([]byte("before"), r)
	if got := hex.EncodeToString(b[6:]); got != want || string(b[:6]) != "before" {
		t.Fatalf("%s", got)
	}
	back, err := ParseRecord(b[6:])
	if err != nil || !reflect.DeepEqual(back, r) {
		t.Fatalf("%+v %v", back, err)
	}
	for n := range len(b) - 6 {
		if _, err := ParseRecord(b[6 : 6+n]); err == nil {
			t.Errorf("cut after %d bytes it is read", n)
		}
	}
	if _, err := ParseRecord(append(bytes.Clone(b[6:]), 0)); err == nil {
		t.Error("read with a byte more")
	}
	other := bytes.Clone(b[6:])
	other[0]++
	if _, err := ParseRecord(other); err == nil {
		t.Error("read in another version")
	}
	huge := append([]byte{1}, bytes.Repeat([]byte{0xFF}, 64)...)
	if _, err := ParseRecord(huge); err == nil {
		t.Error("read with lengths beyond its end")
	}
	// Moving a byte from one part to the next makes another encoding.
	a, c := Record{Key: []byte("ab"), Value: []byte("c")}, Record{Key: []byte("a"), Value: []byte("bc")}
	if bytes.Equal(AppendRecord(nil, a), AppendRecord(nil, c)) {
		t.Error("parts run together")
	}
}

func FuzzParseRecord(f *testing.F) {
	for _, r := range recordings(f) {
		f.Add(AppendRecord(nil, r.record))
	}
	f.Add([]byte{1, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseRecord(b)
		if err != nil {
			return
		}
		if again := AppendRecord(nil, r); !bytes.Equal(again, b) {
			t.Fatalf("%x is written %x", b, again)
		}
	})
}

func BenchmarkAppendRecord(b *testing.B) {
	r, err := Encode(sampleMessage())
	if err != nil {
		b.Fatal(err)
	}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendRecord(buf[:0], r)
	}
}
