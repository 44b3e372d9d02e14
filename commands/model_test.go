package commands

import (
	"fmt"
	"strings"
	"time"

	"lishi/events"
)

// model is what the commands mean, said a second time and as simply as can be.
type model struct {
	now    time.Time
	pairs  map[events.Stream]*pairModel
	groups map[string]*groupModel
	apps   map[string]*appModel
}

type pairModel struct {
	friends bool
	blocks  map[string]bool // by whom
}

func (p *pairModel) blocked() bool { return len(p.blocks) > 0 }

type groupModel struct {
	roles   map[string]byte // 9, 5, 1
	mode    string
	deleted bool
}

type appModel struct {
	where   string // a pair's or group's key
	kind    byte   // f, a, i
	by, who string
	state   string
	expires time.Time
	void    bool // somebody joined another way since
}

var people = []string{"a", "b", "c", "d"}

func (m *model) pair(a, b string) *pairModel {
	s := events.PairStream(a, b)
	if m.pairs[s] == nil {
		m.pairs[s] = &pairModel{blocks: map[string]bool{}}
	}
	return m.pairs[s]
}

func known(user string) bool { return strings.Contains("abcd", user) && len(user) == 1 }

func (m *model) waiting(where, who, by string) (string, *appModel) {
	for id, a := range m.apps {
		if a.where == where && (who == "" || a.who == who) && (by == "" || a.by == by) && a.state == "1" && m.now.Before(a.expires) && !a.void {
			return id, a
		}
	}
	return "", nil
}

// apply says what a command comes to: a reason, or an event's type, and changes
// the model if it is the latter. id is what the event would be called.
func (m *model) apply(actor string, c Command, id string) string {
	week := m.now.Add(7 * 24 * time.Hour)
	switch c := c.(type) {
	case SendMessage:
		switch {
		case c.ReceiveUserID == actor:
			return BadRequest
		case !known(c.ReceiveUserID):
			return NotFound
		case m.pair(actor, c.ReceiveUserID).blocked():
			return Blocked
		case !m.pair(actor, c.ReceiveUserID).friends:
			return NotFriend
		}
		return "message.sent"
	case ApplyFriend:
		key := events.PairStream(actor, c.UserID).Key()
		switch {
		case c.UserID == actor:
			return BadRequest
		case !known(c.UserID):
			return NotFound
		case m.pair(actor, c.UserID).blocked():
			return Blocked
		case m.pair(actor, c.UserID).friends:
			return Conflict
		}
		if _, own := m.waiting(key, c.UserID, actor); own != nil {
			return Conflict
		}
		if _, other := m.waiting(key, actor, c.UserID); other != nil {
			other.state = "9"
			m.befriend(actor, c.UserID)
			return "friend.agreed"
		}
		m.apps[id] = &appModel{where: key, kind: 'f', by: actor, who: c.UserID, state: "1", expires: week}
		return "friend.applied"
	case VerifyFriend:
		app := m.apps[c.ApplyFriendID]
		switch {
		case app == nil || app.kind != 'f':
			return NotFound
		case app.who != actor:
			return Forbidden
		case app.state != "1" || !m.now.Before(app.expires) || app.void || m.pair(app.by, app.who).friends:
			return Conflict
		}
		if c.ApplyState == "9" && m.pair(app.by, app.who).blocked() {
			return Blocked
		}
		if app.state = c.ApplyState; c.ApplyState == "0" {
			return "friend.refused"
		}
		m.befriend(app.by, app.who)
		return "friend.agreed"
	case BlockFriend:
		switch {
		case c.UserID == actor:
			return BadRequest
		case !known(c.UserID):
			return NotFound
		case m.pair(actor, c.UserID).blocks[actor]:
			return Conflict
		}
		m.pair(actor, c.UserID).blocks[actor] = true
		return "friend.blocked"
	case UnblockFriend:
		switch {
		case c.UserID == actor:
			return BadRequest
		case !known(c.UserID):
			return NotFound
		case !m.pair(actor, c.UserID).blocks[actor]:
			return Conflict
		}
		delete(m.pair(actor, c.UserID).blocks, actor)
		return "friend.unblocked"
	case DeleteFriend:
		switch {
		case c.FriendID == actor:
			return BadRequest
		case !known(c.FriendID):
			return NotFound
		case !m.pair(actor, c.FriendID).friends:
			return NotFriend
		}
		m.pair(actor, c.FriendID).friends = false
		return "friend.removed"
	case AddGroup:
		g := &groupModel{roles: map[string]byte{actor: '9'}, mode: c.JoinMode}
		for _, u := range c.UserIDs {
			if !known(u) {
				return NotFound
			}
		}
		m.groups[id] = g
		for _, u := range c.UserIDs {
			if u != actor {
				parsed, _ := events.ParseID(id)
				m.apps[parsed.Derive(u).String()] = &appModel{where: id, kind: 'i', by: actor, who: u, state: "1", expires: week}
			}
		}
		return "group.created"
	}
	return m.applyGroup(actor, c, id, week)
}

func (m *model) befriend(a, b string) {
	m.pair(a, b).friends = true
	for _, app := range m.apps {
		if app.where == events.PairStream(a, b).Key() && app.state == "1" {
			app.void = true
		}
	}
}

func (m *model) join(g *groupModel, group, user string) {
	g.roles[user] = '1'
	for _, app := range m.apps {
		if app.where == group && app.who == user && app.state == "1" {
			app.void = true
		}
	}
}

// in finds a living group and the actor's role in it.
func (m *model) in(group, actor string) (*groupModel, byte) {
	g := m.groups[group]
	if g == nil || g.deleted {
		return nil, 0
	}
	return g, g.roles[actor]
}

func (m *model) applyGroup(actor string, c Command, id string, week time.Time) string {
	switch c := c.(type) {
	case SendGroupMessage:
		switch g, role := m.in(c.GroupID, actor); {
		case g == nil:
			return NotFound
		case role == 0:
			return NotMember
		}
		return "message.sent"
	case ApplyGroup:
		g, role := m.in(c.GroupID, actor)
		switch {
		case g == nil:
			return NotFound
		case role != 0:
			return Conflict
		case g.mode == "9":
			m.join(g, c.GroupID, actor)
			return "group.joined"
		case g.mode == "0":
			return Forbidden
		}
		if _, w := m.pendingIn(c.GroupID, actor); w {
			return Conflict
		}
		m.apps[id] = &appModel{where: c.GroupID, kind: 'a', by: actor, who: actor, state: "1", expires: week}
		return "group.applied"
	case InvitationGroup:
		g, role := m.in(c.GroupID, actor)
		switch {
		case g == nil || !known(c.UserID):
			return NotFound
		case role == 0:
			return NotMember
		case role == '1':
			return Forbidden
		case g.roles[c.UserID] != 0:
			return Conflict
		}
		if _, w := m.pendingIn(c.GroupID, c.UserID); w {
			return Conflict
		}
		m.apps[id] = &appModel{where: c.GroupID, kind: 'i', by: actor, who: c.UserID, state: "1", expires: week}
		return "group.invited"
	case GroupVerify:
		app := m.apps[c.ApplyGroupID]
		if app == nil || app.kind != 'a' {
			return NotFound
		}
		switch g, role := m.in(app.where, actor); {
		case g == nil:
			return NotFound
		case role == 0:
			return NotMember
		case role == '1':
			return Forbidden
		}
		return m.settle(app, c.ApplyState, "group.applicationVerified")
	case UserVerify:
		app := m.apps[c.ApplyGroupID]
		if app == nil || app.kind != 'i' {
			return NotFound
		}
		switch g, _ := m.in(app.where, actor); {
		case g == nil:
			return NotFound
		case app.who != actor:
			return Forbidden
		}
		return m.settle(app, c.ApplyState, "group.invitationVerified")
	case RemoveUserGroup:
		g, role := m.in(c.GroupID, actor)
		switch {
		case g == nil || !known(c.RemoveUserID):
			return NotFound
		case role == 0:
			return NotMember
		case role == '1':
			return Forbidden
		case g.roles[c.RemoveUserID] == 0:
			return NotMember
		case g.roles[c.RemoveUserID] >= role:
			return Forbidden
		}
		delete(g.roles, c.RemoveUserID)
		return "group.memberRemoved"
	case TransferGroup:
		g, role := m.in(c.GroupID, actor)
		switch {
		case g == nil || !known(c.UserID):
			return NotFound
		case role == 0:
			return NotMember
		case role != '9':
			return Forbidden
		case c.UserID == actor:
			return Conflict
		case g.roles[c.UserID] == 0:
			return NotMember
		}
		g.roles[actor], g.roles[c.UserID] = '5', '9'
		return "group.ownerChanged"
	case SetGroupRole:
		g, role := m.in(c.GroupID, actor)
		switch {
		case g == nil || !known(c.UserID):
			return NotFound
		case role == 0:
			return NotMember
		case role != '9' || c.UserID == actor:
			return Forbidden
		case g.roles[c.UserID] == 0:
			return NotMember
		case g.roles[c.UserID] == c.Role[0]:
			return Conflict
		}
		g.roles[c.UserID] = c.Role[0]
		return "group.roleChanged"
	case QuitGroup:
		g, role := m.in(c.GroupID, actor)
		switch {
		case g == nil:
			return NotFound
		case role == 0:
			return NotMember
		case role == '9':
			return Forbidden
		}
		delete(g.roles, actor)
		return "group.memberQuit"
	case DeleteGroup:
		g, role := m.in(c.GroupID, actor)
		switch {
		case g == nil:
			return NotFound
		case role == 0:
			return NotMember
		case role != '9':
			return Forbidden
		}
		g.deleted = true
		return "group.deleted"
	}
	panic(fmt.Sprintf("%T", c))
}

// pendingIn: something waits for the user in a group, and no joining has overtaken it.
func (m *model) pendingIn(group, user string) (*appModel, bool) {
	for _, a := range m.apps {
		if a.where == group && a.who == user && a.state == "1" && !a.void && m.now.Before(a.expires) {
			return a, true
		}
	}
	return nil, false
}

func (m *model) settle(app *appModel, state, event string) string {
	g := m.groups[app.where]
	if g.roles[app.who] != 0 || app.state != "1" || !m.now.Before(app.expires) || app.void {
		return Conflict
	}
	if app.state = state; state == "9" {
		m.join(g, app.where, app.who)
	}
	return event
}
