package ws

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"

	gobwas "github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"lishi/events"
	"lishi/events/ledger"
)

// Observe to groups of which 1,000 connections are open: however many members
// are not there, it should cost the same. The sockets are real; nothing reads
// them but the kernel, so what is measured is routing, encoding once, and queueing.
func BenchmarkObserveGroup(b *testing.B) {
	for _, members := range []int{1000, 10_000, 100_000} {
		b.Run(strconv.Itoa(members), func(b *testing.B) { observeGroup(b, members) })
	}
}

func observeGroup(b *testing.B, members int) {
	w := openWorld(b, settings{})
	defer w.close()
	const online = 1000
	owner := w.connect()
	group := owner.do("/group/addGroup", "token", "owner", "uniqueNo", "g", "groupName", "g", "joinMode", "9")["groupId"].(string)
	for i := range members {
		user := "user" + strconv.Itoa(i)
		if status, body := w.post("/group/applyGroup", "application/json", object("token", user, "uniqueNo", "j", "groupId", group)); status != 200 {
			b.Fatal(body)
		}
		if i%(members/online) == 0 {
			w.drained(user)
		}
	}
	eventually(b, "all are logged in", func() bool { return w.server.hub.logins.Load() == online })
	w.settle()
	stream := events.GroupStream(group)
	p := w.tail.Book().Layout().Partition(stream)
	e := events.Recorded{Event: events.Event{
		ID: events.NewID("m", "", ""), Stream: stream, Actor: "owner", ActorName: "Owner", Time: w.server.o.Now(),
		Body: events.MessageSent{Content: events.Content{Plain: "a message of usual length, some fifty bytes long"}},
	}, Position: events.Position{Partition: p}}
	e.Position.Offset = w.tail.Folded()[p] + 1
	b.ReportAllocs()
	for b.Loop() {
		w.server.Observe(e, ledger.Valid)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/online, "ns/frame")
}

// drained logs somebody in whose frames are read without looking at them, at the
// least cost to the process that is measured.
func (w *world) drained(user string) {
	w.t.Helper()
	conn, _, _, err := gobwas.Dial(context.Background(), "ws"+strings.TrimPrefix(w.http.URL, "http")+"/ws")
	if err != nil {
		w.t.Fatal(err)
	}
	if err := wsutil.WriteClientText(conn, []byte(requestText(pathLogin, "token", user))); err != nil {
		w.t.Fatal(err)
	}
	go func() {
		io.Copy(io.Discard, conn)
		conn.Close()
	}()
}

// Observe of a message between two people who are not connected, while others
// are: what every message costs a node that has nobody to tell.
func BenchmarkObserveNobody(b *testing.B) {
	w := openWorld(b, settings{})
	defer w.close()
	w.drained("somebody")
	eventually(b, "somebody is logged in", func() bool { return w.server.hub.logins.Load() == 1 })
	e := events.Recorded{Event: events.Event{
		ID: events.NewID("m", "", ""), Stream: events.PairStream("a", "b"), Actor: "a", ActorName: "A", Time: w.server.o.Now(),
		Body: events.MessageSent{Content: events.Content{Plain: "a message of usual length, some fifty bytes long"}},
	}, Position: events.Position{Partition: events.Partition{Topic: events.Conversations}, Offset: 7}}
	b.ReportAllocs()
	for b.Loop() {
		w.server.Observe(e, ledger.Valid)
	}
}

func BenchmarkEncodePush1(b *testing.B) {
	h := newChronicle(b)
	e := h.say(events.PairStream("a", "b"), "a", events.MessageSent{Content: events.Content{Plain: "a message of usual length, some fifty bytes long"}, Strangers: true})
	w := settings{}.options.withDefaults()
	b.ReportAllocs()
	for b.Loop() {
		for _, f := range Route(&e, h.book) {
			f.encode(w.Dates)
			break
		}
	}
}

// A member who is connected gets a large group's messages whichever way delivery
// goes through the group.
func TestLargeGroupWithFewConnections(t *testing.T) {
	w := newWorld(t, settings{})
	owner := w.as("owner")
	group := owner.do("/group/addGroup", "token", "owner", "uniqueNo", "g", "groupName", "g", "joinMode", "9")["groupId"].(string)
	for i := range 20 {
		c := w.connect()
		c.do("/group/applyGroup", "token", fmt.Sprint("user", i), "uniqueNo", "j", "groupId", group)
		owner.next()
		c.close()
	}
	member, stranger := w.as("user7"), w.as("stranger")
	owner.do("/chat/sendGroupMessage", "token", "owner", "uniqueNo", "m", "groupId", group, "messageContent", "hi")
	if d := member.next()["data"].(map[string]any); d["receiveUserId"] != "user7" || d["messageContent"] != "hi" {
		t.Errorf("%v", d)
	}
	w.silent(owner, member, stranger)
}
