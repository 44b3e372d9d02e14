package system

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"lishi/infra/tokens"
)

func TestProtocolHTTP(t *testing.T) {
	s := serve(t, t.TempDir())
	t.Run("ways to ask", func(t *testing.T) { s.on(t).waysToAsk() })
	t.Run("ways to fail", func(t *testing.T) { s.on(t).waysToFail() })
	t.Run("login", func(t *testing.T) { s.on(t).logins() })
	t.Run("expiry", func(t *testing.T) { s.on(t).expiry() })
}

// ask is one HTTP request as written.
func (s *server) ask(method, path, kind, bearer, body string) (answer, *http.Response) {
	s.t.Helper()
	req, err := http.NewRequest(method, "http://"+s.addr+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	if bearer != "" {
		req.Header.Set("Authorization", bearer)
	}
	resp, err := httpClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if len(raw) == 0 {
		return answer{Status: resp.StatusCode}, resp
	}
	a := parseAnswer(s.t, raw)
	a.Status = resp.StatusCode
	if kind := resp.Header.Get("Content-Type"); !strings.HasPrefix(kind, "application/json") {
		s.t.Errorf("%s %s: Content-Type %s", method, path, kind)
	}
	return a, resp
}

const (
	asForm = "application/x-www-form-urlencoded"
	asJSON = "application/json"
)

func (s *server) waysToAsk() {
	t := s.t
	u := ids(2)
	a, b := u[0], u[1]
	s.befriend(a, b)
	tok := token(t, a)
	form := func(kv ...string) string {
		v := url.Values{}
		for i := 0; i < len(kv); i += 2 {
			v.Add(kv[i], kv[i+1])
		}
		return v.Encode()
	}
	for _, c := range []struct{ path, kind, bearer, body string }{
		{"/chat/sendMessage", asJSON, "Bearer " + tok, jsonOf(t, object{"uniqueNo": "1", "receiveUserId": b, "messageContent": "x"})},
		{"/chat/sendMessage/", asJSON, "bearer " + tok, jsonOf(t, object{"uniqueNo": "2", "receiveUserId": b, "messageContent": "x"})},
		{"/chat/sendMessage", "", "", jsonOf(t, object{"token": tok, "uniqueNo": "3", "receiveUserId": b, "messageContent": "x", "other": []int{1}})},
		{"/chat/sendMessage", asForm, "Bearer " + tok, form("uniqueNo", "4", "receiveUserId", b, "messageContent", "x", "resend", "true")},
		{"/chat/sendMessage", asForm + "; charset=utf-8", "", form("token", tok, "uniqueNo", "5", "receiveUserId", b, "messageContent", "中 &=+")},
	} {
		r, _ := s.ask("POST", c.path, c.kind, c.bearer, c.body)
		if r.Status != 200 || r.Code != float64(200) || r.Msg != "发送消息成功" {
			t.Errorf("%s %s: %d %s", c.path, c.body, r.Status, r.Raw)
		}
		exactly(t, r.Raw, r.Obj, object{"uniqueNo": aString, "position": aPosition, "time": aTime, "messageId": anID})
	}
	r, _ := s.ask("POST", "/friend/loadMoreMessage", asForm, "Bearer "+tok, form("userId", b, "limit", "2"))
	if l := r.list(); len(l) != 2 || l[1]["talkContent"] != "中 &=+" || r.str("uniqueNo") != "" || r.Obj["uniqueNo"] == nil {
		t.Errorf("a query by form: %s", r.Raw)
	}
	r, _ = s.ask("POST", "/group/addGroup", asForm, "Bearer "+tok, form("uniqueNo", "g", "groupName", "G", "userIds", b))
	if l := s.must(b, "/group/getApplyGroupList", object{"seen": r.str("position")}).list(); len(l) != 1 {
		t.Errorf("a list in a form: %s, %v", r.Raw, l)
	}
	r, _ = s.ask("POST", "/friend/myFriendList", "", "Bearer "+tok, "")
	if !r.ok() || len(r.list()) != 1 {
		t.Errorf("no body: %s", r.Raw)
	}
	r, _ = s.ask("POST", "/chat/ping", "", "", "")
	if r.Raw != `{"code":200,"msg":"pong","obj":{"uniqueNo":""}}` {
		t.Errorf("ping: %s", r.Raw)
	}
}

func (s *server) waysToFail() {
	t := s.t
	u := ids(2)
	s.befriend(u[0], u[1])
	tok := "Bearer " + token(t, u[0])
	long := `{"uniqueNo":"1","receiveUserId":"` + u[1] + `","messageContent":"` + strings.Repeat("x", 64<<10) + `"}`
	for _, c := range []struct {
		name, method, path, kind, bearer, body string
		status                                 int
		code                                   float64
		reason                                 string
	}{
		{"login", "POST", "/chat/login", asJSON, tok, `{}`, 400, 400, "bad_request"},
		{"GET", "GET", "/chat/sendMessage", "", tok, "", 405, 400, "bad_request"},
		{"a kind that is not read", "POST", "/chat/sendMessage", "text/plain", tok, `{}`, 415, 400, "bad_request"},
		{"PUT", "PUT", "/friend/myFriendList/", asJSON, tok, `{}`, 405, 400, "bad_request"},
		{"unknown url", "POST", "/chat/nothing", asJSON, tok, `{"uniqueNo":"7"}`, 404, 404, "unknown_url"},
		{"the root", "POST", "/", asJSON, tok, `{}`, 404, 404, "unknown_url"},
		{"long body", "POST", "/chat/sendMessage", asJSON, tok, long, 413, 400, "too_long"},
		{"not JSON", "POST", "/chat/sendMessage", asJSON, tok, `{"a":`, 400, 400, "bad_request"},
		{"an array", "POST", "/chat/sendMessage", asJSON, tok, `[]`, 400, 400, "bad_request"},
		{"nested", "POST", "/chat/sendMessage", asJSON, tok, `{"a":` + strings.Repeat("[", 30000) + strings.Repeat("]", 30000) + `}`, 400, 400, "bad_request"},
		{"not UTF-8", "POST", "/chat/sendMessage", asJSON, tok, "{\"a\":\"\xff\"}", 400, 400, "bad_request"},
		{"form not UTF-8", "POST", "/chat/sendMessage", asForm, tok, "a=%ff", 400, 400, "bad_request"},
		{"bad form", "POST", "/chat/sendMessage", asForm, tok, "a=%zz", 400, 400, "bad_request"},
		{"twice in a form", "POST", "/friend/loadMoreMessage", asForm, tok, "userId=a&userId=b", 400, 400, "bad_request"},
		{"no digits in a form", "POST", "/friend/loadMoreMessage", asForm, tok, "userId=" + u[1] + "&limit=1e1", 400, 400, "bad_request"},
		{"half a surrogate", "POST", "/chat/sendMessage", asJSON, tok, `{"uniqueNo":"8","receiveUserId":"` + u[1] + `","messageContent":"\ud800"}`, 400, 400, "bad_request"},
		{"number as text", "POST", "/friend/loadMoreMessage", asJSON, tok, `{"userId":"` + u[1] + `","limit":"5"}`, 400, 400, "bad_request"},
		{"no token", "POST", "/friend/myFriendList", asJSON, "", `{}`, 401, 401, "unauthorized"},
		{"seed, no token", "POST", "/chat/sendMessage", asJSON, "", `{}`, 401, 400, "unauthorized"},
		{"basic", "POST", "/friend/myFriendList", asJSON, "Basic eDp5", `{}`, 401, 401, "unauthorized"},
		{"forged", "POST", "/friend/myFriendList", asJSON, tok + "x", `{}`, 401, 401, "unauthorized"},
		{"unknown user", "POST", "/friend/deleteFriend", asJSON, tok, `{"uniqueNo":"9","friendId":"none"}`, 404, 400, "not_found"},
		{"oneself", "POST", "/friend/loadMoreMessage", asJSON, tok, `{"userId":"` + u[0] + `"}`, 400, 400, "bad_request"},
	} {
		a, resp := s.ask(c.method, c.path, c.kind, c.bearer, c.body)
		if a.Status != c.status || a.Code != c.code || a.reason() != c.reason || a.str("detail") == "" || a.Msg == "" || a.Obj["uniqueNo"] == nil {
			t.Errorf("%s: %d %s", c.name, a.Status, a.Raw)
		}
		if c.status == 405 && resp.Header.Get("Allow") != "OPTIONS, POST" {
			t.Errorf("%s: Allow: %s", c.name, resp.Header.Get("Allow"))
		}
	}
	if n := len(s.history(u[0], u[1])); n != 0 {
		t.Errorf("%d refused messages are in history", n)
	}
}

func (s *server) logins() {
	t := s.t
	u := ids(2)
	s.register(u...)
	k, err := s.dial()
	if err != nil {
		t.Fatal(err)
	}
	defer k.conn.CloseNow()
	fail := func(params object, reason string) {
		t.Helper()
		k.send("/chat/login", params)
		a := k.next()
		want := object{"code": "400", "msg": aString, "reason": reason, "detail": aString}
		if params["uniqueNo"] != nil && reason != "bad_request" {
			want["uniqueNo"] = params["uniqueNo"]
		}
		if a.MsgType != "8" {
			t.Fatalf("a failed login: %s", a.Raw)
		}
		exactly(t, a.Raw, a.Data, want)
	}
	tok := token(t, u[0])
	fail(object{}, "unauthorized")
	fail(object{"token": "x", "uniqueNo": "l1"}, "unauthorized")
	fail(object{"token": tok, "cursor": "c0-999999999", "uniqueNo": nil}, "bad_request")
	fail(object{"token": tok, "cursor": 7}, "bad_request")
	fail(object{"token": tok, "own": "yes"}, "bad_request")
	// The connection stays, and works.
	k.send("/chat/login", object{"token": tok, "uniqueNo": "l2"})
	a := k.next()
	if a.MsgType != "8" {
		t.Fatal(a.Raw)
	}
	exactly(t, a.Raw, a.Data, object{"code": "200", "msg": "登录成功", "uniqueNo": "l2", "userId": u[0],
		"cursor": func(v any) bool { return strings.Count(v.(string), ",") == 4 }, "time": aTime, "recallWindowMs": 120000})
	// Another user's token is refused, by requests and by a login.
	k.send("/friend/myFriendList", object{"token": token(t, u[1]), "uniqueNo": "q"})
	if a := k.next(); a.Code != float64(401) || a.reason() != "unauthorized" || a.str("uniqueNo") != "q" {
		t.Errorf("another user's token: %s", a.Raw)
	}
	fail(object{"token": token(t, u[1])}, "unauthorized")
	// And a query is answered as over HTTP.
	k.send("friend/myFriendList/", object{"token": tok})
	if a := k.next(); !a.ok() || len(a.list()) != 1 || a.Msg != "查询好友列表成功" {
		t.Errorf("a query: %s", a.Raw)
	}
	// Ten failed logins.
	k, err = s.dial()
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		fail(object{"token": "x"}, "unauthorized")
	}
	if err := <-k.closed; websocket.CloseStatus(err) != 4003 {
		t.Errorf("after ten failed logins: %v", err)
	}
}

func (s *server) expiry() {
	t := s.t
	user := ids(1)[0]
	s.register(user)
	keys, err := tokens.New(tokens.Options{Secret: []byte(secret)})
	if err != nil {
		t.Fatal(err)
	}
	sign := func(expires time.Time) string {
		tok, err := keys.Sign(tokens.Claims{UserID: user, Name: nick(user), Expires: expires})
		if err != nil {
			t.Fatal(err)
		}
		return tok
	}
	soon := sign(time.Now().Add(2 * time.Second))
	k, _ := s.login(user, object{"token": soon})
	renewed, _ := s.login(user, object{"token": soon})
	renewed.send("/chat/login", object{"token": sign(time.Now().AddDate(900, 0, 0))})
	if a := renewed.next(); a.Data["code"] != "200" {
		t.Fatal(a.Raw)
	}
	select {
	case err := <-k.closed:
		if websocket.CloseStatus(err) != 4001 {
			t.Errorf("the token expired: %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("a connection outlived its token")
	}
	renewed.send("/friend/myFriendList", object{"token": soon, "uniqueNo": "old"})
	if a := renewed.next(); a.reason() != "unauthorized" {
		t.Errorf("an expired token: %s", a.Raw)
	}
	if err := renewed.conn.Ping(context.Background()); err != nil {
		t.Errorf("the renewed connection: %v", err)
	}
}

// Pages of an origin that the setting lists may use the urls, those of others not.
func TestOriginsOverHTTP(t *testing.T) {
	const listed = "https://chat.example.com"
	s := serve(t, t.TempDir(), "--origins", listed)
	ask := func(method, origin string) http.Header {
		t.Helper()
		req, err := http.NewRequest(method, "http://"+s.addr+"/chat/ping", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Origin", origin)
		req.Header.Set("Access-Control-Request-Method", "POST")
		resp, err := httpClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.Header
	}
	for _, method := range []string{"OPTIONS", "POST"} {
		if h := ask(method, listed); h.Get("Access-Control-Allow-Origin") != listed || h.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s from %s: %v", method, listed, h)
		}
		for _, origin := range []string{"https://evil.example", listed + ".evil.example", "null", "http://" + s.addr} {
			if h := ask(method, origin); h.Get("Access-Control-Allow-Origin") != "" || h.Get("Vary") != "Origin" {
				t.Errorf("%s from %s: %v", method, origin, h)
			}
		}
	}
	if _, errs, code := run(t, nil, "config", "--origins", listed+"/"); code != 2 || !strings.Contains(errs, "write "+listed) {
		t.Errorf("an origin with a slash: exit %d, %s", code, errs)
	}
}
