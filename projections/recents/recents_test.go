package recents_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"lishi/commands"
	"lishi/events"
	"lishi/projections/friends"
	"lishi/projections/history"
	"lishi/projections/projectiontest"
	"lishi/projections/recents"
)

func TestMain(m *testing.M) { projectiontest.Main(m) }

func world(t *testing.T) *projectiontest.World {
	return projectiontest.New(t, recents.Projection{}, history.Projection{}, friends.Projection{})
}

func list(w *projectiontest.World, caller string) []recents.Recent {
	w.T.Helper()
	return w.Ask(caller, recents.List{}).List.([]recents.Recent)
}

// brief is "id:content:unread" of each.
func brief(rs []recents.Recent) string {
	var all []string
	for _, r := range rs {
		all = append(all, fmt.Sprintf("%s:%s:%d", r.RecentID, r.Content, r.Total))
	}
	return strings.Join(all, " ")
}

// tick lets the recorded time, by which conversations are sorted, go on.
func tick() { time.Sleep(2 * time.Millisecond) }

func TestRecents(t *testing.T) {
	w := world(t)
	w.Register("a", "b", "c", "o")
	if got := asJSON(list(w, "a")); got != "[]" {
		t.Errorf("of nothing: %s", got)
	}
	w.Befriend("a", "b")
	w.Befriend("c", "a")
	w.Create("e", "a")
	if got := brief(list(w, "a")); got != "" {
		t.Errorf("nothing was said: %s", got)
	}
	w.Say("a", "b", "one")
	two := w.Say("b", "a", "two")
	three := w.Say("b", "a", "three")
	tick()
	w.Say("c", "a", "hello")
	g := w.Create("g", "o", "a")
	tick()
	last := w.Tell("o", g, "all")
	if got := brief(list(w, "a")); got != "g:all:1 c:hello:1 b:three:2" {
		t.Errorf("recents: %s", got)
	}
	got := asJSON(list(w, "a")[0])
	want := fmt.Sprintf(`{"recentId":"g","name":"Gg","avatar":"g.png","type":"1","lastDate":"%s","time":%d,"content":"all","sendUserId":"o","total":1,"readPosition":"","position":"%s"}`,
		last.Time.Add(8*time.Hour).Format(time.DateTime), last.Time.UnixMilli(), last.Position)
	if got != want {
		t.Errorf("a row is\n%s, want\n%s", got, want)
	}
	if r := list(w, "a")[2]; r.Name != "my b" || r.Type != "2" {
		t.Errorf("a friend's row is %+v", r)
	}

	w.Do("a", events.UserStream("a"), events.ConversationRead{Conversation: events.PairStream("a", "b").Key(), Read: two.Position})
	if r := list(w, "a")[2]; r.Total != 1 || r.ReadPosition != two.Position.String() {
		t.Errorf("read up to the second: %+v", r)
	}
	w.Do("a", events.UserStream("a"), events.ConversationRead{Conversation: events.PairStream("a", "b").Key(), Read: three.Position})
	if r := list(w, "a")[2]; r.Total != 0 || r.ReadPosition != three.Position.String() {
		t.Errorf("read to the end: %+v", r)
	}
	if got := brief(list(w, "b")); got != "a:three:1" {
		t.Errorf("the other side: %s", got)
	}
	if got := projectiontest.Strings(t, w.DB, "SELECT read FROM read_marks"); !slices.Equal(got, []string{three.Position.String()}) {
		t.Errorf("read marks are %v", got)
	}
}

func asJSON(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

func TestImportedCountsAsRead(t *testing.T) {
	w := world(t)
	w.Register("a", "b")
	w.Befriend("a", "b")
	old := w.Event("b", events.PairStream("a", "b"), events.MessageSent{Content: events.Content{Plain: "old"}})
	old.Imported, old.Time = true, old.Time.Add(-1000*time.Hour)
	w.Record(old)
	if r := list(w, "a"); len(r) != 1 || r[0].Total != 0 || r[0].Time != old.Time.UnixMilli() {
		t.Errorf("recents: %+v", r)
	}
	w.Say("b", "a", "new")
	if got := brief(list(w, "a")); got != "b:new:1" {
		t.Errorf("recents: %s", got)
	}
}

func TestStrangers(t *testing.T) {
	w := world(t)
	w.Register("a", "b")
	w.Do("a", events.PairStream("a", "b"), events.MessageSent{Content: events.Content{Plain: "psst"}, Strangers: true})
	if got := brief(list(w, "b")); got != "a:psst:1" {
		t.Errorf("recents: %s", got)
	}
}

// Of a group that was left, the last message that was seen stays; what was said
// before joining never counts.
func TestGroupsThatWereLeft(t *testing.T) {
	w := world(t)
	w.Register("o", "m", "n")
	g := w.Create("g", "o")
	w.Tell("o", g, "before")
	w.Do("m", g, events.GroupJoined{})
	if got := brief(list(w, "m")); got != "" {
		t.Errorf("before anything was said to m: %s", got)
	}
	w.Tell("o", g, "one")
	seen := w.Tell("o", g, "two")
	if got := brief(list(w, "m")); got != "g:two:2" {
		t.Errorf("as a member: %s", got)
	}
	w.Do("m", g, events.GroupMemberQuit{})
	w.Tell("o", g, "behind m's back")
	if got := brief(list(w, "m")); got != "g:two:2" {
		t.Errorf("after leaving: %s", got)
	}
	if r := list(w, "m")[0]; r.Position != seen.Position.String() || r.SendUserID != "o" {
		t.Errorf("after leaving: %+v", r)
	}
	w.Do("m", g, events.GroupJoined{})
	if got := brief(list(w, "m")); got != "g:two:2" {
		t.Errorf("after coming back: %s", got)
	}
	w.Tell("o", g, "three")
	if got := brief(list(w, "m")); got != "g:three:3" {
		t.Errorf("after a message more: %s", got)
	}
	w.Do("o", g, events.GroupDeleted{})
	if got := brief(list(w, "m")); got != "g:three:3" {
		t.Errorf("after the group's end: %s", got)
	}
}

func TestPagesOfRecents(t *testing.T) {
	w := world(t)
	w.Register("me")
	var want []string
	for i := range 12 {
		id := fmt.Sprint("u", i)
		w.Register(id)
		w.Befriend("me", id)
		w.Say(id, "me", "hello")
		want = append([]string{id}, want...)
		if i%3 != 0 { // some are recorded at the same time
			tick()
		}
	}
	var order []string
	for _, r := range list(w, "me") {
		order = append(order, r.RecentID)
	}
	if len(order) != len(want) {
		t.Fatalf("recents: %v", order)
	}
	for limit := int64(1); limit <= 13; limit++ {
		var union []string
		for q := (recents.List{Limit: limit}); ; {
			page := w.Ask("me", q)
			for _, r := range page.List.([]recents.Recent) {
				union = append(union, r.RecentID)
			}
			if page.Next == "" {
				break
			}
			q.Before = page.Next
		}
		if !slices.Equal(union, order) {
			t.Errorf("pages of %d: %v, want %v", limit, union, order)
		}
	}
	for _, bad := range []string{"x", "%%%", "MTIz", "MTIzLGMwLTE5Og"} {
		if _, err := w.Try("me", recents.List{Before: bad}); !errors.Is(err, commands.ErrBadRequest) {
			t.Errorf("before %q gives %v", bad, err)
		}
	}
	if _, err := w.Try("me", recents.List{Limit: 201}); !errors.Is(err, commands.ErrBadRequest) {
		t.Errorf("a limit of 201 gives %v", err)
	}
}
