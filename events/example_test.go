package events_test

import (
	"fmt"
	"time"

	"lishi/events"
)

// An event as a command makes it, as it stands in Kafka, and as it is read back.
func Example() {
	said := time.Date(2026, 11, 23, 10, 4, 5, 0, time.UTC)
	stream := events.PairStream("bob", "alice")
	e := events.Event{
		ID:     events.NewID(stream.Key(), "alice", "7f3a"), // the same for every repetition of the request
		Stream: stream, Basis: 3, Actor: "alice", ActorName: "Alice", Request: "7f3a", Time: said,
		Body: events.MessageSent{Content: events.Content{Plain: "你好"}},
	}
	record, err := events.Encode(e)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s %s\n", record.Key, record.Value)
	for _, h := range record.Headers {
		if h.Key == "ce_type" || h.Key == "ce_basis" {
			fmt.Printf("%s: %s\n", h.Key, h.Value)
		}
	}

	// The appender adds the recorded time when it makes a batch.
	record.Headers = append(record.Headers, events.Header{Key: events.HeaderRecordedTime, Value: []byte("1795428245123")})
	at, _ := events.ParsePosition("c1-4")
	back, err := events.Decode(at, record)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(back.Position, back.ActorName, back.Body.(events.MessageSent).Content.Plain, back.At.UTC().Format(time.TimeOnly))
	// Output:
	// p|alice|bob {"content":{"plain":"你好"}}
	// ce_type: lishi.message.sent.v1
	// ce_basis: 3
	// c1-4 Alice 你好 10:04:05
}

// A position is the address of one event; a cursor says, for each partition, how
// far somebody has come.
func ExampleCursor() {
	cursor, _ := events.ParseCursor("c0-17,c1-3,u0-4")
	next, _ := events.ParsePosition("c1-4")
	fmt.Println(cursor[next.Partition])

	cursor.Advance(next)
	fmt.Println(cursor)

	late, _ := events.ParsePosition("c1-2") // never back
	cursor.Advance(late)
	fmt.Println(cursor.Covers(events.Cursor{next.Partition: next.Offset}), cursor)

	_, err := events.ParsePosition("c01-4")
	fmt.Println(err)
	// Output:
	// 3
	// c0-17,c1-4,u0-4
	// true c0-17,c1-4,u0-4
	// not a position: "c01-4"
}
