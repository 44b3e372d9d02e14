package commands

import (
	"fmt"
	"testing"
	"time"

	"lishi/events"
)

// scene is what a row's condition puts on the stage for a command of the actor.
type scene struct {
	*world
	actor               string
	target              string // another user
	app, position, role string
	policy              Policy
}

var pairAB = events.PairStream("a", "b")

// In pairs a acts, b is the other one. Each column by every way to it.
var pairStandings = map[standing][]func(*world){
	stranger: {func(*world) {}, unfriended, func(w *world) {
		w.applied("old", "b", "a")
		w.say("a", pairAB, events.FriendRefused{Application: w.ids["old"], Applicant: "b"})
	}, func(w *world) { w.applied("old", "a", "b"); w.pass(8 * 24 * time.Hour) }},
	applied: {aApplied},
	asked:   {func(w *world) { w.applied("waiting", "b", "a") }},
	friend: {friends, func(w *world) { // one direction applied, both are friends
		w.applied("old", "b", "a")
		w.say("a", pairAB, events.FriendAgreed{Application: w.ids["old"], Applicant: "b"})
	}},
}

// Groups: o owns, a and a2 are admins, m and m2 members; x never was one, q quit,
// r was removed.
var groupActors = map[standing][]string{owner: {"o"}, admin: {"a"}, member: {"m"}, outsider: {"x", "q", "r"}}

func newGroupScene(t *testing.T) *world {
	w := newWorld(t, "o", "a", "a2", "m", "m2", "x", "q", "r", "y")
	w.group("o", events.JoinByApplication, "a", "a2", "m", "m2", "q", "r")
	w.admin("o", "a")
	w.admin("o", "a2")
	return w
}

func leaveScene(w *world) {
	w.say("q", groupG, events.GroupMemberQuit{})
	w.say("o", groupG, events.GroupMemberRemoved{UserID: "r"})
}

var groupG = events.GroupStream("g")

// commandsOf is each row's command, made of what the scene holds.
var commandsOf = map[string]func(*scene) Command{
	"/chat/sendMessage":      func(*scene) Command { return SendMessage{ReceiveUserID: "b", Content: "x"} },
	"/chat/sendGroupMessage": func(*scene) Command { return SendGroupMessage{GroupID: "g", Content: "x"} },
	"/chat/editMessage":      func(s *scene) Command { return EditMessage{Position: s.position, Content: "y"} },
	"/chat/recallMessage":    func(s *scene) Command { return RecallMessage{Position: s.position} },
	"/friend/applyFriend":    func(*scene) Command { return ApplyFriend{UserID: "b"} },
	"/friend/verifyFriend":   func(s *scene) Command { return VerifyFriend{ApplyFriendID: s.id(s.app), ApplyState: "9"} },
	"/friend/deleteFriend":   func(*scene) Command { return DeleteFriend{FriendID: "b"} },
	"/friend/blockFriend":    func(*scene) Command { return BlockFriend{UserID: "b"} },
	"/friend/unblockFriend":  func(*scene) Command { return UnblockFriend{UserID: "b"} },
	"/friend/updateFriend":   func(*scene) Command { return UpdateFriend{FriendID: "b", FriendGroupID: "0"} },
	"/group/updateGroup":     func(*scene) Command { return UpdateGroup{GroupID: "g", GroupName: "H"} },
	"/group/applyGroup":      func(*scene) Command { return ApplyGroup{GroupID: "g"} },
	"/group/invitationGroup": func(s *scene) Command { return InvitationGroup{GroupID: "g", UserID: s.target} },
	"/group/groupVerify":     func(s *scene) Command { return GroupVerify{ApplyGroupID: s.id(s.app), ApplyState: "9"} },
	"/group/userVerify":      func(s *scene) Command { return UserVerify{ApplyGroupID: s.id(s.app), ApplyState: "9"} },
	"/group/removeUserGroup": func(s *scene) Command { return RemoveUserGroup{GroupID: "g", RemoveUserID: s.target} },
	"/group/quitGroup":       func(*scene) Command { return QuitGroup{GroupID: "g"} },
	"/group/transferGroup":   func(s *scene) Command { return TransferGroup{GroupID: "g", UserID: s.target} },
	"/group/setGroupRole":    func(s *scene) Command { return SetGroupRole{GroupID: "g", UserID: s.target, Role: s.role} },
	"/group/muteMember":      func(s *scene) Command { return MuteMember{GroupID: "g", UserID: s.target, Minutes: 5} },
	"/group/deleteGroup":     func(*scene) Command { return DeleteGroup{GroupID: "g"} },
}

// pairConditions make a row's condition true, in every way there is.
func pairConditions(url, when string) []func(*scene) {
	blocks := []func(*scene){
		func(s *scene) { block("a", "b")(s.world) }, func(s *scene) { block("b", "a")(s.world) },
		func(s *scene) { block("a", "b")(s.world); block("b", "a")(s.world) },
	}
	nothing := []func(*scene){func(*scene) {}}
	switch when {
	case blockedByOne:
		return blocks
	case friendshipNeeded:
		return []func(*scene){func(s *scene) { s.policy.Strangers = false }}
	case strangersAllowed:
		return nothing
	case anothersMessage:
		return []func(*scene){func(s *scene) { s.position = s.said("b", pairAB, "theirs") }}
	case recallOver:
		return []func(*scene){func(s *scene) { s.pass(2*time.Minute + time.Millisecond) }}
	case messageRecalled:
		return []func(*scene){func(s *scene) {
			s.say("a", pairAB, events.MessageRecalled{Message: s.at(s.position), Sender: "a", Strangers: true})
		}}
	case notAsked:
		return []func(*scene){
			func(s *scene) { s.applied("third", "c", "d"); s.app = "third" },
			func(s *scene) { s.applied("own", "a", "c"); s.app = "own" },
		}
	case waitsNoLonger:
		return []func(*scene){
			func(s *scene) { // refused
				s.applied("no", "b", "a")
				s.say("a", pairAB, events.FriendRefused{Application: s.ids["no"], Applicant: "b"})
				s.app = "no"
			},
			func(s *scene) { // expired
				r := s.say("b", pairAB, events.FriendApplied{ExpiresAt: s.now.UnixMilli()})
				s.ids["late"], s.app = r.ID, "late"
			},
		}
	case agreeingBlocked:
		for i, b := range blocks {
			blocks[i] = func(s *scene) { s.waiting(); b(s) }
		}
		return blocks
	case hasBlocked:
		return []func(*scene){blocks[0], blocks[2]}
	case hasNotBlocked:
		return []func(*scene){func(*scene) {}, blocks[1]}
	case always:
		switch url {
		case "/friend/verifyFriend":
			return []func(*scene){func(s *scene) { s.waiting() }}
		case "/friend/unblockFriend":
			return []func(*scene){blocks[0], blocks[2]}
		case "/friend/blockFriend":
			return []func(*scene){func(*scene) {}, blocks[1]}
		case "/friend/applyFriend":
			return nothing
		}
		return append(blocks, nothing...) // deleting and viewing a friend know no blocks
	}
	return nil
}

// waiting is b's application to a, which still waits.
func (s *scene) waiting() {
	if s.ids["waiting"].IsZero() {
		s.applied("waiting", "b", "a")
	}
	s.app = "waiting"
}

// Every command × every relation × every state, decided by the real deciders,
// comes to what the cell says.
func TestPairMatrix(t *testing.T) {
	for _, row := range pairs.rows {
		conditions := pairConditions(row.url, row.when)
		if len(conditions) == 0 || commandsOf[row.url] == nil && row.url != "/chat/readMessage" {
			t.Errorf("no scene for %s, %s", row.url, row.when)
		}
		for st := range columns {
			if row.cells[st] == "-" {
				continue
			}
			for i, stand := range pairStandings[st] {
				for j, condition := range conditions {
					t.Run(fmt.Sprint(row.url, "/", row.when, "/", pairs.standings[st], i, j), func(t *testing.T) {
						s := &scene{world: newWorld(t, "a", "b", "c", "d"), actor: "a", policy: Policy{Strangers: true}}
						s.position = s.said("a", pairAB, "mine")
						stand(s.world)
						if row.when != recallOver && row.url == "/chat/recallMessage" {
							s.policy.RecallWindow = 100 * 24 * time.Hour // whatever the standing took
						}
						condition(s)
						s.check(row, st)
					})
				}
			}
		}
	}
}

func (s *scene) command(url string) Command {
	if url == "/chat/readMessage" {
		if s.log[s.at(s.position)].Stream == groupG {
			return ReadMessage{GroupID: "g", Position: s.position}
		}
		return ReadMessage{UserID: "b", Position: s.position}
	}
	return commandsOf[url](s)
}

// check decides the row's command and compares with its cell. A refusal comes
// without an event and leaves the state as it was.
func (s *scene) check(row permission, st standing) {
	s.t.Helper()
	c := s.command(row.url)
	got, err := s.decide(s.policy, s.actor, c, nil)
	switch want := row.cells[st]; {
	case want == "yes":
		if err != nil || got == nil {
			s.t.Fatalf("%+v: %v, %v; the matrix says yes", c, got, err)
		}
		stream := s.streamOf(c)
		s.say(s.actor, stream, got) // the log takes what a decider lets through
	case err == nil || refusal(err).Reason != want || got != nil:
		s.t.Fatalf("%+v: %v, %v; the matrix says %s", c, got, err, want)
	}
}

// streamOf is where the handler would append the event.
func (s *scene) streamOf(c Command) events.Stream {
	st := NewState(s.book, s.policy, s.actor, "1")
	if about, ok := c.(About); ok {
		if p, _ := about.About(); p != (events.Position{}) {
			r := s.log[p]
			st.record = &r
		}
	}
	stream, err := c.Stream(&st, Actor{ID: s.actor})
	if err != nil {
		s.t.Fatal(err)
	}
	return stream
}

func groupConditions(url, when string) []func(*scene) {
	one := func(f func(*scene)) []func(*scene) { return []func(*scene){f} }
	target := func(u string) []func(*scene) { return one(func(s *scene) { s.target = u }) }
	mode := func(m string) []func(*scene) {
		return one(func(s *scene) { s.say("o", groupG, events.GroupInfoChanged{GroupName: "G", JoinMode: m}) })
	}
	switch when {
	case actorMuted:
		return one(func(s *scene) {
			s.say("o", groupG, events.GroupMemberMuted{UserID: s.actor, MutedUntil: s.now.Add(time.Minute).UnixMilli()})
		})
	case anothersMessage:
		return one(func(s *scene) { s.position = s.said("m2", groupG, "theirs") })
	case recallOver:
		return one(func(s *scene) { s.pass(3 * time.Minute) })
	case messageRecalled:
		return one(func(s *scene) {
			s.say("o", groupG, events.MessageRecalled{Message: s.at(s.position), Sender: s.log[s.at(s.position)].Actor})
		})
	case openGroup:
		return mode(events.JoinOpen)
	case byInvitation:
		return mode(events.JoinByInvitation)
	case byApplication:
		return mode(events.JoinByApplication)
	case hasApplied:
		return one(func(s *scene) { s.askedIn("one", s.actor) })
	case isInvited:
		return one(func(s *scene) { s.invited("one", "o", s.actor) })
	case ofMember:
		return target("m2")
	case ofApplicant:
		return one(func(s *scene) { s.askedIn("one", "y"); s.target = "y" })
	case ofInvited:
		return one(func(s *scene) { s.invited("one", "o", "y"); s.target = "y" })
	case ofOutsider:
		return append(target("y"), target("q")...)
	case ofOneself:
		return one(func(s *scene) { s.target, s.role = s.actor, "1" })
	case ofAdmin:
		return target("a2")
	case ofOwner:
		return target("o")
	case roleAlready:
		return []func(*scene){
			func(s *scene) { s.target, s.role = "m2", "1" }, func(s *scene) { s.target, s.role = "a2", "5" },
		}
	case anothersInvite:
		return one(func(s *scene) { s.invited("theirs", "o", "y"); s.app = "theirs" })
	case waitsNoLonger:
		return overConditions(url)
	case always:
		switch url {
		case "/group/groupVerify":
			return one(func(s *scene) { s.askedIn("one", "y"); s.app = "one" })
		case "/group/userVerify":
			return one(func(s *scene) { s.invited("one", "o", s.actor); s.app = "one" })
		case "/group/invitationGroup":
			return append(target("y"), target("q")...)
		case "/group/transferGroup":
			return append(target("m2"), target("a2")...)
		case "/group/setGroupRole":
			return []func(*scene){
				func(s *scene) { s.target, s.role = "m2", "5" }, func(s *scene) { s.target, s.role = "a2", "1" },
			}
		}
		return target("m2")
	}
	return nil
}

// overConditions are the ways in which an application waits no longer.
func overConditions(url string) []func(*scene) {
	ask := func(s *scene) string {
		if url == "/group/userVerify" {
			s.invited("one", "o", s.actor)
			return s.actor
		}
		s.askedIn("one", "y")
		return "y"
	}
	settle := func(state string) func(*scene) {
		return func(s *scene) {
			user := ask(s)
			if s.app = "one"; url == "/group/userVerify" {
				s.say(user, groupG, events.GroupInvitationVerified{Application: s.ids["one"], State: state})
			} else {
				s.say("o", groupG, events.GroupApplicationVerified{Application: s.ids["one"], UserID: user, State: state})
			}
			if m, ok := s.book.Relations(groupG).Member(groupG, user, events.Now); state == events.Agreed && ok && m.Role == events.Member && user != "m" {
				s.say("o", groupG, events.GroupMemberRemoved{UserID: user})
			}
		}
	}
	return []func(*scene){
		settle(events.Refused), settle(events.Agreed),
		func(s *scene) { ask(s); s.app = "one"; s.pass(7 * 24 * time.Hour) },
	}
}

func TestGroupMatrix(t *testing.T) {
	for _, row := range groups.rows {
		conditions := groupConditions(row.url, row.when)
		if len(conditions) == 0 || commandsOf[row.url] == nil && row.url != "/chat/readMessage" {
			t.Errorf("no scene for %s, %s", row.url, row.when)
		}
		for st := range columns {
			for _, actor := range groupActors[st] {
				for j, condition := range conditions {
					t.Run(fmt.Sprint(row.url, "/", row.when, "/", actor, j), func(t *testing.T) {
						s := &scene{world: newGroupScene(t), actor: actor, role: "5"}
						speaker := actor
						if actor == "x" {
							speaker = "m"
						}
						s.position = s.said(speaker, groupG, "mine")
						leaveScene(s.world)
						condition(s)
						s.check(row, st)
					})
				}
			}
		}
	}
}

// What does not exist is not_found, for everybody and before anything else.
func TestNothingIsPermittedInADeletedGroup(t *testing.T) {
	for _, row := range groups.rows {
		if row.when == ofOneself {
			continue // the same command again
		}
		for _, actor := range []string{"o", "a", "m", "x", "q", "r"} {
			s := &scene{world: newGroupScene(t), actor: actor, role: "5"}
			speaker := actor
			if actor == "x" {
				speaker = "m"
			}
			s.position = s.said(speaker, groupG, "mine")
			leaveScene(s.world)
			groupConditions(row.url, row.when)[0](s)
			s.say("o", groupG, events.GroupDeleted{GroupName: "G"})
			if got, err := s.decide(Policy{}, actor, s.command(row.url), nil); got != nil || err == nil || refusal(err).Reason != NotFound {
				t.Errorf("%s, %s by %s in a deleted group: %v, %v", row.url, row.when, actor, got, err)
			}
		}
	}
}
