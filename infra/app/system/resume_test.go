package system

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A client that breaks off at any moment and logs in again with its cursor gets
// every event once and in order: others' as pushes, its own as results or, where
// the result was lost, as pushes. All of it while everybody writes.
func TestResumeUnderLoad(t *testing.T) {
	const peers, rounds = 5, 15
	s := serve(t, t.TempDir())
	for p := range peers {
		s.befriend("me", fmt.Sprint("p", p))
	}
	group := s.group("me", "p0", "p1")
	c := &follower{t: t, cursor: cursor{}, seen: map[string]string{}}
	_, login := s.login("me", nil)
	c.cursor.merge(t, login.Data["cursor"].(string)) // everything after this has to come
	var stop atomic.Bool
	var writers sync.WaitGroup
	for p := range peers {
		user := fmt.Sprint("p", p)
		writers.Go(func() {
			for n := 0; !stop.Load(); n++ {
				url, params := "/chat/sendMessage", object{"receiveUserId": "me"}
				if p < 2 && n%2 == 1 {
					url, params = "/chat/sendGroupMessage", object{"groupId": group}
				}
				params["uniqueNo"], params["messageContent"] = fmt.Sprint(n), fmt.Sprint(user, "-", n)
				if a, err := s.try(user, url, params); err != nil || !a.ok() {
					t.Errorf("%s: %v %s", user, err, a.Raw)
					return
				}
			}
		})
	}
	own := 0
	connect := func() *socket {
		sent := c.cursor.String()
		k, login := s.login("me", object{"cursor": sent})
		if login.Data["cursor"] != sent {
			t.Fatalf("sent cursor %s, got %s", sent, login.Raw)
		}
		return k
	}
	say := func(k *socket) {
		own++
		k.send("/chat/sendMessage", object{"token": token(t, "me"), "uniqueNo": fmt.Sprint("own", own), "receiveUserId": "p2", "messageContent": fmt.Sprint("own-", own)})
	}
	for range rounds {
		k := connect()
		for n := rand.IntN(300); n >= 0; n-- {
			if n%10 == 0 {
				say(k)
			}
			c.take(k.next())
		}
		k.conn.CloseNow()
	}
	stop.Store(true)
	writers.Wait()
	k := connect()
	for !c.take(k.next()) { // up to push 15
	}
	want := map[string]bool{}
	for p := range peers {
		for _, row := range s.history("me", fmt.Sprint("p", p)) {
			want[row["position"].(string)] = true
		}
	}
	for _, row := range s.pages("/group/loadMoreMessage", object{"groupId": group}) {
		want[row["position"].(string)] = true
	}
	// An own message may have been appended after the connection was gone.
	wait(t, "everything", 20*time.Second, func() bool {
		c.takeAll(k)
		for p := range want {
			if c.seen[p] == "" {
				return false
			}
		}
		return true
	})
	for p, raw := range c.seen {
		if !want[p] && strings.Contains(raw, `"messageId"`) {
			t.Errorf("%s is not in history", raw)
		}
	}
	t.Logf("%d events over %d connections", len(c.seen), rounds)
}

// follower keeps a cursor as the protocol says, and holds the server to it.
type follower struct {
	t      *testing.T
	cursor cursor
	seen   map[string]string // by position
}

// takeAll takes what is there.
func (f *follower) takeAll(k *socket) {
	for {
		select {
		case a := <-k.frames:
			f.take(a)
		default:
			return
		}
	}
}

// take notes a frame; it tells whether that was push 15.
func (f *follower) take(a answer) bool {
	f.t.Helper()
	from := a.Data
	if a.MsgType == "" {
		from = a.Obj
		if !a.ok() {
			f.t.Fatalf("refused: %s", a.Raw)
		}
	}
	position, ok := from["position"].(string)
	if !ok {
		return a.MsgType == "15"
	}
	if f.seen[position] != "" {
		f.t.Fatalf("%s came twice: %s and %s", position, f.seen[position], a.Raw)
	}
	f.seen[position] = a.Raw
	prefix, _, _ := strings.Cut(position, "-")
	before := f.cursor[prefix]
	f.cursor.merge(f.t, position)
	if f.cursor[prefix] == before {
		f.t.Fatalf("%s came after %s-%d", position, prefix, before)
	}
	return false
}

// pages is all rows of a query for me, by pages.
func (s *server) pages(url string, params object) []object {
	s.t.Helper()
	var all []object
	params["limit"] = 200
	for {
		page := s.must("me", url, params).list()
		all = append(page, all...)
		if len(page) < 200 {
			return all
		}
		params["before"] = page[0]["position"]
	}
}
