package projections_test

import (
	"context"
	"fmt"
	"testing"

	"lishi/events"
	"lishi/projections"
	"lishi/projections/friends"
	"lishi/projections/groups"
	"lishi/projections/history"
	"lishi/projections/projectiontest"
	"lishi/projections/recents"
)

// grown is a log in which one stream grows.
type grown struct {
	log  *projectiontest.Log
	s    events.Stream
	head events.ID
	next int // revision of the last relation event
	done int
}

func (g *grown) event(actor string, s events.Stream, n int, body events.Body) events.Event {
	id := events.NewID(s.Key(), actor, fmt.Sprint(n, body.Type()))
	return events.Event{ID: id, Stream: s, Actor: actor, Request: id.String(), Fingerprint: events.Fingerprint(id), Body: body}
}

func (g *grown) append(b *testing.B, es ...events.Event) {
	if _, err := g.log.Append(context.Background(), es...); err != nil {
		b.Fatal(err)
	}
}

// relation is the next event of the group's own.
func (g *grown) relation(actor string, body events.Body) events.Event {
	g.next++
	e := g.event(actor, g.s, g.next, body)
	e.Revision, e.Prev, g.head = uint64(g.next), g.head, e.ID
	return e
}

func newGrown(b *testing.B) *grown {
	g := &grown{log: projectiontest.NewLog(events.Layout{Conversations: 1, Users: 1}), s: events.GroupStream("g")}
	g.log.Batch = 1024
	owner := g.event("o", events.UserStream("o"), 0, events.UserRegistered{NickName: "o"})
	owner.Revision = 1
	g.append(b, owner, g.relation("o", events.GroupCreated{GroupName: "G", JoinMode: events.JoinOpen}))
	return g
}

func measure(b *testing.B, w *projectiontest.World, name string, caller string, q projections.Query) {
	b.Run(name, func(b *testing.B) {
		w.Ask(caller, q) // what is read for the first time is not what grows
		projectiontest.Loop(b, func() { w.Ask(caller, q) })
	})
}

// BenchmarkLongGroup reads a group's history while it grows to a million messages:
// the newest page, one in the middle and the oldest by position, and by number;
// and the list of conversations with its unread count.
func BenchmarkLongGroup(b *testing.B) {
	g := newGrown(b)
	w := projectiontest.Still(b, projectiontest.DB(b), g.log, history.Projection{}, recents.Projection{}, friends.Projection{})
	w.Start()
	first := g.next + 1 // offset of the first message: log.opened and the group's events come before
	for _, size := range []int{1_000, 10_000, 100_000, 1_000_000} {
		for g.done < size {
			var es []events.Event
			for range 1000 {
				e := g.event("o", g.s, g.done, events.MessageSent{Content: events.Content{Plain: fmt.Sprintf("第 %d 条消息, about the weather of tomorrow", g.done)}})
				e.Basis = int64(first + g.done - 1)
				es = append(es, e)
				g.done++
			}
			g.append(b, es...)
		}
		w.Settle()
		projectiontest.Eventually(b, "merges end", func() bool {
			return projectiontest.Strings(b, w.DB, "SELECT toString(count()) FROM system.merges")[0] == "0"
		})
		at := func(n int) string { return fmt.Sprintf("c0-%d", first+n) }
		name := func(what string) string { return fmt.Sprintf("messages=%d/%s", size, what) }
		measure(b, w, name("newest"), "o", history.LoadGroup{GroupID: "g"})
		measure(b, w, name("middle"), "o", history.LoadGroup{GroupID: "g", Before: at(size / 2)})
		measure(b, w, name("oldest"), "o", history.LoadGroup{GroupID: "g", Before: at(50)})
		measure(b, w, name("after"), "o", history.LoadGroup{GroupID: "g", After: at(size / 2)})
		measure(b, w, name("page=10"), "o", history.LoadGroup{GroupID: "g", Page: 10, PageSize: 50})
		measure(b, w, name("page=last"), "o", history.LoadGroup{GroupID: "g", Page: int64(size / 50), PageSize: 50})
		measure(b, w, name("recents"), "o", recents.List{})
	}
}

// BenchmarkLargeGroup reads a group while it grows to a hundred thousand members.
func BenchmarkLargeGroup(b *testing.B) {
	g := newGrown(b)
	w := projectiontest.Still(b, projectiontest.DB(b), g.log, groups.Projection{}, friends.Projection{})
	w.Start()
	user := func(n int) string { return fmt.Sprintf("u%06d", n) }
	for _, size := range []int{100, 1_000, 10_000, 100_000} {
		for g.done < size {
			var es []events.Event
			for range 100 {
				u := user(g.done)
				e := g.event(u, events.UserStream(u), 0, events.UserRegistered{NickName: u})
				e.Revision = 1
				es = append(es, e, g.relation(u, events.GroupJoined{GroupName: "G"}))
				g.done++
			}
			g.append(b, es...)
		}
		w.Settle()
		name := func(what string) string { return fmt.Sprintf("members=%d/%s", size, what) }
		measure(b, w, name("first"), "o", groups.Users{GroupID: "g"})
		measure(b, w, name("middle"), "o", groups.Users{GroupID: "g", After: user(size / 2)})
		measure(b, w, name("last"), "o", groups.Users{GroupID: "g", After: user(size - 51)})
		measure(b, w, name("getGroup"), "o", groups.Get{GroupID: "g"})
		measure(b, w, name("getGroupList"), "o", groups.List{})
	}
}
