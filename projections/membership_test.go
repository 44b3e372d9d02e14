package projections_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"lishi/commands"
	"lishi/events"
	"lishi/events/ledger"
	"lishi/projections"
	"lishi/projections/history"
	"lishi/projections/projectiontest"
	"lishi/projections/recents"
	"lishi/projections/search"
)

// spoken is a group's message as the test keeps it: all its texts, with the offsets
// of the events that wrote them.
type spoken struct {
	at       events.Position
	texts    []string
	written  []int64
	recalled bool
}

// text is the newest one that was written during one of the stays.
func (m spoken) text(s []stay) string {
	n := len(m.written) - 1
	for n > 0 && !during(s, m.written[n]) {
		n--
	}
	return m.texts[n]
}

// stay is a membership: the offsets of its first and its last event, 0 while it
// lasts.
type stay struct{ from, to int64 }

func during(stays []stay, offset int64) bool {
	return slices.ContainsFunc(stays, func(s stay) bool { return s.from < offset && (s.to == 0 || offset <= s.to) })
}

// Whatever happens in a group, everybody finds in its history, by reading and by
// searching, what was said while they were members, also after leaving and coming
// back; of an edited message the newest text that was written while they were
// members, and a recalled message nobody.
func TestMembersSeeWhatWasSaidWhileTheyWereMembers(t *testing.T) {
	w := projectiontest.New(t, history.Projection{}, recents.Projection{}, search.Projection{})
	users := []string{"o", "a", "b"}
	w.Register(users...)
	const word = "共同"
	groups := 0
	rapid.Check(t, func(rt *rapid.T) {
		groups++
		g := w.Create(fmt.Sprint("g", groups), "o")
		created, _ := w.Tail.Book().Relations(g).Group(g)
		stays := map[string][]stay{"o": {{from: created.Created}}}
		in := func(user string) bool {
			s := stays[user]
			return len(s) > 0 && s[len(s)-1].to == 0
		}
		var all []*spoken
		for range rapid.IntRange(5, 30).Draw(rt, "events") {
			user := rapid.SampledFrom(users).Draw(rt, "user")
			text := fmt.Sprintf("%d%s", len(all), rapid.SampledFrom([]string{"", word}).Draw(rt, "with"))
			switch what := rapid.SampledFrom([]string{"say", "say", "say", "edit", "edit", "recall", "move", "move", "remove"}).Draw(rt, "what"); {
			case what == "say" && in(user):
				m := w.Do(user, g, events.MessageSent{Content: events.Content{Plain: text}})
				all = append(all, &spoken{at: m.Position, texts: []string{text}, written: []int64{m.Position.Offset}})
			case what == "move" && user != "o" && !in(user):
				m := w.Do(user, g, events.GroupJoined{})
				stays[user] = append(stays[user], stay{from: m.Position.Offset})
			case (what == "move" || what == "remove") && user != "o" && in(user):
				actor, body := user, events.Body(events.GroupMemberQuit{})
				if what == "remove" {
					actor, body = "o", events.GroupMemberRemoved{UserID: user}
				}
				stays[user][len(stays[user])-1].to = w.Do(actor, g, body).Position.Offset
			case (what == "edit" || what == "recall") && len(all) > 0:
				m := all[rapid.IntRange(0, len(all)-1).Draw(rt, "which")]
				sent, _ := w.Log.At(t.Context(), m.at)
				switch {
				case m.recalled || !in(sent.Actor):
				case what == "edit":
					e := w.Do(sent.Actor, g, events.MessageEdited{Message: m.at, Content: events.Content{Plain: text}})
					m.texts, m.written = append(m.texts, text), append(m.written, e.Position.Offset)
				default:
					w.Do(sent.Actor, g, events.MessageRecalled{Message: m.at, Sender: sent.Actor})
					m.recalled = true
				}
			}
		}
		for _, user := range users {
			var want, hits []string
			s := stays[user]
			for _, m := range all {
				if !during(s, m.at.Offset) {
					continue
				}
				text := m.text(s)
				if m.recalled {
					text = ""
				}
				want = append(want, m.at.String()+text)
				if strings.Contains(text, word) {
					hits = append(hits, m.at.String()+text)
				}
			}
			page, err := w.Try(user, history.LoadGroup{GroupID: g.ID})
			if len(s) == 0 {
				if r, ok := err.(*commands.Refusal); !ok || r.Reason != commands.NotMember {
					rt.Fatalf("%s, who never was a member, is told %v", user, err)
				}
				continue
			}
			if err != nil {
				rt.Fatal(err)
			}
			if got := texts(page.List); !slices.Equal(got, want) {
				rt.Fatalf("%s sees\n%q, want\n%q", user, got, want)
			}
			got := texts(w.Ask(user, search.Messages{Text: word, GroupID: g.ID}).List)
			slices.Reverse(got)
			if !slices.Equal(got, hits) {
				rt.Fatalf("%s finds\n%q, want\n%q", user, got, hits)
			}
		}
	})
}

// texts are the rows of history with their positions.
func texts(list any) (all []string) {
	for _, m := range list.([]history.Message) {
		all = append(all, m.Position+m.TalkContent)
	}
	return all
}

// A node whose ledger is behind, while another one writes rows, shows nobody what
// was said and edited since then: somebody may have been removed before it.
func TestRowsThatAreAheadOfTheLedger(t *testing.T) {
	w := projectiontest.New(t, history.Projection{}, recents.Projection{}, search.Projection{})
	w.Register("o", "m")
	g := w.Create("g", "o", "m")
	said := w.Tell("o", g, "the word before")
	w.Settle()
	cut := w.Tail.Folded()
	behind := projectiontest.Still(t, nil, w.Log.Cut(cut))
	projectiontest.Eventually(t, "the other tail folds", func() bool { return behind.Tail.Folded().Covers(cut) })
	w.Do("o", g, events.GroupMemberRemoved{UserID: "m"})
	w.Do("o", g, events.MessageEdited{Message: said.Position, Content: events.Content{Plain: "another word"}})
	w.Tell("o", g, "the word after")
	w.Settle()
	for name, book := range map[string]*ledger.Book{"behind": behind.Tail.Book(), "up to date": w.Tail.Book()} {
		r := w.Reader()
		r.Book = book
		ask := func(q projections.Query) any {
			t.Helper()
			page, err := r.Answer(t.Context(), q, "m", nil)
			if err != nil {
				t.Fatal(err)
			}
			return page.List
		}
		want := []string{said.Position.String() + "the word before"}
		for _, q := range []projections.Query{history.LoadGroup{GroupID: "g"}, search.Messages{Text: "word"}, search.Messages{Text: "word", GroupID: "g"}} {
			if got := texts(ask(q)); !slices.Equal(got, want) {
				t.Errorf("%s: %T%+v shows m %q", name, q, q, got)
			}
		}
		if got := ask(recents.List{}).([]recents.Recent); len(got) != 1 || got[0].Content != "the word before" || got[0].Total != 1 {
			t.Errorf("%s: recents show m %+v", name, got)
		}
	}
}
