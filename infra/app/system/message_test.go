package system

import (
	"net/http"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// One message's whole way: command, log, push, answer, row, page, and all of it
// again after kill -9.
func TestOneMessageAndAKill(t *testing.T) {
	s := serve(t, t.TempDir())
	s.befriend("a", "b")
	a, _ := s.login("a", nil)
	b, login := s.login("b", nil)
	if login.Data["code"] != "200" || login.Data["userId"] != "b" || login.Data["cursor"] == "" {
		t.Fatalf("login: %s", login.Raw)
	}
	text := "你好 <b>&amp;\u2028 👩‍👩‍👧 \"quoted\" "
	a.send("/chat/sendMessage", object{"token": token(t, "a"), "uniqueNo": "one", "receiveUserId": "b", "messageContent": text})
	p := b.expect(push("1"))
	if p.Data["sendUserId"] != "a" || p.Data["receiveUserId"] != "b" || p.Data["messageContent"] != text {
		t.Fatalf("push: %s", p.Raw)
	}
	if _, err := time.Parse("2006-01-02 15:04:05", p.Data["receiveDate"].(string)); err != nil {
		t.Fatalf("receiveDate: %s", p.Raw)
	}
	r := a.expect(resultOf("one"))
	if !r.ok() || r.Msg != "发送消息成功" || r.Obj["position"] != p.Data["position"] || r.Obj["messageId"] != p.Data["messageId"] {
		t.Fatalf("result %s does not fit push %s", r.Raw, p.Raw)
	}
	check := func() {
		t.Helper()
		for _, who := range []string{"a", "b"} {
			peer := map[string]string{"a": "b", "b": "a"}[who]
			rows := s.history(who, peer)
			if len(rows) != 1 || rows[0]["talkContent"] != text || rows[0]["position"] != r.Obj["position"] ||
				rows[0]["talkSide"] != (who == "a") || rows[0]["chatMessageId"] != r.Obj["messageId"] {
				t.Fatalf("history of %s: %v", who, rows)
			}
		}
	}
	check()
	s.kill()
	s.start()
	check()

	// The same request again, after the restart: the same answer, nothing new.
	again := s.must("a", "/chat/sendMessage", object{"uniqueNo": "one", "receiveUserId": "b", "messageContent": text})
	if again.Obj["position"] != r.Obj["position"] || again.Obj["messageId"] != r.Obj["messageId"] {
		t.Fatalf("the repeat was answered %s, the first %s", again.Raw, r.Raw)
	}
	other := s.post("a", "/chat/sendMessage", object{"uniqueNo": "one", "receiveUserId": "b", "messageContent": "other"})
	if other.ok() || other.reason() != "conflict" || other.Status != http.StatusConflict {
		t.Fatalf("the same uniqueNo with other content: %s", other.Raw)
	}
	check()
}

// The same uniqueNo from five connections at once and again after a restart: one
// message, one answer.
func TestOneUniqueNoFromFiveConnections(t *testing.T) {
	s := serve(t, t.TempDir())
	s.befriend("a", "b")
	b, _ := s.login("b", nil)
	var socks []*socket
	for range 5 {
		k, _ := s.login("a", nil)
		socks = append(socks, k)
	}
	p := object{"token": token(t, "a"), "uniqueNo": "same", "receiveUserId": "b", "messageContent": "once"}
	for _, k := range socks {
		k.send("/chat/sendMessage", p)
	}
	position := ""
	for _, k := range socks {
		r := k.expect(resultOf("same"))
		got, _ := r.Obj["position"].(string)
		if !r.ok() || got == "" || (position != "" && position != got) {
			t.Fatalf("answers differ: %s, before %s", r.Raw, position)
		}
		position = got
	}
	b.expect(push("1"))
	s.kill()
	s.start()
	delete(p, "token")
	if r := s.must("a", "/chat/sendMessage", p); r.str("position") != position {
		t.Fatalf("after the restart: %s, before %s", r.Raw, position)
	}
	if rows := s.history("b", "a"); len(rows) != 1 {
		t.Fatalf("%d messages", len(rows))
	}
}

// A client that logs in with its cursor gets what it missed, in order, nothing
// twice, then goes on live.
func TestResumeAcrossARestart(t *testing.T) {
	s := serve(t, t.TempDir())
	s.befriend("a", "b")
	b, login := s.login("b", nil)
	send := func(text string) {
		s.must("a", "/chat/sendMessage", object{"uniqueNo": text, "receiveUserId": "b", "messageContent": text})
	}
	send("m0")
	seen := b.expect(push("1"))
	cursor := login.Data["cursor"].(string)
	if seen.Data["messageContent"] != "m0" {
		t.Fatalf("%s", seen.Raw)
	}
	b.conn.CloseNow()
	for _, m := range []string{"m1", "m2"} {
		send(m)
	}
	s.kill()
	s.start()
	send("m3")
	b, login = s.login("b", object{"cursor": cursor})
	if login.Data["code"] != "200" || login.Data["cursor"] != cursor {
		t.Fatalf("the login's cursor: %s, sent %s", login.Raw, cursor)
	}
	for _, want := range []string{"m0", "m1", "m2", "m3"} {
		if p := b.expect(push("1")); p.Data["messageContent"] != want {
			t.Fatalf("want %s, got %s", want, p.Raw)
		}
	}
	done := b.next()
	if done.MsgType != "15" || done.Data["complete"] != true || done.Data["cursor"] == "" {
		t.Fatalf("after the backlog: %s", done.Raw)
	}
	send("m4")
	if p := b.next(); p.MsgType != "1" || p.Data["messageContent"] != "m4" {
		t.Fatalf("live: %s", p.Raw)
	}
	// From the cursor that 15 gave, only what came later.
	b.conn.CloseNow()
	b, _ = s.login("b", object{"cursor": done.Data["cursor"]})
	if p := b.next(); p.Data["messageContent"] != "m4" {
		t.Fatalf("second resume: %s", p.Raw)
	}
	for _, bad := range []string{"nonsense", "c0-99999999", "c99-1", "c0-1,c0-2"} {
		k, refused := s.login("b", object{"cursor": bad})
		if refused.Data["code"] != "400" || refused.Data["reason"] == nil {
			t.Fatalf("cursor %q: %s", bad, refused.Raw)
		}
		k.send("/chat/ping", object{})
		if p := k.next(); !p.ok() || p.Msg != "pong" {
			t.Fatalf("the connection did not stay: %s", p.Raw)
		}
	}
}

func TestShutdownIsOrderly(t *testing.T) {
	s := serve(t, t.TempDir())
	s.befriend("a", "b")
	b, _ := s.login("b", nil)
	if code := s.terminate(); code != 0 {
		t.Fatalf("exit status %d\n%s", code, s.log)
	}
	for range b.frames {
	}
	if err := <-b.closed; websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Fatalf("closed with %v", err)
	}
	s.start()
	if n := len(s.must("a", "/friend/myFriendList", object{}).list()); n == 0 {
		t.Fatal("the friend is gone")
	}
}
