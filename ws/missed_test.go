package ws

import (
	"fmt"
	"testing"

	"lishi/commands"
	"lishi/events"
	"lishi/events/tail"
)

// Many who come back together share their passes, whether these go over memory,
// the log or the feed; each gets what was said to them and to their group while
// they belonged to it, in order and once.
func TestManyWhoComeBackShareThePasses(t *testing.T) {
	const people, rounds = 40, 30
	for name, tc := range map[string]struct {
		gap  int64
		ring int
		fed  bool // the feed is asked
	}{
		"near":                        {10_000, 1 << 20, false},
		"far, all of it in memory":    {rounds + 5, 1 << 20, false},
		"far, memory would cost more": {1, 1 << 20, true},
		"far, none of it in memory":   {rounds + 5, 2, true},
		"near, though not in memory":  {10_000, 2, false},
	} {
		t.Run(name, func(t *testing.T) {
			var feed *feedOfTests
			s := settings{layout: events.Layout{Conversations: 1, Users: 1}, tail: tail.Options{Ring: tc.ring}, options: Options{LogGap: tc.gap}}
			s.feed = func(w *world) Feed {
				feed = &feedOfTests{w: w, rows: map[string][]events.Recorded{}, done: events.Cursor{}}
				return feed
			}
			w := newWorld(t, s)
			group := w.connect().do("/group/addGroup", "token", "owner", "uniqueNo", "g", "groupName", "g", "joinMode", "9")["groupId"].(string)
			for i := range people {
				w.befriend("friend", fmt.Sprint("p", i))
			}
			x := &traffic{w: w, length: 5, sure: true}
			for i := range people {
				x.do(fmt.Sprint("p", i), &commands.ApplyGroup{GroupID: group}, "j")
			}
			x.wait.Wait()
			w.settle()
			cursor := w.tail.Folded().String()
			for n := range rounds {
				for i := range people {
					x.do("friend", &commands.SendMessage{ReceiveUserID: fmt.Sprint("p", i), Content: fmt.Sprintf("%d to %d", n, i)}, "m")
				}
				x.do("owner", &commands.SendGroupMessage{GroupID: group, Content: fmt.Sprint("all ", n)}, "g")
				if n == rounds/2 {
					x.do("owner", &commands.RemoveUserGroup{GroupID: group, RemoveUserID: "p0"}, "r")
				}
				x.wait.Wait() // the next round comes behind this one
			}
			w.settle()
			feed.build(0)

			// Nobody reads before all have come.
			w.server.passes = make(chan struct{}, 1)
			w.server.passes <- struct{}{}
			var all []*client
			for i := range people {
				c := w.connect()
				c.login(fmt.Sprint("p", i), "cursor", cursor)
				all = append(all, c)
			}
			g := w.server.near[0]
			if rounds*(people+1) > int(tc.gap) {
				g = w.server.far[0]
			}
			eventually(t, "all wait for a pass", func() bool {
				g.mu.Lock()
				defer g.mu.Unlock()
				return len(g.waiting) == people
			})
			feed.used = 0
			<-w.server.passes
			for i, c := range all {
				for n := range rounds {
					wantText(t, c, fmt.Sprintf("%d to %d", n, i))
					if i == 0 && n > rounds/2 {
						continue
					}
					wantText(t, c, fmt.Sprint("all ", n))
					if n == rounds/2 {
						if f := c.next(); i == 0 && f["msgType"] != "7" || i > 0 && f["msgType"] != "11" {
							t.Fatalf("p%d: %v", i, f)
						}
					}
				}
				if f := c.next(); f["msgType"] != "15" {
					t.Fatalf("p%d: %v", i, f)
				}
			}
			w.silent(all...)
			g.mu.Lock()
			defer g.mu.Unlock()
			if g.turn > people/2 { // those served by one pass ask again at different times
				t.Errorf("%d passes for %d people", g.turn, people)
			}
			if (feed.used > 0) != tc.fed || feed.used > people/2 {
				t.Errorf("the feed was asked %d times", feed.used)
			}
		})
	}
}

func wantText(t *testing.T, c *client, want string) {
	t.Helper()
	f := c.next()
	if d, _ := f["data"].(map[string]any); d["messageContent"] != want {
		t.Fatalf("%v, want %q", f, want)
	}
}
