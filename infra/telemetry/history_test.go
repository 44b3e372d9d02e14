package telemetry

import (
	"math"
	"testing"
	"time"
)

func TestSamplesCountWhatHappened(t *testing.T) {
	m := NewMetrics()
	h := NewHistory(m, time.Hour, 3)
	begun := time.Unix(1000, 0)
	before := m.Sample(begun)
	if q := Quantile(0.5, before, m.Sample(begun)); !math.IsNaN(q) {
		t.Errorf("the median of nothing is %v", q)
	}
	m.Connected(3)
	m.Connected(-1)
	m.Closed("1000")
	m.Closed("4008")
	for range 99 {
		m.Requested("/chat/sendMessage", "ok", 2*time.Millisecond)
	}
	m.Requested("/friend/applyFriend", "unavailable", 3*time.Second)
	m.Pushed("1", 5)
	m.Appended(7, time.Millisecond)
	s := m.Sample(begun.Add(time.Minute))
	if s.Connections != 2 || s.Requests != 100 || s.Failed != 1 || s.Pushes != 5 || s.Appended != 7 || s.SlowReaders != 1 {
		t.Errorf("%+v", s)
	}
	if q := Quantile(0.5, before, s); q < 0.001 || q > 0.0025 {
		t.Errorf("median %v s of 99 requests of 2 ms and one of 3 s", q)
	}
	if q := Quantile(0.995, before, s); q < 2.5 || q > 5 {
		t.Errorf("0.995 within %v s", q)
	}
	if q := Quantile(0.5, s, m.Sample(begun)); !math.IsNaN(q) {
		t.Errorf("what was before counts: %v", q)
	}
	for i := range 5 {
		h.add(Sample{At: begun.Add(time.Duration(i) * time.Second)})
	}
	kept := h.Samples(begun.Add(time.Hour))
	if len(kept) != 4 || !kept[0].At.Equal(begun.Add(2*time.Second)) || kept[3].Requests != 100 {
		t.Errorf("kept %+v", kept)
	}
}

func BenchmarkSample(b *testing.B) {
	m := NewMetrics()
	for _, url := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		m.Requested(url, "ok", time.Millisecond)
	}
	b.ReportAllocs()
	for b.Loop() {
		m.Sample(time.Time{})
	}
}
