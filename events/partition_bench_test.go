package events

import "testing"

func BenchmarkPartition(b *testing.B) {
	l := Layout{Conversations: 4, Users: 1}
	s := PairStream("alice-1234", "bob-5678")
	b.ReportAllocs()
	for b.Loop() {
		l.Partition(s)
	}
}
