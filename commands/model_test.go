package commands

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"lishi/events"
)

// model is what the commands mean, said a second time and as simply as can be.
type model struct {
	now    time.Time
	pairs  map[events.Stream]*pairModel
	groups map[string]*groupModel
	apps   map[string]*appModel
	marks  map[string]int64
}

type pairModel struct{ friends bool }

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
		m.pairs[s] = &pairModel{}
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
		if app.state = c.ApplyState; c.ApplyState == "0" {
			return "friend.refused"
		}
		m.befriend(app.by, app.who)
		return "friend.agreed"
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

// pendingIn: something waits for the user in a group, overtaken or not.
func (m *model) pendingIn(group, user string) (*appModel, bool) {
	for _, a := range m.apps {
		if a.where == group && a.who == user && a.state == "1" && m.now.Before(a.expires) {
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

// op is one line of a drawn script; numbers pick from what exists when it runs.
type op struct {
	Kind, Actor, Other, Pick, Node int
	Yes, Again                     bool
	Days                           int
	Faults                         []int
}

func drawScript(t *rapid.T) []op {
	small := func(n int) *rapid.Generator[int] { return rapid.IntRange(0, n) }
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) op {
		return op{
			Kind: small(13).Draw(t, "kind"), Actor: small(3).Draw(t, "actor"), Other: small(4).Draw(t, "other"),
			Pick: small(30).Draw(t, "pick"), Node: small(1).Draw(t, "node"),
			Yes: rapid.Bool().Draw(t, "yes"), Again: small(5).Draw(t, "again") == 0, Days: max(0, small(40).Draw(t, "days")-32),
			Faults: rapid.SliceOfN(small(4), 0, 3).Draw(t, "faults"),
		}
	}), 1, 60).Draw(t, "script")
}

// command makes an op's command of what there is by now.
func (o op) command(groups, apps []string) Command {
	other := append(people[:4:4], "nobody")[o.Other]
	pick := func(from []string) string {
		if len(from) == 0 || o.Pick == 30 {
			return strings.Repeat("0", 31) + "1"
		}
		return from[o.Pick%len(from)]
	}
	answer := map[bool]string{false: events.Refused, true: events.Agreed}[o.Yes]
	switch o.Kind {
	case 0, 1:
		return SendMessage{ReceiveUserID: other, Content: fmt.Sprint(o.Pick)}
	case 2, 3:
		return ApplyFriend{UserID: other}
	case 4:
		return VerifyFriend{ApplyFriendID: pick(apps), ApplyState: answer}
	case 5:
		return DeleteFriend{FriendID: other}
	case 6:
		return AddGroup{GroupName: "G", JoinMode: []string{"0", "1", "9"}[o.Pick%3], UserIDs: people[o.Other:]}
	case 7:
		return SendGroupMessage{GroupID: pick(groups), Content: "x"}
	case 8:
		return ApplyGroup{GroupID: pick(groups)}
	case 9:
		return InvitationGroup{GroupID: pick(groups), UserID: other}
	case 10:
		return GroupVerify{ApplyGroupID: pick(apps), ApplyState: answer}
	case 11:
		return UserVerify{ApplyGroupID: pick(apps), ApplyState: answer}
	case 12:
		return RemoveUserGroup{GroupID: pick(groups), RemoveUserID: other}
	}
	if o.Yes && o.Pick%3 == 0 {
		return DeleteGroup{GroupID: pick(groups)}
	}
	return QuitGroup{GroupID: pick(groups)}
}

// run plays a script on two nodes and tells where they differ from the model.
func run(t *testing.T, script []op, seed uint64) error {
	log := newFaultyLog(small)
	random := rand.New(rand.NewPCG(seed, 1))
	var faults []int
	log.plan = func() (time.Duration, fault) {
		f := fine
		if len(faults) > 0 {
			f, faults = fault(faults[0]), faults[1:]
		}
		return time.Duration(random.IntN(3)) * time.Millisecond, f
	}
	defer log.lanes.Wait()
	nodes := []*node{newNode(t, log, Options{}), newNode(t, log, Options{})}
	for _, n := range nodes {
		defer n.stop()
		log.set(func(*faultyLog) {
			n.view.lag = func() time.Duration {
				log.mu.Lock()
				defer log.mu.Unlock()
				return time.Duration(random.IntN(20)) * time.Millisecond
			}
		})
	}
	nodes[0].register(people...)
	m := &model{now: noon, pairs: map[events.Stream]*pairModel{}, groups: map[string]*groupModel{}, apps: map[string]*appModel{}}
	var groups, apps []string
	type answered struct {
		r Request
		e events.Recorded
	}
	var successes []answered
	for i, o := range script {
		m.now = m.now.Add(time.Duration(o.Days) * 24 * time.Hour)
		log.set(func(*faultyLog) { faults = o.Faults })
		r := request(people[o.Actor], fmt.Sprint(i), o.command(groups, apps))
		if o.Again && len(successes) > 0 {
			s := successes[o.Pick%len(successes)]
			s.r.Time = m.now
			if got := settled(nodes[o.Node], s.r); got.Err != nil || got.Event.Position != s.e.Position {
				return fmt.Errorf("%d: %s by %s again: %v at %s, was at %s", i, s.r.URL, s.r.Actor.ID, got.Err, got.Event.Position, s.e.Position)
			}
			continue
		}
		r.Time = m.now
		got := settled(nodes[o.Node], r)
		outcome := reasonOf(got)
		if got.Err == nil {
			outcome = got.Event.Body.Type()
		}
		if want := m.apply(r.Actor.ID, r.Command, got.Event.ID.String()); outcome != want {
			return fmt.Errorf("%d: %s by %s %+v: %s (%v), the model says %s", i, r.URL, r.Actor.ID, r.Command, outcome, got.Err, want)
		}
		if got.Err == nil {
			successes = append(successes, answered{r, got.Event})
		}
		switch b := got.Event.Body.(type) {
		case events.GroupCreated:
			groups = append(groups, got.Event.Stream.ID)
			for _, inv := range b.Invitations {
				apps = append(apps, inv.ID.String())
			}
		case events.FriendApplied, events.GroupApplied, events.GroupInvited:
			apps = append(apps, got.Event.ID.String())
		}
	}
	for _, n := range nodes {
		if err := n.agrees(m); err != nil {
			return err
		}
	}
	return nil
}

// settled repeats a request, as clients do, until its fate is known.
func settled(n *node, r Request) Outcome {
	var o Outcome
	for range 20 {
		o = <-n.send(r)
		if reason := reasonOf(o); reason != Unknown && reason != Unavailable {
			break
		}
	}
	return o
}

// agrees compares what the node has folded with the model.
func (n *node) agrees(m *model) error {
	n.catchUp()
	for s, p := range m.pairs {
		if got := n.tail.Book().Relations(s).FriendsAt(s, events.Now); got != p.friends {
			return fmt.Errorf("%s: friends %v", s, got)
		}
	}
	for id, g := range m.groups {
		s := events.GroupStream(id)
		for _, u := range people {
			got, _ := n.tail.Book().Relations(s).Member(s, u, events.Now)
			if want := g.roles[u]; !g.deleted && byte(got.Role) != want || g.deleted && got.Role != 0 {
				return fmt.Errorf("%s: role of %s is %q, the model says %q", s, u, got.Role, want)
			}
		}
	}
	return nil
}

// Any sequence of commands on two nodes of a log that lags, refuses, loses,
// repeats and does not answer comes to what the model says.
func TestCommandsAgainstModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		script, seed := drawScript(rt), rapid.Uint64().Draw(rt, "seed")
		var err error
		synctest.Test(t, func(t *testing.T) { err = run(t, script, seed) })
		if err != nil {
			rt.Fatal(err)
		}
	})
}
