package ledger_test

import (
	"fmt"
	"time"

	"lishi/events"
	"lishi/events/ledger"
)

// Two nodes decide at the same time that alice applies to bob and bob to alice.
// Both append; the log's order decides, for every reader alike. The loser decides
// again on what is true now.
func Example() {
	p := events.Partition{Topic: events.Conversations, Number: 0}
	pair := events.PairStream("alice", "bob")
	l := ledger.New(p)
	said := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	admit := func(e events.Event) events.ID {
		e.Time = said
		v, err := l.Admit(events.Recorded{Event: e, Position: events.Position{Partition: p, Offset: l.Folded() + 1}, At: said})
		fmt.Println(l.Folded(), e.Actor, e.Body.Type(), v, err)
		return e.ID
	}
	id := func(actor, uniqueNo string) events.ID { return events.NewID(pair.Key(), actor, uniqueNo) }

	admit(events.Event{Stream: events.SystemStream(), Body: events.LogOpened{LogID: "example", Partitions: 1, Format: 1}})
	applied := events.FriendApplied{ExpiresAt: said.Add(time.Hour).UnixMilli()}
	first := admit(events.Event{ID: id("alice", "1"), Stream: pair, Revision: 1, Actor: "alice", Body: applied})
	admit(events.Event{ID: id("bob", "1"), Stream: pair, Revision: 1, Actor: "bob", Body: applied})

	admit(events.Event{ID: id("alice", "2"), Stream: pair, Basis: 2, Actor: "alice", Body: events.MessageSent{Content: events.Content{Plain: "hi"}}})
	admit(events.Event{
		ID: id("bob", "2"), Stream: pair, Revision: 2, Prev: first, Actor: "bob",
		Body: events.FriendAgreed{Application: first, Applicant: "alice", Crossed: true},
	})
	hi := events.Event{ID: id("alice", "3"), Stream: pair, Basis: 4, Actor: "alice", Body: events.MessageSent{Content: events.Content{Plain: "hi"}}}
	admit(hi)
	admit(hi) // sent again
	// Output:
	// 0  log.opened valid <nil>
	// 1 alice friend.applied valid <nil>
	// 2 bob friend.applied stale <nil>
	// 3 alice message.sent not friend <nil>
	// 4 bob friend.agreed valid <nil>
	// 5 alice message.sent valid <nil>
	// 6 alice message.sent repeat <nil>
}
