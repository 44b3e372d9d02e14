package system

import (
	"fmt"
	"strings"
	"testing"
)

func TestProtocolReads(t *testing.T) {
	s := serve(t, t.TempDir())
	t.Run("history", func(t *testing.T) { s.on(t).pairHistory() })
	t.Run("unread", func(t *testing.T) { s.on(t).unreadCounts() })
	t.Run("recents", func(t *testing.T) { s.on(t).recentPages() })
	t.Run("right after", func(t *testing.T) { s.on(t).readsOwnWrites() })
	t.Run("long pages", func(t *testing.T) { s.on(t).longPages() })
}

func (s *server) pairHistory() {
	u := ids(3)
	a, b := u[0], u[1]
	s.befriend(a, b)
	s.register(u[2])
	s.must(a, "/user/updateUser", object{"uniqueNo": no(), "avatar": "a.png"})
	var positions []string
	for i := range 5 {
		from, to := a, b
		if i%2 == 1 {
			from, to = b, a
		}
		p := object{"uniqueNo": no(), "receiveUserId": to, "messageContent": fmt.Sprint("m", i)}
		if i == 4 {
			p["contentType"], p["replyTo"] = "image", positions[0]
		}
		positions = append(positions, s.must(from, "/chat/sendMessage", p).str("position"))
	}
	row := func(i int, who string) object {
		from, to, avatar := a, b, "a.png"
		if i%2 == 1 {
			from, to, avatar = b, a, ""
		}
		o := object{"chatMessageId": anID, "sendUserId": from, "sendNickName": nick(from), "receiveUserId": to, "talkDate": aDate, "time": aTime,
			"talkContent": fmt.Sprint("m", i), "avatar": avatar, "talkSide": from == who, "position": positions[i]}
		if i == 4 {
			o["contentType"], o["replyTo"] = "image", positions[0]
		}
		return o
	}
	for _, who := range []string{a, b} {
		d := s.device(who, nil)
		peer := map[string]string{a: b, b: a}[who]
		for _, c := range []struct {
			params object
			rows   []int
		}{
			{object{}, []int{0, 1, 2, 3, 4}},
			{object{"limit": 2}, []int{3, 4}},
			{object{"limit": 2, "before": positions[3]}, []int{1, 2}},
			{object{"after": positions[1]}, []int{2, 3, 4}},
			{object{"after": positions[0], "limit": 2}, []int{1, 2}},
			{object{"page": 1, "pageSize": 2}, []int{3, 4}},
			{object{"page": 3, "pageSize": 2}, []int{0}},
			{object{"page": 9, "pageSize": 2}, nil},
			{object{"before": positions[0]}, nil},
		} {
			c.params["userId"] = peer
			var rows []object
			for _, i := range c.rows {
				rows = append(rows, row(i, who))
			}
			s.lists(d, "/friend/loadMoreMessage", c.params, rows...)
		}
		for _, bad := range []object{{"limit": 201}, {"limit": -1}, {"before": "x"}, {"page": -1}, {"pageSize": 201}, {"limit": 1.5}, {"before": "u0-1"}} {
			bad["userId"] = peer
			d.refused("/friend/loadMoreMessage", "bad_request", bad)
		}
	}
	other := s.device(u[2], nil)
	s.lists(other, "/friend/loadMoreMessage", object{"userId": a})
}

// Marks from two devices in any order: the greatest counts, own messages never.
func (s *server) unreadCounts() {
	t := s.t
	u := ids(2)
	a, b := u[0], u[1]
	s.befriend(a, b)
	group := s.group(a, b)
	d1, d2 := s.device(b, nil), s.device(b, nil)
	for _, c := range []struct{ id, send, read, kind, name string }{
		{a, "receiveUserId", "userId", "2", nick(a)},
		{group, "groupId", "groupId", "1", "群"},
	} {
		url := map[string]string{"2": "/chat/sendMessage", "1": "/chat/sendGroupMessage"}[c.kind]
		var positions []string
		for i := range 4 {
			to := map[string]string{"2": b, "1": group}[c.kind]
			positions = append(positions, s.must(a, url, object{"uniqueNo": no(), c.send: to, "messageContent": fmt.Sprint(c.kind, i)}).str("position"))
		}
		unread := func(d *device, total int, mark string) {
			t.Helper()
			l := d.do("/friend/getRecentMessageList", object{"limit": 1})
			rows := l.list()
			if !l.ok() || len(rows) != 1 {
				t.Fatalf("recents: %s", l.Raw)
			}
			exactly(t, l.Raw, rows[0], object{"recentId": c.id, "name": c.name, "avatar": "", "type": c.kind, "lastDate": aDate, "time": aTime,
				"content": aString, "sendUserId": aString, "total": total, "readPosition": mark, "position": aPosition})
		}
		read := func(d *device, i int) {
			t.Helper()
			if r := d.do("/chat/readMessage", object{c.read: c.id, "position": positions[i]}); !r.ok() {
				t.Fatal(r.Raw)
			}
		}
		for _, d := range []*device{d1, d2} {
			for range 4 {
				d.expect(func(a answer) bool { return a.MsgType == "1" || a.MsgType == "2" })
			}
			quiet(t, d)
		}
		unread(d1, 4, "")
		read(d1, 2)
		d2.expect(push("13"))
		unread(d2, 1, positions[2])
		read(d2, 0) // older: nothing moves
		unread(d1, 1, positions[2])
		unread(d2, 1, positions[2])
		quiet(t, d1, d2)
		r := d2.do(url, object{c.send: c.id, "messageContent": "own"})
		d1.expect(func(a answer) bool { return a.Data["position"] == r.Obj["position"] })
		unread(d1, 1, positions[2])
		read(d2, 3)
		d1.expect(push("13"))
		unread(d1, 0, positions[3])
		unread(d2, 0, positions[3])
	}
}

func (s *server) recentPages() {
	t := s.t
	u := ids(6)
	me := u[0]
	for _, other := range u[1:] {
		s.befriend(me, other)
		s.must(other, "/chat/sendMessage", object{"uniqueNo": no(), "receiveUserId": me, "messageContent": "from " + other})
	}
	d := s.device(me, nil)
	var got []string
	params := object{"limit": 2}
	for range 4 {
		a := d.do("/friend/getRecentMessageList", params)
		for _, row := range a.list() {
			got = append(got, row["recentId"].(string))
		}
		next, more := a.Obj["next"]
		if !more {
			break
		}
		params["before"] = next
	}
	want := []string{u[5], u[4], u[3], u[2], u[1]}
	if jsonOf(t, got) != jsonOf(t, want) {
		t.Errorf("recents: %v, want %v", got, want)
	}
	d.refused("/friend/getRecentMessageList", "bad_request", object{"before": "made up"})
}

// A query right after a result or a push sees it; over HTTP, with seen.
func (s *server) readsOwnWrites() {
	t := s.t
	u := ids(2)
	a, b := u[0], u[1]
	s.befriend(a, b)
	from, to := s.device(a, nil), s.device(b, nil)
	for i := range 40 {
		text := fmt.Sprint("m", i)
		r := from.do("/chat/sendMessage", object{"receiveUserId": b, "messageContent": text})
		to.expect(push("1"))
		for _, d := range []*device{to, from} {
			peer := map[string]string{a: b, b: a}[d.user]
			l := d.do("/friend/loadMoreMessage", object{"userId": peer, "limit": 1}).list()
			if len(l) != 1 || l[0]["talkContent"] != text {
				t.Fatalf("%s does not see %s: %v", d.user, text, l)
			}
		}
		seen := "u0-0," + r.str("position") + "," + r.str("position")
		l := s.must(b, "/friend/loadMoreMessage", object{"userId": a, "limit": 1, "seen": seen}).list()
		if len(l) != 1 || l[0]["talkContent"] != text {
			t.Fatalf("seen %s does not show %s: %v", seen, text, l)
		}
	}
	for _, seen := range []string{"x", "c0", "c0-1,", "c99-1"} {
		if r := s.post(b, "/friend/myFriendList", object{"seen": seen}); r.reason() != "bad_request" {
			t.Errorf("seen %q: %s", seen, r.Raw)
		}
	}
}

// A page of the longest messages is longer than what may wait for a connection
// that does not read; asking for it is no reason to be closed.
func (s *server) longPages() {
	t := s.t
	u := ids(2)
	a, b := u[0], u[1]
	s.befriend(a, b)
	content := strings.Repeat("中", 16384/3)
	const n = 90
	last := ""
	for range n {
		last = s.must(a, "/chat/sendMessage", object{"uniqueNo": no(), "receiveUserId": b, "messageContent": content}).str("position")
	}
	if l := s.must(b, "/friend/loadMoreMessage", object{"userId": a, "limit": n, "seen": last}).list(); len(l) != n {
		t.Fatalf("%d rows over HTTP", len(l))
	}
	d := s.device(b, nil)
	d.conn.SetReadLimit(-1)
	l := d.do("/friend/loadMoreMessage", object{"userId": a, "limit": n}).list()
	if len(l) != n {
		t.Fatalf("%d rows", len(l))
	}
	for _, row := range l {
		if row["talkContent"] != content {
			t.Fatal("content differs")
		}
	}
}
