package system

import (
	"net/http"
	"sync"
	"testing"
)

func TestProtocolFriends(t *testing.T) {
	s := serve(t, t.TempDir())
	t.Run("a friendship", func(t *testing.T) { s.on(t).friendship() })
	t.Run("refused and asked again", func(t *testing.T) { s.on(t).refusedApplication() })
	t.Run("crossing", func(t *testing.T) { s.on(t).crossing() })
	t.Run("all at once", func(t *testing.T) { s.on(t).verifiedAtOnce() })
	t.Run("profile", func(t *testing.T) { s.on(t).profile() })
	t.Run("found", func(t *testing.T) { s.on(t).foundPeople() })
}

// on is the server for a part of a test.
func (s *server) on(t *testing.T) *server {
	c := *s
	c.t = t
	return &c
}

func nick(user string) string { return "昵称" + user }

func (s *server) friendship() {
	t := s.t
	u := ids(3)
	a, b, c := u[0], u[1], u[2]
	s.register(a, b, c)
	a1, a2, a3 := s.device(a, nil), s.device(a, object{"own": true}), s.device(a, nil)
	b1, b2, b3 := s.device(b, object{"own": true}), s.device(b, object{"own": true}), s.device(b, nil)
	stranger := s.device(c, object{"own": true})
	all := []*device{a1, a2, a3, b1, b2, b3, stranger}

	// not_found goes before relations.
	a1.refused("/chat/sendMessage", "not_found", object{"receiveUserId": "nobody", "messageContent": "x"})
	a1.refused("/friend/applyFriend", "not_found", object{"userId": "nobody"})
	a1.refused("/friend/deleteFriend", "not_found", object{"friendId": "nobody"})
	a1.refused("/friend/loadMoreMessage", "not_found", object{"userId": "nobody"})
	a1.refused("/chat/readMessage", "not_found", object{"userId": b, "position": "c0-0"})
	a1.refused("/chat/readMessage", "bad_request", object{"userId": b, "groupId": "g", "position": "c0-0"})
	a1.refused("/chat/readMessage", "bad_request", object{"position": "c0-0"})
	a1.refused("/friend/verifyFriend", "not_found", object{"applyFriendId": "nothing", "applyState": "9"})
	a1.refused("/chat/sendMessage", "not_friend", object{"receiveUserId": b, "messageContent": "x"})
	a1.refused("/friend/deleteFriend", "not_friend", object{"friendId": b})
	a1.refused("/friend/applyFriend", "bad_request", object{"userId": a})
	quiet(t, all...)

	// 3: to the one asked, to own connections that want it.
	apply := object{"uniqueNo": no(), "userId": b, "note": "你好 <&>", "remark": "B.", "friendGroupId": "0"}
	r := a1.must("/friend/applyFriend", "申请好友成功", apply, object{"applyFriendId": anID})
	application := r.str("applyFriendId")
	three := object{"applyFriendId": application, "applyUserId": a, "applyNickName": nick(a), "note": "你好 <&>", "applyDate": aDate, "targetUserId": b}
	for _, d := range []*device{a2, b1, b2, b3} {
		d.pushed("3", r.Obj["position"], three)
	}
	quiet(t, all...)
	if again := a1.do("/friend/applyFriend", apply); jsonOf(t, again.Obj) != jsonOf(t, r.Obj) {
		t.Errorf("the repeat was answered %s, the first %s", again.Raw, r.Raw)
	}
	apply["note"] = "other"
	a1.refused("/friend/applyFriend", "conflict", apply)
	a1.refused("/friend/applyFriend", "conflict", object{"userId": b})
	for _, who := range []*device{a1, stranger} {
		who.refused("/friend/verifyFriend", "forbidden", object{"applyFriendId": application, "applyState": "9"})
	}
	b1.refused("/friend/verifyFriend", "bad_request", object{"applyFriendId": application, "applyState": "1"})
	b1.refused("/group/userVerify", "not_found", object{"applyGroupId": application, "applyState": "9"})
	listed := object{"applyFriendId": application, "applyUserId": a, "applyNickName": nick(a), "note": "你好 <&>", "applyDate": aDate,
		"applyState": "1", "receiveUserId": b, "time": aTime, "position": r.Obj["position"]}
	for _, d := range []*device{a1, b1} {
		s.lists(d, "/friend/getApplyFriendList", nil, listed)
	}
	quiet(t, all...)

	// 9: to the applicant, to own connections.
	r = b1.must("/friend/verifyFriend", "审核好友成功", object{"applyFriendId": application, "applyState": "9", "note": "好"}, nil)
	nine := object{"applyFriendId": application, "applyState": "9", "verifyDate": aDate, "verifyUserId": b, "verifyUserNickName": nick(b), "note": "好", "targetUserId": a}
	for _, d := range []*device{a1, a2, a3, b2, b3} {
		d.pushed("9", r.Obj["position"], nine)
	}
	b1.refused("/friend/verifyFriend", "conflict", object{"applyFriendId": application, "applyState": "0"})
	b1.refused("/friend/applyFriend", "conflict", object{"userId": a})
	listed["applyState"] = "9"
	s.lists(a1, "/friend/getApplyFriendList", nil, listed)
	friend := func(id, state, remarks string) object {
		return object{"friendGroupId": "0", "friendGroupName": "我的好友", "friendGroupOrder": 0, "allowDeletion": false,
			"friendLists": []object{{"friendId": id, "friendState": state, "nickName": nick(id), "remarks": remarks, "avatar": ""}}}
	}
	s.lists(a1, "/friend/myFriendList", nil, friend(b, "9", "B."))
	s.lists(b1, "/friend/myFriendList", nil, friend(a, "9", ""))
	quiet(t, all...)

	// 1: to the receiver, to own connections.
	r = a1.must("/chat/sendMessage", "发送消息成功", object{"receiveUserId": b, "messageContent": "一\u0000\n", "contentType": "text"}, object{"messageId": anID})
	one := object{"sendUserId": a, "receiveUserId": b, "messageContent": "一\u0000\n", "receiveDate": aDate, "messageId": r.Obj["messageId"],
		"sendNickName": nick(a), "contentType": "text"}
	for _, d := range []*device{a2, a3, b1, b2, b3} {
		if p := d.pushed("1", r.Obj["position"], one); p.Data["time"] != r.Obj["time"] {
			t.Errorf("time of push and result: %s, %s", p.Raw, r.Raw)
		}
	}
	first := r.str("position")
	second := a1.must("/chat/sendMessage", "发送消息成功", object{"receiveUserId": b, "messageContent": "二", "replyTo": first}, object{"messageId": anID}).str("position")
	for _, d := range []*device{a2, a3, b1, b2, b3} {
		d.pushed("1", second, object{"sendUserId": a, "receiveUserId": b, "messageContent": "二", "receiveDate": aDate, "messageId": anID, "sendNickName": nick(a), "replyTo": first})
	}
	quiet(t, all...)

	// 13: to own connections and the peer, forward only; from two devices.
	stranger.refused("/chat/readMessage", "not_found", object{"userId": b, "position": second})
	r = b2.must("/chat/readMessage", "标记已读成功", object{"userId": a, "position": second}, nil)
	thirteen := object{"userId": b, "peerUserId": a, "readPosition": second, "date": aDate}
	for _, d := range []*device{a1, a2, a3, b1, b3} {
		d.pushed("13", r.Obj["position"], thirteen)
	}
	back := b1.do("/chat/readMessage", object{"userId": a, "position": first})
	if !back.ok() || back.Obj["position"] != nil || len(back.Obj) != 1 {
		t.Errorf("a mark that is not greater: %s", back.Raw)
	}
	quiet(t, all...)

	// 6: to the removed, to own connections that want it.
	r = b1.must("/friend/deleteFriend", "删除好友成功", object{"friendId": a}, nil)
	for _, d := range []*device{a1, a2, a3, b2} {
		d.pushed("6", r.Obj["position"], object{"applyUserId": b, "applyNickName": nick(b), "applyDate": aDate, "targetUserId": a})
	}
	// The own past is readable, everything else not_friend.
	for _, d := range []*device{a1, b1} {
		peer := map[string]string{a: b, b: a}[d.user]
		d.refused("/chat/sendMessage", "not_friend", object{"receiveUserId": peer, "messageContent": "x"})
		d.refused("/chat/readMessage", "not_friend", object{"userId": peer, "position": second})
		d.refused("/friend/deleteFriend", "not_friend", object{"friendId": peer})
		if n := len(d.do("/friend/loadMoreMessage", object{"userId": peer}).list()); n != 2 {
			t.Errorf("%d rows of the past", n)
		}
		s.lists(d, "/friend/myFriendList", nil, object{"friendGroupId": "0", "friendGroupName": "我的好友", "friendGroupOrder": 0, "allowDeletion": false, "friendLists": []object{}})
	}
	b1.refused("/friend/verifyFriend", "conflict", object{"applyFriendId": application, "applyState": "9"})
	quiet(t, all...)
}

// lists runs a query, right after what came before, and compares its rows.
func (s *server) lists(d *device, url string, params object, rows ...object) answer {
	d.t.Helper()
	a := d.do(url, params)
	list := a.list()
	if !a.ok() || len(list) != len(rows) {
		d.t.Errorf("%s by %s: want %d rows, got %s", url, d.user, len(rows), a.Raw)
		return a
	}
	for i := range rows {
		exactly(d.t, a.Raw, list[i], rows[i])
	}
	return a
}

func (s *server) refusedApplication() {
	u := ids(2)
	s.register(u...)
	a, b := s.device(u[0], nil), s.device(u[1], nil)
	id := a.do("/friend/applyFriend", object{"userId": u[1]}).str("applyFriendId")
	b.pushed("3", aPosition, object{"applyFriendId": id, "applyUserId": u[0], "applyNickName": nick(u[0]), "note": "", "applyDate": aDate, "targetUserId": u[1]})
	b.must("/friend/verifyFriend", "审核好友成功", object{"applyFriendId": id, "applyState": "0", "note": "不"}, nil)
	a.pushed("9", aPosition, object{"applyFriendId": id, "applyState": "0", "verifyDate": aDate, "verifyUserId": u[1], "verifyUserNickName": nick(u[1]), "note": "不", "targetUserId": u[0]})
	b.refused("/friend/verifyFriend", "conflict", object{"applyFriendId": id, "applyState": "9"})
	a.refused("/chat/sendMessage", "not_friend", object{"receiveUserId": u[1], "messageContent": "x"})
	again := a.must("/friend/applyFriend", "申请好友成功", object{"userId": u[1]}, object{"applyFriendId": anID}).str("applyFriendId")
	if again == id {
		s.t.Error("a new application has the old one's id")
	}
	b.expect(push("3"))
	if l := b.do("/friend/getApplyFriendList", nil).list(); len(l) != 2 || l[0]["applyState"] != "0" || l[1]["applyState"] != "1" {
		s.t.Errorf("applications: %v", l)
	}
	quiet(s.t, a, b)
}

func (s *server) crossing() {
	u := ids(2)
	s.register(u...)
	a1, a2 := s.device(u[0], nil), s.device(u[0], nil)
	b1, b2 := s.device(u[1], object{"own": true}), s.device(u[1], nil)
	id := a1.do("/friend/applyFriend", object{"userId": u[1]}).str("applyFriendId")
	b1.expect(push("3"))
	b2.expect(push("3"))
	r := b1.must("/friend/applyFriend", "申请好友成功", object{"userId": u[0]}, object{"applyFriendId": id, "applyState": "9"})
	for _, d := range []*device{a1, a2, b2} {
		d.pushed("9", r.Obj["position"], object{"applyFriendId": id, "applyState": "9", "verifyDate": aDate, "verifyUserId": u[1], "verifyUserNickName": nick(u[1]), "note": "", "targetUserId": u[0]})
	}
	b1.must("/chat/sendMessage", "发送消息成功", object{"receiveUserId": u[0], "messageContent": "x"}, object{"messageId": anID})
	for _, d := range []*device{a1, a2, b2} {
		d.expect(push("1"))
	}
	quiet(s.t, a1, a2, b1, b2)

	// Both at the same moment: friends, however they met.
	for range 5 {
		u := ids(2)
		s.register(u...)
		var both sync.WaitGroup
		var got [2]answer
		for i := range 2 {
			both.Go(func() { got[i] = s.post(u[i], "/friend/applyFriend", object{"uniqueNo": no(), "userId": u[1-i]}) })
		}
		both.Wait()
		if !got[0].ok() || !got[1].ok() || got[0].str("applyFriendId") != got[1].str("applyFriendId") ||
			(got[0].str("applyState") == "9") == (got[1].str("applyState") == "9") {
			s.t.Errorf("two who applied at once: %s, %s", got[0].Raw, got[1].Raw)
		}
		s.must(u[0], "/chat/sendMessage", object{"uniqueNo": no(), "receiveUserId": u[1], "messageContent": "x"})
	}
}

// One application verified from many connections at once: once.
func (s *server) verifiedAtOnce() {
	u := ids(2)
	s.register(u...)
	id := s.must(u[0], "/friend/applyFriend", object{"uniqueNo": no(), "userId": u[1]}).str("applyFriendId")
	var all sync.WaitGroup
	got := make([]answer, 12)
	for i := range got {
		all.Go(func() {
			got[i] = s.post(u[1], "/friend/verifyFriend", object{"uniqueNo": no(), "applyFriendId": id, "applyState": []string{"0", "9"}[i%2]})
		})
	}
	all.Wait()
	done := 0
	for _, a := range got {
		if a.ok() {
			done++
		} else if a.reason() != "conflict" || a.Status != http.StatusConflict || a.Code != float64(400) {
			s.t.Errorf("verified at once: %s", a.Raw)
		}
	}
	if done != 1 {
		s.t.Errorf("%d verifications of one application succeeded", done)
	}
}

func (s *server) profile() {
	u := ids(1)[0]
	d1, d2 := s.device(u, nil), s.device(u, nil)
	d1.refused("/user/updateUser", "bad_request", nil)
	r := d1.must("/user/updateUser", "修改用户资料成功", object{"avatar": "a.png"}, nil)
	d2.pushed("14", r.Obj["position"], object{"userId": u, "nickName": nick(u), "avatar": "a.png"})
	r = d2.must("/user/updateUser", "修改用户资料成功", object{"nickName": "甲"}, nil)
	d1.pushed("14", r.Obj["position"], object{"userId": u, "nickName": "甲", "avatar": "a.png"})
	s.lists(d1, "/friend/queryFriend", object{"userNo": u}, object{"userId": u, "userNo": u, "nickName": "甲", "avatar": "a.png"})
	quiet(s.t, d1, d2)
}

func (s *server) foundPeople() {
	u := ids(2)
	s.register(u...)
	d := s.device(u[0], nil)
	row := func(id string) object { return object{"userId": id, "userNo": id, "nickName": nick(id), "avatar": ""} }
	s.lists(d, "/friend/queryFriend", object{"userNo": u[1]}, row(u[1]))
	s.lists(d, "/friend/queryFriend", object{"userNo": "nobody"})
	s.lists(d, "/friend/queryFriend", object{"nickName": u[1][2:]}, row(u[1]))
	d.refused("/friend/queryFriend", "bad_request", nil)
}
