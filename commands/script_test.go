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
			Kind: small(17).Draw(t, "kind"), Actor: small(3).Draw(t, "actor"), Other: small(4).Draw(t, "other"),
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
	switch o.Kind {
	case 13:
		return SetGroupRole{GroupID: pick(groups), UserID: other, Role: map[bool]string{false: "1", true: "5"}[o.Yes]}
	case 14:
		return TransferGroup{GroupID: pick(groups), UserID: other}
	case 15:
		if o.Yes {
			return BlockFriend{UserID: other}
		}
		return UnblockFriend{UserID: other}
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
