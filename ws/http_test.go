package ws

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"lishi/commands"
	"lishi/projections"
	"lishi/projections/history"
)

const form = "application/x-www-form-urlencoded"

func TestFormsOverHTTP(t *testing.T) {
	w := newWorld(t, settings{})
	w.befriend("alice", "bob")
	bob := w.as("bob")
	status, body := w.post("/chat/sendMessage", form, url.Values{"token": {"alice"}, "uniqueNo": {"1"}, "receiveUserId": {"bob"}, "messageContent": {"你好 a+b=c&d"}}.Encode())
	if status != 200 {
		t.Fatal(status, body)
	}
	if d := bob.next()["data"].(map[string]any); d["messageContent"] != "你好 a+b=c&d" {
		t.Errorf("%v", d)
	}
	// The same request as JSON is the same request.
	if again, text := w.post("/chat/sendMessage", "application/json", object("token", "alice", "uniqueNo", "1", "receiveUserId", "bob", "messageContent", "你好 a+b=c&d")); again != 200 || text != body {
		t.Error(again, text, body)
	}
	// Numbers are digits, lists are joined by commas.
	var asked projections.Query
	w.queries.answer(func(q projections.Query) { asked = q })
	w.post("/friend/loadMoreMessage", form, "token=alice&userId=bob&limit=7&before=c0-3")
	if q, ok := asked.(*history.LoadPair); !ok || q.Limit != 7 || q.Before != "c0-3" || q.UserID != "bob" {
		t.Errorf("%#v", asked)
	}
	for _, bad := range []string{"token=alice&userId=bob&limit=seven", "token=alice&userId=bob&limit=7.5", "token=alice&userId=bob&userId=carol", "token=alice&userId=bob&limit=99999999999999999999", "token=alice&userId=%ff", "token=alice&userId=%zz", "token=alice&userId=bob&resend=maybe"} {
		if status, body := w.post("/friend/loadMoreMessage", form, bad); status != 400 || !strings.Contains(body, commands.BadRequest) {
			t.Error(bad, status, body)
		}
	}
	status, body = w.post("/group/addGroup", form, "token=alice&uniqueNo=g&groupName=g&userIds=bob,alice")
	if status != 200 && !strings.Contains(body, commands.BadRequest) {
		t.Error(status, body)
	}
}

func TestBearerStandsForToken(t *testing.T) {
	w := newWorld(t, settings{})
	body := object("uniqueNo", "1", "nickName", "A")
	if status, text := w.post("/user/updateUser", "application/json", body, "Authorization", "Bearer alice"); status != 200 {
		t.Error(status, text)
	}
	if status, text := w.post("/user/updateUser", "application/json", body, "Authorization", "bearer  alice"); status != 200 {
		t.Error(status, text)
	}
	for _, header := range []string{"Bearer forged", "Basic alice", "alice", ""} {
		if status, text := w.post("/user/updateUser", "application/json", body, "Authorization", header); status != 401 {
			t.Error(header, status, text)
		}
	}
	// A token in the params is the one that counts.
	if status, text := w.post("/user/updateUser", "application/json", object("token", "forged", "uniqueNo", "1", "nickName", "A"), "Authorization", "Bearer alice"); status != 401 {
		t.Error(status, text)
	}
}

func TestLimitsOverHTTP(t *testing.T) {
	w := newWorld(t, settings{})
	w.befriend("alice", "bob")
	send := func(content string) (int, string) {
		return w.post("/chat/sendMessage", "application/json", object("token", "alice", "uniqueNo", "n"+string(rune(len(content)%10+'0')), "receiveUserId", "bob", "messageContent", content))
	}
	if status, body := send(strings.Repeat("x", 16384)); status != 200 {
		t.Error(status, body)
	}
	if status, body := send(strings.Repeat("x", 16385)); status != 400 || !strings.Contains(body, commands.TooLong) {
		t.Error(status, body)
	}
	if status, body := send(strings.Repeat("x", 65536)); status != 413 || !strings.Contains(body, commands.TooLong) {
		t.Error(status, body)
	}
	if status, body := w.post("/chat/sendMessage", "application/json", "{\"token\":\"alice\xff\"}"); status != 400 || !strings.Contains(body, "UTF-8") {
		t.Error(status, body)
	}
}

func TestOnlyPOST(t *testing.T) {
	w := newWorld(t, settings{})
	for path, want := range map[string]int{"/chat/sendMessage": 405, "/friend/myFriendList/": 405, "/chat/nothing": 404} {
		resp, err := http.Get(w.http.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want || want == 405 && resp.Header.Get("Allow") != "OPTIONS, POST" {
			t.Errorf("%s: %d %v", path, resp.StatusCode, resp.Header)
		}
		if kind := resp.Header.Get("Content-Type"); kind != "application/json; charset=utf-8" {
			t.Errorf("%s: %s", path, kind)
		}
	}
}

// The status of every reason is the table's.
func TestStatusOfEveryReason(t *testing.T) {
	want := map[string]int{
		"bad_request": 400, "too_long": 400, "unauthorized": 401, "forbidden": 403, "not_friend": 403, "not_member": 403, "blocked": 403,
		"muted": 403, "unknown_url": 404, "not_found": 404, "conflict": 409, "rate_limited": 429, "unavailable": 503, "unknown": 504,
	}
	codes := map[string]int{"unauthorized": 401, "forbidden": 403, "unknown_url": 404}
	if len(reasonRows) != len(want) {
		t.Errorf("%d reasons", len(reasonRows))
	}
	for reason, status := range want {
		r := reply{url: urls.Find("/friend/applyFriend"), refusal: refuse(reason, "")}
		code := codes[reason]
		if code == 0 {
			code = 400
		}
		if r.status() != status || r.code() != code {
			t.Errorf("%s: status %d, code %d", reason, r.status(), r.code())
		}
		r.url = urls.Find("/chat/sendMessage")
		if r.code() != 400 {
			t.Errorf("%s in the seed: code %d", reason, r.code())
		}
	}
}

func TestKindsOfBodies(t *testing.T) {
	w := newWorld(t, settings{})
	body := object("token", "alice", "uniqueNo", "1", "nickName", "A")
	for _, kind := range []string{"application/json", "Application/JSON; charset=UTF-8", `application/json; charset="utf-8"`, ""} {
		if status, h := w.from("POST", "/user/updateUser", body, "Content-Type", kind); status != 200 || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %v", kind, status, h)
		}
	}
	for _, headers := range [][]string{
		{"Content-Type", "text/plain"}, {"Content-Type", "multipart/form-data; boundary=x"}, {"Content-Type", "application/xml"}, {"Content-Type", "*/*"},
		{"Content-Type", "application/json; charset=gbk"}, {"Content-Type", "json"}, {"Content-Type", "application/json;;"},
		{"Content-Type", "application/json", "Content-Encoding", "gzip"}, {"Content-Encoding", "br"},
	} {
		status, h := w.from("POST", "/user/updateUser", body, headers...)
		if status != 415 || h.Get("Accept-Post") != "application/json, application/x-www-form-urlencoded" {
			t.Errorf("%q: %d %v", headers, status, h)
		}
	}
	if status, h := w.from("POST", "/user/updateUser", body, "Content-Encoding", "identity"); status != 200 {
		t.Error(status, h)
	}
	// Who is asked for a token is told how to give one (RFC 9110 section 11.6.1).
	if status, h := w.from("POST", "/friend/myFriendList", "{}"); status != 401 || h.Get("WWW-Authenticate") != "Bearer" {
		t.Error(status, h)
	}
}
