package system

import (
	"strings"
	"testing"
)

// Blocks, folders and the administration of a group.
func TestProtocolChanges(t *testing.T) {
	s := serve(t, t.TempDir())
	t.Run("blocks and folders", func(t *testing.T) { s.on(t).blocksAndFolders() })
	t.Run("administration", func(t *testing.T) { s.on(t).administration() })
}

func twelve(change, message, sender, by string, more object) object {
	o := object{"change": change, "messagePosition": message, "sendUserId": sender, "operatorUserId": by, "date": aDate}
	for name, v := range more {
		o[name] = v
	}
	return o
}

// Edits and recalls, told to who saw the message, over a crash, and by a resume.
func TestProtocolEditsAndRecalls(t *testing.T) {
	s := serve(t, t.TempDir())
	u := ids(3)
	a, b, c := u[0], u[1], u[2]
	s.register(u...)
	s.befriend(a, b)
	group := s.group(a, b)
	inPair := s.must(a, "/chat/sendMessage", object{"uniqueNo": no(), "receiveUserId": b, "messageContent": "三点"}).str("position")
	inGroup := s.must(b, "/chat/sendGroupMessage", object{"uniqueNo": no(), "groupId": group, "messageContent": "周五"}).str("position")
	s.joins(group, a, c)

	a1, a2, b1, c1 := s.device(a, nil), s.device(a, nil), s.device(b, nil), s.device(c, nil)
	from := map[*device]string{}
	for _, d := range []*device{a2, b1, c1} {
		_, login := s.login(d.user, nil)
		from[d], _ = login.Data["cursor"].(string)
	}
	edit := object{"uniqueNo": no(), "position": inPair, "messageContent": "四点 <\u0000>"}
	edited := a1.must("/chat/editMessage", "编辑消息成功", edit, nil)
	one := twelve("edited", inPair, a, a, object{"receiveUserId": b, "messageContent": "四点 <\u0000>"})
	for _, d := range []*device{a2, b1} {
		d.pushed("12", edited.Obj["position"], one)
	}
	b1.refused("/chat/editMessage", "forbidden", object{"position": inPair, "messageContent": "x"})
	b1.refused("/chat/recallMessage", "forbidden", object{"position": inPair})
	c1.refused("/chat/editMessage", "not_found", object{"position": inPair, "messageContent": "x"})
	c1.refused("/chat/recallMessage", "forbidden", object{"position": inGroup})
	recalled := a1.must("/chat/recallMessage", "撤回消息成功", object{"position": inGroup}, nil)
	two := twelve("recalled", inGroup, b, a, object{"groupId": group})
	for _, d := range []*device{a2, b1} { // c came after the message
		d.pushed("12", recalled.Obj["position"], two)
	}
	b1.refused("/chat/editMessage", "conflict", object{"position": inGroup, "messageContent": "x"})
	a1.refused("/chat/recallMessage", "conflict", object{"position": inGroup})
	quiet(t, a1, a2, b1, c1)

	s.kill()
	s.start()
	if again := s.must(a, "/chat/editMessage", edit); again.str("position") != edited.str("position") {
		t.Errorf("the repeated edit is at %s, the first was at %s", again.str("position"), edited.str("position"))
	}
	// A resume brings them to the same people.
	for d, cursor := range from {
		k, _ := s.login(d.user, object{"cursor": cursor})
		var got []string
		for p := k.next(); p.MsgType != "15"; p = k.next() {
			if p.MsgType == "12" {
				got = append(got, p.Data["position"].(string))
			}
		}
		want := []string{edited.str("position"), recalled.str("position")}
		if d == c1 {
			want = nil
		}
		if len(got) == 2 && got[0] == recalled.str("position") && !strings.HasPrefix(got[1], got[0][:2]) {
			got[0], got[1] = got[1], got[0] // partitions have no order among each other
		}
		if jsonOf(t, got) != jsonOf(t, want) {
			t.Errorf("%s resumed and got %v, want %v", d.user, got, want)
		}
	}
}

func (s *server) blocksAndFolders() {
	t := s.t
	u := ids(2)
	a, b := u[0], u[1]
	s.register(u...)
	a1, a2, b1 := s.device(a, nil), s.device(a, nil), s.device(b, nil)
	a1.refused("/friend/updateFriend", "not_friend", object{"friendId": b, "remark": "x"})
	s.befriend(a, b)
	for _, d := range []*device{a1, a2, b1} {
		d.expect(push("9"))
	}
	own := func(more object) object {
		o := object{"userId": a, "nickName": nick(a), "avatar": ""}
		for name, v := range more {
			o[name] = v
		}
		return o
	}
	r := a1.must("/friend/createFriendGroup", "创建好友分组成功", object{"friendGroupName": "同学"}, object{"friendGroupId": anID})
	folder := r.str("friendGroupId")
	a2.pushed("14", r.Obj["position"], own(object{"change": "folders", "friendGroupId": folder, "friendGroupName": "同学"}))
	b1.refused("/friend/deleteFriendGroup", "not_found", object{"friendGroupId": folder})
	b1.refused("/friend/updateFriend", "not_found", object{"friendId": a, "friendGroupId": folder})
	r = a1.must("/friend/updateFriend", "修改好友信息成功", object{"friendId": b, "remark": "老B", "friendGroupId": folder}, nil)
	a2.pushed("14", r.Obj["position"], own(object{"change": "friend", "friendId": b, "remark": "老B", "friendGroupId": folder}))
	r = a1.must("/friend/deleteFriendGroup", "删除好友分组成功", object{"friendGroupId": folder}, nil)
	a2.pushed("14", r.Obj["position"], own(object{"change": "folders", "friendGroupId": folder}))
	a1.refused("/friend/updateFriend", "not_found", object{"friendId": b, "friendGroupId": folder})

	a1.must("/friend/blockFriend", "拉黑用户成功", object{"userId": b}, nil)
	a1.refused("/friend/blockFriend", "conflict", object{"userId": b})
	a1.refused("/chat/sendMessage", "blocked", object{"receiveUserId": b, "messageContent": "x"})
	b1.refused("/chat/sendMessage", "blocked", object{"receiveUserId": a, "messageContent": "x"})
	b1.refused("/friend/unblockFriend", "conflict", object{"userId": a})
	a1.must("/friend/unblockFriend", "取消拉黑成功", object{"userId": b}, nil)
	b1.must("/chat/sendMessage", "发送消息成功", object{"receiveUserId": a, "messageContent": "x"}, object{"messageId": anID})
	for _, d := range []*device{a1, a2} {
		d.expect(push("1"))
	}
	quiet(t, a1, a2, b1)
}

func (s *server) administration() {
	t := s.t
	u := ids(4)
	o, a, m, x := u[0], u[1], u[2], u[3]
	s.register(u...)
	group := s.group(o, a, m)
	o1, o2, a1, m1, x1 := s.device(o, nil), s.device(o, object{"own": true}), s.device(a, nil), s.device(m, nil), s.device(x, nil)
	all := []*device{o1, o2, a1, m1, x1}
	with := func(more object) object {
		p := object{"groupId": group}
		for name, v := range more {
			p[name] = v
		}
		return p
	}
	told := func(r answer, change, user, by string, ds ...*device) {
		t.Helper()
		for _, d := range ds {
			d.pushed("11", r.Obj["position"], eleven(group, change, user, by))
		}
	}
	a1.refused("/group/setGroupRole", "forbidden", with(object{"userId": m, "role": "5"}))
	x1.refused("/group/setGroupRole", "not_member", with(object{"userId": m, "role": "5"}))
	told(o1.must("/group/setGroupRole", "设置群成员角色成功", with(object{"userId": a, "role": "5"}), nil), "role", a, o, o2, a1, m1)
	m1.refused("/group/updateGroup", "forbidden", with(object{"notice": "x"}))
	told(a1.must("/group/updateGroup", "修改群组成功", with(object{"notice": "周五见", "joinMode": "0"}), nil), "info", a, a, o1, o2, m1)
	x1.refused("/group/applyGroup", "forbidden", with(nil))
	if g := m1.do("/group/getGroup", with(nil)).list(); len(g) != 1 || g[0]["notice"] != "周五见" || g[0]["joinMode"] != "0" || g[0]["groupName"] != "群" {
		t.Errorf("the group after updateGroup: %v", g)
	}
	m1.refused("/group/muteMember", "forbidden", with(object{"userId": a, "minutes": 1}))
	a1.refused("/group/muteMember", "forbidden", with(object{"userId": o, "minutes": 1}))
	told(a1.must("/group/muteMember", "禁言群成员成功", with(object{"userId": m, "minutes": 1}), nil), "muted", m, a, o1, o2, m1)
	m1.refused("/chat/sendGroupMessage", "muted", with(object{"messageContent": "x"}))
	told(a1.must("/group/muteMember", "禁言群成员成功", with(object{"userId": m, "minutes": 0}), nil), "muted", m, a, o1, o2, m1)
	m1.must("/chat/sendGroupMessage", "发送群组消息成功", with(object{"messageContent": "x", "atUserIds": []string{o, a}}), object{"messageId": anID})
	for _, d := range []*device{o1, o2, a1} {
		d.expect(push("2"))
	}
	m1.refused("/chat/sendGroupMessage", "bad_request", with(object{"messageContent": "x", "atUserIds": []string{o, x}}))
	a1.refused("/group/transferGroup", "forbidden", with(object{"userId": a}))
	told(o1.must("/group/transferGroup", "转让群组成功", with(object{"userId": m}), nil), "owner", m, o, o2, a1, m1)
	o1.refused("/group/deleteGroup", "forbidden", with(nil))
	quiet(t, all...)
}
