package exports

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"lishi/events"
	"lishi/events/merkle"
)

// world is a log that is written down, the same at every run: what the tests
// export from. The real ones are in infra/app.
type world struct {
	t       testing.TB
	layout  events.Layout
	records map[events.Partition][]events.Record
	heads   map[events.Stream]events.Event
	clock   time.Time
	serial  int
}

var began = time.Date(2026, 1, 30, 22, 0, 0, 0, time.UTC)

func newWorld(t testing.TB) *world {
	w := &world{
		t: t, layout: events.Layout{Conversations: 2, Users: 1}, records: map[events.Partition][]events.Record{},
		heads: map[events.Stream]events.Event{}, clock: began,
	}
	for _, p := range append(w.layout.Partitions(), events.Partition{Topic: events.Audit}) {
		w.put(p, events.Event{ID: events.NewID("log", "", p.String()), Stream: events.SystemStream(), Time: w.clock,
			Body: events.LogOpened{LogID: "7c2f", Partitions: max(w.layout.Count(p.Topic), 1), Format: 1}})
	}
	return w
}

func (w *world) put(p events.Partition, e events.Event) events.Position {
	w.t.Helper()
	r, err := events.Encode(e)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Headers = append(r.Headers, events.Header{Key: events.HeaderRecordedTime, Value: []byte(strconv.FormatInt(w.clock.UnixMilli(), 10))})
	w.records[p] = append(w.records[p], r)
	return events.Position{Partition: p, Offset: int64(len(w.records[p]) - 1)}
}

// say appends an event a minute after the last one, with what its type needs.
func (w *world) say(s events.Stream, actor string, b events.Body) events.Position {
	w.t.Helper()
	w.clock = w.clock.Add(time.Minute)
	return w.append(s, actor, b)
}

// append does not move the clock.
func (w *world) append(s events.Stream, actor string, b events.Body) events.Position {
	w.serial++
	p := w.layout.Partition(s)
	e := events.Event{ID: events.NewID(s.Key(), actor, strconv.Itoa(w.serial)), Stream: s, Actor: actor, ActorName: "<" + actor + ">",
		Request: strconv.Itoa(w.serial), Time: w.clock.Add(-time.Millisecond), Body: b}
	switch events.OrderingOf(b) {
	case events.ByRevision:
		before := w.heads[s]
		e.Revision, e.Prev = before.Revision+1, before.ID
		w.heads[s] = e
	case events.ByBasis:
		e.Basis = int64(len(w.records[p]) - 1)
	}
	return w.put(p, e)
}

func sent(text string) events.MessageSent {
	return events.MessageSent{Content: events.Content{Plain: text}}
}

func (w *world) Records(_ context.Context, p events.Partition, from, end int64, each func(int64, events.Record) error) error {
	for o := from; o < end; o++ {
		if err := each(o, w.records[p][o]); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) source() Source {
	s := Source{Log: w, LogID: "7c2f", Layout: w.layout, Ends: events.Cursor{}}
	for p, records := range w.records {
		s.Ends[p] = int64(len(records)) - 1
	}
	return s
}

func testKey(seed byte) merkle.Key {
	k, err := merkle.NewKey(bytes.Repeat([]byte{seed}, 32))
	if err != nil {
		panic(err)
	}
	return k
}

var testOptions = Options{Key: testKey(7), Program: "lishi test", Page: []byte("<!doctype html><title>a package</title>\n")}

var (
	group = events.GroupStream("研发")
	pair  = events.PairStream("alice", "bob")
)

// chat is a world with everything in it that an export must show.
func chat(t testing.TB) *world {
	w := newWorld(t)
	for _, u := range []string{"alice", "bob", "carol", "dave"} {
		w.say(events.UserStream(u), u, events.UserRegistered{NickName: "<" + u + ">"})
	}
	w.say(group, "alice", events.GroupCreated{GroupName: "研发", JoinMode: events.JoinOpen})
	w.say(group, "bob", events.GroupJoined{GroupName: "研发"})
	first := w.say(group, "alice", sent("第一条"))
	w.say(group, "carol", sent("nobody is shown this")) // no member: void
	w.say(group, "carol", events.GroupJoined{GroupName: "研发"})
	w.append(group, "bob", sent("=HYPERLINK(\"http://x\",\"两行\r\n一格\")")) // said at the same time as the last
	w.append(group, "carol", sent("at the same time"))
	w.say(group, "alice", events.MessageEdited{Message: first, Content: events.Content{Plain: "第一条，改过 Straße"}})
	w.say(group, "alice", events.MessageEdited{Message: first, Content: events.Content{Plain: "\u2028 odd \u0001 \\ \"signs\" \x7f"}})
	w.say(group, "alice", events.GroupMemberRemoved{GroupName: "研发", UserID: "carol"})
	w.say(group, "alice", events.MessageRecalled{Message: first, Sender: "alice"})
	w.say(pair, "bob", events.FriendAgreed{Applicant: "alice"})
	for i := range 5 {
		w.say(pair, "alice", sent(fmt.Sprintf("secret plan %d", i)))
	}
	m := w.say(pair, "bob", events.MessageSent{Content: events.Content{Plain: "答复\n"}, ReplyTo: "c0-1", AtUserIDs: []string{"alice", "b\"ob"}, ContentType: "text"})
	w.say(events.UserStream("alice"), "alice", events.ConversationRead{Conversation: pair.Key(), Read: m})
	w.clock = w.clock.Add(3 * time.Hour) // another day
	w.say(pair, "alice", sent("tomorrow"))
	p := w.layout.Partition(pair)
	w.records[p] = append(w.records[p], events.Record{Key: []byte("x"), Value: []byte("somebody else's")})
	w.say(pair, "bob", sent(""))
	w.say(events.Stream{Kind: events.Auditor, ID: "eve"}, "eve", events.LookTaken{Role: "auditor", Reason: "case 3, \"old\"", Way: "console", What: "GET /api/audit/looks"})
	return w
}

// export writes a package and gives its directory.
func (w *world) export(t testing.TB, q Query) string {
	t.Helper()
	dir := t.TempDir() + "/package"
	if _, err := Export(t.Context(), w.source(), Request{Query: q, AskedBy: "auditor", Reason: "case 17"}, dir, testOptions); err != nil {
		t.Fatal(err)
	}
	return dir
}
