package presence_test

import (
	"context"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"lishi/projections"
	"lishi/projections/presence"
	"lishi/projections/projectiontest"
)

func TestMain(m *testing.M) { projectiontest.Main(m) }

// node is one with people on it, and its board.
type node struct {
	mu     sync.Mutex
	people map[string]bool
	board  *presence.Board
	stop   func()
}

func (n *node) Online(user string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.people[user]
}

func (n *node) Present() iter.Seq[string] {
	n.mu.Lock()
	defer n.mu.Unlock()
	var all []string
	for user := range n.people {
		all = append(all, user)
	}
	return slices.Values(all)
}

func (n *node) come(users ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, u := range users {
		n.people[u] = true
	}
}

func (n *node) leaves(user string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.people, user)
}

func (n *node) sees(users ...string) string {
	online := n.board.Online(context.Background(), users)
	var list []string
	for _, u := range users {
		if online[u] {
			list = append(list, u)
		}
	}
	return strings.Join(list, " ")
}

// clock is the time of all nodes of a test.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) time() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func run(t *testing.T, db projections.DB, c *clock) *node {
	t.Helper()
	n := &node{people: map[string]bool{}}
	n.board = presence.New(db, n, presence.Options{
		Every: time.Millisecond, Now: c.time, MaxRows: 100, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := n.board.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	n.stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(n.stop)
	return n
}

func start() *clock { return &clock{now: time.Now()} }

func TestTwoNodesSeeEachOthersUsers(t *testing.T) {
	db, c := projectiontest.DB(t), start()
	one, two := run(t, db, c), run(t, db, c)
	one.come("a")
	if got := one.sees("a", "b"); got != "a" {
		t.Errorf("the node itself waits for nothing, but sees %q", got)
	}
	two.come("b")
	sees := func(n *node, want string) {
		t.Helper()
		projectiontest.Eventually(t, fmt.Sprintf("%q is seen", want), func() bool { return n.sees("a", "b", "nobody") == want })
	}
	sees(one, "a b")
	sees(two, "a b")

	two.come("a") // on both
	two.leaves("b")
	sees(one, "a")
	one.leaves("a")
	sees(one, "a") // through the other node
	two.leaves("a")
	sees(one, "")
	sees(two, "")

	one.come("a") // who comes back is there again
	sees(two, "a")
	one.stop() // in order: nobody is left
	if got := two.sees("a"); got != "" {
		t.Errorf("after the other node has stopped: %q", got)
	}
}

func TestRowsLiveAsLongAsTheyAreRenewed(t *testing.T) {
	faulty, c := &projectiontest.Faulty{DB: projectiontest.DB(t)}, start()
	one, two := run(t, faulty, c), run(t, faulty.DB, c)
	one.come("a")
	projectiontest.Eventually(t, "a is seen", func() bool { return two.sees("a") == "a" })
	until := func() string {
		return projectiontest.Strings(t, faulty.DB, "SELECT toString(argMax(until, written)) FROM lishi_presence WHERE user = 'a'")[0]
	}
	for range 5 { // three lives, with renewals
		before := until()
		c.pass(40 * time.Second)
		projectiontest.Eventually(t, "a is renewed", func() bool { return until() != before })
		if two.sees("a") != "a" {
			t.Error("a is there all the time, and not seen")
		}
	}
	// From now on the node writes nothing, as if it were dead.
	faulty.Set(func(projectiontest.Call) error { return projections.ErrUnavailable }, nil)
	c.pass(59 * time.Second)
	if two.sees("a") != "a" {
		t.Error("a node that has not written for a moment is given up")
	}
	c.pass(2 * time.Second)
	if two.sees("a") != "" {
		t.Error("a dead node's user is seen for ever")
	}
	if one.sees("a") != "a" {
		t.Error("without ClickHouse, a node does not know its own users")
	}
	faulty.Set(nil, nil)
	projectiontest.Eventually(t, "a is seen again", func() bool { return two.sees("a") == "a" })
}

func TestClickHouseAwayFromTheBeginning(t *testing.T) {
	faulty, c := &projectiontest.Faulty{DB: projectiontest.DB(t)}, start()
	faulty.Set(func(projectiontest.Call) error { return projections.ErrUnavailable }, nil)
	one := run(t, faulty, c)
	one.come("a")
	if got := one.sees("a", "b"); got != "a" {
		t.Errorf("sees %q", got)
	}
	faulty.Set(nil, nil)
	two := run(t, faulty, c)
	projectiontest.Eventually(t, "a is seen", func() bool { return two.sees("a") == "a" })
	projectiontest.Exec(t, faulty.DB, "DROP TABLE lishi_presence SYNC")
	one.come("b") // the insert finds no table, and makes one
	projectiontest.Eventually(t, "b is seen", func() bool { return two.sees("b") == "b" })
}

// However many log in at once, they are told of with few inserts, and who stays
// costs none until half of the row's life is over.
func TestALoginStormIsAFewInserts(t *testing.T) {
	faulty, c := &projectiontest.Faulty{DB: projectiontest.DB(t)}, start()
	var mu sync.Mutex
	inserts := 0
	faulty.Set(func(call projectiontest.Call) error {
		mu.Lock()
		defer mu.Unlock()
		if call.Table != "" {
			inserts++
		}
		return nil
	}, nil)
	one, two := run(t, faulty, c), run(t, faulty.DB, c)
	var users []string
	for i := range 2500 {
		users = append(users, fmt.Sprint("user", i))
	}
	one.come(users...)
	want := strings.Join(users, " ")
	projectiontest.Eventually(t, "all are seen", func() bool { return two.sees(users...) == want })
	c.pass(20 * time.Second)
	one.come("late")
	projectiontest.Eventually(t, "the last one is seen", func() bool { return two.sees("late") == "late" })
	mu.Lock()
	defer mu.Unlock()
	if inserts != 26 {
		t.Errorf("%d inserts of at most 100 rows for 2501 users", inserts)
	}
}

// Rows are forgotten in the end, and what takes a row down is not forgotten
// before the row.
func TestTheTableForgets(t *testing.T) {
	db, c := &projectiontest.Faulty{DB: projectiontest.DB(t)}, start()
	c.pass(-time.Hour)
	written := make(chan struct{}, 100)
	db.Set(nil, func(call projectiontest.Call) error {
		if call.Table == "lishi_presence" {
			written <- struct{}{}
		}
		return nil
	})
	one := run(t, db, c)
	one.come("a")
	rows := func() string {
		return projectiontest.Strings(t, db, "SELECT toString(count()) FROM lishi_presence")[0]
	}
	<-written // ClickHouse may have forgotten the row already: nobody waits to see it
	one.stop()
	projectiontest.Exec(t, db, "OPTIMIZE TABLE lishi_presence FINAL")
	if n := rows(); n != "0" {
		t.Errorf("%s rows of an hour ago are left", n)
	}
}
