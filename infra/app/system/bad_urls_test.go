package system

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"lishi/events"
	"lishi/ws"
)

// Bad input to every url of the registry, made from what the registry says of its
// params: each is answered with its reason word over the socket, nothing is
// appended, nobody is told, and the connection lives.
func TestBadInputToEveryURL(t *testing.T) {
	s := serve(t, t.TempDir()).on(t)
	u := ids(3)
	me, friend, stranger := u[0], u[1], u[2]
	s.befriend(me, friend)
	s.register(stranger)
	group := s.group(me, friend)
	said := s.must(me, "/chat/sendMessage", object{"uniqueNo": no(), "receiveUserId": friend, "messageContent": "x"}).str("position")
	there := s.must(me, "/chat/sendGroupMessage", object{"uniqueNo": no(), "groupId": group, "messageContent": "x"}).str("position")
	d, witnesses := s.device(me, nil), []*device{s.device(friend, nil), s.device(stranger, nil), s.device(me, object{"own": true})}
	quiet(t, append(witnesses, d)...)
	end := s.end()

	good := func(p ws.Param) any { // as it would be right, or nearly
		switch p.Class {
		case "int":
			return max(p.Min, 1)
		case "bool":
			return true
		case "ids":
			return []string{friend}
		case "state":
			return p.Values[0]
		case "position":
			if p.Name == "position" {
				return said
			}
			return there
		}
		switch p.Name {
		case "groupId":
			return group
		case "before":
			return ""
		}
		return friend
	}
	// text is a request written by hand, for what no JSON encoder writes.
	text := func(u *ws.URL, params string) string {
		return `{"url":` + jsonOf(t, u.Path) + `,"params":` + params + `}`
	}
	n := 0
	var names string // what the sentence for people has to name
	ask := func(u *ws.URL, what, request string, reasons ...string) {
		t.Helper()
		n++
		if err := d.conn.Write(t.Context(), websocket.MessageText, []byte(request)); err != nil {
			t.Fatalf("%s: %s: %v", u.Path, what, err)
		}
		a := d.next()
		reason, detail := a.reason(), a.str("detail")
		if u.Socket && a.MsgType == "8" {
			reason, _ = a.Data["reason"].(string)
			detail, _ = a.Data["detail"].(string)
		}
		if !slices.Contains(reasons, reason) || detail == "" || reason == "bad_request" && !strings.Contains(detail, names) {
			t.Errorf("%s: %s: want %v, got %s", u.Path, what, reasons, a.Raw)
		}
	}
	deep := strings.Repeat("[", 100) + strings.Repeat("]", 100)
	for _, u := range ws.URLs().All() {
		if u.Path == "/chat/ping" {
			continue // it has no params that could be bad
		}
		if u.Socket { // ten failures close a connection
			d = s.device(me, nil)
		}
		base := object{"token": d.token, "uniqueNo": "bad"}
		for _, p := range u.Params() {
			if !p.Optional {
				base[p.Name] = good(p)
			}
		}
		switch u.Path { // of whose optional params one must be given
		case "/friend/updateFriend":
			base["remark"] = "x"
		case "/group/updateGroup":
			base["notice"] = "x"
		case "/user/updateUser":
			base["avatar"] = "x"
		}
		with := func(name string, v any) string {
			params := object{}
			for k, v := range base {
				params[k] = v
			}
			if params[name] = v; v == nil {
				delete(params, name)
			}
			return jsonOf(t, object{"url": u.Path, "params": params})
		}
		raw := func(name, value string) string { // base with one value as written
			delete(base, "no such")
			body := strings.TrimSuffix(jsonOf(t, base), "}")
			if _, ok := base[name]; ok {
				body = strings.TrimSuffix(strings.TrimPrefix(with(name, nil), `{"params":`), `},"url":`+jsonOf(t, u.Path)+`}`)
			}
			return text(u, body+","+jsonOf(t, name)+":"+value+"}")
		}
		bad := func(what, request string) { t.Helper(); ask(u, what, request, "bad_request") }

		ask(u, "no token", with("token", nil), "unauthorized")
		ask(u, "a token that is none", with("token", "a.b.c"), "unauthorized")
		ask(u, "another user's token", with("token", token(t, stranger)), "unauthorized")
		bad("a token that is a number", raw("token", "7"))
		bad("two tokens", text(u, `{"token":`+jsonOf(t, d.token)+`,"token":`+jsonOf(t, d.token)+`}`))
		if !u.Socket {
			bad("half a surrogate in uniqueNo", raw("uniqueNo", `"\ud800"`))
			bad("a uniqueNo that is a list", raw("uniqueNo", `[]`))
			ask(u, "a long uniqueNo", with("uniqueNo", strings.Repeat("中", 22)), "too_long")
			bad("resend that is a text", raw("resend", `"yes"`))
			bad("params that nest too deep", raw("other", deep))
		}
		if u.Command() {
			bad("no uniqueNo", with("uniqueNo", nil))
		} else if !u.Socket {
			bad("seen that is a number", raw("seen", `5`))
			bad("seen that is no position", with("seen", "c0"))
		}
		for _, p := range u.Params() {
			if u.Socket && n%5 == 0 {
				d = s.device(me, nil)
			}
			name := p.Name
			names = name
			for _, wrong := range map[string][]string{
				"int":  {`"1"`, `1.5`, `1e1`, `99999999999999999999`, `-99999999999999999999`, `true`, `[]`, `{}`},
				"bool": {`"true"`, `1`, `[]`},
				"ids":  {`"a"`, `7`, `[7]`, `[""]`, `[null]`, `["\ud800"]`, `{"a":1}`, `[["a"]]`},
			}[p.Class] {
				bad(name+" is "+wrong, raw(name, wrong))
			}
			if p.Class == "int" {
				bad(name+" is too small", raw(name, fmt.Sprint(p.Min-1)))
				bad(name+" is too large", raw(name, fmt.Sprint(p.Max+1)))
			}
			if p.Class != "int" && p.Class != "bool" && p.Class != "ids" {
				for _, wrong := range []string{`7`, `true`, `[]`, `{}`, `["a"]`, `"\ud800"`, `"\udc00x"`, deep} {
					if u.Socket && len(wrong) > 2 {
						continue
					}
					if wrong == deep {
						names = "deep"
					}
					bad(name+" is "+wrong, raw(name, wrong))
				}
				names = name
			}
			if !u.Socket {
				bad(name+" twice", raw(name, `"a",`+jsonOf(t, name)+`:"a"`))
			}
			if !p.Optional {
				bad("no "+name, with(name, nil))
				bad(name+" is null", raw(name, `null`))
				if p.Class != "int" && p.Class != "bool" {
					bad(name+" is empty", with(name, ""))
				}
			}
			switch p.Class {
			case "id":
				ask(u, name+" is too long", with(name, strings.Repeat("i", 65)), "too_long")
				bad(name+" holds a control character", with(name, "a\u0001"))
				bad(name+" holds a control character beyond ASCII", with(name, "a\u0085"))
				if name != "after" && u.Path != "/friend/queryFriend" && u.Path != "/group/getGroupList" { // there an id that nobody has finds nothing
					ask(u, name+" is nobody's", with(name, "nobody"), "not_found", "bad_request")
				}
			case "ids":
				ask(u, name+" holds what is too long", with(name, []string{strings.Repeat("i", 65)}), "too_long")
				names = "" // nobody is named
				ask(u, name+" holds nobody", with(name, []string{"nobody"}), "not_found", "bad_request")
			case "content":
				ask(u, name+" is too long", with(name, strings.Repeat("x", 16385)), "too_long")
			case "note":
				ask(u, name+" is too long", with(name, strings.Repeat("中", 334)), "too_long")
			case "name":
				ask(u, name+" is too long", with(name, strings.Repeat("中", 67)), "too_long")
			case "state":
				for _, v := range []string{"3", "x", "00", "٩"} {
					bad(name+" is "+v, with(name, v))
				}
			case "position":
				for _, v := range []string{"c0", "x0-1", "c0-01", "c0--1", "c0-99999999999999999999", "C0-1", "c0-1 "} {
					bad(name+" is "+v, with(name, v))
				}
			case "next":
				bad(name+" is made up", with(name, "made up"))
			case "cursor":
				bad(name+" is made up", with(name, "c0-x"))
				d = s.device(me, nil)
				bad(name+" is beyond the end", with(name, "c0-99999999"))
			}
		}
		names = ""
		if u.Socket {
			d = s.device(me, nil)
		}
	}
	if n < 800 {
		t.Errorf("%d bad requests are too few to be all", n)
	}
	t.Logf("%d bad requests", n)
	quiet(t, append(witnesses, d)...)
	if now := s.end(); now != end {
		t.Errorf("the log's end was %s and is %s", end, now)
	}
}

// end is how far the server has read the log, when it has read all of what was
// appended before.
func (s *server) end() string {
	s.t.Helper()
	k, a := s.login("end-of-the-log", nil)
	k.conn.CloseNow()
	c, err := events.ParseCursor(a.Data["cursor"].(string))
	if err != nil {
		s.t.Fatal(err)
	}
	return c.String()
}
