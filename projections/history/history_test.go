package history_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"lishi/commands"
	"lishi/events"
	"lishi/projections/history"
	"lishi/projections/projectiontest"
)

func TestMain(m *testing.M) { projectiontest.Main(m) }

func texts(list any) []string {
	var ts []string
	for _, m := range list.([]history.Message) {
		ts = append(ts, m.TalkContent)
	}
	return ts
}

func TestPagesOfAPair(t *testing.T) {
	w := projectiontest.New(t, history.Projection{})
	w.Register("a", "b")
	w.Befriend("a", "b")
	var said []events.Recorded
	for i := range 7 {
		from, to := "a", "b"
		if i%3 == 2 {
			from, to = to, from
		}
		said = append(said, w.Say(from, to, fmt.Sprint("m", i)))
	}
	at := func(i int) string { return said[i].Position.String() }
	for _, c := range []struct {
		q    history.LoadPair
		want []string
	}{
		{history.LoadPair{}, []string{"m0", "m1", "m2", "m3", "m4", "m5", "m6"}},
		{history.LoadPair{Limit: 2}, []string{"m5", "m6"}},
		{history.LoadPair{Limit: 2, Before: at(5)}, []string{"m3", "m4"}},
		{history.LoadPair{Limit: 2, After: at(2)}, []string{"m3", "m4"}},
		{history.LoadPair{Limit: 2, After: at(2), Before: at(6)}, []string{"m4", "m5"}},
		{history.LoadPair{After: at(6)}, nil},
		{history.LoadPair{Before: at(0)}, nil},
		{history.LoadPair{Page: 1, PageSize: 3}, []string{"m4", "m5", "m6"}},
		{history.LoadPair{Page: 2, PageSize: 3}, []string{"m1", "m2", "m3"}},
		{history.LoadPair{Page: 3, PageSize: 3}, []string{"m0"}},
		{history.LoadPair{Page: 4, PageSize: 3}, nil},
		{history.LoadPair{PageSize: 1}, []string{"m6"}},
	} {
		c.q.UserID = "b"
		if got := texts(w.Ask("a", c.q).List); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %v, want %v", c.q, got, c.want)
		}
	}

	page := w.Ask("b", history.LoadPair{UserID: "a", Limit: 1, Before: at(3)})
	got, _ := json.Marshal(page.List)
	want := fmt.Sprintf(`[{"chatMessageId":"%s","sendUserId":"b","sendNickName":"Nb","receiveUserId":"a","talkDate":"2026-11-23 17:00:06","time":1795424406000,"talkContent":"m2","avatar":"","talkSide":true,"position":"%s"}]`,
		said[2].ID, said[2].Position)
	if string(got) != want {
		t.Errorf("a row is\n%s, want\n%s", got, want)
	}
	if page := w.Ask("a", history.LoadPair{UserID: "b", After: at(6)}); fmt.Sprintf("%#v", page.List) != "[]history.Message{}" {
		t.Errorf("an empty page is %#v", page.List)
	}

	w.Do("b", events.PairStream("a", "b"), events.FriendRemoved{})
	if got := texts(w.Ask("a", history.LoadPair{UserID: "b", Limit: 1}).List); !slices.Equal(got, []string{"m6"}) {
		t.Errorf("after the friendship's end: %v", got)
	}
}

func TestWhatIsWrittenIsReadByteForByte(t *testing.T) {
	w := projectiontest.New(t, history.Projection{})
	w.Register("a", "b")
	w.Befriend("a", "b")
	all := []string{" 你好 \n\t", "'; DROP TABLE messages --", `\'"{x:String}?$1`, "\x00\x01", "👩‍👩‍👧", "<b>&amp;</b>", "é é"}
	for _, s := range all {
		w.Do("a", events.PairStream("a", "b"), events.MessageSent{
			Content: events.Content{Plain: s}, ContentType: "text", ReplyTo: "c0-1", AtUserIDs: []string{"b", "c,d"},
		})
	}
	page := w.Ask("b", history.LoadPair{UserID: "a"})
	if got := texts(page.List); !slices.Equal(got, all) {
		t.Errorf("got %q", got)
	}
	m := page.List.([]history.Message)[0]
	if m.ContentType != "text" || m.ReplyTo != "c0-1" || !slices.Equal(m.AtUserIDs, []string{"b", "c,d"}) {
		t.Errorf("a row is %+v", m)
	}
}

func TestGroupHistoryIsCutByMembership(t *testing.T) {
	w := projectiontest.New(t, history.Projection{})
	w.Register("o", "m", "x", "n")
	g := w.Create("g", "o")
	w.Tell("o", g, "before")
	w.Do("m", g, events.GroupJoined{})
	w.Tell("o", g, "first")
	w.Tell("m", g, "second")
	w.Do("m", g, events.GroupMemberQuit{})
	w.Tell("o", g, "away")
	w.Do("m", g, events.GroupJoined{})
	w.Tell("o", g, "again")
	see := func(user string, limit int64) []string {
		return texts(w.Ask(user, history.LoadGroup{GroupID: "g", Limit: limit}).List)
	}
	if got := see("m", 0); !slices.Equal(got, []string{"first", "second", "again"}) {
		t.Errorf("m sees %v", got)
	}
	if got := see("m", 2); !slices.Equal(got, []string{"second", "again"}) {
		t.Errorf("m's newest are %v", got)
	}
	for n, want := range map[int64]string{1: "again", 2: "second", 3: "first"} {
		if got := texts(w.Ask("m", history.LoadGroup{GroupID: "g", Page: n, PageSize: 1}).List); !slices.Equal(got, []string{want}) {
			t.Errorf("m's page %d is %v, want %s", n, got, want)
		}
	}
	if got := see("o", 0); len(got) != 5 {
		t.Errorf("o sees %v", got)
	}
	if _, err := w.Try("n", history.LoadGroup{GroupID: "g"}); !errors.Is(err, commands.ErrNotMember) {
		t.Errorf("who never was a member gets %v", err)
	}
	w.Do("o", g, events.GroupDeleted{})
	if got := see("m", 1); !slices.Equal(got, []string{"again"}) {
		t.Errorf("after the group's end: %v", got)
	}
}

func TestManyMemberships(t *testing.T) {
	w := projectiontest.New(t, history.Projection{})
	w.Register("o", "m")
	g := w.Create("g", "o")
	var want []string
	for i := range 120 {
		w.Tell("o", g, "hidden")
		w.Do("m", g, events.GroupJoined{})
		w.Tell("o", g, fmt.Sprint(i))
		want = append(want, fmt.Sprint(i))
		w.Do("m", g, events.GroupMemberQuit{})
	}
	if got := texts(w.Ask("m", history.LoadGroup{GroupID: "g", Limit: 200}).List); !slices.Equal(got, want) {
		t.Errorf("m sees %v", got)
	}
	if got := texts(w.Ask("m", history.LoadGroup{GroupID: "g", Page: 3, PageSize: 50}).List); !slices.Equal(got, want[:20]) {
		t.Errorf("the third page is %v", got)
	}
}

func TestRefusals(t *testing.T) {
	w := projectiontest.New(t, history.Projection{})
	w.Register("a", "b")
	other := "c0-1"
	if w.Tail.Book().Layout().Partition(events.PairStream("a", "b")).Number == 0 {
		other = "c1-1"
	}
	for _, c := range []struct {
		q    history.LoadPair
		want string
	}{
		{history.LoadPair{UserID: "nobody"}, commands.NotFound},
		{history.LoadPair{UserID: "a"}, commands.BadRequest},
		{history.LoadPair{UserID: "b", Limit: 201}, commands.BadRequest},
		{history.LoadPair{UserID: "b", Limit: -1}, commands.BadRequest},
		{history.LoadPair{UserID: "b", PageSize: 201}, commands.BadRequest},
		{history.LoadPair{UserID: "b", Page: -1}, commands.BadRequest},
		{history.LoadPair{UserID: "b", Page: 1 << 40}, commands.BadRequest},
		{history.LoadPair{UserID: "b", Page: 1, Before: "c0-1"}, commands.BadRequest},
		{history.LoadPair{UserID: "b", Before: "c0"}, commands.BadRequest},
		{history.LoadPair{UserID: "b", After: "u0-1"}, commands.BadRequest},
		{history.LoadPair{UserID: "b", Before: other}, commands.BadRequest},
	} {
		_, err := w.Try("a", c.q)
		var r *commands.Refusal
		if !errors.As(err, &r) || r.Reason != c.want {
			t.Errorf("%+v gives %v, want %s", c.q, err, c.want)
		}
	}
	if _, err := w.Try("a", history.LoadGroup{GroupID: "nowhere"}); !errors.Is(err, commands.ErrNotFound) {
		t.Errorf("an unknown group gives %v", err)
	}
	if got := w.Ask("a", history.LoadPair{UserID: "b"}).List.([]history.Message); len(got) != 0 {
		t.Errorf("strangers have said %v", got)
	}
}

// The pages of a conversation, put together, are the whole of it, whatever their
// size, while messages keep coming.
func TestUnionOfPagesIsTheWhole(t *testing.T) {
	w := projectiontest.New(t, history.Projection{})
	w.Register("a", "b")
	w.Befriend("a", "b")
	var all []string
	say := func() {
		all = append(all, fmt.Sprint("m", len(all)))
		w.Say("a", "b", all[len(all)-1])
	}
	rapid.Check(t, func(rt *rapid.T) {
		for range rapid.IntRange(0, 2).Draw(rt, "before") {
			say()
		}
		limit := rapid.Int64Range(1, 9).Draw(rt, "limit")
		if int64(len(all)) > 4*limit {
			limit = int64(len(all))/4 + 1
		}
		backwards := rapid.Bool().Draw(rt, "backwards")
		q, from := history.LoadPair{UserID: "b", Limit: limit}, len(all)
		if !backwards {
			q.After = events.Position{Partition: w.Log.Layout().Partition(events.PairStream("a", "b"))}.String()
		}
		var union []string
		for {
			page := w.Ask("a", q).List.([]history.Message)
			there := len(all)
			if rapid.IntRange(0, 5).Draw(rt, "arrives") == 0 {
				say()
			}
			if len(page) == 0 {
				if !backwards { // everything that there was when the last page was read
					from = there
				}
				break
			}
			if backwards {
				union = append(texts(page), union...)
				q.Before = page[0].Position
			} else {
				union = append(union, texts(page)...)
				q.After = page[len(page)-1].Position
			}
		}
		// Backwards, what comes after the first page is newer than all of it.
		if !slices.Equal(union, all[:from]) {
			rt.Fatalf("pages of %d: %v, want %v", limit, union, all[:from])
		}
	})
}
