package feed

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lishi/events"
)

func example() events.Recorded {
	return events.Recorded{
		Event: events.Event{
			ID: events.NewID("a", "b", "c"), Stream: events.PairStream("a", "b"), Basis: 7, Actor: "a", ActorName: "甲", Request: "r",
			Fingerprint: events.Fingerprint{1, 2}, Time: time.UnixMilli(1763888400123).UTC(),
			Body: events.MessageSent{Content: events.Content{Plain: "hello \x00 你好"}},
		},
		Position: events.Position{Partition: events.Partition{Topic: events.Conversations, Number: 3}, Offset: 9},
		At:       time.UnixMilli(1763888400456).UTC(),
	}
}

func encode(e events.Recorded) ([]byte, error) {
	r, err := events.Encode(e.Event)
	return appendRecord(nil, r, e.At), err
}

func TestRecordRoundTrip(t *testing.T) {
	e := example()
	b, err := encode(e)
	if err != nil {
		t.Fatal(err)
	}
	got, err := decode(e.Position, b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(e, got); diff != "" {
		t.Error(diff)
	}
	for n := range b {
		if _, err := decode(e.Position, b[:n]); err == nil {
			t.Errorf("the first %d bytes of %d are a record", n, len(b))
		}
	}
	if _, err := decode(e.Position, append(b, 0)); err == nil {
		t.Error("a record may have something behind it")
	}
}

func FuzzDecode(f *testing.F) {
	e := example()
	b, _ := encode(e)
	f.Add(b)
	f.Add([]byte{})
	f.Add([]byte{1, 'l', 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decode(e.Position, b)
		if err != nil {
			return
		}
		if _, foreign := r.Body.(events.Foreign); foreign {
			return
		}
		again, err := encode(r)
		if err != nil {
			return // text that is not UTF-8 can be read, but is never written
		}
		back, err := decode(e.Position, again)
		if err != nil {
			t.Fatalf("what was encoded can't be decoded: %v", err)
		}
		if diff := cmp.Diff(r, back); diff != "" {
			t.Fatal(diff)
		}
	})
}

func BenchmarkAppendRecord(b *testing.B) {
	e := example()
	r, _ := events.Encode(e.Event)
	var to []byte
	b.ReportAllocs()
	for b.Loop() {
		to = appendRecord(to[:0], r, e.At)
	}
}
