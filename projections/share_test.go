package projections_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"lishi/events"
	"lishi/projections"
	"lishi/projections/projectiontest"
)

// desk assigns partitions by hand.
type desk struct {
	mu      sync.Mutex
	members map[string]func([]events.Partition)
	given   map[string][]events.Partition
	names   map[string]string
}

func newDesk() *desk {
	return &desk{members: map[string]func([]events.Partition){}, given: map[string][]events.Partition{}, names: map[string]string{}}
}

func (d *desk) share(member string) projections.Share {
	return func(ctx context.Context, name string, assigned func([]events.Partition)) error {
		d.mu.Lock()
		d.members[member], d.names[member] = assigned, name
		given := d.given[member]
		d.mu.Unlock()
		if given != nil {
			assigned(given)
		}
		<-ctx.Done()
		d.mu.Lock()
		delete(d.members, member)
		d.mu.Unlock()
		return nil
	}
}

func (d *desk) give(member string, ps ...events.Partition) {
	d.mu.Lock()
	d.given[member] = ps
	assigned := d.members[member]
	d.mu.Unlock()
	if assigned != nil {
		assigned(ps)
	}
}

var parts = projectiontest.Layout.Partitions()

// town is several nodes over one log and one ClickHouse.
type town struct {
	t    *testing.T
	db   projections.DB
	log  *projectiontest.Log
	desk *desk
}

func newTown(t *testing.T) *town {
	return &town{t, projectiontest.DB(t), projectiontest.NewLog(projectiontest.Layout), newDesk()}
}

type node struct {
	*projectiontest.World
	faulty *projectiontest.Faulty
}

// node is one that does not run yet.
func (tn *town) node(name string, ps ...projections.Projection) *node {
	f := &projectiontest.Faulty{DB: tn.db}
	w := projectiontest.Still(tn.t, f, tn.log, ps...)
	w.Options.Share, w.Options.Look = tn.desk.share(name), 20*time.Millisecond
	return &node{w, f}
}

// kill ends a node that can write nothing any more.
func (n *node) kill() {
	n.faulty.Set(func(projectiontest.Call) error { return projections.ErrUnavailable }, nil)
	n.Stop()
}

// chat has every partition hear something; it gives all words that were said.
type chat struct {
	w     *projectiontest.World
	pairs [][2]string
	said  []string
}

func newChat(w *projectiontest.World) *chat {
	c := &chat{w: w}
	heard := map[events.Partition]bool{}
	for i := 0; len(heard) < int(projectiontest.Layout.Conversations); i++ {
		a, b := fmt.Sprint("a", i), fmt.Sprint("b", i)
		p := projectiontest.Layout.Partition(events.PairStream(a, b))
		if heard[p] {
			continue
		}
		heard[p] = true
		w.Register(a, b)
		w.Befriend(a, b)
		c.pairs = append(c.pairs, [2]string{a, b})
	}
	return c
}

func (c *chat) say(n int) {
	for range n {
		pair := c.pairs[len(c.said)%len(c.pairs)]
		word := fmt.Sprintf("w%05d", len(c.said))
		c.w.Say(pair[0], pair[1], word)
		c.said = append(c.said, word)
	}
}

// shows waits until a node shows all that was said, and checks that it does.
func (c *chat) shows(n *node) {
	c.w.T.Helper()
	n.Settle()
	tables, _ := n.Engine.Shown("words")
	got := projectiontest.Strings(c.w.T, n.faulty.DB, "SELECT word FROM "+tables["words"]+" FINAL ORDER BY word")
	same(c.w.T, "the rows", got, c.said)
}

// truthful checks that no checkpoint of any build speaks of rows that are not there.
func (c *chat) truthful(tn *town) {
	c.w.T.Helper()
	false_ := projectiontest.Strings(c.w.T, tn.db, `SELECT concat(toString(build), ' ', partition, ' ', toString(max(offset))) FROM lishi_checkpoints GROUP BY build, partition`)
	for _, line := range false_ {
		var build uint32
		var partition string
		var offset int64
		if _, err := fmt.Sscan(line, &build, &partition, &offset); err != nil {
			c.w.T.Fatal(err)
		}
		table := fmt.Sprintf("words_b%d", build)
		if projectiontest.Strings(c.w.T, tn.db, `SELECT toString(count()) FROM system.tables WHERE database = currentDatabase() AND name = {t:String}`,
			projections.Arg{Name: "t", Value: table})[0] == "0" {
			continue // dropped
		}
		var want []string
		for _, p := range parts {
			if p.String() != partition {
				continue
			}
			for o := int64(0); o <= offset; o++ {
				r, err := tn.log.At(context.Background(), events.Position{Partition: p, Offset: o})
				if err != nil {
					c.w.T.Fatal(err)
				}
				if m, ok := r.Body.(events.MessageSent); ok {
					want = append(want, m.Content.Plain)
				}
			}
		}
		got := projectiontest.Strings(c.w.T, tn.db, "SELECT word FROM "+table+" FINAL WHERE partition = {p:String} AND offset <= {o:Int64} ORDER BY offset",
			projections.Arg{Name: "p", Value: partition}, projections.Arg{Name: "o", Value: offset})
		same(c.w.T, fmt.Sprintf("build %d, %s up to its checkpoint %d", build, partition, offset), got, want)
	}
}

// Each node fills its share; every one shows everything, and waits for what the
// others write.
func TestPartitionsSharedOut(t *testing.T) {
	tn := newTown(t)
	tn.desk.give("a", parts[:2]...)
	tn.desk.give("b", parts[2:]...)
	a, b, c := tn.node("a", newWords("words")), tn.node("b", newWords("words")), tn.node("c", newWords("words"))
	var all sync.WaitGroup // at the same moment, on nothing
	for _, n := range []*node{a, b, c} {
		all.Go(n.Start)
	}
	all.Wait()
	talk := newChat(a.World)
	for range 3 {
		talk.say(30)
		for _, n := range []*node{c, a, b} {
			talk.shows(n)
		}
	}
	if tn.desk.names["a"] == "" || tn.desk.names["a"] != tn.desk.names["b"] {
		t.Errorf("they share as %v", tn.desk.names)
	}
	if x, y, z := a.Engine.Live("words"), b.Engine.Live("words"), c.Engine.Live("words"); x != y || y != z {
		t.Errorf("builds %d, %d and %d are live", x, y, z)
	}
	same(t, "the view", projectiontest.Strings(t, tn.db, "SELECT word FROM words ORDER BY word"), talk.said)
	for _, l := range c.Engine.Lag() {
		if l.Events != 0 || l.Seconds != 0 {
			t.Errorf("lag: %+v", l)
		}
	}
	talk.truthful(tn)
}

// A node that dies leaves a gap to nobody: who takes over begins at its
// checkpoint. Until then nobody believes to be caught up.
func TestTakeover(t *testing.T) {
	tn := newTown(t)
	tn.desk.give("a", parts[:2]...)
	tn.desk.give("b", parts[2:]...)
	a, b := tn.node("a", newWords("words")), tn.node("b", newWords("words"))
	a.Start()
	b.Start()
	talk := newChat(a.World)
	talk.say(30)
	talk.shows(b)
	a.kill()
	talk.say(30)
	end, _ := tn.log.End(context.Background())
	projectiontest.Eventually(t, "b reads the log", func() bool { return b.Tail.Folded().Covers(end) })
	if b.Engine.Covers([]string{"words"}, end) {
		t.Fatal("b shows what nobody has written")
	}
	projectiontest.Eventually(t, "b tells of the lag", func() bool {
		return slices.ContainsFunc(b.Engine.Lag(), func(l projections.Lag) bool { return l.Events > 0 && l.Seconds > 0 })
	})
	tn.desk.give("b", parts...)
	talk.shows(b)
	talk.truthful(tn)

	a = tn.node("a", newWords("words"))
	a.Start()
	tn.desk.give("b", parts[2:]...)
	talk.say(30)
	talk.shows(a)
	talk.shows(b)
	talk.truthful(tn)
}

// A node that was stopped, lost its partitions, and goes on writes old rows and
// old checkpoints again. That harms nothing.
func TestZombie(t *testing.T) {
	for _, table := range []string{"words", "lishi_checkpoints"} {
		t.Run(table, func(t *testing.T) {
			tn := newTown(t)
			tn.desk.give("a", parts...)
			a, b := tn.node("a", newWords("words")), tn.node("b", newWords("words"))
			a.Start()
			b.Start()
			talk := newChat(a.World)
			talk.say(9)
			talk.shows(a)
			stopped, goOn := make(chan struct{}), make(chan struct{})
			var once sync.Once
			a.faulty.Set(func(c projectiontest.Call) error { // SIGSTOP, just before it writes
				if strings.HasPrefix(c.Table, table) {
					once.Do(func() { close(stopped) })
					<-goOn
				}
				return nil
			}, nil)
			talk.say(9)
			<-stopped
			tn.desk.give("b", parts...)
			talk.say(30)
			talk.shows(b)
			close(goOn)
			talk.shows(a)
			talk.say(9)
			talk.shows(a)
			talk.shows(b)
			talk.truthful(tn)
			a.Stop()
			b.Stop()
			c := tn.node("c", newWords("words"))
			tn.desk.give("c", parts...)
			c.Start()
			talk.shows(c)
		})
	}
}

// Nodes come, die at any statement, are stopped and go on, and partitions move
// about, also to two nodes at once: never does a checkpoint claim a row that is
// not there, and in the end everything is there once.
func TestSharingSurvivesAnything(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	tn := newTown(t)
	names := []string{"a", "b", "c"}
	nodes := map[string]*node{}
	speaker := projectiontest.Still(t, tn.db, tn.log, newWords("words"))
	talk := newChat(speaker)
	some := func() (ps []events.Partition) {
		for _, p := range parts {
			if random.IntN(2) == 0 {
				ps = append(ps, p)
			}
		}
		return ps
	}
	for range 60 {
		name := names[random.IntN(len(names))]
		n, killed := nodes[name], false
		switch {
		case n == nil:
			tn.desk.give(name, some()...)
			nodes[name] = tn.node(name, newWords("words"))
			nodes[name].Start()
		case random.IntN(3) > 0:
			tn.desk.give(name, some()...)
		case random.IntN(2) == 0:
			n.Stop()
			delete(nodes, name)
		default:
			death := projectiontest.NewDeath(n.faulty, random.IntN(6), random.IntN(2) == 0)
			talk.say(3)
			select {
			case <-death.Dead():
			case <-time.After(150 * time.Millisecond): // it may have nothing to write
			}
			n.kill()
			delete(nodes, name)
			killed = true
		}
		talk.say(random.IntN(12))
		if killed && len(projectiontest.Strings(t, tn.db, `SELECT name FROM system.tables WHERE database = currentDatabase() AND name = 'lishi_checkpoints'`)) > 0 {
			talk.truthful(tn)
		}
	}
	tn.desk.give("last", parts...)
	last := tn.node("last", newWords("words"))
	last.Start()
	talk.shows(last)
	talk.truthful(tn)
	for _, n := range nodes {
		talk.shows(n)
	}
}
