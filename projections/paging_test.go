package projections_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"lishi/events"
	"lishi/projections"
	"lishi/projections/friends"
	"lishi/projections/groups"
	"lishi/projections/history"
	"lishi/projections/projectiontest"
	"lishi/projections/recents"
	"lishi/projections/search"
)

// walk reads a list page by page while other things happen: each is a key, once.
type walk struct {
	// page gives the keys of the next page, and says whether there may be more.
	page func(limit int64) (keys []string, more bool)
	// meanwhile lets something happen between two pages, and gives the key of what
	// it added or moved.
	meanwhile func() string
	// later tells whether what is added meanwhile is to come on a later page; else
	// it may, once.
	later bool
}

// check walks to the end: what was there at the start comes once and in order,
// unless it moved, nothing comes twice, and pages are full but for the last.
func (k walk) check(rt *rapid.T, what string, want []string) {
	limit := rapid.Int64Range(1, 6).Draw(rt, "limit")
	var got []string
	moved := map[string]bool{}
	for {
		keys, more := k.page(limit)
		if int64(len(keys)) > limit || more && int64(len(keys)) < limit {
			rt.Fatalf("%s: a page of %d has %d rows, and more to come: %v", what, limit, len(keys), more)
		}
		for _, key := range keys {
			if slices.Contains(got, key) {
				rt.Fatalf("%s: %s comes twice, in pages of %d", what, key, limit)
			}
			got = append(got, key)
		}
		if !more {
			break
		}
		if k.meanwhile != nil && rapid.Bool().Draw(rt, "meanwhile") {
			key := k.meanwhile()
			if k.later {
				want = append(want, key)
			} else {
				moved[key] = true
			}
		}
	}
	without := func(keys []string) []string {
		return slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return moved[key] })
	}
	if got, want := without(got), without(want); !slices.Equal(got, want) {
		rt.Fatalf("%s in pages of %d:\n%q, want\n%q", what, limit, got, want)
	}
}

func positions(list any) (keys []string) {
	for _, m := range list.([]history.Message) {
		keys = append(keys, m.Position)
	}
	return keys
}

func reversed(keys []string) []string {
	keys = slices.Clone(keys)
	slices.Reverse(keys)
	return keys
}

// Every list that comes in pages, in both directions, by position and by number:
// the pages together are the whole, and nothing comes twice, whatever happens
// meanwhile. By number that holds while nothing happens: the newest is page 1.
func TestPagesAreTheWhole(t *testing.T) {
	w := projectiontest.New(t, history.Projection{}, recents.Projection{}, search.Projection{}, groups.Projection{}, friends.Projection{})
	w.Register("me", "peer")
	w.Befriend("me", "peer")
	g := w.Create("g", "peer", "me")
	people := []string{"me", "peer"}
	for i := range 12 {
		u := fmt.Sprintf("u%02d", 2*i)
		w.Register(u)
		w.Befriend("me", u)
		w.Say(u, "me", "hello")
		w.Do(u, g, events.GroupJoined{})
		people = append(people, u)
	}
	slices.Sort(people)
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		word := fmt.Sprintf("词%d语", run)
		s := rapid.SampledFrom([]events.Stream{events.PairStream("me", "peer"), g}).Draw(rt, "conversation")
		say := func(in events.Stream) string {
			time.Sleep(time.Millisecond) // search over all is sorted by the recorded time
			return w.Do(rapid.SampledFrom([]string{"me", "peer"}).Draw(rt, "who"), in, events.MessageSent{Content: events.Content{Plain: word}}).Position.String()
		}
		floor := say(s)
		var all []string // in s, after floor
		for range rapid.IntRange(1, 14).Draw(rt, "messages") {
			all = append(all, say(s))
		}
		load := func(page, size, limit int64, before, after string) []string {
			if s == g {
				return positions(w.Ask("me", history.LoadGroup{GroupID: "g", Page: page, PageSize: size, Limit: limit, Before: before, After: after}).List)
			}
			return positions(w.Ask("me", history.LoadPair{UserID: "peer", Page: page, PageSize: size, Limit: limit, Before: before, After: after}).List)
		}
		find := func(q search.Messages) func(int64) ([]string, bool) {
			return func(limit int64) ([]string, bool) {
				q.Text, q.Limit = word, limit
				page := w.Ask("me", q)
				q.Before = page.Next
				return positions(page.List), page.Next != ""
			}
		}
		switch kind := rapid.SampledFrom([]string{"before", "after", "number", "search all", "search one", "recents", "members"}).Draw(rt, "kind"); kind {
		case "before":
			newest, _ := events.ParsePosition(all[len(all)-1])
			newest.Offset++
			before := newest.String()
			walk{meanwhile: func() string { return say(s) }, page: func(limit int64) ([]string, bool) {
				keys := reversed(load(0, 0, limit, before, floor))
				if len(keys) > 0 {
					before = keys[len(keys)-1]
				}
				return keys, int64(len(keys)) == limit
			}}.check(rt, kind, reversed(all))
		case "after":
			after := floor
			walk{later: true, meanwhile: func() string { return say(s) }, page: func(limit int64) ([]string, bool) {
				keys := load(0, 0, limit, "", after)
				if len(keys) > 0 {
					after = keys[len(keys)-1]
				}
				return keys, int64(len(keys)) == limit
			}}.check(rt, kind, all)
		case "number":
			whole := append(reversed(all), floor) // earlier runs have said more
			page, left := int64(0), len(whole)
			walk{page: func(limit int64) ([]string, bool) {
				page++
				keys := reversed(load(page, limit, 0, "", ""))
				keys = keys[:min(len(keys), left)]
				left -= len(keys)
				return keys, left > 0
			}}.check(rt, kind, whole)
		case "search all":
			walk{meanwhile: func() string { return say(s) }, page: find(search.Messages{})}.check(rt, kind, append(reversed(all), floor))
		case "search one":
			q := search.Messages{UserID: "peer"}
			if s == g {
				q = search.Messages{GroupID: "g"}
			}
			walk{meanwhile: func() string { return say(s) }, page: find(q)}.check(rt, kind, append(reversed(all), floor))
		case "recents":
			var want []string
			for _, r := range w.Ask("me", recents.List{Limit: projections.MaxLimit}).List.([]recents.Recent) {
				want = append(want, r.RecentID)
			}
			before := ""
			walk{meanwhile: func() string {
				u := rapid.SampledFrom(people).Draw(rt, "whose")
				if u == "me" {
					say(g)
					return "g"
				}
				w.Say(u, "me", "again")
				return u
			}, page: func(limit int64) (keys []string, more bool) {
				page := w.Ask("me", recents.List{Before: before, Limit: limit})
				for _, r := range page.List.([]recents.Recent) {
					keys = append(keys, r.RecentID)
				}
				before = page.Next
				return keys, page.Next != ""
			}}.check(rt, kind, want)
		case "members":
			after := ""
			walk{meanwhile: func() string {
				u := fmt.Sprintf("u%02d", 2*rapid.IntRange(0, 11).Draw(rt, "mover")) // leaves and comes back
				w.Do(u, g, events.GroupMemberQuit{})
				if rapid.Bool().Draw(rt, "seen away") {
					w.Ask("me", groups.Users{GroupID: "g", Limit: 1})
				}
				w.Do(u, g, events.GroupJoined{})
				return u
			}, page: func(limit int64) (keys []string, more bool) {
				for _, u := range w.Ask("me", groups.Users{GroupID: "g", After: after, Limit: limit}).List.([]groups.User) {
					keys = append(keys, u.UserID)
				}
				if len(keys) > 0 {
					after = keys[len(keys)-1]
				}
				return keys, int64(len(keys)) == limit
			}}.check(rt, kind, people)
		}
	})
}
