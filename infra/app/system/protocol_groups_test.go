package system

import (
	"fmt"
	"sync"
	"testing"
)

func TestProtocolGroups(t *testing.T) {
	s := serve(t, t.TempDir())
	t.Run("invited", func(t *testing.T) { s.on(t).invited() })
	t.Run("applied", func(t *testing.T) { s.on(t).applied() })
	t.Run("removed, quit, deleted", func(t *testing.T) { s.on(t).endings() })
	t.Run("nobody may who is not allowed", func(t *testing.T) { s.on(t).forbidden() })
	t.Run("all at once", func(t *testing.T) { s.on(t).appliedAtOnce() })
	t.Run("history of members", func(t *testing.T) { s.on(t).membersHistory() })
}

func eleven(group, change, user, by string) object {
	return object{"groupId": group, "change": change, "userId": user, "operatorUserId": by, "date": aDate}
}

func (s *server) invited() {
	t := s.t
	u := ids(3)
	a, b, c := u[0], u[1], u[2]
	s.register(u...)
	a1, a2, a3 := s.device(a, nil), s.device(a, object{"own": true}), s.device(a, nil)
	b1, b2 := s.device(b, nil), s.device(b, nil)
	c1, c2 := s.device(c, nil), s.device(c, object{"own": true})
	all := []*device{a1, a2, a3, b1, b2, c1, c2}

	a1.refused("/group/addGroup", "not_found", object{"groupName": "群", "userIds": []string{b, "nobody"}})
	a1.refused("/group/addGroup", "bad_request", object{"groupName": "群", "joinMode": "2"})
	a1.refused("/group/addGroup", "bad_request", object{"groupName": "群", "userIds": "b"})
	quiet(t, all...)

	// 5 to each invited, 11 to own connections that want it.
	r := a1.must("/group/addGroup", "创建群组成功", object{"groupName": "群 <1>", "groupImg": "g.png", "userIds": []string{b, b, a}}, object{"groupId": anID})
	group := r.str("groupId")
	a2.pushed("11", r.Obj["position"], eleven(group, "created", a, a))
	var invitation string
	for _, d := range []*device{b1, b2} {
		invitation = d.pushed("5", r.Obj["position"], object{"applyGroupId": anID, "applyUserId": a, "applyNickName": nick(a), "applyDate": aDate,
			"note": "", "groupId": group, "groupName": "群 <1>", "targetUserId": b}).Data["applyGroupId"].(string)
	}
	quiet(t, all...)
	row := object{"groupId": group, "groupName": "群 <1>", "groupImg": "g.png", "crtUserId": a, "crtDate": aDate, "time": aTime,
		"notice": "", "joinMode": "1", "role": "9", "memberCount": 1}
	s.lists(a1, "/group/getGroupList", nil, row)
	s.lists(a1, "/group/getGroup", object{"groupId": group}, row)
	s.lists(b1, "/group/getGroupList", nil)
	row["role"] = ""
	s.lists(b1, "/group/getGroup", object{"groupId": group}, row)
	listed := object{"applyGroupId": invitation, "applyUserId": a, "applyNickName": nick(a), "note": "", "applyDate": aDate, "applyState": "1",
		"groupId": group, "applyType": "1", "targetUserId": b, "groupName": "群 <1>", "time": aTime, "position": r.Obj["position"]}
	for _, d := range []*device{a1, b1} {
		s.lists(d, "/group/getApplyGroupList", nil, listed)
	}
	s.lists(c1, "/group/getApplyGroupList", nil)

	// Not yet a member; only the invited verifies.
	b1.refused("/chat/sendGroupMessage", "not_member", object{"groupId": group, "messageContent": "x"})
	b1.refused("/group/getGroupUsers", "not_member", object{"groupId": group})
	b1.refused("/group/loadMoreMessage", "not_member", object{"groupId": group})
	b1.refused("/group/quitGroup", "not_member", object{"groupId": group})
	b1.refused("/group/applyGroup", "conflict", object{"groupId": group})
	a1.refused("/group/invitationGroup", "conflict", object{"groupId": group, "userId": b})
	a1.refused("/group/userVerify", "forbidden", object{"applyGroupId": invitation, "applyState": "9"})
	a1.refused("/group/groupVerify", "not_found", object{"applyGroupId": invitation, "applyState": "9"})
	b1.refused("/friend/verifyFriend", "not_found", object{"applyFriendId": invitation, "applyState": "9"})

	// 10 to the inviter and own connections; nobody is left for 11.
	r = b1.must("/group/userVerify", "审核入群邀请成功", object{"applyGroupId": invitation, "applyState": "9", "note": "来了"}, nil)
	ten := object{"applyGroupId": invitation, "groupId": group, "groupName": "群 <1>", "applyState": "9", "verifyDate": aDate, "verifyUserId": b,
		"note": "来了", "targetUserId": a}
	for _, d := range []*device{a1, a2, a3, b2} {
		d.pushed("10", r.Obj["position"], ten)
	}
	b1.refused("/group/userVerify", "conflict", object{"applyGroupId": invitation, "applyState": "0"})
	listed["applyState"] = "9"
	s.lists(b1, "/group/getApplyGroupList", nil, listed)

	// 2 to every other member and own connections, each with its own id.
	r = b1.must("/chat/sendGroupMessage", "发送群组消息成功", object{"groupId": group, "messageContent": "大家好", "contentType": "text", "atUserIds": []string{a}}, object{"messageId": anID})
	two := object{"sendUserId": b, "messageContent": "大家好", "receiveDate": aDate, "groupId": group, "messageId": r.Obj["messageId"],
		"sendNickName": nick(b), "contentType": "text", "atUserIds": []string{a}}
	for _, d := range []*device{a1, a2, a3, b2} {
		two["receiveUserId"] = d.user
		d.pushed("2", r.Obj["position"], two)
	}
	quiet(t, all...)

	// invitationGroup: 5 to that user, and to own connections that want it.
	r = a3.must("/group/invitationGroup", "邀请入群成功", object{"groupId": group, "userId": c, "note": "请"}, object{"applyGroupId": anID})
	invitation = r.str("applyGroupId")
	for _, d := range []*device{a2, c1, c2} {
		d.pushed("5", r.Obj["position"], object{"applyGroupId": invitation, "applyUserId": a, "applyNickName": nick(a), "applyDate": aDate,
			"note": "请", "groupId": group, "groupName": "群 <1>", "targetUserId": c})
	}
	quiet(t, all...)
	// 10 to inviter and own, 11 joined to the other members.
	r = c1.must("/group/userVerify", "审核入群邀请成功", object{"applyGroupId": invitation, "applyState": "9"}, nil)
	for _, d := range []*device{a1, a2, a3, c2} {
		d.pushed("10", r.Obj["position"], object{"applyGroupId": invitation, "groupId": group, "groupName": "群 <1>", "applyState": "9",
			"verifyDate": aDate, "verifyUserId": c, "note": "", "targetUserId": a})
	}
	for _, d := range []*device{b1, b2} {
		d.pushed("11", r.Obj["position"], eleven(group, "joined", c, c))
	}
	quiet(t, all...)
	member := func(id, role string) object {
		return object{"userId": id, "nickName": nick(id), "remarks": "", "avatar": "", "role": role, "muted": false}
	}
	s.lists(b1, "/group/getGroupUsers", object{"groupId": group}, member(a, "9"), member(b, "1"), member(c, "1"))
	s.lists(b1, "/group/getGroupUsers", object{"groupId": group, "after": a, "limit": 1}, member(b, "1"))
}

// group makes a group of the owner and members.
func (s *server) group(owner string, members ...string) string {
	s.t.Helper()
	id := s.must(owner, "/group/addGroup", object{"uniqueNo": no(), "groupName": "群"}).str("groupId")
	for _, m := range members {
		s.joins(id, owner, m)
	}
	return id
}

func (s *server) joins(group, owner, member string) {
	s.t.Helper()
	r := s.must(owner, "/group/invitationGroup", object{"uniqueNo": no(), "groupId": group, "userId": member})
	s.must(member, "/group/userVerify", object{"uniqueNo": no(), "applyGroupId": r.str("applyGroupId"), "applyState": "9"})
}

func (s *server) applied() {
	t := s.t
	u := ids(5)
	a, b, c, x, y := u[0], u[1], u[2], u[3], u[4]
	s.register(u...)
	group := s.group(a, c)
	a1, a2 := s.device(a, nil), s.device(a, object{"own": true})
	b1, b2 := s.device(b, nil), s.device(b, object{"own": true})
	c1 := s.device(c, object{"own": true})
	x1 := s.device(x, nil)
	all := []*device{a1, a2, b1, b2, c1, x1}

	b1.refused("/group/applyGroup", "not_found", object{"groupId": "none"})
	c1.refused("/group/applyGroup", "conflict", object{"groupId": group})
	// 4 to owner and admins alone.
	r := b1.must("/group/applyGroup", "申请入群成功", object{"groupId": group, "note": "让我进来"}, object{"applyGroupId": anID})
	application := r.str("applyGroupId")
	for _, d := range []*device{a1, a2} {
		d.pushed("4", r.Obj["position"], object{"applyGroupId": application, "applyUserId": b, "applyNickName": nick(b), "applyDate": aDate,
			"note": "让我进来", "groupId": group, "groupName": "群"})
	}
	quiet(t, all...)
	b1.refused("/group/applyGroup", "conflict", object{"groupId": group})
	a1.refused("/group/invitationGroup", "conflict", object{"groupId": group, "userId": b})
	listed := object{"applyGroupId": application, "applyUserId": b, "applyNickName": nick(b), "note": "让我进来", "applyDate": aDate, "applyState": "1",
		"groupId": group, "applyType": "2", "targetUserId": b, "groupName": "群", "time": aTime, "position": r.Obj["position"]}
	s.lists(b1, "/group/getApplyGroupList", nil, listed)
	if l := a1.do("/group/getApplyGroupList", nil).list(); len(l) != 2 {
		t.Errorf("the owner's list: %v", l)
	}
	if l := c1.do("/group/getApplyGroupList", nil).list(); len(l) != 1 || l[0]["applyType"] != "1" {
		t.Errorf("a plain member's list: %v", l)
	}
	c1.refused("/group/groupVerify", "forbidden", object{"applyGroupId": application, "applyState": "9"})
	b1.refused("/group/groupVerify", "not_member", object{"applyGroupId": application, "applyState": "9"})
	b1.refused("/group/userVerify", "not_found", object{"applyGroupId": application, "applyState": "9"})
	// 10 to the applicant and own connections, 11 to the other members.
	r = a1.must("/group/groupVerify", "审核入群申请成功", object{"applyGroupId": application, "applyState": "9", "note": "欢迎"}, nil)
	for _, d := range []*device{a2, b1, b2} {
		d.pushed("10", r.Obj["position"], object{"applyGroupId": application, "groupId": group, "groupName": "群", "applyState": "9",
			"verifyDate": aDate, "verifyUserId": a, "note": "欢迎", "targetUserId": b})
	}
	c1.pushed("11", r.Obj["position"], eleven(group, "joined", b, a))
	quiet(t, all...)
	a1.refused("/group/groupVerify", "conflict", object{"applyGroupId": application, "applyState": "9"})

	// A refusal: 10 and no 11; then again, and the invitation conflicts.
	application = x1.do("/group/applyGroup", object{"groupId": group}).str("applyGroupId")
	a1.expect(push("4"))
	a2.expect(push("4"))
	r = a2.must("/group/groupVerify", "审核入群申请成功", object{"applyGroupId": application, "applyState": "0"}, nil)
	for _, d := range []*device{a1, x1} {
		d.pushed("10", r.Obj["position"], object{"applyGroupId": application, "groupId": group, "groupName": "群", "applyState": "0",
			"verifyDate": aDate, "verifyUserId": a, "note": "", "targetUserId": x})
	}
	x1.refused("/chat/sendGroupMessage", "not_member", object{"groupId": group, "messageContent": "x"})
	x1.must("/group/applyGroup", "申请入群成功", object{"groupId": group}, object{"applyGroupId": anID})
	a1.expect(push("4"))
	a2.expect(push("4"))
	quiet(t, all...)

	// An open group lets in at once: 11 to the members.
	open := a1.do("/group/addGroup", object{"groupName": "开", "joinMode": "9"}).str("groupId")
	a2.pushed("11", aPosition, eleven(open, "created", a, a))
	r = b1.do("/group/applyGroup", object{"groupId": open})
	if !r.ok() || r.Obj["position"] == nil {
		t.Errorf("an open group: %s", r.Raw)
	}
	for _, d := range []*device{a1, a2, b2} {
		d.pushed("11", r.Obj["position"], eleven(open, "joined", b, b))
	}
	if l := b1.do("/group/getGroupList", object{"groupId": open}).list(); len(l) != 1 || l[0]["role"] != "1" || l[0]["memberCount"] != float64(2) {
		t.Errorf("right after joining: %v", l)
	}
	// By invitation only.
	closed := a1.do("/group/addGroup", object{"groupName": "闭", "joinMode": "0", "userIds": []string{y}}).str("groupId")
	a2.expect(push("11"))
	b1.refused("/group/applyGroup", "forbidden", object{"groupId": closed})
	quiet(t, all...)
}

func (s *server) endings() {
	t := s.t
	u := ids(4)
	a, b, c, x := u[0], u[1], u[2], u[3]
	s.register(u...)
	group := s.group(a, b, c)
	a1, a2, a3 := s.device(a, nil), s.device(a, object{"own": true}), s.device(a, nil)
	b1, b2 := s.device(b, nil), s.device(b, object{"own": true})
	c1 := s.device(c, nil)
	x1 := s.device(x, object{"own": true})
	all := []*device{a1, a2, a3, b1, b2, c1, x1}

	a1.refused("/group/removeUserGroup", "not_found", object{"groupId": group, "removeUserId": "nobody"})
	a1.refused("/group/removeUserGroup", "not_member", object{"groupId": group, "removeUserId": x})
	// 7 to the removed and own connections that want it, 11 to the rest.
	r := a1.must("/group/removeUserGroup", "移除群成员成功", object{"groupId": group, "removeUserId": b, "note": "再见"}, nil)
	for _, d := range []*device{a2, b1, b2} {
		d.pushed("7", r.Obj["position"], object{"applyUserId": a, "applyNickName": nick(a), "applyDate": aDate, "note": "再见", "groupId": group,
			"groupName": "群", "targetUserId": b})
	}
	c1.pushed("11", r.Obj["position"], eleven(group, "removed", b, a))
	quiet(t, all...)
	for _, url := range []string{"/chat/sendGroupMessage", "/group/quitGroup", "/group/getGroupUsers", "/group/deleteGroup", "/group/invitationGroup"} {
		b1.refused(url, "not_member", object{"groupId": group, "messageContent": "x", "userId": x})
	}
	s.lists(b1, "/group/getGroupList", nil)

	// 11 to the members, and own connections that want it.
	s.joins(group, a, b)
	for _, d := range []*device{a1, a2, a3, b1, b2} {
		d.expect(push("10"))
	}
	c1.expect(push("11"))
	r = b1.must("/group/quitGroup", "退出群组成功", object{"groupId": group}, nil)
	for _, d := range []*device{a1, a2, a3, b2, c1} {
		d.pushed("11", r.Obj["position"], eleven(group, "quit", b, b))
	}
	quiet(t, all...)

	// 7 to every other member; nothing comes later.
	waiting := x1.do("/group/applyGroup", object{"groupId": group}).str("applyGroupId")
	for _, d := range []*device{a1, a2, a3} {
		d.expect(push("4"))
	}
	said := c1.do("/chat/sendGroupMessage", object{"groupId": group, "messageContent": "last"}).str("position")
	for _, d := range []*device{a1, a2, a3} {
		d.expect(push("2"))
	}
	r = a1.must("/group/deleteGroup", "解散群组成功", object{"groupId": group, "note": "散"}, nil)
	for _, d := range []*device{a2, c1} {
		d.pushed("7", r.Obj["position"], object{"applyUserId": a, "applyNickName": nick(a), "applyDate": aDate, "note": "散", "groupId": group, "groupName": "群"})
	}
	quiet(t, all...)
	for _, d := range []*device{a1, b1, c1, x1} {
		for _, url := range []string{"/chat/sendGroupMessage", "/group/applyGroup", "/group/quitGroup", "/group/deleteGroup", "/group/getGroup", "/group/getGroupUsers"} {
			d.refused(url, "not_found", object{"groupId": group, "messageContent": "x"})
		}
		d.refused("/chat/readMessage", "not_found", object{"groupId": group, "position": said})
		s.lists(d, "/group/getGroupList", nil)
	}
	a1.refused("/group/groupVerify", "not_found", object{"applyGroupId": waiting, "applyState": "9"})
	// What was said stays readable for those who could read it.
	for _, d := range []*device{a1, c1} {
		if l := d.do("/group/loadMoreMessage", object{"groupId": group}).list(); len(l) != 1 || l[0]["talkContent"] != "last" {
			t.Errorf("history of a deleted group: %v", l)
		}
	}
	if l := b1.do("/group/loadMoreMessage", object{"groupId": group}).list(); len(l) != 0 {
		t.Errorf("said after b had left: %v", l)
	}
	x1.refused("/group/loadMoreMessage", "not_member", object{"groupId": group})
}

func (s *server) forbidden() {
	u := ids(4)
	a, b, c, x := u[0], u[1], u[2], u[3]
	s.register(u...)
	group := s.group(a, b, c)
	b1, a1, x1 := s.device(b, nil), s.device(a, nil), s.device(x, nil)
	b1.refused("/group/invitationGroup", "forbidden", object{"groupId": group, "userId": x})
	b1.refused("/group/invitationGroup", "not_found", object{"groupId": group, "userId": "nobody"})
	b1.refused("/group/removeUserGroup", "forbidden", object{"groupId": group, "removeUserId": c})
	b1.refused("/group/removeUserGroup", "forbidden", object{"groupId": group, "removeUserId": a})
	b1.refused("/group/deleteGroup", "forbidden", object{"groupId": group})
	a1.refused("/group/quitGroup", "forbidden", object{"groupId": group})
	x1.refused("/group/deleteGroup", "not_member", object{"groupId": group})
	x1.refused("/group/removeUserGroup", "not_member", object{"groupId": group, "removeUserId": b})
	if r := b1.do("/group/deleteGroup", object{"groupId": group}); r.Code != float64(403) || r.Msg != "解散群组失败" {
		s.t.Errorf("code and msg: %s", r.Raw)
	}
	if n := s.must(a, "/group/getGroup", object{"groupId": group}).list()[0]["memberCount"]; n != float64(3) {
		s.t.Errorf("%v members", n)
	}
	quiet(s.t, a1, b1, x1)
}

// Two applications at once do not hinder each other, and one application is
// verified once.
func (s *server) appliedAtOnce() {
	u := ids(6)
	s.register(u...)
	owner := u[0]
	group := s.group(owner)
	var all sync.WaitGroup
	applications := make([]answer, 5)
	for i := range applications {
		all.Go(func() {
			applications[i] = s.post(u[i+1], "/group/applyGroup", object{"uniqueNo": no(), "groupId": group})
		})
	}
	all.Wait()
	got := make([][4]answer, len(applications))
	for i, a := range applications {
		if !a.ok() {
			s.t.Fatalf("applied at once: %s", a.Raw)
		}
		for j := range got[i] {
			all.Go(func() {
				got[i][j] = s.post(owner, "/group/groupVerify", object{"uniqueNo": no(), "applyGroupId": a.str("applyGroupId"), "applyState": "9"})
			})
		}
	}
	all.Wait()
	for i := range got {
		done := 0
		for _, a := range got[i] {
			if a.ok() {
				done++
			} else if a.reason() != "conflict" {
				s.t.Errorf("verified at once: %s", a.Raw)
			}
		}
		if done != 1 {
			s.t.Errorf("application %d was verified %d times", i, done)
		}
	}
	if l := s.must(owner, "/group/getGroupUsers", object{"groupId": group}).list(); len(l) != 6 {
		s.t.Errorf("%d members", len(l))
	}
}

// Of a group, only what was said while one was a member, over several memberships.
func (s *server) membersHistory() {
	t := s.t
	u := ids(2)
	a, b := u[0], u[1]
	s.register(u...)
	group := s.group(a)
	say := func(who, text string) string {
		t.Helper()
		return s.must(who, "/chat/sendGroupMessage", object{"uniqueNo": no(), "groupId": group, "messageContent": text}).str("position")
	}
	say(a, "before")
	s.joins(group, a, b)
	first := say(a, "1")
	say(b, "2")
	s.must(b, "/group/quitGroup", object{"uniqueNo": no(), "groupId": group})
	between := say(a, "between")
	s.joins(group, a, b)
	say(a, "3")
	s.must(a, "/group/removeUserGroup", object{"uniqueNo": no(), "groupId": group, "removeUserId": b})
	say(a, "after")
	texts := func(who string, params object) string {
		t.Helper()
		params["groupId"] = group
		out := ""
		for _, row := range s.must(who, "/group/loadMoreMessage", params).list() {
			out += row["talkContent"].(string) + " "
			exactly(t, fmt.Sprint(row), row, object{"chatMessageId": anID, "sendUserId": aString, "sendNickName": nick(row["sendUserId"].(string)),
				"receiveUserId": group, "groupId": group, "talkDate": aDate, "time": aTime, "talkContent": aString, "avatar": "",
				"talkSide": row["sendUserId"] == who, "position": aPosition})
		}
		return out
	}
	for _, c := range []struct {
		who    string
		params object
		want   string
	}{
		{a, object{}, "before 1 2 between 3 after "},
		{b, object{}, "1 2 3 "},
		{b, object{"limit": 2}, "2 3 "},
		{b, object{"page": 1, "pageSize": 2}, "2 3 "},
		{b, object{"page": 2, "pageSize": 2}, "1 "},
		{b, object{"page": 3, "pageSize": 2}, ""},
		{b, object{"after": between}, "3 "},
		{b, object{"before": between}, "1 2 "},
		{b, object{"after": first, "limit": 1}, "2 "},
		{b, object{"after": first, "before": between}, "2 "},
	} {
		if got := texts(c.who, c.params); got != c.want {
			t.Errorf("%v by %s: %q, want %q", c.params, c.who, got, c.want)
		}
	}
	l := s.must(b, "/friend/getRecentMessageList", object{}).list()
	if len(l) != 1 || l[0]["content"] != "3" || l[0]["recentId"] != group || l[0]["type"] != "1" || l[0]["total"] != float64(2) {
		t.Errorf("recent list of one who was removed: %v", l)
	}
}
