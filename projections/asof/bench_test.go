package asof_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"lishi/events"
	"lishi/projections"
	"lishi/projections/asof"
	"lishi/projections/groups"
	"lishi/projections/history"
	"lishi/projections/projectiontest"
	"lishi/projections/search"
)

// crowd is a log of one group: 2000 members, who become admins and are muted now
// and then, and a million messages, of which every twentieth is edited and every
// hundredth recalled. LISHI_BENCH_EVENTS changes the number.
func crowd(b *testing.B) *projectiontest.Log {
	n := 1_000_000
	if s := os.Getenv("LISHI_BENCH_EVENTS"); s != "" {
		n, _ = strconv.Atoi(s)
	}
	log := projectiontest.NewLog(events.Layout{Conversations: 1, Users: 1})
	log.Batch = 1024
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	log.Now = func() time.Time { return at }
	g := events.GroupStream("g")
	var batch []events.Event
	next := int64(1) // offset in the group's partition
	add := func(e events.Event) {
		e.ID = events.NewID(e.Stream.Key(), e.Actor, fmt.Sprint(e.Body.Type(), next))
		e.Fingerprint, e.Time = events.Fingerprint(e.ID), at
		if e.Stream == g {
			e.Basis = next - 1
			next++
		}
		if batch = append(batch, e); len(batch) == 1000 {
			if _, err := log.Append(context.Background(), batch...); err != nil {
				b.Fatal(err)
			}
			batch, at = batch[:0:0], at.Add(time.Second)
		}
	}
	revision, head := uint64(0), events.ID{}
	relation := func(actor string, body events.Body) {
		revision++
		e := events.Event{Stream: g, Actor: actor, Revision: revision, Prev: head, Body: body}
		head = events.NewID(g.Key(), actor, fmt.Sprint(body.Type(), next))
		add(e)
	}
	user := func(i int) string { return fmt.Sprintf("u%04d", i) }
	add(events.Event{Stream: events.UserStream("o"), Actor: "o", Revision: 1, Body: events.UserRegistered{NickName: "O"}})
	relation("o", events.GroupCreated{GroupName: "G", JoinMode: events.JoinOpen})
	for i := range 2000 {
		add(events.Event{Stream: events.UserStream(user(i)), Actor: user(i), Revision: 1, Body: events.UserRegistered{NickName: "N" + user(i)}})
		relation(user(i), events.GroupJoined{GroupName: "G"})
	}
	for i := range n {
		position := events.Position{Partition: events.Partition{Topic: events.Conversations}, Offset: next}
		add(events.Event{Stream: g, Actor: "o", Body: events.MessageSent{Content: events.Content{Plain: fmt.Sprintf("第 %d 条消息, about the weather of %x", i, i)}}})
		switch {
		case i%100 == 0:
			add(events.Event{Stream: g, Actor: "o", Body: events.MessageRecalled{Message: position, Sender: "o"}})
		case i%20 == 0:
			add(events.Event{Stream: g, Actor: "o", Body: events.MessageEdited{Message: position, Content: events.Content{Plain: fmt.Sprintf("edited %x", i)}}})
		}
		if i%1000 == 0 {
			relation("o", events.GroupMemberMuted{UserID: user(i / 1000 % 2000), MutedUntil: at.UnixMilli()})
		}
	}
	if _, err := log.Append(context.Background(), batch...); err != nil {
		b.Fatal(err)
	}
	return log
}

// BenchmarkPast asks the same of the present and of a moment half-way back.
func BenchmarkPast(b *testing.B) {
	w := projectiontest.Still(b, projectiontest.DB(b), crowd(b), models()...)
	w.Start()
	w.Settle()
	projectiontest.Eventually(b, "merges end", func() bool {
		return projectiontest.Strings(b, w.DB, "SELECT toString(count()) FROM system.merges")[0] == "0"
	})
	r := w.Reader()
	past := &asof.Past{Tail: w.Tail, Reader: &r}
	p := events.Partition{Topic: events.Conversations}
	middle := events.Position{Partition: p, Offset: w.Tail.Folded()[p] / 2}
	then, err := past.Moment(b.Context(), middle.String())
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name string
		projections.Query
	}{
		{"history", history.LoadGroup{GroupID: "g"}},
		{"members", groups.Users{GroupID: "g", After: "u1000"}},
		{"search-common", search.Messages{GroupID: "g", Text: "weather"}},
		{"search-rare", search.Messages{GroupID: "g", Text: fmt.Sprintf("weather of %x", middle.Offset/4)}},
	} {
		measure := func(name string, ask func() (projections.Page, error)) {
			b.Run(c.name+"/"+name, func(b *testing.B) {
				projectiontest.Loop(b, func() {
					if _, err := ask(); err != nil {
						b.Fatal(err)
					}
				})
			})
		}
		measure("now", func() (projections.Page, error) { return r.Answer(b.Context(), c.Query, "o", nil) })
		measure("then", func() (projections.Page, error) { return past.Answer(b.Context(), c.Query, "o", then) })
	}
	b.Run("whole/then", func(b *testing.B) {
		projectiontest.Loop(b, func() {
			if _, err := past.Answer(b.Context(), history.Whole{Conversation: "g|g"}, "", then); err != nil {
				b.Fatal(err)
			}
		})
	})
	b.Run("span", func(b *testing.B) {
		projectiontest.Loop(b, func() {
			if _, err := past.Span(b.Context(), "g|g", then); err != nil {
				b.Fatal(err)
			}
		})
	})
	b.Run("moment/time", func(b *testing.B) {
		projectiontest.Loop(b, func() {
			if _, err := past.Moment(b.Context(), then.Time.Format(time.RFC3339Nano)); err != nil {
				b.Fatal(err)
			}
		})
	})
}
