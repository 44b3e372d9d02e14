package ws

import (
	"context"
	"errors"
	"testing"
	"time"

	"lishi/commands"
)

// Shutdown answers what is under way, refuses what comes, then closes with 1001.
func TestShutdown(t *testing.T) {
	w := newWorld(t, settings{})
	w.befriend("alice", "bob")
	alice, bob := w.as("alice"), w.as("bob")
	w.log.pause(true)
	alice.request("/chat/sendMessage", "token", "alice", "uniqueNo", "1", "receiveUserId", "bob", "messageContent", "x")
	eventually(t, "the command waits for the log", func() bool { return w.log.waiting() == 1 })
	done := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		done <- w.server.Shutdown(ctx)
	}()
	eventually(t, "the shutdown has begun", w.server.closed.Load)
	alice.refused(commands.Unavailable, "/chat/sendMessage", "token", "alice", "uniqueNo", "2", "receiveUserId", "bob", "messageContent", "x")
	if status, _ := w.post("/friend/myFriendList", "application/json", object("token", "alice")); status != 503 {
		t.Errorf("status %d", status)
	}
	w.log.pause(false)
	if f := alice.next(); f["code"] != 200.0 {
		t.Errorf("%v", f)
	}
	if f := bob.next(); f["msgType"] != "1" {
		t.Errorf("%v", f)
	}
	for _, c := range []*client{alice, bob} {
		if code := c.closeCode(); code != 1001 {
			t.Errorf("closed with %d", code)
		}
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestShutdownGivesUpInTime(t *testing.T) {
	w := newWorld(t, settings{})
	w.befriend("alice", "bob")
	alice := w.as("alice")
	w.log.pause(true)
	alice.request("/chat/sendMessage", "token", "alice", "uniqueNo", "1", "receiveUserId", "bob", "messageContent", "x")
	eventually(t, "the command waits for the log", func() bool { return w.log.waiting() == 1 })
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := w.server.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	alice.closeCode()
}

// unreadTail has not read the log yet.
type unreadTail struct {
	Tail
	read chan struct{}
}

func (u *unreadTail) Ready() <-chan struct{} { return u.read }

// Until the log is read, nothing is decided or answered from half of it.
func TestNothingIsAnsweredBeforeTheLogIsRead(t *testing.T) {
	w := newWorld(t, settings{})
	w.befriend("alice", "bob")
	unread := &unreadTail{w.server.tail, make(chan struct{})}
	w.server.tail = unread
	c := w.connect()
	c.request(pathLogin, "token", "alice")
	if d := c.next()["data"].(map[string]any); d["code"] != "400" || d["reason"] != commands.Unavailable {
		t.Errorf("%v", d)
	}
	c.refused(commands.Unavailable, "/chat/sendMessage", "token", "alice", "uniqueNo", "1", "receiveUserId", "bob", "messageContent", "x")
	c.refused(commands.Unavailable, "/friend/myFriendList", "token", "alice")
	if status, body := w.post("/chat/sendMessage", "application/json", object("token", "alice", "uniqueNo", "1", "receiveUserId", "bob", "messageContent", "x")); status != 503 {
		t.Error(status, body)
	}
	close(unread.read)
	c.login("alice")
	c.do("/chat/sendMessage", "token", "alice", "uniqueNo", "1", "receiveUserId", "bob", "messageContent", "x")
}
