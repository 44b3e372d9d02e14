package events

import (
	"testing"
	"time"
)

func sampleMessage() Event {
	s := PairStream("user-lin", "user-chen")
	return Event{
		ID: NewID(s.Key(), "user-lin", "c-000123"), Stream: s, Basis: 182735, Actor: "user-lin", ActorName: "林泽锋", Request: "c-000123",
		Fingerprint: Fingerprint{1, 2, 3}, Time: time.UnixMilli(1795000000123).UTC(),
		Body: MessageSent{Content: Content{Plain: "明天下午三点在图书馆见，别忘了带上次的笔记 :)"}},
	}
}

func BenchmarkEncodeMessage(b *testing.B) {
	e := sampleMessage()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Encode(e); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeMessage(b *testing.B) {
	r, err := Encode(sampleMessage())
	if err != nil {
		b.Fatal(err)
	}
	r.Headers = append(r.Headers, Header{HeaderRecordedTime, []byte("1795000000125")})
	b.ReportAllocs()
	b.SetBytes(int64(len(AppendRecord(nil, r))))
	for b.Loop() {
		if _, err := Decode(Position{Partition{Conversations, 3}, 182736}, r); err != nil {
			b.Fatal(err)
		}
	}
}
