// Package nemesis does harm by a plan that follows from a seed.
package nemesis

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Kind is what is done to whom.
type Kind string

// The faults. What is killed is killed with -9, what is stopped gets SIGTERM and
// ends in order, what is paused gets SIGSTOP; a cut
// refuses connections, a break only ends them, what is held or slowed goes on in
// silence.
const (
	KillNode     Kind = "kill node"
	StopNode     Kind = "stop node"
	PauseNode    Kind = "pause node"
	CutClients   Kind = "cut clients"
	BreakClients Kind = "break clients"
	HoldClients  Kind = "hold clients"
	SlowClients  Kind = "slow clients"
	KillBroker   Kind = "kill broker"
	PauseBroker  Kind = "pause broker"
	CutBroker    Kind = "cut broker"
	BreakBroker  Kind = "break broker"
	HoldBroker   Kind = "hold broker"
	SlowBroker   Kind = "slow broker"
	KillEngine   Kind = "kill engine"
	CutEngine    Kind = "cut engine"
	HoldEngine   Kind = "hold engine"
)

// Fault is one thing that is done, and for how long; its target counts from 0.
type Fault struct {
	At, For time.Duration
	Kind    Kind
	Target  int
}

func (f Fault) String() string {
	return fmt.Sprintf("%5.2fs for %4.2fs %s %d", f.At.Seconds(), f.For.Seconds(), f.Kind, f.Target)
}

// Shape is what there is to harm.
type Shape struct {
	Nodes   int
	Brokers int // 0: embedded
	Engine  bool
}

// choice is a fault with how often it comes and how long it lasts.
type choice struct {
	kind      Kind
	weight    int
	least     time.Duration
	most      time.Duration
	count     func(Shape) int
	part      string // two faults of one part and target do not overlap
	single    bool   // of all targets only one at a time, mostly
	aftermath time.Duration
}

func nodes(s Shape) int   { return s.Nodes }
func brokers(s Shape) int { return s.Brokers }
func engine(s Shape) int {
	if s.Engine {
		return 1
	}
	return 0
}

const ms = time.Millisecond

var choices = []choice{
	{KillNode, 6, 50 * ms, 1500 * ms, nodes, "node", true, 500 * ms},
	{StopNode, 3, 50 * ms, 1500 * ms, nodes, "node", true, 500 * ms},
	{PauseNode, 4, 200 * ms, 5000 * ms, nodes, "node", true, 0},
	{BreakClients, 4, 10 * ms, 20 * ms, nodes, "clients", false, 0},
	{CutClients, 3, 100 * ms, 2000 * ms, nodes, "clients", false, 0},
	{HoldClients, 2, 300 * ms, 4000 * ms, nodes, "clients", false, 0},
	{SlowClients, 2, 500 * ms, 3000 * ms, nodes, "clients", false, 0},
	{KillBroker, 5, 100 * ms, 3000 * ms, brokers, "broker", true, 1500 * ms},
	{PauseBroker, 4, 300 * ms, 6000 * ms, brokers, "broker", true, 500 * ms},
	{BreakBroker, 3, 10 * ms, 20 * ms, brokers, "link", false, 0},
	{CutBroker, 3, 200 * ms, 3000 * ms, brokers, "link", false, 0},
	{HoldBroker, 3, 300 * ms, 5000 * ms, brokers, "link", false, 0},
	{SlowBroker, 2, 500 * ms, 3000 * ms, brokers, "link", false, 0},
	{KillEngine, 2, 100 * ms, 1500 * ms, engine, "engine", true, 500 * ms},
	{CutEngine, 2, 200 * ms, 3000 * ms, engine, "rows", false, 0},
	{HoldEngine, 2, 300 * ms, 3000 * ms, engine, "rows", false, 0},
}

// Plan is what happens in so much time: about one fault a second and a half, all
// over by the end.
func Plan(r *rand.Rand, s Shape, length time.Duration) []Fault {
	total := 0
	for _, c := range choices {
		if c.count(s) > 0 {
			total += c.weight
		}
	}
	var plan []Fault
	busy := map[string]time.Duration{}
	for at := 300 * ms; ; at += 200*ms + rand2(r, 2200*ms) {
		c := pick(r, s, total)
		f := Fault{At: at, Kind: c.kind, Target: r.IntN(c.count(s)), For: c.least + rand2(r, c.most-c.least)}
		if r.IntN(3) > 0 { // most are short
			f.For = c.least + (f.For-c.least)/4
		}
		if at+f.For > length {
			return plan
		}
		key := fmt.Sprint(c.part, f.Target)
		if c.single && r.IntN(10) > 0 {
			key = c.part
		}
		if busy[key] > at || busy[fmt.Sprint(c.part, f.Target)] > at {
			continue
		}
		until := at + f.For + c.aftermath
		busy[key] = max(busy[key], until)
		busy[fmt.Sprint(c.part, f.Target)] = until
		plan = append(plan, f)
	}
}

func rand2(r *rand.Rand, d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return time.Duration(r.Int64N(int64(d)))
}

func pick(r *rand.Rand, s Shape, total int) choice {
	n := r.IntN(total)
	for _, c := range choices {
		if c.count(s) == 0 {
			continue
		}
		if n -= c.weight; n < 0 {
			return c
		}
	}
	panic("unreachable")
}
