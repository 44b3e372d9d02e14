package projections_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"lishi/events"
	"lishi/projections"
	"lishi/projections/projectiontest"
)

// During a rolling upgrade nodes of both versions answer, each from rows of its
// own version; the later one's are what SQL users see, and stay so when an old
// node starts again.
func TestTwoVersions(t *testing.T) {
	old := func() *words { return newWords("words") }
	renewed := func() *words { w := newWords("words"); w.version = 2; return w }
	tn := newTown(t)
	tn.desk.give("old", parts...)
	one := tn.node("old", old())
	one.Options.Lease = 2 * time.Second
	one.Start()
	talk := newChat(one.World)
	talk.say(9)
	talk.shows(one)
	first := one.Engine.Live("words")

	tn.desk.give("new", parts...)
	two := tn.node("new", renewed())
	two.Options.Lease = 2 * time.Second
	two.Start()
	projectiontest.Eventually(t, "the new version is live", func() bool { n := two.Engine.Live("words"); return n != 0 && n != first })
	if tn.desk.names["old"] == tn.desk.names["new"] {
		t.Error("nodes of two versions share the partitions, but can't fill one another's tables")
	}
	check := func() {
		t.Helper()
		talk.say(9)
		talk.shows(one)
		talk.shows(two)
		if one.Engine.Live("words") != first {
			t.Fatal("the old node answers from rows that it does not know")
		}
		if got := shown(t, tn.db); got != two.Engine.Live("words") {
			t.Fatalf("SQL users see build %d", got)
		}
	}
	check()
	one.kill()
	one = tn.node("old", old())
	one.Options.Lease = 2 * time.Second
	one.Start()
	projectiontest.Eventually(t, "the old node is back with its build", func() bool { return one.Engine.Live("words") == first })
	check()

	two.Stop() // and back to the old version for good
	projectiontest.Eventually(t, "SQL users see the old version again", func() bool { return shown(t, tn.db) == first })
	talk.say(9)
	talk.shows(one)
	talk.truthful(tn)
}

func shown(t testing.TB, db projections.DB) (n uint32) {
	t.Helper()
	for _, s := range projectiontest.Strings(t, db, "SELECT toString(build) FROM lishi_live FINAL WHERE name = 'words'") {
		fmt.Sscan(s, &n)
	}
	return n
}

// A replay beside running nodes: they learn of the new build before the old one
// is gone, and fill it from where the replay left it.
func TestReplayBesideNodes(t *testing.T) {
	tn := newTown(t)
	tn.desk.give("a", parts[:2]...)
	tn.desk.give("b", parts[2:]...)
	a, b := tn.node("a", newWords("words")), tn.node("b", newWords("words"))
	for _, n := range []*node{a, b} {
		n.Options.Lease, n.Options.Patience = 2*time.Second, time.Minute
		n.Start()
	}
	talk := newChat(a.World)
	talk.say(30)
	talk.shows(a)
	var stop sync.WaitGroup
	done := make(chan struct{})
	finish := sync.OnceFunc(func() { close(done); stop.Wait() })
	defer finish()
	stop.Go(func() { // somebody reads all the while
		for {
			select {
			case <-done:
				return
			default:
			}
			for _, n := range []*node{a, b} {
				tables, err := n.Engine.Wait(context.Background(), []string{"words"}, nil)
				if err == nil {
					var rows projections.RowScanner
					if rows, err = tn.db.Query(context.Background(), "SELECT count() FROM "+tables["words"]); err == nil {
						err = rows.Close()
					}
				}
				if err != nil {
					t.Error(err)
				}
			}
		}
	})
	var builds []uint32
	for range 3 {
		r := tn.node("replay", newWords("words"))
		r.Options.Share, r.Options.Lease = projections.Bystander, 2*time.Second
		r.Start()
		phases := ""
		if err := r.Engine.Replay(context.Background(), []string{"words"}, projections.Replaying{Progress: func(p projections.Progress) { phases += p.Phase + " " }}); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(phases, "comparing") {
			t.Errorf("it was not compared: %s", phases)
		}
		live := r.Engine.Live("words")
		if slices.Contains(builds, live) {
			t.Fatalf("build %d again", live)
		}
		builds = append(builds, live)
		r.Stop()
		talk.say(10)
		for _, n := range []*node{a, b} {
			projectiontest.Eventually(t, "the nodes have the new build", func() bool { return n.Engine.Live("words") == live })
			talk.shows(n)
		}
	}
	finish()
	projectiontest.Eventually(t, "all but the last two builds are dropped", func() bool {
		return len(projectiontest.Strings(t, tn.db, `SELECT name FROM system.tables WHERE database = currentDatabase() AND startsWith(name, 'words_b')`)) == 2
	})
	talk.truthful(tn)
}

// A build that others dropped, because the node did not say for long that it
// needs it, is made again.
func TestDroppedUnderway(t *testing.T) {
	tn := newTown(t)
	tn.desk.give("a", parts...)
	a := tn.node("a", newWords("words"))
	a.Start()
	talk := newChat(a.World)
	talk.say(9)
	talk.shows(a)
	was := a.Engine.Live("words")
	projectiontest.Exec(t, tn.db, fmt.Sprintf("INSERT INTO lishi_builds (build, name, version, dropped) SELECT %d, 'words', 1, 1", was))
	projectiontest.Exec(t, tn.db, fmt.Sprintf("DROP TABLE words_b%d SYNC", was))
	talk.say(9)
	projectiontest.Eventually(t, "another build is live", func() bool { n := a.Engine.Live("words"); return n != 0 && n != was })
	talk.shows(a)
}

// Someone who can't join at all is told; the read models of others still answer.
func TestSharingRefused(t *testing.T) {
	tn := newTown(t)
	refused := errors.New("not authorized")
	a := tn.node("a", newWords("words"))
	e := projections.New(tn.db, a.Tail, a.Projections, projections.Options{
		Share: func(context.Context, string, func([]events.Partition)) error { return refused },
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	select {
	case err := <-ended:
		if !errors.Is(err, refused) {
			t.Fatal(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("nobody is told")
	}
}
