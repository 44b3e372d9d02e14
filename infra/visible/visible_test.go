package visible_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"lishi/events"
	"lishi/events/ledger"
	"lishi/infra/explore"
	"lishi/infra/visible"
)

var (
	layout = events.Layout{Conversations: 2, Users: 1}
	people = []string{"ann", "bob", "c|t", "dan"}
	groups = []events.Stream{events.GroupStream("g"), events.GroupStream("h")}
)

// world is a log in memory with its ledgers, and, beside them, what a naive
// observer noted down while it was written: who was where, and so who could see.
type world struct {
	t       *rapid.T
	records map[events.Partition][]events.Record
	book    *ledger.Book
	no      int
	clock   time.Time

	members map[events.Stream]map[string]events.Position // by user, the event that let them in
	deleted map[events.Stream]bool
	friends map[events.Stream]events.Position
	blocked map[events.Stream]map[string]bool
	asked   map[events.Stream]events.ID
	notes   []*note
	void    []events.Position
}

// note is what the observer knows of a message, edit or recall that counted.
type note struct {
	at       events.Position
	stream   events.Stream
	kind     string
	by       string
	since    map[string]events.Position // who could see it, and why
	when     time.Time
	recalled bool
}

func newWorld(t *rapid.T) *world {
	w := &world{
		t: t, records: map[events.Partition][]events.Record{}, book: ledger.NewBook(layout), clock: time.UnixMilli(1_700_000_000_000).UTC(),
		members: map[events.Stream]map[string]events.Position{}, deleted: map[events.Stream]bool{}, friends: map[events.Stream]events.Position{},
		blocked: map[events.Stream]map[string]bool{}, asked: map[events.Stream]events.ID{},
	}
	for _, p := range layout.Partitions() {
		w.add(p, events.Event{ID: events.NewID("log", "", p.String()), Stream: events.SystemStream(), Body: events.LogOpened{LogID: "x", Partitions: layout.Count(p.Topic), Format: 1}})
	}
	return w
}

func (w *world) add(p events.Partition, e events.Event) (events.Position, ledger.Verdict) {
	e.Time = w.clock
	r, err := events.Encode(e)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Headers = append(r.Headers, events.Header{Key: events.HeaderRecordedTime, Value: []byte(strconv.FormatInt(w.clock.UnixMilli(), 10))})
	at := events.Position{Partition: p, Offset: int64(len(w.records[p]))}
	w.records[p] = append(w.records[p], r)
	rec, err := events.Decode(at, r)
	if err != nil {
		w.t.Fatal(err)
	}
	v, err := w.book.Ledger(p).Admit(rec)
	if err != nil {
		w.t.Fatal(err)
	}
	return at, v
}

// say appends what somebody does, decided on all that is folded.
func (w *world) say(s events.Stream, actor string, b events.Body) (events.Position, ledger.Verdict) {
	w.no++
	w.clock = w.clock.Add(time.Duration(rapid.IntRange(0, 3).Draw(w.t, "later")) * time.Second)
	revision, head := w.book.Relations(s).Head(s)
	e := events.Event{
		ID: events.NewID(s.Key(), actor, fmt.Sprint(w.no)), Stream: s, Actor: actor, Request: fmt.Sprint(w.no), Body: b,
		Imported: rapid.Bool().Draw(w.t, "imported"),
	}
	switch events.OrderingOf(b) {
	case events.ByRevision:
		e.Revision, e.Prev = revision+1, head
	case events.ByBasis:
		e.Basis = w.book.Of(s).Folded()
	}
	return w.add(layout.Partition(s), e)
}

func (w *world) step() {
	a, b := rapid.SampledFrom(people).Draw(w.t, "a"), rapid.SampledFrom(people).Draw(w.t, "b")
	g := rapid.SampledFrom(groups).Draw(w.t, "group")
	switch rapid.IntRange(0, 11).Draw(w.t, "what") {
	case 0, 1:
		if w.members[g] == nil && !w.deleted[g] {
			at, _ := w.say(g, a, events.GroupCreated{GroupName: "g", JoinMode: events.JoinOpen})
			w.members[g] = map[string]events.Position{a: at}
		}
	case 2, 3:
		if w.members[g] != nil && !w.deleted[g] {
			at, _ := w.say(g, a, events.GroupJoined{GroupName: "g"})
			if _, in := w.members[g][a]; !in {
				w.members[g][a] = at
			}
		}
	case 4:
		if w.members[g] != nil && !w.deleted[g] {
			w.say(g, a, events.GroupMemberRemoved{GroupName: "g", UserID: b})
			delete(w.members[g], b)
		}
	case 5:
		if w.members[g] != nil && !w.deleted[g] && rapid.IntRange(0, 5).Draw(w.t, "delete") == 0 {
			w.say(g, a, events.GroupDeleted{GroupName: "g"})
			w.deleted[g] = true
		}
	case 6:
		if a != b {
			w.relate(events.PairStream(a, b), a, b)
		}
	case 7:
		w.change()
	case 8:
		if a != b {
			w.message(events.PairStream(a, b), a, events.MessageSent{Content: events.Content{Plain: "x"}, Strangers: rapid.Bool().Draw(w.t, "strangers")})
		}
	default:
		w.message(g, a, events.MessageSent{Content: events.Content{Plain: "x"}})
	}
}

func (w *world) relate(s events.Stream, a, b string) {
	if w.blocked[s] == nil {
		w.blocked[s] = map[string]bool{}
	}
	_, friends := w.friends[s]
	switch rapid.IntRange(0, 4).Draw(w.t, "relate") {
	case 0:
		w.say(s, a, events.FriendBlocked{})
		w.blocked[s][a] = true
	case 1:
		w.say(s, a, events.FriendUnblocked{})
		w.blocked[s][a] = false
	case 2:
		w.say(s, a, events.FriendRemoved{})
		delete(w.friends, s)
	default:
		at, _ := w.say(s, b, events.FriendAgreed{Applicant: a})
		if !friends {
			w.friends[s] = at
		}
	}
}

// change edits or recalls something that was said, by whom is allowed to or not.
func (w *world) change() {
	if len(w.notes) == 0 {
		return
	}
	n := rapid.SampledFrom(w.notes).Draw(w.t, "changed")
	if n.kind != "sent" {
		return
	}
	if rapid.Bool().Draw(w.t, "recall") {
		by := n.by
		for _, user := range people {
			m, _ := w.book.Relations(n.stream).Member(n.stream, user, events.Now)
			if m.Role == events.Owner && rapid.Bool().Draw(w.t, "by the owner") {
				by = user
			}
		}
		w.message(n.stream, by, events.MessageRecalled{Message: n.at, Sender: n.by})
	} else {
		w.message(n.stream, n.by, events.MessageEdited{Message: n.at, Content: events.Content{Plain: "y"}})
	}
}

// message notes who can see what is said now, if it counts.
func (w *world) message(s events.Stream, by string, b events.Body) {
	n := &note{stream: s, by: by, since: map[string]events.Position{}}
	counts := false
	if s.Kind == events.Group {
		_, in := w.members[s][by]
		counts = in && !w.deleted[s]
		for user, at := range w.members[s] {
			n.since[user] = at
		}
	} else {
		since, friends := w.friends[s]
		strangers := false
		if m, ok := b.(events.MessageSent); ok {
			strangers = m.Strangers
		}
		counts = (friends || strangers) && !w.blocked[s][s.ID] && !w.blocked[s][s.Peer]
		n.since[s.ID], n.since[s.Peer] = since, since
	}
	var of *note
	switch b := b.(type) {
	case events.MessageSent:
		n.kind = "sent"
	case events.MessageEdited:
		n.kind, of = "edited", w.note(b.Message)
	case events.MessageRecalled:
		n.kind, of = "recalled", w.note(b.Message)
	}
	if of != nil && s.Kind == events.Group { // who came after the message is told nothing of what becomes of it
		for user := range n.since {
			if _, saw := of.since[user]; !saw && user != by {
				delete(n.since, user)
			}
		}
	}
	counts = counts && (of == nil || !of.recalled)
	at, v := w.say(s, by, b)
	if counts != !v.Void() {
		w.t.Fatalf("%s %T: the ledger says %s, the observer %v", at, b, v, counts)
	}
	if !counts {
		w.void = append(w.void, at)
		return
	}
	if n.kind == "recalled" {
		of.recalled = true
	}
	n.at, n.when = at, w.clock
	if s.Kind == events.Pair && n.since[s.ID] == (events.Position{}) {
		n.since[s.ID], n.since[s.Peer] = at, at // the deployment let strangers write
	}
	w.notes = append(w.notes, n)
}

func (w *world) note(at events.Position) *note {
	for _, n := range w.notes {
		if n.at == at {
			return n
		}
	}
	return nil
}

// The log, as explore reads it.

func (w *world) Layout() events.Layout { return layout }

func (w *world) Ends(context.Context) (events.Cursor, error) {
	c := events.Cursor{}
	for p, rs := range w.records {
		c[p] = int64(len(rs)) - 1
	}
	return c, nil
}

func (w *world) Records(_ context.Context, p events.Partition, from, end int64, each func(int64, events.Record) error) error {
	for o := from; o < end; o++ {
		if err := each(o, w.records[p][o]); err != nil {
			return err
		}
	}
	return nil
}

// Whatever people do, who could see a message and why, and what a user could see
// between two times, is what an observer noted down while it happened.
func TestWhoCouldSeeIsWhatAnObserverNoted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		for range rapid.IntRange(5, 80).Draw(t, "steps") {
			w.step()
		}
		x := &visible.Reader{Reader: &explore.Reader{Log: w, Book: w.book}}
		ctx := context.Background()
		for _, n := range w.notes {
			got := map[string]events.Position{}
			for skip := 0; ; skip += 3 {
				v, err := x.Who(ctx, n.at, skip, 3)
				if err != nil || v.Total != len(n.since) || v.Nobody != "" {
					t.Fatalf("%s: %v %+v, want %v", n.at, err, v, n.since)
				}
				for _, s := range v.Viewers {
					if got[s.User] = s.Since.Position; s.Sender != (s.User == n.by) || s.Since.Type == "" {
						t.Fatalf("%s: %+v", n.at, s)
					}
				}
				if skip+3 >= v.Total {
					break
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(n.since) {
				t.Fatalf("%s was seen by %v, not %v", n.at, got, n.since)
			}
		}
		for _, at := range w.void {
			if v, err := x.Who(ctx, at, 0, 10); err != nil || len(v.Viewers) > 0 || v.Nobody == "" {
				t.Fatalf("%s: %v %+v", at, err, v)
			}
		}
		w.seen(x)
	})
}

// seen holds what a user could see between two times against the notes.
func (w *world) seen(x *visible.Reader) {
	ctx, t := context.Background(), w.t
	user := rapid.SampledFrom(people).Draw(t, "user")
	from := time.UnixMilli(1_700_000_000_000).Add(time.Duration(rapid.IntRange(-1, 60).Draw(t, "from")) * time.Second)
	to := from.Add(time.Duration(rapid.IntRange(1, 90).Draw(t, "to")) * time.Second)
	span, err := x.Between(ctx, from, to)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{}
	counts := map[string][4]int64{}
	for _, n := range w.notes {
		if _, saw := n.since[user]; saw && n.when.After(from) && !n.when.After(to) {
			key := n.stream.Key()
			want[key] = append(want[key], n.at.String())
			c := counts[key]
			switch {
			case n.kind == "sent":
				c[0]++
				if n.recalled {
					c[1]++
				}
			case n.kind == "edited":
				c[2]++
			default:
				c[3]++
			}
			counts[key] = c
		}
	}
	found, err := x.Seen(ctx, user, span, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range found {
		if got := [4]int64{c.Messages, c.Recalled, c.Edits, c.Recalls}; got != counts[c.Stream] {
			t.Fatalf("%s in %s: %v, want %v", user, c.Stream, got, counts[c.Stream])
		}
		delete(counts, c.Stream)
		if len(want[c.Stream]) > 0 && (c.First.String() != want[c.Stream][0] || c.Last.String() != want[c.Stream][len(want[c.Stream])-1]) {
			t.Fatalf("%+v, want %v", c, want[c.Stream])
		}
		s, _ := events.ParseKey(c.Stream)
		var got []string
		for last := events.Start; ; {
			page, err := x.Messages(ctx, user, s, span, last, 2)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range page.Events {
				got = append(got, e.Position.String())
			}
			if page.Next == nil {
				break
			}
			last = page.Next.Offset
		}
		if !slices.Equal(got, want[c.Stream]) {
			t.Fatalf("%s in %s: %v, want %v", user, c.Stream, got, want[c.Stream])
		}
		if strings.HasPrefix(c.Stream, "g|") && len(c.Memberships) == 0 {
			t.Fatalf("%+v", c)
		}
	}
	if len(counts) > 0 {
		t.Fatalf("%s could see %v too", user, counts)
	}
}
