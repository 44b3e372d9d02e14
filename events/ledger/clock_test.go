package ledger

import (
	"bytes"
	"testing"
	"time"

	"pgregory.net/rapid"

	"lishi/events"
)

// Clocks run apart and are set back: the span holds the last record before the
// first that was recorded later, and a snapshot knows it too.
func TestSpan(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := newScript(rt, W)
		ahead := rapid.SliceOfN(rapid.Int64Range(-3_000_000, 3_000_000), 1, 9).Draw(rt, "ahead of the time, in ms")
		for range rapid.IntRange(0, 3*stride).Draw(rt, "messages") {
			r := s.record(s.message(club, "olga", sent("hi"))) // void: it counts too
			r.At = r.At.Add(time.Duration(ahead[len(s.records)%len(ahead)]) * time.Millisecond)
			if _, err := s.l.Admit(r); err != nil {
				rt.Fatal(err)
			}
			s.records = append(s.records, r)
		}
		b, err := s.l.snapshot()
		if err != nil {
			rt.Fatal(err)
		}
		restored, err := Restore(bytes.NewReader(b))
		if err != nil {
			rt.Fatal(err)
		}
		then := begun.Add(time.Duration(rapid.Int64Range(-5000, 4_000_000).Draw(rt, "then")) * time.Millisecond)
		if rapid.Bool().Draw(rt, "at a tick") && len(s.l.clock) > 0 {
			then = time.UnixMilli(rapid.SampledFrom(s.l.clock).Draw(rt, "tick")).UTC()
		}
		offset := int64(rapid.IntRange(0, len(s.records)-1).Draw(rt, "offset"))
		last, by, wasBy := events.Start, time.Time{}, []time.Time{}
		for _, r := range s.records {
			if r.At.After(by) {
				by = r.At
			}
			wasBy = append(wasBy, by)
			if !by.After(then) {
				last = r.Position.Offset
			}
		}
		for _, l := range []*Ledger{s.l, restored} {
			from, upTo, by := l.Span(then)
			if last < from || last > upTo || upTo-from > stride || from >= 0 && !by.Equal(wasBy[from]) {
				rt.Fatalf("%s is between %d (%s) and %d, not at %d", then, from, by, upTo, last)
			}
			from, by = l.SpanOf(offset)
			if from > offset || offset-from > stride || from >= 0 && !by.Equal(wasBy[from]) {
				rt.Fatalf("%d is after %d (%s)", offset, from, by)
			}
		}
	})
}
