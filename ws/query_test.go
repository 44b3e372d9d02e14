package ws

import (
	"context"
	"strings"
	"testing"
	"time"

	"lishi/commands"
	"lishi/events"
	"lishi/projections"
)

// A query is asked with everything that the user was answered or pushed.
func TestQueriesSeeWhatTheUserSaw(t *testing.T) {
	w := newWorld(t, settings{})
	w.befriend("alice", "bob")
	alice, bob := w.as("alice"), w.as("bob")
	last := func() string {
		w.queries.mu.Lock()
		defer w.queries.mu.Unlock()
		return w.queries.seen[len(w.queries.seen)-1].String()
	}
	sent := alice.do("/chat/sendMessage", "token", "alice", "uniqueNo", "1", "receiveUserId", "bob", "messageContent", "x")["position"].(string)
	bob.next()
	for _, c := range []*client{alice, bob} {
		user := map[*client]string{alice: "alice", bob: "bob"}[c]
		c.do("/friend/myFriendList", "token", user)
		if s := last(); !strings.Contains(s, sent) {
			t.Errorf("%s asked with %s, not %s", user, s, sent)
		}
	}
	over := w.connect() // another connection of the same user
	over.do("/friend/myFriendList", "token", "bob", "uniqueNo", "q")
	if s := last(); !strings.Contains(s, sent) {
		t.Errorf("asked with %s", s)
	}
	if status, body := w.post("/friend/myFriendList", "application/json", object("token", "dave", "seen", "c3-7,u0-1,c3-9")); status != 200 || last() != "c3-9,u0-1" {
		t.Errorf("%d %s asked with %s", status, body, last())
	}
	for _, bad := range []string{"x", "c3-1,", "c3-01"} {
		over.refused(commands.BadRequest, "/friend/myFriendList", "token", "bob", "seen", bad)
	}
	// What came before a login is not pushed any more: queries see at least that.
	fresh := w.connect()
	cursor, err := events.ParseCursor(fresh.login("erin")["cursor"].(string))
	if err != nil {
		t.Fatal(err)
	}
	fresh.do("/friend/myFriendList", "token", "erin")
	if seen, _ := events.ParseCursor(last()); !seen.Covers(events.Cursor{{Topic: events.Users}: cursor[events.Partition{Topic: events.Users}]}) || len(seen) < 2 {
		t.Errorf("asked with %s after a login at %s", seen, cursor)
	}
	// What was answered over HTTP counts too, for who has no connection at all.
	_, body := w.post("/friend/applyFriend", "application/json", object("token", "carol", "uniqueNo", "2", "userId", "bob"))
	position := decodeJSON(t, body)["obj"].(map[string]any)["position"].(string)
	w.post("/friend/myFriendList", "application/json", object("token", "carol"))
	if s := last(); !strings.Contains(s, position) {
		t.Errorf("asked with %s, not %s", s, position)
	}
}

// A client takes over at its login's cursor: a query after that finds all before.
func TestQueriesSeeUpToTheLoginsCursor(t *testing.T) {
	w := newWorld(t, settings{})
	w.befriend("alice", "bob")
	alice := w.as("alice")
	sent := alice.do("/chat/sendMessage", "token", "alice", "uniqueNo", "1", "receiveUserId", "bob", "messageContent", "x")["position"].(string)
	w.as("carol").do("/friend/myFriendList", "token", "carol")
	w.queries.mu.Lock()
	defer w.queries.mu.Unlock()
	p, err := events.ParsePosition(sent)
	if seen := w.queries.seen[len(w.queries.seen)-1]; err != nil || seen[p.Partition] < p.Offset {
		t.Fatalf("asked with %s, which is before %s", seen, sent)
	}
}

func TestQueriesAnswerInTheirOwnTime(t *testing.T) {
	w := newWorld(t, settings{options: Options{Queries: 2, QueryTimeout: 200 * time.Millisecond}})
	release := make(chan struct{})
	w.queries.run = func(ctx context.Context, _ projections.Query, caller string) (projections.Page, error) {
		select {
		case <-release:
			return projections.Page{List: []map[string]string{{"of": caller + "<&>"}}, Next: "more"}, nil
		case <-ctx.Done():
			return projections.Page{}, &commands.Refusal{Reason: commands.Unavailable, Detail: "too late"}
		}
	}
	c := w.as("alice")
	c.request("/friend/myFriendList", "token", "alice", "uniqueNo", "late")
	if obj := c.next()["obj"].(map[string]any); obj["reason"] != commands.Unavailable || obj["uniqueNo"] != "late" {
		t.Fatalf("%v", obj)
	}
	close(release)
	c.request("/friend/myFriendList", "token", "alice", "uniqueNo", "q")
	if f := c.raw(); f != `{"code":200,"msg":"查询好友列表成功","obj":{"uniqueNo":"q","list":[{"of":"alice<&>"}],"next":"more"}}` {
		t.Fatal(f)
	}
	w.queries.run = func(context.Context, projections.Query, string) (projections.Page, error) {
		return projections.Page{}, nil
	}
	c.request("/friend/myFriendList", "token", "alice")
	if f := c.raw(); f != `{"code":200,"msg":"查询好友列表成功","obj":{"uniqueNo":"","list":[]}}` {
		t.Fatal(f)
	}
	w.queries.run = func(context.Context, projections.Query, string) (projections.Page, error) {
		return projections.Page{List: func() {}}, nil
	}
	c.refused(commands.Unavailable, "/friend/myFriendList", "token", "alice")
	w.queries.run = func(context.Context, projections.Query, string) (projections.Page, error) {
		return projections.Page{}, commands.ErrNotMember
	}
	f := c.refused(commands.NotMember, "/group/loadMoreMessage", "token", "alice", "groupId", "g")
	if f["code"] != 400.0 || f["msg"] != "查询群聊天记录失败" {
		t.Errorf("%v", f)
	}
}

// However many connections a user has, few of that user's queries run at once;
// others' do not wait for them.
func TestQueriesOfOneUser(t *testing.T) {
	w := newWorld(t, settings{options: Options{AtOnce: 2, QueryTimeout: time.Minute}})
	running, release := make(chan string, 100), make(chan struct{})
	w.queries.run = func(_ context.Context, _ projections.Query, caller string) (projections.Page, error) {
		if running <- caller; caller == "alice" {
			<-release
		}
		return projections.Page{}, nil
	}
	var all []*client
	for range 5 {
		c := w.as("alice")
		c.request("/friend/myFriendList", "token", "alice")
		all = append(all, c)
	}
	bob := w.as("bob")
	bob.do("/friend/myFriendList", "token", "bob")
	count := map[string]int{}
	for range 3 {
		count[<-running]++
	}
	if len(running) > 0 || count["alice"] != 2 || count["bob"] != 1 {
		t.Errorf("running: %v and %d more", count, len(running))
	}
	close(release)
	for _, c := range all {
		if obj := c.next()["obj"].(map[string]any); obj["list"] == nil {
			t.Errorf("%v", obj)
		}
	}
}
