// Package model says what one stream does when one command comes after the other,
// and has porcupine look whether a history fits it: whether the answers that
// concurrent clients got, through kills and repeats, could have come from
// commands done one at a time, each somewhere between its first call and its
// answer, successes in the order of their positions.
//
// It is written from docs/protocol.md and docs/permissions.md, apart from the
// program's own rules.
package model

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"

	"lishi/infra/torture/history"
)

// The commands that a model knows, by url.
const (
	SendMessage      = "/chat/sendMessage"
	SendGroupMessage = "/chat/sendGroupMessage"
	EditMessage      = "/chat/editMessage"
	RecallMessage    = "/chat/recallMessage"
	ApplyFriend      = "/friend/applyFriend"
	VerifyFriend     = "/friend/verifyFriend"
	DeleteFriend     = "/friend/deleteFriend"
	BlockFriend      = "/friend/blockFriend"
	UnblockFriend    = "/friend/unblockFriend"
	AddGroup         = "/group/addGroup"
	ApplyGroup       = "/group/applyGroup"
	InvitationGroup  = "/group/invitationGroup"
	GroupVerify      = "/group/groupVerify"
	UserVerify       = "/group/userVerify"
	RemoveUserGroup  = "/group/removeUserGroup"
	QuitGroup        = "/group/quitGroup"
	TransferGroup    = "/group/transferGroup"
	SetGroupRole     = "/group/setGroupRole"
	MuteMember       = "/group/muteMember"
	DeleteGroup      = "/group/deleteGroup"
)

// Values on the wire.
const (
	Agreed = "9"

	Member = "1"
	Admin  = "5"
	Owner  = "9"

	ByApplication = "1"
	Open          = "9"
)

// The reason words of refusals.
const (
	conflict  = "conflict"
	forbidden = "forbidden"
	notFriend = "not_friend"
	notMember = "not_member"
	notFound  = "not_found"
	blocked   = "blocked"
	muted     = "muted"
)

// Verdict is what porcupine says of one stream.
type Verdict struct {
	Stream string
	Result porcupine.CheckResult
	Ops    int
	model  porcupine.Model
	info   porcupine.LinearizationInfo
}

// Draw writes a page that shows where the stream's history stops making sense.
func (v *Verdict) Draw(file string) error { return porcupine.VisualizePath(v.model, v.info, file) }

// Check judges every stream of a history by itself. A stream that took longer than
// the limit is Unknown, which is no pass.
func Check(h *history.History, limit time.Duration) []Verdict {
	byStream := map[string][]porcupine.Operation{}
	seen := unexplained(h)
	for _, o := range h.Ops {
		for _, op := range operations(o) {
			if _, doubt := op.Input.(perhaps); doubt && !seen && pushed(o) {
				continue
			}
			byStream[o.Stream] = append(byStream[o.Stream], op)
		}
	}
	for i := range h.Relations {
		r := &h.Relations[i]
		byStream[r.Stream] = append(byStream[r.Stream], porcupine.Operation{
			ClientId: r.Node, Input: shown{r}, Output: "", Call: int64(r.Call), Return: int64(r.Return),
		})
	}
	var names []string
	for name := range byStream {
		names = append(names, name)
	}
	slices.Sort(names)
	var out []Verdict
	for _, name := range names {
		v := Verdict{Stream: name, Ops: len(byStream[name]), model: pairModel(name)}
		if history.GroupID(name) != "" {
			v.model = groupModel(users(h))
		}
		v.Result, v.info = porcupine.CheckOperationsVerbose(v.model, byStream[name], limit)
		out = append(out, v)
	}
	return out
}

func users(h *history.History) []string {
	us := slices.Clone(h.Devices)
	slices.Sort(us)
	return slices.Compact(us)
}

// asked is an op as porcupine is given it. done: its answer is a success at last;
// else it is a refusal, which changes nothing.
type asked struct{ op *history.Op }

// perhaps is an op of which nobody knows whether it happened, or when: it may
// take effect at any time after its call, or never.
type perhaps struct{ op *history.Op }

// shown is what a query showed when all was over.
type shown struct{ *history.Relations }

// operations are what an op is to a stream: one operation; of an op that was
// refused after an attempt in doubt two, since the doubtful one may still come.
func operations(o *history.Op) []porcupine.Operation {
	if len(o.Attempts) == 0 {
		return nil
	}
	first, last := o.Attempts[0], o.Last()
	op := porcupine.Operation{ClientId: o.Worker, Input: asked{o}, Output: last, Call: int64(first.Call), Return: int64(last.Return)}
	later := op
	later.Input, later.Output, later.Return = perhaps{o}, "", math.MaxInt64
	switch o.Fate() {
	case history.Done:
		return []porcupine.Operation{op}
	case history.Refused:
		// Every attempt before said that nothing happened.
		op.Call = int64(last.Call)
		return []porcupine.Operation{op}
	case history.Maybe:
		switch {
		case o.URL == SendMessage || o.URL == SendGroupMessage:
			// Whether it is there is the message checker's question; it moves nothing else.
			if last.Doubtful() || last.Reason == history.Unavailable {
				return nil
			}
			return []porcupine.Operation{op}
		case last.Doubtful() || last.Reason == history.Unavailable:
			return []porcupine.Operation{later}
		}
		return []porcupine.Operation{op, later}
	}
	return nil
}

// unexplained tells whether anybody was pushed an event that no op is known to have
// made. If not, no op in doubt has happened of those that are pushed to somebody.
func unexplained(h *history.History) bool {
	known := map[string]bool{}
	for _, o := range h.Ops {
		if o.Fate() == history.Done {
			known[o.Last().Position] = true
		}
	}
	return slices.ContainsFunc(h.Frames, func(f history.Frame) bool {
		switch f.Type {
		case "3", "4", "5", "6", "7", "9", "10", "11", "12":
			return !known[f.Position]
		}
		return false
	})
}

// pushed tells whether somebody's device is told of what an op does.
func pushed(o *history.Op) bool { return o.URL != BlockFriend && o.URL != UnblockFriend }

// nameless is an application whose id nobody was told: that of an op in doubt.
const nameless = "?"

// is tells whether what waits may be the application that an op names.
func is(waits, named string) bool { return waits == named || waits == nameless }

// rules is a stream's: what a command does to a state, and with what answer.
type rules[S comparable] interface {
	// decide gives the state after a success, or the refusal's reason.
	decide(s S, o *history.Op, made string) (S, string)
	shows(s S, r *history.Relations) bool
}

// positioned is a state with the offset of the last success.
type positioned[S comparable] struct {
	S    S
	last int64
}

func newModel[S comparable](r rules[S], describe func(S) string) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return positioned[S]{last: -1} },
		Step: func(state, input, output any) (bool, any) {
			s := state.(positioned[S])
			switch in := input.(type) {
			case shown:
				return r.shows(s.S, in.Relations), s
			case perhaps:
				if next, reason := r.decide(s.S, in.op, ""); reason == "" {
					s.S = next
				}
				return true, s
			}
			a := output.(*history.Attempt)
			next, reason := r.decide(s.S, input.(asked).op, a.Application)
			if reason != a.Reason {
				return false, s
			}
			if reason == "" {
				_, offset := history.Offset(a.Position)
				if offset <= s.last {
					return false, s
				}
				s = positioned[S]{next, offset}
			}
			return true, s
		},
		DescribeOperation: func(input, output any) string {
			switch in := input.(type) {
			case shown:
				return fmt.Sprintf("%s sees friends=%t blocked=%t members=%v %s", in.User, in.Friends, in.Blocked, in.Relations.Members, in.Reason)
			case perhaps:
				return describeOp(in.op) + " → perhaps"
			}
			a := output.(*history.Attempt)
			answer := a.Reason
			if answer == "" {
				answer = a.Position
			}
			return describeOp(input.(asked).op) + " → " + answer
		},
		DescribeState: func(state any) string {
			s := state.(positioned[S])
			return fmt.Sprintf("%s, last %d", describe(s.S), s.last)
		},
	}
}

func describeOp(o *history.Op) string {
	return fmt.Sprintf("#%d %s %s %s%s%s %.12s", o.N, o.User, o.URL, o.Target, o.State, o.Message, o.Application)
}
