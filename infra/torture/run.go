package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"

	"lishi/infra/torture/client"
	"lishi/infra/torture/cluster"
	"lishi/infra/torture/history"
	"lishi/infra/torture/messages"
	"lishi/infra/torture/model"
	"lishi/infra/torture/nemesis"
)

// shape is what one run is made of.
type shape struct {
	name    string
	nodes   int
	brokers int // 0: embedded
	sockets int // devices of each user
}

var shapes = []shape{
	{name: "A", nodes: 1, sockets: 2},
	{name: "B", nodes: 1, brokers: 3, sockets: 2},
	{name: "C", nodes: 3, brokers: 3, sockets: 2},
}

var users = []string{"ann", "bob", "卡尔", "dee", "eve"}

// options are what all runs have in common.
type options struct {
	program string
	length  time.Duration
	env     []string
	kafka   *cluster.Kafka
	dir     string // where data and logs of runs are
	calm    bool   // no faults
	limit   time.Duration
}

// outcome is what one run came to.
type outcome struct {
	history    *history.History
	plan       []nemesis.Fault
	verdicts   []model.Verdict
	violations []string
	took       time.Duration
	ready      time.Duration // after the last fault, until every process said so and every command was settled
	shown      time.Duration // after that, until every node showed everything
	dir        string
}

// run carries out one run of a seed: clients work, the plan's faults come, all is
// brought back, everything in doubt is settled, and then the history is judged.
// An error means that nothing could be judged.
func run(ctx context.Context, seed uint64, s shape, o options) (*outcome, error) {
	begun := time.Now()
	dir := filepath.Join(o.dir, fmt.Sprintf("%s-%d", s.name, seed))
	co := cluster.Options{Program: o.program, Dir: dir, Nodes: s.nodes, Env: o.env}
	if s.brokers > 0 {
		co.Kafka, co.Prefix = o.kafka, fmt.Sprintf("t%s%d.", s.name, seed)
	}
	c, err := cluster.Open(co)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	h := history.New(seed, s.name)
	out := &outcome{history: h, dir: dir}
	plan := nemesis.Shape{Nodes: s.nodes, Brokers: s.brokers, Engine: c.Engine != nil}
	out.plan = nemesis.Plan(rand.New(rand.NewPCG(seed, 1)), plan, o.length)
	if o.calm {
		out.plan = nil
	}
	ws, err := people(ctx, h, c, seed, s, o)
	if err != nil {
		return nil, err
	}
	if err := begin(ws); err != nil { // nothing was done to it yet
		h.Notef("at the beginning: %v", err)
		out.judge()
		return out, nil
	}
	working, stop := context.WithTimeout(ctx, o.length)
	defer stop()
	var all sync.WaitGroup
	all.Go(func() { nemesis.Run(ctx, c, out.plan, h) })
	for _, w := range ws {
		all.Go(func() { w.work(working) })
	}
	healed := make(chan error, 1)
	go func() {
		<-working.Done()
		sleep(ctx, 300*time.Millisecond) // the plan's last undoing
		if ctx.Err() != nil {
			healed <- ctx.Err()
			return
		}
		healed <- c.Heal(o.limit)
	}()
	<-working.Done()
	stopped := h.Now()
	all.Wait()
	if err := <-healed; err != nil {
		h.Notef("it did not come back: %v", err)
	} else {
		out.ready = h.Now() - stopped
		if out.shown, err = settle(ctx, h, c, ws); err != nil {
			h.Notef("after it came back: %v", err)
		}
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	for _, err := range c.Failures() {
		h.Notef("%v", err)
	}
	for _, w := range ws {
		w.device.Drop()
	}
	out.judge()
	out.took = time.Since(begun)
	return out, nil
}

// people makes the devices and logs them in.
func people(ctx context.Context, h *history.History, c *cluster.Cluster, seed uint64, s shape, o options) ([]*worker, error) {
	patience, cancel := context.WithTimeout(ctx, o.length+2*o.limit)
	context.AfterFunc(ctx, cancel)
	world := newWorld(users)
	var ws []*worker
	for _, u := range users {
		token, err := cluster.Token(u)
		if err != nil {
			return nil, err
		}
		for range s.sockets {
			n := len(ws)
			h.Devices = append(h.Devices, u)
			w := &worker{
				number: n, user: u, device: client.New(h, n, u, token), world: world, h: h, nodes: c.Nodes,
				rand: rand.New(rand.NewPCG(seed, uint64(n)+2)), until: patience,
			}
			ws = append(ws, w)
		}
	}
	for _, w := range ws {
		if !w.connected(patience) {
			return nil, fmt.Errorf("%s could not log in", w.user)
		}
	}
	return ws, nil
}

// begin makes three groups and some friends.
func begin(ws []*worker) error {
	sure := func(w *worker, o *history.Op) error {
		w.do(o)
		if o.Fate() != history.Done {
			return fmt.Errorf("op %s %s: %s %s", o.URL, o.Stream, o.Last().Reason, o.Last().Detail)
		}
		return nil
	}
	step := len(ws) / len(users)
	for i := range 3 {
		w := ws[i*step]
		o := w.op(model.AddGroup, "")
		if o.State = model.ByApplication; i == 2 {
			o.State = model.Open
		}
		if err := sure(w, o); err != nil {
			return err
		}
		w.world.made(o.Stream)
		for j := range users {
			if j == i || j == 4 {
				continue
			}
			join := ws[j*step].op(model.ApplyGroup, o.Stream)
			if err := sure(ws[j*step], join); err != nil {
				return err
			}
			if i == 2 {
				continue
			}
			agree := w.op(model.GroupVerify, o.Stream)
			agree.Application, agree.Applicant, agree.State = join.Last().Application, users[j], model.Agreed
			if err := sure(w, agree); err != nil {
				return err
			}
		}
	}
	for i := range users {
		w, other := ws[i*step], ws[(i+1)%len(users)*step]
		ask := w.op(model.ApplyFriend, history.Pair(w.user, other.user))
		ask.Target = other.user
		if err := sure(w, ask); err != nil {
			return err
		}
		agree := other.op(model.VerifyFriend, ask.Stream)
		agree.Application, agree.Applicant, agree.State = ask.Last().Application, w.user, model.Agreed
		if err := sure(other, agree); err != nil {
			return err
		}
	}
	return nil
}

// settle reads everything on every node, and has every device come back for what
// it missed. It tells how long the reading took.
func settle(ctx context.Context, h *history.History, c *cluster.Cluster, ws []*worker) (shown time.Duration, err error) {
	begun := h.Now()
	seen := history.Cursor{}
	for _, o := range h.Ops {
		if o.Fate() == history.Done {
			seen.Merge(o.Last().Position)
		}
	}
	for i := range h.Frames {
		seen.Merge(h.Frames[i].Position)
	}
	deadline := time.Now().Add(60 * time.Second)
	for node, n := range c.Nodes {
		for i, w := range ws {
			if i > 0 && ws[i-1].user == w.user {
				continue
			}
			r := client.Reader{Addr: n.Direct(), User: w.user, Token: w.device.Token, Seen: seen}
			for _, stream := range w.world.streams() {
				if a, b := history.Two(stream); a != "" && a != w.user && b != w.user {
					continue
				}
				if err := errors.Join(r.History(h, node, stream, deadline), r.Relations(h, node, stream, deadline)); err != nil {
					return 0, err
				}
			}
		}
	}
	shown = h.Now() - begun
	patience, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	var all sync.WaitGroup
	late := make([]error, len(ws))
	for i, w := range ws {
		all.Go(func() {
			for {
				w.device.Drop()
				if !w.connected(patience) {
					late[i] = fmt.Errorf("device %d of %s could not come back", w.number, w.user)
					return
				}
				if w.device.Resumed(patience) == nil {
					return
				}
			}
		})
	}
	all.Wait()
	return shown, errors.Join(late...)
}

// judge has the checkers look at the history.
func (o *outcome) judge() {
	o.violations = messages.Check(o.history)
	o.verdicts = model.Check(o.history, time.Minute)
	for _, v := range o.verdicts {
		switch v.Result {
		case porcupine.Illegal:
			o.violations = append(o.violations, fmt.Sprintf("stream %s is not linearizable (%d operations)", v.Stream, v.Ops))
		case porcupine.Unknown:
			o.violations = append(o.violations, fmt.Sprintf("stream %s could not be judged in time (%d operations)", v.Stream, v.Ops))
		}
	}
}
