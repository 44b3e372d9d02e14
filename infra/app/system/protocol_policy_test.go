package system

import (
	"testing"
	"time"
)

// What a deployment sets: strangers may write, applications expire soon, messages can't
// be recalled for long, dates are numbers.
func TestProtocolPolicies(t *testing.T) {
	s := serve(t, t.TempDir(), "--strangers", "--apply-expiry", "2s", "--recall-window", "2s", "--dates", "millis")
	u := ids(2)
	s.register(u...)
	a, b := s.device(u[0], nil), s.device(u[1], nil)

	a.refused("/chat/sendMessage", "not_found", object{"receiveUserId": "nobody", "messageContent": "x"})
	r := a.must("/chat/sendMessage", "发送消息成功", object{"receiveUserId": u[1], "messageContent": "x"}, object{"messageId": anID})
	p := b.pushed("1", r.Obj["position"], object{"sendUserId": u[0], "receiveUserId": u[1], "messageContent": "x", "receiveDate": aTime, "messageId": anID, "sendNickName": nick(u[0])})
	if p.Data["receiveDate"] != p.Data["time"] {
		t.Errorf("dates as numbers: %s", p.Raw)
	}
	b.must("/chat/readMessage", "标记已读成功", object{"userId": u[0], "position": r.Obj["position"]}, nil)
	a.expect(push("13"))
	if l := b.do("/friend/getRecentMessageList", nil).list(); len(l) != 1 || l[0]["recentId"] != u[0] || l[0]["total"] != float64(0) {
		t.Errorf("recents among strangers: %v", l)
	}

	id := a.must("/friend/applyFriend", "申请好友成功", object{"userId": u[1]}, object{"applyFriendId": anID}).str("applyFriendId")
	b.expect(push("3"))
	group := b.do("/group/addGroup", object{"groupName": "G"}).str("groupId")
	invitation := b.do("/group/invitationGroup", object{"groupId": group, "userId": u[0]}).str("applyGroupId")
	a.expect(push("5"))
	state := func(d *device, url string) any { return d.do(url, nil).list()[0]["applyState"] }
	if got := state(b, "/friend/getApplyFriendList"); got != "1" {
		t.Errorf("pending: %v", got)
	}
	wait(t, "the applications to expire", 20*time.Second, func() bool {
		return state(a, "/friend/getApplyFriendList") == "2" && state(b, "/group/getApplyGroupList") == "2"
	})
	recalled := a.must("/chat/sendMessage", "发送消息成功", object{"receiveUserId": u[1], "messageContent": "oops"}, object{"messageId": anID}).str("position")
	b.expect(push("1"))
	a.must("/chat/recallMessage", "撤回消息成功", object{"position": recalled}, nil)
	b.expect(push("12"))
	a.refused("/chat/recallMessage", "forbidden", object{"position": r.Obj["position"]})
	b.refused("/friend/verifyFriend", "conflict", object{"applyFriendId": id, "applyState": "9"})
	a.refused("/group/userVerify", "conflict", object{"applyGroupId": invitation, "applyState": "9"})
	a.must("/friend/applyFriend", "申请好友成功", object{"userId": u[1]}, object{"applyFriendId": anID})
	b.expect(push("3"))
	b.must("/group/invitationGroup", "邀请入群成功", object{"groupId": group, "userId": u[0]}, object{"applyGroupId": anID})
	a.expect(push("5"))
	quiet(t, a, b)
}
