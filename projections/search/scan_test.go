package search_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"lishi/commands"
	"lishi/events"
	"lishi/projections/history"
	"lishi/projections/projectiontest"
	"lishi/projections/search"
)

// said is a message as the property test remembers it.
type said struct {
	at       events.Position
	by       string
	texts    []version
	hidden   map[string]bool // who may not see it
	recalled bool
}

type version struct {
	text   string
	offset int64
}

// seen is the text of a message for somebody whom what was written at an offset
// reached.
func (m *said) seen(by string, reached func(offset int64) bool) (text string, ok bool) {
	for _, v := range m.texts {
		if reached(v.offset) {
			text = v.text
		}
	}
	return text, !m.hidden[by] && !m.recalled
}

// stay is a membership: of the offsets behind from, up to to.
type stay struct{ from, to int64 }

// crowd does random things and remembers them.
type crowd struct {
	w             *projectiontest.World
	users         []string
	groups        []events.Stream
	members       map[events.Stream]map[string]bool
	stays         map[events.Stream]map[string][]stay
	conversations map[events.Stream][]*said
}

func newCrowd(w *projectiontest.World) *crowd {
	c := &crowd{
		w: w, users: []string{"a", "b", "c", "d"}, members: map[events.Stream]map[string]bool{},
		stays: map[events.Stream]map[string][]stay{}, conversations: map[events.Stream][]*said{},
	}
	w.Register(c.users...)
	w.Befriend("a", "b")
	w.Befriend("a", "c")
	w.Befriend("b", "c")
	for i := range 3 {
		g := w.Create(fmt.Sprint("g", i), "a")
		c.groups = append(c.groups, g)
		c.members[g], c.stays[g] = map[string]bool{"a": true}, map[string][]stay{"a": {{-1, lasting}}}
	}
	return c
}

const lasting = 1 << 62

func word(rt *rapid.T, least, most int) string {
	letters := []string{"好", "友", "a", "B", "b", "%", "_", `\`, "👍", " ", "é", "É"}
	return strings.Join(rapid.SliceOfN(rapid.SampledFrom(letters), least, most).Draw(rt, "word"), "")
}

func (c *crowd) speak(rt *rapid.T) {
	text := word(rt, 1, 8)
	s, by := rapid.SampledFrom(c.groups).Draw(rt, "group"), "a"
	if rapid.Bool().Draw(rt, "pair") {
		i, j := rapid.IntRange(0, 2).Draw(rt, "from"), rapid.IntRange(1, 2).Draw(rt, "to")
		by = c.users[i]
		s = events.PairStream(by, c.users[(i+j)%3])
	}
	r := c.w.Do(by, s, events.MessageSent{Content: events.Content{Plain: text}})
	m := &said{at: r.Position, by: by, texts: []version{{text, r.Position.Offset}}, hidden: map[string]bool{}}
	for _, u := range c.users {
		m.hidden[u] = s.Kind == events.Group && !c.members[s][u] || s.Kind == events.Pair && s.Other(u) == ""
	}
	c.conversations[s] = append(c.conversations[s], m)
}

// change edits or recalls one of the latest messages.
func (c *crowd) change(rt *rapid.T) {
	s := rapid.SampledFrom(append(c.groups, events.PairStream("a", "b"))).Draw(rt, "of")
	all := c.conversations[s]
	if len(all) == 0 {
		return
	}
	m := all[max(0, len(all)-1-rapid.IntRange(0, 4).Draw(rt, "back"))]
	switch {
	case m.recalled:
	case rapid.IntRange(0, 3).Draw(rt, "recall") == 0:
		c.w.Do(m.by, s, events.MessageRecalled{Message: m.at, Sender: m.by})
		m.recalled = true
	default:
		text := word(rt, 1, 8)
		r := c.w.Do(m.by, s, events.MessageEdited{Message: m.at, Content: events.Content{Plain: text}})
		m.texts = append(m.texts, version{text, r.Position.Offset})
	}
}

func (c *crowd) move(rt *rapid.T) {
	u, g := rapid.SampledFrom([]string{"b", "c"}).Draw(rt, "who"), rapid.SampledFrom(c.groups).Draw(rt, "where")
	if all := c.stays[g][u]; c.members[g][u] {
		all[len(all)-1].to = c.w.Do(u, g, events.GroupMemberQuit{}).Position.Offset
	} else {
		c.stays[g][u] = append(all, stay{c.w.Do(u, g, events.GroupJoined{}).Position.Offset, lasting})
	}
	c.members[g][u] = !c.members[g][u]
}

// scan is what search has to find.
func (c *crowd) scan(caller, text string, only *events.Stream) (want []string) {
	for s, all := range c.conversations {
		reached := func(at int64) bool {
			return s.Kind != events.Group || slices.ContainsFunc(c.stays[s][caller], func(x stay) bool { return at > x.from && at <= x.to })
		}
		for _, m := range all {
			now, ok := m.seen(caller, reached)
			if ok && (only == nil || *only == s) && strings.Contains(strings.ToLower(now), strings.ToLower(text)) {
				want = append(want, m.at.String())
			}
		}
	}
	slices.Sort(want)
	return want
}

// What is found is what a scan of everything finds, whoever asks, whatever they
// were members of and whatever was edited and recalled, in pages of any size,
// with messages arriving meanwhile; it takes several windows.
func TestSearchIsAScan(t *testing.T) {
	search.SmallWindows(t)
	w := world(t)
	c := newCrowd(w)
	rapid.Check(t, func(rt *rapid.T) {
		for range rapid.IntRange(0, 5).Draw(rt, "steps") {
			switch rapid.IntRange(0, 5).Draw(rt, "step") {
			case 0:
				c.move(rt)
			case 1:
				c.change(rt)
			default:
				c.speak(rt)
			}
		}
		caller, q := rapid.SampledFrom(c.users).Draw(rt, "caller"), search.Messages{Text: word(rt, 2, 3), Limit: rapid.Int64Range(1, 6).Draw(rt, "limit")}
		var only *events.Stream
		switch rapid.IntRange(0, 2).Draw(rt, "narrow") {
		case 1:
			if q.UserID = rapid.SampledFrom(c.users).Draw(rt, "with"); q.UserID != caller {
				s := events.PairStream(caller, q.UserID)
				only = &s
			} else {
				q.UserID = ""
			}
		case 2:
			only = &c.groups[rapid.IntRange(0, 2).Draw(rt, "in")]
			q.GroupID = only.ID
		}
		want := c.scan(caller, q.Text, only)
		if n := int64(len(want)); n > 4*q.Limit {
			q.Limit = n/4 + 1
		}
		var union []string
		var last int64
		for {
			page, err := w.Try(caller, q)
			if errors.Is(err, commands.ErrNotMember) && len(want) == 0 {
				return
			}
			if err != nil {
				rt.Fatal(err)
			}
			list := page.List.([]history.Message)
			if int64(len(list)) > q.Limit || page.Next != "" && int64(len(list)) < q.Limit {
				rt.Fatalf("a page of %d, the limit is %d, next is %q", len(list), q.Limit, page.Next)
			}
			for _, m := range list {
				at, _ := events.ParsePosition(m.Position)
				if only != nil && last != 0 && at.Offset >= last {
					rt.Fatalf("%s comes after offset %d", m.Position, last)
				}
				last = at.Offset
				union = append(union, m.Position)
			}
			if q.Before = page.Next; page.Next == "" {
				break
			}
			if rapid.IntRange(0, 3).Draw(rt, "arrives") == 0 {
				c.speak(rt) // newer than the first page
			}
		}
		slices.Sort(union)
		if !slices.Equal(union, want) {
			rt.Fatalf("%s looks for %q in %v: %v, want %v", caller, q.Text, only, union, want)
		}
	})
}
