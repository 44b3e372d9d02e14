package commands

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anishathalye/porcupine"

	"lishi/events"
)

// invocation is one call of a history, and told is what came of it.
type invocation struct {
	actor string
	c     Command
	by    string // the applicant, where c verifies
}

type told struct{ outcome, id string }

// relation is all that a pair's commands depend on and change.
type relation struct {
	friends     bool
	pending, by string
}

// pairRules is the pair's relation as one thing at a time, for porcupine.
var pairRules = porcupine.Model{
	Init: func() any { return relation{} },
	Step: func(state, input, output any) (bool, any) {
		s, in, out := state.(relation), input.(invocation), output.(told)
		want, next := s.step(in, out.id)
		return want == out.outcome, next
	},
	DescribeOperation: func(input, output any) string {
		in, out := input.(invocation), output.(told)
		return fmt.Sprintf("%s %T → %s", in.actor, in.c, out.outcome)
	},
}

func (s relation) step(in invocation, id string) (string, relation) {
	switch c := in.c.(type) {
	case SendMessage:
		if !s.friends {
			return NotFriend, s
		}
		return "message.sent", s
	case DeleteFriend:
		if !s.friends {
			return NotFriend, s
		}
		return "friend.removed", relation{}
	case ApplyFriend:
		switch {
		case s.friends || s.by == in.actor:
			return Conflict, s
		case s.by != "":
			return "friend.agreed", relation{friends: true}
		}
		return "friend.applied", relation{pending: id, by: in.actor}
	case VerifyFriend:
		switch {
		case in.by == in.actor:
			return Forbidden, s
		case s.friends || s.pending != c.ApplyFriendID:
			return Conflict, s
		case c.ApplyState == events.Refused:
			return "friend.refused", relation{}
		}
		return "friend.agreed", relation{friends: true}
	}
	panic("no such command")
}

// Two people, each at several windows, on two nodes that lag behind a faulty
// log: whatever they were told can be explained by their commands happening one
// at a time, each between its call and its answer.
func TestPairIsLinearizable(t *testing.T) {
	const windows, calls = 6, 25
	for seed := range uint64(40) {
		var history []porcupine.Operation
		synctest.Test(t, func(t *testing.T) {
			log := newFaultyLog(small)
			defer log.lanes.Wait()
			random := rand.New(rand.NewPCG(seed, 2))
			chance := func(n int) time.Duration { return time.Duration(random.IntN(n)) * 100 * time.Microsecond }
			nodes := []*node{newNode(t, log, Options{}), newNode(t, log, Options{})}
			for _, n := range nodes {
				defer n.stop()
			}
			nodes[0].register("a", "b")
			log.set(func(l *faultyLog) {
				l.plan = func() (time.Duration, fault) { // mu is held here
					if random.IntN(8) > 0 {
						return chance(30), fine
					}
					return chance(30), fault(random.IntN(5))
				}
				for _, n := range nodes {
					n.view.lag = func() time.Duration {
						log.mu.Lock()
						defer log.mu.Unlock()
						return chance(60)
					}
				}
			})
			var (
				clock atomic.Int64
				mu    sync.Mutex
				last  invocation // whose application came last, as the verifications see it
				all   sync.WaitGroup
			)
			for w := range windows {
				draw := rand.New(rand.NewPCG(seed, uint64(100+w)))
				all.Go(func() {
					actor, other := "a", "b"
					if w%2 == 1 {
						actor, other = other, actor
					}
					for i := range calls {
						in := invocation{actor: actor}
						switch draw.IntN(8) {
						case 0, 1:
							in.c = ApplyFriend{UserID: other}
						case 2:
							in.c = DeleteFriend{FriendID: other}
						case 3, 4:
							mu.Lock()
							app := last
							mu.Unlock()
							if app.c == nil {
								continue
							}
							in.by = app.by
							in.c = VerifyFriend{ApplyFriendID: app.actor, ApplyState: []string{"0", "9", "9"}[draw.IntN(3)]}
						default:
							in.c = SendMessage{ReceiveUserID: other, Content: "x"}
						}
						r := request(actor, fmt.Sprint(w, " ", i), in.c)
						call := clock.Add(1)
						// Repeats come from any node, as a reconnecting client's do.
						o := <-nodes[draw.IntN(2)].send(r)
						for range 20 {
							if reason := reasonOf(o); reason != Unknown && reason != Unavailable {
								break
							}
							o = <-nodes[draw.IntN(2)].send(r)
						}
						out := told{reasonOf(o), o.Event.ID.String()}
						if o.Err == nil {
							out.outcome = o.Event.Body.Type()
						}
						mu.Lock()
						history = append(history, porcupine.Operation{ClientId: w, Input: in, Call: call, Output: out, Return: clock.Add(1)})
						if out.outcome == "friend.applied" {
							last = invocation{actor: out.id, by: actor, c: in.c}
						}
						mu.Unlock()
						time.Sleep(time.Duration(draw.IntN(4)) * time.Millisecond)
					}
				})
			}
			all.Wait()
		})
		if result, _ := porcupine.CheckOperationsVerbose(pairRules, history, 20*time.Second); result != porcupine.Ok {
			for _, h := range history {
				t.Logf("%3d-%3d %s", h.Call, h.Return, pairRules.DescribeOperation(h.Input, h.Output))
			}
			t.Fatalf("seed %d: %s", seed, result)
		}
	}
}
