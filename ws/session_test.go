package ws

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"lishi/commands"
	"lishi/events"
	"lishi/ws/wire"
)

func TestEveryConnectionOfAUserGetsThePushesButTheActing(t *testing.T) {
	w := newWorld(t, settings{})
	w.befriend("alice", "bob")
	var alices, bobs []*client
	for range 3 {
		alices, bobs = append(alices, w.as("alice")), append(bobs, w.as("bob"))
	}
	stranger := w.connect() // has not logged in, but may send
	obj := alices[1].do("/chat/sendMessage", "token", "alice", "uniqueNo", "1", "receiveUserId", "bob", "messageContent", "x")
	for _, c := range append(bobs, alices[0], alices[2]) {
		if data := c.next()["data"].(map[string]any); data["position"] != obj["position"] {
			t.Fatalf("%v", data)
		}
	}
	w.silent(append(append(alices, bobs...), stranger)...)
	stranger.do("/chat/sendMessage", "token", "alice", "uniqueNo", "2", "receiveUserId", "bob", "messageContent", "y")
	for _, c := range append(alices, bobs...) {
		if data := c.next()["data"].(map[string]any); data["messageContent"] != "y" {
			t.Fatalf("%v", data)
		}
	}
	bobs[0].close()
	eventually(t, "the closed connection is forgotten", func() bool { return w.server.hub.logins.Load() == 5 })
	if !w.server.Online("bob") || w.server.Online("carol") {
		t.Error("online is wrong")
	}
	w.silent(append(alices, bobs[1], bobs[2], stranger)...)
}

// One message, one answer, whichever of five connections asked, and none of them
// gets a push for it.
func TestTheSameRequestFromFiveConnectionsAtOnce(t *testing.T) {
	w := newWorld(t, settings{})
	w.befriend("alice", "bob")
	bob := w.as("bob")
	w.log.pause(true)
	var alices []*client
	for range 5 {
		c := w.connect()
		c.login("alice")
		c.request("/chat/sendMessage", "token", "alice", "uniqueNo", "1", "receiveUserId", "bob", "messageContent", "x")
		alices = append(alices, c)
	}
	eventually(t, "all five are under way", func() bool { return w.server.under.Load() == 5 })
	w.log.pause(false)
	first := alices[0].raw()
	for _, c := range alices[1:] {
		if f := c.raw(); f != first {
			t.Errorf("%s and %s", first, f)
		}
	}
	if bob.next()["msgType"] != "1" {
		t.Error("no push")
	}
	w.silent(append(alices, bob)...)
	again := w.connect() // and later, on a connection that was not there
	again.request("/chat/sendMessage", "token", "alice", "uniqueNo", "1", "receiveUserId", "bob", "messageContent", "x", "resend", "true")
	if f := again.raw(); f != first {
		t.Errorf("%s and %s", first, f)
	}
	w.silent(append(alices, bob, again)...)
}

func TestTokenExpiryClosesTheLogin(t *testing.T) {
	w := newWorld(t, settings{realNow: true})
	in := func(d time.Duration) string {
		return "alice~Alice~" + strconv.FormatInt(time.Now().Add(d).UnixMilli(), 10)
	}
	c, renewed := w.connect(), w.connect()
	token := in(300 * time.Millisecond)
	c.login(token)
	renewed.login(in(300 * time.Millisecond))
	renewed.login(in(time.Hour))
	if code := c.closeCode(); code != 4001 {
		t.Errorf("closed with %d", code)
	}
	fresh := w.connect()
	fresh.refused(commands.Unauthorized, "/user/updateUser", "token", token, "uniqueNo", "1", "nickName", "x")
	w.silent(renewed)
}

// A token that was verified is not verified again, but its expiry counts.
func TestAVerifiedTokenIsRemembered(t *testing.T) {
	w := newWorld(t, settings{})
	verified := 0
	verify := w.server.verify
	w.server.verify = func(token string, now time.Time) (Claims, error) {
		verified++
		return verify(token, now)
	}
	token := "alice~Alice~" + strconv.FormatInt(w.clock.Load()+1000, 10)
	c := w.connect()
	for i := range 10 {
		c.do("/user/updateUser", "token", token, "uniqueNo", strconv.Itoa(i), "nickName", strconv.Itoa(i))
	}
	if verified != 1 {
		t.Errorf("verified %d times", verified)
	}
	w.clock.Add(1000)
	f := c.refused(commands.Unauthorized, "/user/updateUser", "token", token, "uniqueNo", "late", "nickName", "x")
	if f["code"] != 401.0 {
		t.Errorf("%v", f)
	}
	c.refused(commands.Unauthorized, "/user/updateUser", "token", "forged", "uniqueNo", "f", "nickName", "x")
}

func TestWhoSaysNothingValidIsClosed(t *testing.T) {
	w := newWorld(t, settings{options: Options{LoginTimeout: 300 * time.Millisecond}})
	silent, pinging, valid, logged := w.connect(), w.connect(), w.connect(), w.connect()
	pinging.request(pathPing)
	pinging.next()
	pinging.refused(commands.Unauthorized, "/user/updateUser", "token", "forged")
	valid.do("/user/updateUser", "token", "alice", "uniqueNo", "1", "nickName", "A")
	logged.login("bob")
	for _, c := range []*client{silent, pinging} {
		if code := c.closeCode(); code != 4003 {
			t.Errorf("closed with %d", code)
		}
	}
	w.silent(valid, logged)

	w = newWorld(t, settings{})
	c := w.connect()
	for range 10 {
		c.request(pathLogin, "token", "forged")
		if d := c.next()["data"].(map[string]any); d["code"] != "400" || d["reason"] != commands.Unauthorized {
			t.Fatalf("%v", d)
		}
	}
	if code := c.closeCode(); code != 4003 {
		t.Errorf("closed with %d", code)
	}
}

func TestRateOfAUser(t *testing.T) {
	w := newWorld(t, settings{options: Options{Rate: 10, Burst: 3}})
	a, b, other := w.connect(), w.connect(), w.connect()
	send := func(c *client, user string, no int) map[string]any {
		c.request("/user/updateUser", "token", user, "uniqueNo", strconv.Itoa(no), "nickName", "x")
		return c.next()
	}
	for i := range 3 { // over any connection
		if f := send([]*client{a, b, a}[i], "alice", i); f["code"] != 200.0 {
			t.Fatalf("%d: %v", i, f)
		}
	}
	f := send(b, "alice", 3)
	obj := f["obj"].(map[string]any)
	if obj["reason"] != commands.RateLimited || obj["retryAfterMs"] != 100.0 || obj["uniqueNo"] != "3" {
		t.Fatalf("%v", f)
	}
	if status, body := w.post("/user/updateUser", "application/json", object("token", "alice", "uniqueNo", "4", "nickName", "x")); status != 429 || !strings.Contains(body, `"retryAfterMs":100`) {
		t.Fatalf("%d %s", status, body)
	}
	a.request(pathLogin, "token", "alice")
	if d := a.next()["data"].(map[string]any); d["reason"] != commands.RateLimited || d["retryAfterMs"] != 100.0 {
		t.Fatalf("%v", d)
	}
	if f := send(other, "bob", 0); f["code"] != 200.0 {
		t.Fatalf("another user: %v", f)
	}
	w.clock.Add(100)
	if f := send(a, "alice", 5); f["code"] != 200.0 {
		t.Fatalf("after waiting: %v", f)
	}
	a.refused(commands.RateLimited, "/user/updateUser", "token", "alice", "uniqueNo", "6", "nickName", "x")
}

func TestAFloodIsClosed(t *testing.T) {
	w := newWorld(t, settings{options: Options{Rate: 10, Burst: 3}})
	c := w.connect()
	for i := range 500 {
		if c.write(requestText("/user/updateUser", "token", "alice", "uniqueNo", strconv.Itoa(i), "nickName", "x")) != nil {
			break
		}
	}
	if code := c.closeCode(); code != 4009 {
		t.Errorf("closed with %d", code)
	}
	limited := 0
	for len(c.frames) > 0 {
		if c.next()["code"] != 200.0 {
			limited++
		}
	}
	if limited < 50 {
		t.Errorf("closed after %d refusals", limited)
	}
}

// A client that does not read is closed with 4008, and nobody else waits for it.
func TestSlowConsumer(t *testing.T) {
	w := newWorld(t, settings{options: Options{Wire: wire.Options{QueueLimit: 64 << 10, CloseTimeout: 200 * time.Millisecond}}})
	w.befriend("alice", "bob")
	reading := w.as("bob")
	slow, _, err := websocket.Dial(context.Background(), "ws"+strings.TrimPrefix(w.http.URL, "http")+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer slow.CloseNow()
	if err := slow.Write(context.Background(), websocket.MessageText, []byte(requestText(pathLogin, "token", "bob"))); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both are logged in", func() bool { return w.server.hub.logins.Load() == 2 })
	alice := w.connect()
	text := strings.Repeat("长", 5000)
	n := 0
	for closed := false; !closed && n < 2000; n++ {
		alice.do("/chat/sendMessage", "token", "alice", "uniqueNo", strconv.Itoa(n), "receiveUserId", "bob", "messageContent", text)
		reading.next()
		w.metrics.note(func() { closed = w.metrics.closed["4008"] == 1 })
	}
	w.metrics.note(func() {
		if w.metrics.closed["4008"] != 1 {
			t.Errorf("closed: %v", w.metrics.closed)
		}
	})
	w.silent(reading, alice)
}

func TestTheLogCanNotBeReached(t *testing.T) {
	w := newWorld(t, settings{})
	w.befriend("alice", "bob")
	alice, bob := w.as("alice"), w.as("bob")
	w.log.fail(events.ErrUnavailable)
	f := alice.refused(commands.Unavailable, "/chat/sendMessage", "token", "alice", "uniqueNo", "1", "receiveUserId", "bob", "messageContent", "x")
	if f["code"] != 400.0 {
		t.Errorf("%v", f)
	}
	status, _ := w.post("/chat/sendMessage", "application/json", object("token", "alice", "uniqueNo", "1", "receiveUserId", "bob", "messageContent", "x"))
	if status != 503 {
		t.Errorf("status %d", status)
	}
	carol := w.connect()
	carol.request(pathLogin, "token", "carol")
	if d := carol.next()["data"].(map[string]any); d["code"] != "400" || d["reason"] != commands.Unavailable || d["msg"] != "服务暂不可用" {
		t.Errorf("%v", d)
	}
	w.log.fail(nil)
	alice.do("/chat/sendMessage", "token", "alice", "uniqueNo", "1", "receiveUserId", "bob", "messageContent", "x")
	bob.next()
	carol.login("carol")
	w.silent(alice, bob, carol)
}

// Metrics name every request by url and reason, and every push by its msgType.
func TestMetrics(t *testing.T) {
	w := newWorld(t, settings{})
	w.befriend("alice", "bob")
	alice, bob := w.as("alice"), w.as("bob")
	alice.do("/chat/sendMessage", "token", "alice", "uniqueNo", "1", "receiveUserId", "bob", "messageContent", "x")
	alice.refused(commands.NotFound, "/chat/sendMessage", "token", "alice", "uniqueNo", "2", "receiveUserId", "nobody", "messageContent", "x")
	alice.send("x")
	alice.next()
	bob.next()
	alice.close()
	eventually(t, "the figures are there", func() (ok bool) {
		w.metrics.note(func() {
			m := w.metrics
			ok = m.open == 1 && m.pushed["1"] == 1 && m.pushed["8"] == 2 && m.requests["/chat/sendMessage ok"] == 1 &&
				m.requests["/chat/sendMessage not_found"] == 1 && m.requests["none bad_request"] == 1 && m.requests["/chat/login ok"] == 2
		})
		return ok
	})
}
