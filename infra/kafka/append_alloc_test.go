//go:build !race

package kafka

import (
	"testing"
	"time"

	"lishi/events"
)

// An event on its way into its batch costs no memory that was not used before.
func TestAppendAsyncAllocatesNothing(t *testing.T) {
	o := Options{Layout: events.Layout{Conversations: 1, Users: 1}, Embedded: nil}.withDefaults()
	l := &Log{layout: o.Layout, appender: newAppender(nil, o)}
	stream := events.PairStream("alice", "bob")
	tp := l.place(l.layout.Partition(stream))
	q := &queue{tp: tp, wake: make(chan struct{}, 1)} // nobody takes its batches but the test
	l.appender.queues[tp] = q
	e := events.Event{ID: events.NewID("s", "alice", "1"), Stream: stream, Basis: 7, Actor: "alice", ActorName: "Alice", Request: "1",
		Time: time.UnixMilli(1795000000123), Body: events.MessageSent{Content: events.Content{Plain: "明天下午三点"}}}
	var told events.Position
	done := func(p events.Position, err error) {
		if err != nil {
			t.Error(err)
		}
		told = p
	}
	var batch, left []*entry
	n := testing.AllocsPerRun(100, func() {
		l.AppendAsync(e, done)
		batch, left = q.take(o.BatchBytes, time.Time{}, batch[:0], left[:0])
		l.appender.finish(batch[0], 42, nil)
	})
	if n > 0 || told.Offset != 42 || len(left) > 0 {
		t.Errorf("%v allocations, position %v", n, told)
	}
}
