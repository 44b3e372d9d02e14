package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"lishi/infra/torture/client"
	"lishi/infra/torture/cluster"
	"lishi/infra/torture/history"
	"lishi/infra/torture/model"
)

// worker is one device with somebody who uses it: one op after the other, each
// until its answer is certain.
type worker struct {
	number int
	user   string
	device *client.Device
	world  *world
	h      *history.History
	nodes  []*cluster.Node
	rand   *rand.Rand   // of the worker's goroutine alone
	node   atomic.Int32 // where the device is logged in
	count  int

	until context.Context // nobody waits longer than this for an answer

	connecting sync.Mutex
}

// connected logs in, at any node, until it works or ctx ends.
func (w *worker) connected(ctx context.Context) bool {
	w.connecting.Lock()
	defer w.connecting.Unlock()
	for pause := 20 * time.Millisecond; !w.device.Connected(); pause = min(2*pause, 300*time.Millisecond) {
		if ctx.Err() != nil {
			return false
		}
		node := w.rand.IntN(len(w.nodes))
		err := w.device.Connect(ctx, w.nodes[node].Addr(), func(p client.Push) { w.world.pushed(w.user, p) })
		if err == nil {
			w.node.Store(int32(node))
			return true
		}
		sleep(ctx, pause)
	}
	return true
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// work uses the device until ctx ends. An op that has begun is seen to its end.
func (w *worker) work(ctx context.Context) {
	for ctx.Err() == nil {
		switch n := w.rand.IntN(100); {
		case n < 12:
			w.look(ctx)
		case n < 14:
			w.device.Drop()
		case n < 20:
			w.burst()
		case n < 24:
			if !w.verify() {
				w.chat()
			}
		case n < 66:
			w.chat()
		case n < 74:
			w.change()
		default:
			if !w.verify() {
				w.relate()
			}
		}
		sleep(ctx, time.Duration(w.rand.IntN(60))*time.Millisecond)
	}
}

func (w *worker) look(ctx context.Context) {
	streams := w.world.streams()
	s := streams[w.rand.IntN(len(streams))]
	if a, b := history.Two(s); a != "" && w.user != a && w.user != b {
		s = history.Pair(w.user, w.other())
	}
	if w.connected(ctx) {
		w.count++
		w.device.Page(w.h, int(w.node.Load()), fmt.Sprintf("w%d-look-%d", w.number, w.count), s, 30+w.rand.IntN(60))
	}
}

func (w *worker) other() string {
	for {
		if u := w.world.users[w.rand.IntN(len(w.world.users))]; u != w.user {
			return u
		}
	}
}

// op is a new one of this worker.
func (w *worker) op(url, stream string) *history.Op {
	w.count++
	return &history.Op{Worker: w.number, User: w.user, URL: url, Stream: stream, UniqueNo: fmt.Sprintf("w%d-%d", w.number, w.count)}
}

var fillers = []string{"", " 你好", " <b>&amp;\u2028", " \"quoted\"\\", " 👩‍👩‍👧", strings.Repeat(" long", 200)}

// message is an op that says something nobody said before.
func (w *worker) message() *history.Op {
	o := w.op(model.SendMessage, "")
	if g := w.world.group(w.rand); g != "" && w.rand.IntN(2) == 0 {
		o.URL, o.Stream = model.SendGroupMessage, g
	} else {
		o.Target = w.other()
		o.Stream = history.Pair(w.user, o.Target)
	}
	o.Text = o.UniqueNo + fillers[w.rand.IntN(len(fillers))]
	return o
}

func (w *worker) chat() { w.do(w.message()) }

// burst is several messages at once.
func (w *worker) burst() {
	ops := make([]*history.Op, 2+w.rand.IntN(5))
	for i := range ops {
		ops[i] = w.message()
	}
	var all sync.WaitGroup
	for _, o := range ops {
		seed := w.rand.Uint64()
		all.Go(func() { w.carry(o, rand.New(rand.NewPCG(seed, 0))) })
	}
	all.Wait()
}

// change edits or recalls a message, mostly an own one.
func (w *worker) change() {
	streams := w.world.streams()
	for range 10 {
		s := streams[w.rand.IntN(len(streams))]
		a, b := history.Two(s)
		m, ok := w.world.message(w.rand, s)
		if !ok || a != "" && a != w.user && b != w.user || m.author != w.user && w.rand.IntN(5) > 0 {
			continue
		}
		o := w.op(model.EditMessage, s)
		if w.rand.IntN(3) == 0 {
			o.URL = model.RecallMessage
		} else {
			o.Text = "edit " + o.UniqueNo
		}
		o.Message, o.Author = m.position, m.author
		w.do(o)
		return
	}
}

func (w *worker) verify() bool {
	a, ok := w.world.verifiable(w.rand, w.user)
	if !ok {
		return false
	}
	o := w.op(model.VerifyFriend, a.stream)
	if history.GroupID(a.stream) != "" {
		o.URL = model.GroupVerify
		if a.invitation {
			o.URL = model.UserVerify
		}
	}
	if x, y := history.Two(a.stream); x != "" && x != w.user && y != w.user {
		return false
	}
	o.Application, o.Applicant, o.State = a.id, a.applicant, model.Agreed
	if w.rand.IntN(5) == 0 {
		o.State = "0"
	}
	w.do(o)
	return true
}

// relate does something to a friendship or a group.
func (w *worker) relate() {
	other := w.other()
	g := w.world.group(w.rand)
	if g == "" || w.rand.IntN(2) == 0 {
		url := pick(w.rand, map[string]int{
			model.ApplyFriend: 10, model.DeleteFriend: 4, model.BlockFriend: 2, model.UnblockFriend: 4,
		})
		o := w.op(url, history.Pair(w.user, other))
		o.Target = other
		w.do(o)
		return
	}
	o := w.op(pick(w.rand, map[string]int{
		model.ApplyGroup: 8, model.InvitationGroup: 6, model.RemoveUserGroup: 4, model.QuitGroup: 2, model.TransferGroup: 2,
		model.SetGroupRole: 4, model.MuteMember: 5,
	}), g)
	switch o.URL {
	case model.ApplyGroup, model.QuitGroup:
	case model.SetGroupRole:
		o.Target, o.State = other, []string{model.Member, model.Admin}[w.rand.IntN(2)]
	case model.MuteMember:
		o.Target, o.Minutes = other, []int{0, 600}[w.rand.IntN(2)]
	default:
		o.Target = other
	}
	w.do(o)
}

func pick(r *rand.Rand, weights map[string]int) string {
	urls := make([]string, 0, len(weights))
	total := 0
	for url, n := range weights {
		urls = append(urls, url)
		total += n
	}
	slices.Sort(urls)
	n := r.IntN(total)
	for _, url := range urls {
		if n -= weights[url]; n < 0 {
			return url
		}
	}
	panic("unreachable")
}

// params is a command as the protocol has it.
func params(o *history.Op) map[string]any {
	p := map[string]any{}
	set := func(name, value string) {
		if value != "" {
			p[name] = value
		}
	}
	set("groupId", history.GroupID(o.Stream))
	set("messageContent", o.Text)
	set("position", o.Message)
	switch o.URL {
	case model.SendMessage:
		set("receiveUserId", o.Target)
	case model.ApplyFriend, model.BlockFriend, model.UnblockFriend, model.InvitationGroup, model.TransferGroup:
		set("userId", o.Target)
	case model.DeleteFriend:
		set("friendId", o.Target)
	case model.VerifyFriend:
		set("applyFriendId", o.Application)
		set("applyState", o.State)
	case model.GroupVerify, model.UserVerify:
		delete(p, "groupId")
		set("applyGroupId", o.Application)
		set("applyState", o.State)
	case model.RemoveUserGroup:
		set("removeUserId", o.Target)
	case model.SetGroupRole:
		set("userId", o.Target)
		set("role", o.State)
	case model.MuteMember:
		set("userId", o.Target)
		p["minutes"] = o.Minutes
	case model.AddGroup:
		delete(p, "groupId")
		p["groupName"], p["joinMode"] = "group "+o.UniqueNo, o.State
	case model.EditMessage, model.RecallMessage:
		delete(p, "groupId")
	}
	return p
}

func (w *worker) do(o *history.Op) { w.carry(o, w.rand) }

// carry sends an op until its answer is certain: the same uniqueNo, and from the
// second time on resend. Where nothing happened for certain it may give up.
func (w *worker) carry(o *history.Op, r *rand.Rand) {
	w.h.Begin(o)
	for pause := 20 * time.Millisecond; w.connected(w.until); pause = min(2*pause, 300*time.Millisecond) {
		p := params(o)
		if len(o.Attempts) > 0 {
			p["resend"] = true
		}
		a := history.Attempt{Device: w.device.Number, Node: int(w.node.Load()), Call: w.h.Now()}
		o.Attempts = append(o.Attempts, a)
		at := &o.Attempts[len(o.Attempts)-1]
		answer := w.device.Call(o.URL, o.UniqueNo, p)
		at.Return = w.h.Now()
		if answer == nil {
			at.Reason = history.Lost
		} else {
			at.Reason, at.Detail, at.Position, at.MessageID = answer.Reason, answer.Detail, answer.Position, answer.MessageID
			at.Application, at.GroupID, at.State = answer.ApplyFriendID+answer.ApplyGroupID, answer.GroupID, answer.ApplyState
		}
		switch {
		case at.Reason == "":
			if o.URL == model.AddGroup {
				o.Stream = history.Group(at.GroupID)
			}
			w.world.did(o)
			return
		case at.Doubtful():
		case at.Reason == history.Unavailable:
			if o.Fate() == history.Not && r.IntN(4) == 0 {
				return
			}
		default:
			return
		}
		sleep(w.until, pause)
	}
}
