package nemesis

import (
	"context"
	"fmt"
	"sync"
	"time"

	"lishi/infra/torture/cluster"
	"lishi/infra/torture/history"
)

// Run carries out a plan and returns when all of it was undone, or once ctx ends:
// then Cluster.Heal undoes the rest.
func Run(ctx context.Context, c *cluster.Cluster, plan []Fault, h *history.History) {
	begun := h.Now()
	until := func(at time.Duration) bool {
		t := time.NewTimer(begun + at - h.Now())
		defer t.Stop()
		select {
		case <-t.C:
			return true
		case <-ctx.Done():
			return false
		}
	}
	var all sync.WaitGroup
	for _, f := range plan {
		all.Go(func() {
			if !until(f.At) {
				return
			}
			done := history.Fault{At: h.Now(), Kind: string(f.Kind), Target: fmt.Sprint(f.Target)}
			do, undo := act(c, f)
			err := do()
			until(f.At + f.For)
			if ctx.Err() == nil {
				if late := undo(); err == nil {
					err = late
				}
			}
			done.Until = h.Now()
			if err != nil {
				done.Error = err.Error()
			}
			h.Faulted(done)
		})
	}
	all.Wait()
}

// act is how a fault is done, and undone.
func act(c *cluster.Cluster, f Fault) (do, undo func() error) {
	fine := func() error { return nil }
	quiet := func(f func()) func() error { return func() error { f(); return nil } }
	switch f.Kind {
	case KillNode:
		return quiet(c.Nodes[f.Target].Kill), c.Nodes[f.Target].Start
	case StopNode:
		return quiet(c.Nodes[f.Target].Stop), c.Nodes[f.Target].Start
	case PauseNode:
		return c.Nodes[f.Target].Pause, c.Nodes[f.Target].Resume
	case KillBroker:
		return with(f.Target, c.Kafka.Kill), with(f.Target, c.Kafka.Restart)
	case PauseBroker:
		return with(f.Target, c.Kafka.Pause), with(f.Target, c.Kafka.Resume)
	case KillEngine:
		return quiet(c.Engine.Kill), c.Engine.Start
	}
	p := proxyOf(c, f)
	switch f.Kind {
	case BreakClients, BreakBroker:
		return p.Break, fine
	case CutClients, CutBroker, CutEngine:
		return quiet(p.Cut), p.Mend
	case HoldClients, HoldBroker, HoldEngine:
		return p.Hold, p.Mend
	case SlowClients, SlowBroker:
		return func() error { return p.Slow(40 + 60*(int(f.For/time.Millisecond)%3)) }, p.Mend
	}
	return func() error { return fmt.Errorf("nobody knows how to %s", f.Kind) }, fine
}

func with(i int, f func(int) error) func() error { return func() error { return f(i) } }

func proxyOf(c *cluster.Cluster, f Fault) *cluster.Proxy {
	switch f.Kind {
	case BreakClients, CutClients, HoldClients, SlowClients:
		return c.Nodes[f.Target].Clients
	case BreakBroker, CutBroker, HoldBroker, SlowBroker:
		return c.Kafka.Proxies[f.Target]
	case CutEngine, HoldEngine:
		return c.Engine.Nodes
	}
	return nil
}
