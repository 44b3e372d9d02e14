package ws

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"lishi/commands"
	"lishi/events"
	"lishi/events/tail"
	"lishi/ws/wire"
)

// hookedTail lets a test act at the moments that decide whether something is lost
// or comes twice.
type hookedTail struct {
	Tail
	between, ranging func()
}

func (h *hookedTail) Between(p events.Partition, f func(int64)) {
	if h.between != nil {
		h.between()
	}
	h.Tail.Between(p, f)
}

func (h *hookedTail) Range(ctx context.Context, p events.Partition, after, upTo int64, each tail.Each) error {
	if h.ranging != nil {
		h.ranging()
	}
	return h.Tail.Range(ctx, p, after, upTo, each)
}

// say has a message sent that is folded and observed when it returns.
func (x *traffic) say(text string) {
	x.do("alice", &commands.SendMessage{ReceiveUserID: "bob", Content: text}, "m")
	x.wait.Wait()
	x.w.settle()
}

// Messages that come while a second login meets the partitions: each comes once,
// and those that its cursor has passed come before its 8.
func TestMessagesWhileLoggingInAgain(t *testing.T) {
	w := newWorld(t, settings{})
	w.befriend("alice", "bob")
	x := &traffic{w: w}
	bob := w.as("bob")
	hook := &hookedTail{Tail: w.server.tail}
	n := 0
	hook.between = func() { n++; x.say(strconv.Itoa(n)) }
	w.server.tail = hook
	bob.request(pathLogin, "token", "bob")
	cursor, next := events.Cursor(nil), 1
	for next <= 5 {
		f := bob.next()
		d := f["data"].(map[string]any)
		if f["msgType"] == "8" {
			cursor, _ = events.ParseCursor(d["cursor"].(string))
			continue
		}
		if d["messageContent"] != strconv.Itoa(next) {
			t.Fatalf("%v, not %d", d, next)
		}
		p, _ := events.ParsePosition(d["position"].(string))
		if passed := cursor != nil && p.Offset <= cursor[p.Partition]; passed {
			t.Errorf("%s came behind the login's answer %s", p, cursor)
		}
		next++
	}
	if cursor == nil {
		t.Error("no 8")
	}
	hook.between = nil
	w.silent(bob)
}

// Live messages that are too many to be held during a backlog come by another
// round of it; what is held while that round begins comes once.
func TestTooManyMessagesDuringABacklog(t *testing.T) {
	w := newWorld(t, settings{options: Options{Wire: wire.Options{QueueLimit: 256 << 10}}})
	w.befriend("alice", "bob")
	x := &traffic{w: w}
	cursor := w.tail.Folded().String()
	padding := strings.Repeat("x", 16000)
	n, rounds := 0, 0
	say := func() { n++; x.say(strconv.Itoa(n) + " " + padding) }
	say()
	hook := &hookedTail{Tail: w.server.tail}
	hook.ranging = func() {
		if rounds++; rounds == 1 {
			for range 8 { // 128 KiB, of which 64 KiB can be held
				say()
			}
			padding = ""       // so little that it is held
			hook.between = say // once for each partition of the next meeting
		} else {
			hook.between = nil
		}
	}
	w.server.tail = hook
	bob := w.connect()
	bob.login("bob", "cursor", cursor)
	eventually(t, "a second round", func() bool { return w.server.hub.logins.Load() == 1 })
	want := 1
	for {
		f := bob.next()
		if f["msgType"] == "15" {
			break
		}
		if text := f["data"].(map[string]any)["messageContent"].(string); !strings.HasPrefix(text, strconv.Itoa(want)+" ") {
			t.Fatalf("%.9s, not %d", text, want)
		}
		want++
	}
	for ; want <= n; want++ {
		if text := bob.next()["data"].(map[string]any)["messageContent"].(string); !strings.HasPrefix(text, strconv.Itoa(want)+" ") {
			t.Fatalf("%.9s, not %d", text, want)
		}
	}
	if rounds < 2 || n < 12 {
		t.Errorf("%d rounds, %d messages", rounds, n)
	}
	w.silent(bob)
}

// A login with a cursor holds the successes of later commands behind the backlog,
// and commands before the login are not told a second time.
func TestCommandsAroundALogin(t *testing.T) {
	w := newWorld(t, settings{})
	w.befriend("alice", "bob")
	first := w.as("alice")
	cursor := w.server.tail.Folded().String()
	first.close()
	bob := w.connect()
	for i := range 50 {
		bob.do("/chat/sendMessage", "token", "bob", "uniqueNo", strconv.Itoa(i), "receiveUserId", "alice", "messageContent", "x")
	}
	c := w.connect()
	before := c.do("/chat/sendMessage", "token", "alice", "uniqueNo", "before", "receiveUserId", "bob", "messageContent", "x")["position"]
	c.request(pathLogin, "token", "alice", "cursor", cursor)
	c.request("/chat/sendMessage", "token", "alice", "uniqueNo", "after", "receiveUserId", "bob", "messageContent", "x")
	if d := c.next()["data"].(map[string]any); d["cursor"] != cursor {
		t.Fatalf("%v, not %s", d, cursor)
	}
	for i := range 50 {
		if d := c.next()["data"].(map[string]any); d["position"] == before || d["sendUserId"] != "bob" {
			t.Fatalf("%d: %v", i, d)
		}
	}
	if f := c.next(); f["msgType"] != "15" {
		t.Fatalf("%v", f)
	}
	if f := c.next(); f["obj"].(map[string]any)["uniqueNo"] != "after" {
		t.Fatalf("%v", f)
	}
	w.silent(c)
}

func TestTooManyCommandsBeforeALoginWithCursor(t *testing.T) {
	w := newWorld(t, settings{})
	w.befriend("alice", "bob")
	c := w.connect()
	for i := range maxAnswered {
		c.request("/chat/sendMessage", "token", "alice", "uniqueNo", fmt.Sprint(i), "receiveUserId", "bob", "messageContent", "x")
	}
	for range maxAnswered {
		c.next()
	}
	c.request(pathLogin, "token", "alice", "cursor", "u0-0")
	if d := c.next()["data"].(map[string]any); d["reason"] != commands.BadRequest {
		t.Fatalf("%v", d)
	}
	c.login("alice")
}
