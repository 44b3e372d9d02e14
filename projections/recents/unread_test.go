package recents_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"lishi/events"
	"lishi/projections/history"
	"lishi/projections/projectiontest"
	"lishi/projections/recents"
)

func edit(w *projectiontest.World, m events.Recorded, text string) {
	w.Do(m.Actor, m.Stream, events.MessageEdited{Message: m.Position, Content: events.Content{Plain: text}})
}

func recall(w *projectiontest.World, by string, m events.Recorded) {
	w.Do(by, m.Stream, events.MessageRecalled{Message: m.Position, Sender: m.Actor})
}

// read is one device's claim of having read a message; what another device has
// read before makes it void.
func read(w *projectiontest.World, user string, m events.Recorded) {
	w.Record(w.Event(user, events.UserStream(user), events.ConversationRead{Conversation: m.Stream.Key(), Read: m.Position}))
}

func TestTheLastMessageAsItWasChanged(t *testing.T) {
	w := world(t)
	w.Register("a", "b")
	w.Befriend("a", "b")
	one, two := w.Say("b", "a", "one"), w.Say("b", "a", "two")
	edit(w, one, "uno") // not the last
	if got := brief(list(w, "a")); got != "b:two:2" {
		t.Errorf("recents: %s", got)
	}
	edit(w, two, "due")
	if r := list(w, "a")[0]; brief([]recents.Recent{r}) != "b:due:2" || r.Position != two.Position.String() || r.Time != two.Time.UnixMilli() {
		t.Errorf("edited: %+v", r)
	}
	recall(w, "b", one)
	if r := list(w, "a")[0]; brief([]recents.Recent{r}) != "b:due:1" || r.Recalled {
		t.Errorf("the first recalled: %+v", r)
	}
	recall(w, "b", two)
	if r := list(w, "a")[0]; brief([]recents.Recent{r}) != "b::0" || !r.Recalled {
		t.Errorf("both recalled: %+v", r)
	}
	w.Say("b", "a", "three")
	if r := list(w, "a")[0]; brief([]recents.Recent{r}) != "b:three:1" || r.Recalled {
		t.Errorf("another one: %+v", r)
	}
}

func TestHowFarTheOtherOneHasRead(t *testing.T) {
	w := world(t)
	w.Register("a", "b")
	w.Befriend("a", "b")
	one, two := w.Say("a", "b", "one"), w.Say("a", "b", "two")
	if r := list(w, "a")[0]; r.PeerReadPosition != "" {
		t.Errorf("nothing is read yet: %+v", r)
	}
	read(w, "b", one)
	if r := list(w, "a")[0]; r.PeerReadPosition != one.Position.String() || r.ReadPosition != "" {
		t.Errorf("b has read the first: %+v", r)
	}
	read(w, "b", two)
	read(w, "a", one)
	if r := list(w, "a")[0]; r.PeerReadPosition != two.Position.String() || r.ReadPosition != one.Position.String() {
		t.Errorf("b has read both: %+v", r)
	}
	if r := list(w, "b")[0]; r.PeerReadPosition != one.Position.String() {
		t.Errorf("what b is told of a: %+v", r)
	}
}

func TestUnreadMentions(t *testing.T) {
	w := world(t)
	w.Register("o", "m", "n")
	g := w.Create("g", "o", "m", "n")
	at := func(text string, users ...string) events.Recorded {
		return w.Do("o", g, events.MessageSent{Content: events.Content{Plain: text}, AtUserIDs: users})
	}
	mentions := func(want uint64, when string) {
		t.Helper()
		if r := list(w, "m")[0]; r.Mentions != want {
			t.Errorf("%s: %d mentions, want %d", when, r.Mentions, want)
		}
	}
	at("to n", "n")
	mentions(0, "another one was named")
	first := at("to both", "n", "m")
	second := at("to m", "m")
	w.Tell("o", g, "to nobody")
	mentions(2, "named twice")
	read(w, "m", first)
	mentions(1, "the first one read")
	recall(w, "o", second)
	mentions(0, "the second one recalled")
}

// What is said behind somebody's back while their list is being read is not
// shown to them.
func TestAMessageThatComesWhileTheListIsRead(t *testing.T) {
	db := &projectiontest.Faulty{DB: projectiontest.DB(t)}
	w := projectiontest.Still(t, db, projectiontest.NewLog(projectiontest.Layout), history.Projection{}, recents.Projection{})
	w.Start()
	w.Register("o", "m")
	g := w.Create("g", "o", "m")
	w.Tell("o", g, "for both")
	w.Settle()
	var once sync.Once
	db.Set(func(c projectiontest.Call) error {
		if strings.Contains(c.SQL, "argMax(content, offset)") {
			once.Do(func() {
				w.Do("o", g, events.GroupMemberRemoved{UserID: "m"})
				w.Tell("o", g, "for o alone")
				w.Settle()
			})
		}
		return nil
	}, nil)
	if got := brief(list(w, "m")); got != "g:for both:1" {
		t.Errorf("m is shown %s", got)
	}
}

func TestAGroupThatWasLeftStaysAsItWas(t *testing.T) {
	w := world(t)
	w.Register("o", "m")
	g := w.Create("g", "o", "m")
	said := w.Tell("o", g, "said")
	edit(w, said, "seen")
	w.Do("m", g, events.GroupMemberQuit{})
	edit(w, said, "behind m's back")
	if got := brief(list(w, "m")); got != "g:seen:1" {
		t.Errorf("m, who left: %s", got)
	}
	w.Tell("o", g, "later") // m's last message is no longer the group's
	if got := brief(list(w, "m")); got != "g:seen:1" {
		t.Errorf("m, after another message: %s", got)
	}
	recall(w, "o", said)
	if got := brief(list(w, "m")); got != "g::0" {
		t.Errorf("m, after the recall: %s", got)
	}
}

func TestRecalledImportedMessagesCountOnce(t *testing.T) {
	w := world(t)
	w.Register("a", "b")
	w.Befriend("a", "b")
	old := w.Event("b", events.PairStream("a", "b"), events.MessageSent{Content: events.Content{Plain: "old"}})
	old.Imported, old.Time = true, old.Time.Add(-1000*time.Hour)
	imported := w.Record(old)
	w.Say("b", "a", "new")
	recall(w, "b", imported)
	if got := brief(list(w, "a")); got != "b:new:1" {
		t.Errorf("recents: %s", got)
	}
}

// However the read marks of several devices arrive, the count is of the messages
// of others after the furthest mark, without those recalled and those said while
// the reader was away.
func TestUnreadCounts(t *testing.T) {
	w := world(t)
	w.Register("me", "o")
	w.Befriend("me", "o")
	g := w.Create("g", "o", "me")
	type message struct {
		events.Recorded
		mine, hidden, recalled bool
	}
	var all [2][]*message // of the pair and of the group
	var mark [2]int64
	member := true
	rapid.Check(t, func(rt *rapid.T) {
		for range rapid.IntRange(1, 5).Draw(rt, "steps") {
			c := rapid.IntRange(0, 1).Draw(rt, "conversation")
			n := rapid.IntRange(0, max(len(all[c])-1, 0)).Draw(rt, "which")
			switch what := rapid.SampledFrom([]string{"say", "say", "read", "read", "read", "edit", "recall", "move"}).Draw(rt, "what"); {
			case what == "say":
				mine := rapid.IntRange(0, 3).Draw(rt, "mine") == 0 && (c == 0 || member)
				from, s := "o", []events.Stream{events.PairStream("me", "o"), g}[c]
				if mine {
					from = "me"
				}
				m := w.Do(from, s, events.MessageSent{Content: events.Content{Plain: fmt.Sprint(len(all[c]))}})
				all[c] = append(all[c], &message{Recorded: m, mine: mine, hidden: c == 1 && !member})
			case what == "move":
				if member = !member; member {
					w.Do("me", g, events.GroupJoined{})
				} else {
					w.Do("me", g, events.GroupMemberQuit{})
				}
			case len(all[c]) == 0:
			case what == "read": // the devices are not at the same place
				read(w, "me", all[c][n].Recorded)
				mark[c] = max(mark[c], all[c][n].Position.Offset)
			case all[c][n].recalled || all[c][n].mine && c == 1 && !member:
			case what == "edit":
				edit(w, all[c][n].Recorded, "edited")
			case n%3 == 0:
				recall(w, all[c][n].Actor, all[c][n].Recorded)
				all[c][n].recalled = true
			}
		}
		got := map[string]uint64{}
		for _, r := range list(w, "me") {
			got[r.RecentID] = r.Total
		}
		for c, id := range []string{"o", "g"} {
			var want uint64
			for _, m := range all[c] {
				if m.Position.Offset > mark[c] && !m.mine && !m.hidden && !m.recalled {
					want++
				}
			}
			if got[id] != want {
				rt.Fatalf("%s has %d unread, want %d", id, got[id], want)
			}
		}
	})
}
