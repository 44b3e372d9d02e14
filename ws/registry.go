package ws

import (
	"fmt"
	"io"
	"reflect"
	"strings"

	"lishi/commands"
	"lishi/projections"
	"lishi/projections/friends"
	"lishi/projections/groups"
	"lishi/projections/history"
	"lishi/projections/recents"
	"lishi/projections/search"
)

// URL is one row of the registry: what can be asked for, and its texts.
type URL struct {
	Path    string // "/chat/sendMessage"
	Action  string // 动作: 发送消息
	Success string // 动作成功
	Failure string // 动作失败
	Seed    bool   // of the seed, whose failures all have code 400
	Socket  bool   // only over a socket

	command bool // else a query
	plan    *plan
	makes   []string     // of a command: what its result tells beside position and time; "name?" where not always
	row     reflect.Type // of a query: a row of obj.list
}

// Registry is every url. It feeds the socket, the HTTP twin, the docs and tests.
type Registry struct {
	urls map[string]*URL // by path without slashes at its ends
	rows []*URL          // in the order of the table
}

// Find gives a url by its path, with or without slashes at its ends; nil if
// there is none.
func (r *Registry) Find(path string) *URL { return r.urls[strings.Trim(path, "/")] }

// All lists the urls in the table's order.
func (r *Registry) All() []*URL { return r.rows }

// Known tells whether a path is a url of the protocol.
func Known(path string) bool { return urls.Find(path) != nil }

// Markdown writes the table of all urls as it stands in the docs.
func Markdown(w io.Writer) error { return urls.Markdown(w) }

const (
	pathLogin = "/chat/login"
	pathPing  = "/chat/ping"
)

// urls is the table: a new command is one line here and one file in commands, a
// new query one line here and one in its read model.
var urls = NewRegistry(
	socketOnly[loginParams](pathLogin, "登录"),
	bare(pathPing, "心跳"),
	seed(command[commands.SendMessage]("/chat/sendMessage", "发送消息", "messageId")),
	seed(command[commands.SendGroupMessage]("/chat/sendGroupMessage", "发送群组消息", "messageId")),
	command[commands.EditMessage]("/chat/editMessage", "编辑消息"),
	command[commands.RecallMessage]("/chat/recallMessage", "撤回消息"),
	command[commands.ReadMessage]("/chat/readMessage", "标记已读"),
	command[commands.ApplyFriend]("/friend/applyFriend", "申请好友", "applyFriendId", "applyState?"),
	command[commands.VerifyFriend]("/friend/verifyFriend", "审核好友"),
	command[commands.DeleteFriend]("/friend/deleteFriend", "删除好友"),
	command[commands.BlockFriend]("/friend/blockFriend", "拉黑用户"),
	command[commands.UnblockFriend]("/friend/unblockFriend", "取消拉黑"),
	command[commands.CreateFriendGroup]("/friend/createFriendGroup", "创建好友分组", "friendGroupId"),
	command[commands.DeleteFriendGroup]("/friend/deleteFriendGroup", "删除好友分组"),
	command[commands.UpdateFriend]("/friend/updateFriend", "修改好友信息"),
	command[commands.AddGroup]("/group/addGroup", "创建群组", "groupId"),
	command[commands.UpdateGroup]("/group/updateGroup", "修改群组"),
	command[commands.ApplyGroup]("/group/applyGroup", "申请入群", "applyGroupId", "applyState?"),
	command[commands.InvitationGroup]("/group/invitationGroup", "邀请入群", "applyGroupId"),
	command[commands.GroupVerify]("/group/groupVerify", "审核入群申请"),
	command[commands.UserVerify]("/group/userVerify", "审核入群邀请"),
	command[commands.RemoveUserGroup]("/group/removeUserGroup", "移除群成员"),
	command[commands.QuitGroup]("/group/quitGroup", "退出群组"),
	command[commands.TransferGroup]("/group/transferGroup", "转让群组"),
	command[commands.SetGroupRole]("/group/setGroupRole", "设置群成员角色"),
	command[commands.MuteMember]("/group/muteMember", "禁言群成员"),
	command[commands.DeleteGroup]("/group/deleteGroup", "解散群组"),
	command[commands.UpdateUser]("/user/updateUser", "修改用户资料"),

	query[friends.List, friends.Filled]("/friend/myFriendList", "查询好友列表"),
	query[friends.Folders, friends.Folder]("/friend/getFriendGroupList", "查询好友分组列表"),
	query[friends.Find, friends.Person]("/friend/queryFriend", "查询用户"),
	query[friends.Applications, friends.Application]("/friend/getApplyFriendList", "查询好友申请列表"),
	query[friends.Blocks, friends.Person]("/friend/getBlockedList", "查询黑名单"),
	query[recents.List, recents.Recent]("/friend/getRecentMessageList", "查询最近聊天列表"),
	query[history.LoadPair, history.Message]("/friend/loadMoreMessage", "查询聊天记录"),
	query[groups.List, groups.Group]("/group/getGroupList", "查询群组列表"),
	query[groups.Get, groups.Group]("/group/getGroup", "查询群组"),
	query[groups.Users, groups.User]("/group/getGroupUsers", "查询群成员列表"),
	query[groups.Applications, groups.Application]("/group/getApplyGroupList", "查询入群申请列表"),
	query[history.LoadGroup, history.Message]("/group/loadMoreMessage", "查询群聊天记录"),
	query[search.Messages, history.Message]("/chat/searchMessage", "搜索消息"),
)

// URLs is the table as the program serves it.
func URLs() *Registry { return urls }

// NewRegistry makes a registry of rows. It panics on a path that comes twice.
func NewRegistry(rows ...*URL) *Registry {
	r := &Registry{urls: make(map[string]*URL, len(rows)), rows: rows}
	for _, u := range rows {
		key := strings.Trim(u.Path, "/")
		if r.urls[key] != nil {
			panic("ws: two rows for " + u.Path)
		}
		r.urls[key] = u
	}
	return r
}

func row(path, action string) *URL {
	return &URL{Path: path, Action: action, Success: action + "成功", Failure: action + "失败"}
}

func command[C any, P interface {
	*C
	commands.Command
}](path, action string, makes ...string) *URL {
	u := row(path, action)
	u.command = true
	u.plan = newPlan(reflect.TypeFor[C]())
	u.makes = makes
	return u
}

func query[Q, Row any, P interface {
	*Q
	projections.Query
}](path, action string) *URL {
	u := row(path, action)
	u.plan = newPlan(reflect.TypeFor[Q]())
	u.row = reflect.TypeFor[Row]()
	return u
}

func seed(u *URL) *URL {
	u.Seed = true
	return u
}

func socketOnly[Params any](path, action string) *URL {
	u := seed(row(path, action))
	u.Socket = true
	u.plan = newPlan(reflect.TypeFor[Params]())
	return u
}

func bare(path, action string) *URL {
	u := row(path, action)
	u.Success = msgPong
	return u
}

// Markdown writes the table of urls as it stands in the docs.
func (r *Registry) Markdown(w io.Writer) error {
	if _, err := fmt.Fprintln(w, "| url | params | success | failure |\n| --- | --- | --- | --- |"); err != nil {
		return err
	}
	for _, u := range r.rows {
		var ps []string
		if u.plan != nil {
			for _, f := range u.plan.fields {
				name := f.name
				if f.optional {
					name += "?"
				}
				ps = append(ps, name)
			}
		}
		if _, err := fmt.Fprintf(w, "| %s | %s | %s | %s |\n", u.Path, strings.Join(ps, ", "), u.Success, u.Failure); err != nil {
			return err
		}
	}
	return nil
}
