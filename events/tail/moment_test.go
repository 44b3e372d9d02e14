package tail_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"lishi/events"
	"lishi/events/tail"
)

// A moment, given as a time or as a position, is what a reader of the whole log
// finds by looking at every record.
func TestAsOf(t *testing.T) {
	ms := func(n int64) time.Time { return time.UnixMilli(n).UTC() }
	rapid.Check(t, func(rt *rapid.T) {
		m := newMemory(events.Layout{Conversations: 2, Users: 1})
		m.batch = func() int { return 100 }
		for _, p := range m.layout.Partitions() {
			at := rapid.SliceOfN(rapid.Int64Range(0, 500), 1, 20).Draw(rt, "recorded")
			for n := range rapid.IntRange(0, 2500).Draw(rt, "records") {
				m.put(p, events.Event{ID: events.NewID("x", "y", "z"), Stream: events.SystemStream(), Body: events.LogOpened{}}) // void: they count too
				rs := m.records[p]
				rs[len(rs)-1].At = ms(int64(n) + at[n%len(at)])
			}
		}
		tl := tail.New(m, tail.Options{})
		defer run(t, tl)()
		<-tl.Ready()
		ctx := context.Background()
		by := func(p events.Partition, offset int64) (max time.Time) {
			for _, r := range m.records[p][:offset+1] {
				if r.At.After(max) {
					max = r.At
				}
			}
			return max
		}
		want := func(then time.Time) events.Cursor {
			c := events.Cursor{}
			for _, p := range m.layout.Partitions() {
				c[p] = events.Start
				for o := range m.records[p] {
					if m.records[p][o].At.After(then) {
						break
					}
					c[p] = int64(o)
				}
			}
			return c
		}
		then := ms(rapid.Int64Range(-1, 3100).Draw(rt, "then"))
		if part := m.records[events.Partition{Topic: events.Users}]; rapid.Bool().Draw(rt, "at a record") {
			last := 1024*rapid.IntRange(0, len(part)/1024).Draw(rt, "stride") - 1 // of which the ledger keeps the time
			then = by(events.Partition{Topic: events.Users}, int64(max(last, 0)))
		}
		got, err := tl.AsOf(ctx, then.Add(999*time.Microsecond))
		if err != nil {
			rt.Fatal(err)
		}
		for p, offset := range want(then) {
			if got[p] != offset {
				rt.Fatalf("as of %d %s is at %d, want %d", then.UnixMilli(), p, got[p], offset)
			}
		}
		at := events.Position{Partition: rapid.SampledFrom(m.layout.Partitions()).Draw(rt, "partition")}
		at.Offset = int64(rapid.IntRange(0, len(m.records[at.Partition])-1).Draw(rt, "offset"))
		got, when, err := tl.AsOfPositions(ctx, events.Cursor{at.Partition: at.Offset})
		if err != nil || !when.Equal(by(at.Partition, at.Offset)) {
			rt.Fatalf("%s was recorded at %s, want %s (%v)", at, when, by(at.Partition, at.Offset), err)
		}
		c := want(when)
		c[at.Partition] = at.Offset
		for p, offset := range c {
			if got[p] != offset {
				rt.Fatalf("as of %s %s is at %d, want %d", at, p, got[p], offset)
			}
		}
		at.Offset = int64(len(m.records[at.Partition]))
		if _, _, err := tl.AsOfPositions(ctx, events.Cursor{at.Partition: at.Offset}); !errors.Is(err, tail.ErrNotFolded) {
			rt.Fatalf("%s has no record, but %v", at, err)
		}
	})
}
