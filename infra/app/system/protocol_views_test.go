package system

import "testing"

// What queries show after edits, recalls, reads, folders and views: right after
// the command, over both transports, and after a kill.
func TestProtocolViews(t *testing.T) {
	s := serve(t, t.TempDir())
	u := ids(3)
	a, b, c := u[0], u[1], u[2]
	s.register(u...)
	s.befriend(a, b)
	s.befriend(a, c)
	send := func(from, to, text string) string {
		return s.must(from, "/chat/sendMessage", object{"uniqueNo": no(), "receiveUserId": to, "messageContent": text}).str("position")
	}
	one, two, three := send(b, a, "一"), send(b, a, "二"), send(a, b, "三")
	s.must(b, "/chat/editMessage", object{"uniqueNo": no(), "position": one, "messageContent": "壹"})
	s.must(b, "/chat/recallMessage", object{"uniqueNo": no(), "position": two})
	s.must(a, "/chat/editMessage", object{"uniqueNo": no(), "position": three, "messageContent": "叁 "})
	folder := s.must(a, "/friend/createFriendGroup", object{"uniqueNo": no(), "friendGroupName": "同学"}).str("friendGroupId")
	gone := s.must(a, "/friend/createFriendGroup", object{"uniqueNo": no(), "friendGroupName": "x"}).str("friendGroupId")
	s.must(a, "/friend/updateFriend", object{"uniqueNo": no(), "friendId": b, "remark": "老B", "friendGroupId": folder})
	s.must(a, "/friend/updateFriend", object{"uniqueNo": no(), "friendId": c, "friendGroupId": gone})
	s.must(a, "/friend/deleteFriendGroup", object{"uniqueNo": no(), "friendGroupId": gone})
	s.must(a, "/friend/blockFriend", object{"uniqueNo": no(), "userId": c})

	said := func(at, from, to, text string, mark string) object {
		o := object{"chatMessageId": anID, "sendUserId": from, "sendNickName": nick(from), "receiveUserId": to, "talkDate": aDate, "time": aTime,
			"talkContent": text, "avatar": "", "talkSide": from == a, "position": at}
		if mark != "" {
			o[mark], o["operatorUserId"], o["changeTime"] = true, from, aTime
		}
		return o
	}
	place := func(id, name string, order int) object {
		return object{"friendGroupId": id, "friendGroupName": name, "friendGroupOrder": order, "allowDeletion": order > 0}
	}
	with := func(f object, rows ...object) object {
		f["friendLists"] = rows
		return f
	}
	look := func(unread int, read any) {
		t.Helper()
		d := s.device(a, nil)
		s.lists(d, "/friend/loadMoreMessage", object{"userId": b}, said(one, b, a, "壹", "edited"), said(two, b, a, "", "recalled"), said(three, a, b, "叁 ", "edited"))
		s.lists(d, "/friend/getFriendGroupList", nil, place("0", "我的好友", 0), place(folder, "同学", 1))
		s.lists(d, "/friend/myFriendList", nil,
			with(place("0", "我的好友", 0), object{"friendId": c, "friendState": "0", "nickName": nick(c), "remarks": "", "avatar": "", "blocked": true}),
			with(place(folder, "同学", 1), object{"friendId": b, "friendState": "0", "nickName": nick(b), "remarks": "老B", "avatar": ""}))
		s.lists(d, "/friend/getRecentMessageList", nil, object{"recentId": b, "name": "老B", "avatar": "", "type": "2", "lastDate": aDate, "time": aTime,
			"content": "叁 ", "sendUserId": a, "total": unread, "readPosition": read, "position": three})
	}
	look(1, "")
	s.must(a, "/chat/readMessage", object{"uniqueNo": no(), "userId": b, "position": two})
	s.must(a, "/chat/readMessage", object{"uniqueNo": no(), "userId": b, "position": one}) // another device, late
	look(0, two)
	s.kill()
	s.start()
	look(0, two)

	recalled := s.must(a, "/chat/recallMessage", object{"uniqueNo": no(), "position": three}).str("position")
	r := s.must(b, "/friend/getRecentMessageList", object{"seen": recalled}).list()
	if len(r) != 1 || r[0]["content"] != "" || r[0]["recalled"] != true || r[0]["total"] != float64(0) {
		t.Errorf("b's recents: %v", r)
	}
}

// Who left a group sees its messages as they were edited until then.
func TestProtocolViewsOfAGroupThatWasLeft(t *testing.T) {
	s := serve(t, t.TempDir())
	u := ids(2)
	o, m := u[0], u[1]
	s.register(u...)
	group := s.group(o, m)
	said := s.must(o, "/chat/sendGroupMessage", object{"uniqueNo": no(), "groupId": group, "messageContent": "first"}).str("position")
	last := said
	edit := func(text string) {
		last = s.must(o, "/chat/editMessage", object{"uniqueNo": no(), "position": said, "messageContent": text}).str("position")
	}
	see := func(user string) any {
		rows := s.must(user, "/group/loadMoreMessage", object{"groupId": group, "seen": last}).list()
		if len(rows) != 1 {
			t.Fatalf("%s sees %v", user, rows)
		}
		return rows[0]["talkContent"]
	}
	edit("seen by both")
	s.must(m, "/group/quitGroup", object{"uniqueNo": no(), "groupId": group})
	edit("behind m's back")
	if of, om := see(o), see(m); of != "behind m's back" || om != "seen by both" {
		t.Errorf("o sees %q, m %q", of, om)
	}
	last = s.must(o, "/chat/recallMessage", object{"uniqueNo": no(), "position": said}).str("position")
	if of, om := see(o), see(m); of != "" || om != "" {
		t.Errorf("recalled, o sees %q, m %q", of, om)
	}
}
