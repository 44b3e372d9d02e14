package history_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"lishi/commands"
	"lishi/events"
	"lishi/projections"
	"lishi/projections/history"
	"lishi/projections/projectiontest"
)

func edit(w *projectiontest.World, m events.Recorded, text string) events.Recorded {
	return w.Do(m.Actor, m.Stream, events.MessageEdited{Message: m.Position, Content: events.Content{Plain: text}})
}

func recall(w *projectiontest.World, by string, m events.Recorded) events.Recorded {
	return w.Do(by, m.Stream, events.MessageRecalled{Message: m.Position, Sender: m.Actor})
}

func TestEditedAndRecalled(t *testing.T) {
	w := projectiontest.New(t, history.Projection{})
	w.Register("a", "b")
	w.Befriend("a", "b")
	one, two, three := w.Say("a", "b", "one"), w.Say("b", "a", "two"), w.Say("a", "b", "three")
	edit(w, one, "uno")
	eins := edit(w, one, "eins")
	edit(w, two, "due")
	second := recall(w, "b", two)
	third := recall(w, "a", three)
	mark := func(change string, e events.Recorded) string {
		return fmt.Sprintf(`,"%s":true,"operatorUserId":"%s","changeTime":%d`, change, e.Actor, e.Time.UnixMilli())
	}
	row := func(m events.Recorded, to, text, mark string, own bool) string {
		return fmt.Sprintf(`{"chatMessageId":"%s","sendUserId":"%s","sendNickName":"N%[2]s","receiveUserId":"%s","talkDate":"%s","time":%d,"talkContent":"%s","avatar":"","talkSide":%t,"position":"%s"%s}`,
			m.ID, m.Actor, to, m.Time.Add(8*3600e9).Format("2006-01-02 15:04:05"), m.Time.UnixMilli(), text, own, m.Position, mark)
	}
	want := "[" + row(one, "b", "eins", mark("edited", eins), true) + "," + row(two, "a", "", mark("recalled", second), false) + "," +
		row(three, "b", "", mark("recalled", third), true) + "]"
	if got, _ := json.Marshal(w.Ask("a", history.LoadPair{UserID: "b"}).List); string(got) != want {
		t.Errorf("the page is\n%s, want\n%s", got, want)
	}
	// Its place is the original's: edits have no rows of their own in pages.
	if got := texts(w.Ask("b", history.LoadPair{UserID: "a", Limit: 1, Before: two.Position.String()}).List); !slices.Equal(got, []string{"eins"}) {
		t.Errorf("before the second: %q", got)
	}
	if got := texts(w.Ask("b", history.LoadPair{UserID: "a", After: three.Position.String()}).List); len(got) != 0 {
		t.Errorf("after the last: %q", got)
	}
	if got := texts(w.Ask("b", history.LoadPair{UserID: "a", Page: 3, PageSize: 1}).List); !slices.Equal(got, []string{"eins"}) {
		t.Errorf("the third page: %q", got)
	}
	loaded := w.Ask("a", places{{one.Stream, one.Position.Offset}, {two.Stream, two.Position.Offset}, {one.Stream, 1 << 40}}).List.(map[history.Place]history.Message)
	if m := loaded[history.Place{Stream: one.Stream, Offset: one.Position.Offset}]; m.TalkContent != "eins" || !m.Edited {
		t.Errorf("by its place the first is %+v", m)
	}
	if m := loaded[history.Place{Stream: two.Stream, Offset: two.Position.Offset}]; m.TalkContent != "" || !m.Recalled || m.Edited || len(loaded) != 2 {
		t.Errorf("by its place the second is %+v, of %d", m, len(loaded))
	}
}

func TestEveryVersionIsARow(t *testing.T) {
	w := projectiontest.New(t, history.Projection{})
	w.Register("o", "m")
	g := w.Create("g", "o", "m")
	said := w.Tell("m", g, "first")
	second := edit(w, said, "second")
	third := edit(w, said, "third")
	gone := recall(w, "o", said)
	// An edit after the recall is void, and no version.
	w.Record(w.Event("m", g, events.MessageEdited{Message: said.Position, Content: events.Content{Plain: "fourth"}}))
	w.Settle()
	row := func(e events.Recorded, change, content string) string {
		return fmt.Sprintf("%s %d %d %s %s %s %d %d", e.Stream.Key(), said.Position.Offset, e.Position.Offset, change, content, e.Actor, e.Time.UnixMilli(), e.At.UnixMilli())
	}
	want := []string{row(second, "edited", "second"), row(third, "edited", "third"), row(gone, "recalled", "")}
	got := func() []string {
		return projectiontest.Strings(t, w.DB, `SELECT format('{} {} {} {} {} {} {} {}', conversation, toString(original), toString(offset), toString(change), content, by, toString(said), toString(recorded))
			FROM versions ORDER BY offset`)
	}
	if !slices.Equal(got(), want) {
		t.Errorf("versions are %q, want %q", got(), want)
	}
	projectiontest.Exec(t, w.DB, fmt.Sprintf("OPTIMIZE TABLE versions_b%d FINAL", w.Engine.Live(history.Name)))
	if !slices.Equal(got(), want) {
		t.Errorf("merged, versions are %q, want %q", got(), want)
	}
	if got := projectiontest.Strings(t, w.DB, "SELECT content FROM messages"); !slices.Equal(got, []string{"first"}) {
		t.Errorf("what was sent is %q", got)
	}
}

// Rows that a crash has written twice, and a build made anew, show the same.
func TestVersionsWrittenTwice(t *testing.T) {
	w := projectiontest.New(t, history.Projection{})
	w.Register("a", "b")
	w.Befriend("a", "b")
	one, two := w.Say("a", "b", "one"), w.Say("a", "b", "two")
	w.Say("b", "a", "three")
	edit(w, one, "eins")
	edit(w, one, "uno")
	recall(w, "a", two)
	before, _ := json.Marshal(w.Ask("b", history.LoadPair{UserID: "a"}).List)
	for _, table := range []string{"messages", "versions"} {
		live := fmt.Sprintf("%s_b%d", table, w.Engine.Live(history.Name))
		projectiontest.Exec(t, w.DB, "INSERT INTO "+live+" SELECT * FROM "+live)
	}
	if after, _ := json.Marshal(w.Ask("b", history.LoadPair{UserID: "a"}).List); string(after) != string(before) {
		t.Errorf("written twice, the page is\n%s, was\n%s", after, before)
	}
	if err := w.Engine.Replay(t.Context(), []string{history.Name}, projections.Replaying{}); err != nil { // the comparison takes each key once
		t.Fatal(err)
	}
	if after, _ := json.Marshal(w.Ask("b", history.LoadPair{UserID: "a"}).List); string(after) != string(before) {
		t.Errorf("built anew, the page is\n%s, was\n%s", after, before)
	}
}

// places asks for messages by their places.
type places []history.Place

func (places) Needs() []string { return []string{history.Name} }

func (q places) Run(ctx context.Context, r projections.Reader, caller string) (projections.Page, error) {
	m, err := history.Load(ctx, r, caller, q)
	return projections.Page{List: m}, err
}

// Who left sees what was said as it was then; so does who is back, until it is
// edited again. A recall is for everybody.
func TestWhoLeftSeesTheVersionOfThen(t *testing.T) {
	w := projectiontest.New(t, history.Projection{})
	w.Register("o", "m")
	g := w.Create("g", "o", "m")
	one, two := w.Tell("o", g, "one"), w.Tell("o", g, "two")
	edit(w, one, "one, seen")
	w.Do("o", g, events.GroupMemberRemoved{UserID: "m"})
	away := w.Tell("o", g, "away")
	edit(w, one, "one, behind m's back")
	edit(w, two, "two, behind m's back")
	edit(w, away, "away, too")
	see := func(user string) []string { return texts(w.Ask(user, history.LoadGroup{GroupID: "g"}).List) }
	if got := see("m"); !slices.Equal(got, []string{"one, seen", "two"}) {
		t.Errorf("m, who left, sees %q", got)
	}
	loaded := w.Ask("m", places{{g, one.Position.Offset}}).List.(map[history.Place]history.Message)
	if m := loaded[history.Place{Stream: g, Offset: one.Position.Offset}]; m.TalkContent != "one, seen" || !m.Edited {
		t.Errorf("by its place m finds %+v", m)
	}
	if got := see("o"); !slices.Equal(got, []string{"one, behind m's back", "two, behind m's back", "away, too"}) {
		t.Errorf("o sees %q", got)
	}
	recall(w, "o", two)
	if got := see("m"); !slices.Equal(got, []string{"one, seen", ""}) {
		t.Errorf("after the recall m sees %q", got)
	}
	w.Do("m", g, events.GroupJoined{})
	if got := see("m"); !slices.Equal(got, []string{"one, seen", ""}) {
		t.Errorf("m, who is back, sees %q", got)
	}
	edit(w, one, "one, for m too")
	w.Do("o", g, events.GroupDeleted{})
	if got := see("m"); !slices.Equal(got, []string{"one, for m too", ""}) {
		t.Errorf("after the group's end m sees %q", got)
	}
}

// A page is what a plain fold of the log says, whatever was edited, recalled,
// joined and left, for everybody who asks.
func TestPagesFollowTheLog(t *testing.T) {
	w := projectiontest.New(t, history.Projection{})
	w.Register("o", "m", "n")
	g := w.Create("g", "o", "n")
	type message struct {
		at       events.Recorded
		text     map[string]string // by who may see it, as they see it
		changed  map[string]bool
		recalled bool
	}
	var all []*message
	in := map[string]bool{"o": true, "n": true}
	rapid.Check(t, func(rt *rapid.T) {
		for range rapid.IntRange(1, 4).Draw(rt, "steps") {
			user := rapid.SampledFrom([]string{"m", "n"}).Draw(rt, "who")
			n := rapid.IntRange(0, max(len(all)-1, 0)).Draw(rt, "which")
			switch rapid.SampledFrom([]string{"say", "say", "edit", "edit", "recall", "move"}).Draw(rt, "what") {
			case "say":
				m := &message{at: w.Tell("o", g, fmt.Sprint("m", len(all))), text: map[string]string{}, changed: map[string]bool{}}
				for u, is := range in {
					if is {
						m.text[u] = fmt.Sprint("m", len(all))
					}
				}
				all = append(all, m)
			case "edit":
				if len(all) == 0 || all[n].recalled {
					continue
				}
				text := fmt.Sprint("edited ", w.Clock.Unix())
				edit(w, all[n].at, text)
				for u, is := range in {
					if _, saw := all[n].text[u]; is && saw {
						all[n].text[u], all[n].changed[u] = text, true
					}
				}
			case "recall":
				if len(all) == 0 || all[n].recalled || n%3 > 0 {
					continue
				}
				recall(w, "o", all[n].at)
				all[n].recalled = true
			case "move":
				if in[user] = !in[user]; !in[user] {
					w.Do(user, g, events.GroupMemberQuit{})
					continue
				}
				w.Do(user, g, events.GroupJoined{})
			}
		}
		user := rapid.SampledFrom([]string{"o", "m", "n"}).Draw(rt, "asks")
		var want []string
		for _, m := range all {
			switch text, saw := m.text[user]; {
			case saw && m.recalled:
				want = append(want, "recalled:")
			case saw:
				want = append(want, fmt.Sprint(m.changed[user], ":", text))
			}
		}
		page, err := w.Try(user, history.LoadGroup{GroupID: "g", Limit: 200})
		if err != nil {
			if errors.Is(err, commands.ErrNotMember) && len(want) == 0 {
				return
			}
			rt.Fatal(err)
		}
		var got []string
		for _, m := range page.List.([]history.Message) {
			if m.Recalled {
				got = append(got, "recalled:"+m.TalkContent)
				continue
			}
			got = append(got, fmt.Sprint(m.Edited, ":", m.TalkContent))
		}
		if !slices.Equal(got, want[max(len(want)-200, 0):]) {
			rt.Fatalf("%s sees %q, want %q", user, got, want)
		}
	})
}
