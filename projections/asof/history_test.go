package asof_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"lishi/events"
	"lishi/projections/projectiontest"
)

// life makes random histories. What it says may be void, as in any log.
type life struct {
	*projectiontest.World
	rt *rapid.T

	said    []events.Recorded // messages
	asked   []events.Recorded // applications for friendship
	invited []invited         // applications and invitations of groups
	folders []events.Recorded
	types   map[string]int // how many of each happened and count
}

// invited is an application for a group, or an invitation: who is to verify it.
type invited struct {
	in          events.Stream
	id          events.ID
	actor, user string
}

var (
	people   = []string{"ann", "bob", "cyd", "dan"}
	clubs    = []events.Stream{events.GroupStream("one"), events.GroupStream("two")}
	sayings  = []string{"今天天气很好", "weather of tomorrow", "天气", "hello", "你好 hello", "ok"}
	pictures = []string{"", "a.png", "b.png"}
)

func (l *life) pick(from []string) string { return rapid.SampledFrom(from).Draw(l.rt, "pick") }
func (l *life) chance(n int) bool         { return rapid.IntRange(1, n).Draw(l.rt, "chance") == 1 }

// do lets something happen: now and then by an import, and now and then twice, of
// which the second is void.
func (l *life) do(actor string, s events.Stream, body events.Body) events.Recorded {
	e := l.Event(actor, s, body)
	if e.Imported = l.chance(8); e.Imported {
		e.Time = e.Time.Add(-1000 * time.Hour)
	}
	r := l.Record(e)
	if v := l.Tail.Book().Of(s); !v.Void(r.Position.Offset) {
		l.types[body.Type()]++
	}
	if l.chance(16) {
		l.Record(e)
	}
	return r
}

// begin makes people who have something to do with one another.
func (l *life) begin() {
	l.types = map[string]int{}
	l.Register(people[:3]...)
	l.Befriend("ann", "bob")
	l.Befriend("cyd", "ann")
	l.Create("one", "bob", "ann", "cyd")
}

// step lets something happen, and time pass.
func (l *life) step() {
	l.Clock = l.Clock.Add(time.Duration(rapid.IntRange(0, 3000).Draw(l.rt, "ms")) * time.Millisecond)
	me, you := l.pick(people), l.pick(people)
	if me == you {
		l.alone(me)
		return
	}
	if l.chance(3) && len(l.said) > 0 {
		m := rapid.SampledFrom(l.said).Draw(l.rt, "message")
		if g, ok := l.Tail.Book().Relations(m.Stream).Group(m.Stream); ok && l.chance(8) {
			l.do(g.Owner, m.Stream, events.MessageRecalled{Message: m.Position, Sender: m.Actor})
		} else if l.chance(4) {
			l.do(m.Actor, m.Stream, events.MessageRecalled{Message: m.Position, Sender: m.Actor})
		} else {
			l.do(m.Actor, m.Stream, events.MessageEdited{Message: m.Position, Content: events.Content{Plain: l.pick(sayings)}})
		}
		return
	}
	if rapid.Bool().Draw(l.rt, "in a group") {
		l.group(me, you, rapid.SampledFrom(clubs).Draw(l.rt, "group"))
	} else {
		l.pair(me, you, events.PairStream(me, you))
	}
}

func (l *life) alone(me string) {
	s := events.UserStream(me)
	if _, known := l.Tail.Book().User(me); !known { // nobody does anything before
		l.do(me, s, events.UserRegistered{NickName: "N" + me})
		return
	}
	switch rapid.IntRange(1, 5).Draw(l.rt, "alone") {
	case 1:
		l.do(me, s, events.UserProfileChanged{NickName: fmt.Sprint(me, len(l.said)), Avatar: l.pick(pictures)})
	case 2:
		l.do(me, s, events.UserProfileChanged{NickName: fmt.Sprint("T", me, len(l.said)), FromToken: true})
	case 3:
		l.folders = append(l.folders, l.do(me, s, events.FolderCreated{Name: fmt.Sprint("F", len(l.folders))}))
	case 4:
		if len(l.folders) > 0 {
			f := rapid.SampledFrom(l.folders).Draw(l.rt, "folder")
			l.do(f.Actor, f.Stream, events.FolderDeleted{Folder: f.ID})
		}
	default:
		if len(l.said) > 0 {
			m := rapid.SampledFrom(l.said).Draw(l.rt, "read")
			l.do(me, s, events.ConversationRead{Conversation: m.Stream.Key(), Read: m.Position})
		}
	}
}

func (l *life) pair(me, you string, s events.Stream) {
	folder := events.DefaultFolder
	if len(l.folders) > 0 && l.chance(2) {
		folder = rapid.SampledFrom(l.folders).Draw(l.rt, "folder").ID.String()
	}
	switch rapid.IntRange(0, 19).Draw(l.rt, "pair") {
	case 0:
		l.asked = append(l.asked, l.do(me, s, events.FriendApplied{Remark: "my " + you, FriendGroupID: folder, ExpiresAt: 1 << 50}))
	case 1, 2:
		var application events.ID
		if len(l.asked) > 0 {
			a := rapid.SampledFrom(l.asked).Draw(l.rt, "application")
			application, s = a.ID, a.Stream
			me, you = a.Stream.Other(a.Actor), a.Actor
		}
		l.do(me, s, events.FriendAgreed{Application: application, Applicant: you, Remark: "dear " + you, FriendGroupID: folder})
	case 3:
		l.do(me, s, events.FriendRemoved{})
	case 18:
		if len(l.asked) > 0 {
			a := rapid.SampledFrom(l.asked).Draw(l.rt, "application")
			l.do(a.Stream.Other(a.Actor), a.Stream, events.FriendRefused{Application: a.ID, Applicant: a.Actor})
		}
	case 19:
		m := l.do(me, s, events.MessageSent{Content: events.Content{Plain: l.pick(sayings)}, Strangers: true})
		l.keep(m)
	case 4, 8:
		l.do(me, s, events.FriendBlocked{})
	case 5:
		l.do(me, s, events.FriendUnblocked{})
	case 6, 7:
		l.do(me, s, events.FriendViewChanged{Remark: fmt.Sprint(you, len(l.said)), FriendGroupID: folder})
	default:
		l.talk(me, s)
	}
}

func (l *life) group(me, you string, s events.Stream) {
	g, there := l.Tail.Book().Relations(s).Group(s)
	switch what := rapid.IntRange(0, 23).Draw(l.rt, "group"); {
	case !there:
		invitation := events.NewID(s.Key(), me, "invitation")
		l.do(me, s, events.GroupCreated{GroupName: "G" + s.ID, GroupImg: s.ID, JoinMode: events.JoinOpen,
			Invitations: []events.Invitation{{ID: invitation, UserID: you, ExpiresAt: 1 << 50}}})
		l.invited = append(l.invited, invited{s, invitation, me, you})
	case g.Deleted:
		l.do(me, s, events.MessageSent{Content: events.Content{Plain: "void"}})
	case what == 0:
		l.do(me, s, events.GroupInfoChanged{GroupName: fmt.Sprint("G", len(l.said)), GroupImg: l.pick(pictures), Notice: l.pick(sayings), JoinMode: events.JoinByApplication})
	case what < 4:
		l.do(me, s, events.GroupJoined{GroupName: g.Name})
	case what == 4:
		l.do(me, s, events.GroupMemberQuit{})
	case what == 5:
		l.do(g.Owner, s, events.GroupMemberRemoved{UserID: you})
	case what == 6:
		l.do(g.Owner, s, events.GroupRoleChanged{UserID: you, Role: rapid.SampledFrom([]events.Role{events.Admin, events.Member}).Draw(l.rt, "role")})
	case what == 7:
		l.do(g.Owner, s, events.GroupMemberMuted{UserID: you, MutedUntil: l.Clock.Add(time.Duration(rapid.IntRange(-5, 60).Draw(l.rt, "s")) * time.Second).UnixMilli()})
	case what == 8:
		l.do(g.Owner, s, events.GroupOwnerChanged{UserID: you})
	case what == 9 && l.chance(4):
		l.do(g.Owner, s, events.GroupDeleted{})
	case what == 20:
		l.invited = append(l.invited, invited{s, l.do(me, s, events.GroupApplied{GroupName: g.Name, ExpiresAt: 1 << 50}).ID, me, me})
	case what == 21:
		l.invited = append(l.invited, invited{s, l.do(g.Owner, s, events.GroupInvited{GroupName: g.Name, UserID: you, ExpiresAt: 1 << 50}).ID, g.Owner, you})
	case what > 21 && len(l.invited) > 0:
		i := rapid.SampledFrom(l.invited).Draw(l.rt, "invited")
		state := rapid.SampledFrom([]string{events.Agreed, events.Agreed, events.Refused}).Draw(l.rt, "state")
		if i.actor == i.user {
			l.do(g.Owner, i.in, events.GroupApplicationVerified{GroupName: g.Name, Application: i.id, UserID: i.user, State: state})
		} else {
			l.do(i.user, i.in, events.GroupInvitationVerified{GroupName: g.Name, Application: i.id, Inviter: i.actor, State: state})
		}
	default:
		l.talk(me, s)
	}
}

func (l *life) talk(me string, s events.Stream) {
	l.keep(l.do(me, s, events.MessageSent{Content: events.Content{Plain: l.pick(sayings)}}))
}

// keep remembers a message that counts.
func (l *life) keep(m events.Recorded) {
	if !l.Tail.Book().Of(m.Stream).Void(m.Position.Offset) {
		l.said = append(l.said, m)
	}
}

// Histories have everything in them that can happen in a chat.
func TestLives(t *testing.T) {
	types := map[string]int{}
	checks(t, "10")
	rapid.Check(t, func(rt *rapid.T) {
		l := &life{World: projectiontest.Still(t, nil, projectiontest.NewLog(projectiontest.Layout)), rt: rt}
		l.begin()
		for range 150 {
			l.step()
		}
		for name, n := range l.types {
			types[name] += n
		}
	})
	for _, name := range events.Types() {
		switch name {
		case "log.opened", "checkpoint.signed", "key.changed", "look.taken": // no read model has rows of these
		default:
			if types[name] == 0 {
				t.Errorf("%s never happened", name)
			}
		}
	}
}
