package system

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// Three nodes on one Kafka-protocol broker and one ClickHouse.
func TestNodes(t *testing.T) {
	broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.BrokerConfigs(map[string]string{"log.retention.ms": "-1"}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	testNodes(t, broker.ListenAddrs()[0], "--replicas", "1", "--conversation-partitions", "6", "--user-partitions", "3")
}

type nodes struct {
	t      *testing.T
	all    []*server
	engine string
}

// startNodes starts them at the same moment, on topics and tables that are not
// there yet.
func startNodes(t *testing.T, brokers string, args ...string) *nodes {
	t.Helper()
	n := &nodes{t: t, engine: freeAddr(t)}
	engine(t, t.TempDir(), n.engine)
	for range 3 {
		s := &server{t: t, dir: t.TempDir(), addr: freeAddr(t), args: append([]string{
			"--kafka-brokers", brokers, "--clickhouse", "http://" + n.engine, "--audit-key", auditSeed, "--seal-interval", "500ms",
		}, args...)}
		n.all = append(n.all, s)
		s.launch()
		t.Cleanup(s.kill)
		t.Cleanup(func() {
			if t.Failed() {
				t.Logf("%s said\n%s", s.addr, s.log)
			}
		})
	}
	for _, s := range n.all {
		s.ready()
	}
	return n
}

// sql asks the ClickHouse that all share.
func (n *nodes) sql(query string) string {
	n.t.Helper()
	r, err := httpClient.Post("http://"+n.engine+"/?database=lishi", "text/plain", strings.NewReader(query))
	if err != nil {
		n.t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		n.t.Fatalf("%s: %d %s", query, r.StatusCode, b)
	}
	return strings.TrimSpace(string(b))
}

// impatient clients go to another node soon.
var impatient = &http.Client{Timeout: 3 * time.Second}

// writer sends numbered messages, each until it is acknowledged, to whichever
// node answers.
type writer struct {
	user  string
	acked []string
	at    map[string]string // position of each
}

func (w *writer) run(n *nodes, first int, stop *atomic.Bool) {
	at := first
	for i := 0; !stop.Load(); i++ {
		text := fmt.Sprintf("%s-%06d", w.user, i)
		for again := false; ; again = true {
			p := object{"uniqueNo": text, "receiveUserId": "reader", "messageContent": text}
			if again {
				p["resend"] = true
			}
			a, err := n.all[at%3].tryBy(impatient, w.user, "/chat/sendMessage", p)
			if err == nil && a.ok() {
				if p := a.str("position"); w.at[text] == "" {
					w.acked, w.at[text] = append(w.acked, text), p
				} else if w.at[text] != p {
					n.t.Errorf("%s is at %s on one node and at %s on another", text, w.at[text], p)
				}
				if i%10 != 0 || again {
					break
				}
			} else if err == nil && a.reason() != "unavailable" && a.reason() != "unknown" {
				n.t.Errorf("%s: %s", text, a.Raw)
				return
			}
			if stop.Load() && w.at[text] != "" {
				return
			}
			at++ // now and then for no reason
		}
		time.Sleep(5 * time.Millisecond) // the load is not what is tested
	}
}

// shown waits until a node's read models show a position, and tells how long
// that took.
func (n *nodes) shown(s *server, seen string) time.Duration {
	n.t.Helper()
	began := time.Now()
	wait(n.t, "the read models of "+s.addr+" to show "+seen, time.Minute, func() bool {
		a, err := s.tryBy(impatient, "reader", "/friend/loadMoreMessage", object{"userId": "w0", "limit": 1, "seen": seen})
		return err == nil && a.reason() != "unavailable"
	})
	return time.Since(began)
}

func testNodes(t *testing.T, brokers string, args ...string) {
	began := time.Now()
	step := func(what string) {
		t.Logf("%5.1f s: %s", time.Since(began).Seconds(), what)
	}
	n := startNodes(t, brokers, args...)
	step("three nodes are ready")
	if got := n.sql("SELECT count() FROM (SELECT name FROM lishi_builds GROUP BY name HAVING uniqExact(build) > 1)"); got != "0" {
		t.Fatalf("%s projections have several builds:\n%s", got, n.sql("SELECT * FROM lishi_builds"))
	}

	// Users anywhere, friend and group commands anywhere.
	a, b, c := n.all[0], n.all[1], n.all[2]
	a.register("ann")
	b.register("bob")
	c.register("cat")
	bob, _ := b.login("bob", nil)
	cat, _ := c.login("cat", nil)
	applied := a.must("ann", "/friend/applyFriend", object{"uniqueNo": no(), "userId": "bob"})
	bob.expect(push("3"))
	c.must("bob", "/friend/verifyFriend", object{"uniqueNo": no(), "applyFriendId": applied.str("applyFriendId"), "applyState": "9"})
	sent := b.must("ann", "/chat/sendMessage", object{"uniqueNo": "hello", "receiveUserId": "bob", "messageContent": "hello"})
	if p := bob.expect(push("1")); p.Data["messageContent"] != "hello" {
		t.Fatalf("push: %s", p.Raw)
	}
	again := c.must("ann", "/chat/sendMessage", object{"uniqueNo": "hello", "receiveUserId": "bob", "messageContent": "hello"})
	if again.str("position") != sent.str("position") {
		t.Fatalf("a repeat on another node: %s, first %s", again.Raw, sent.Raw)
	}
	group := a.must("ann", "/group/addGroup", object{"uniqueNo": no(), "groupName": "三", "joinMode": "9"}).str("groupId")
	c.must("cat", "/group/applyGroup", object{"uniqueNo": no(), "groupId": group})
	said := b.must("ann", "/chat/sendGroupMessage", object{"uniqueNo": no(), "groupId": group, "messageContent": "全体"})
	if p := cat.expect(push("2")); p.Data["messageContent"] != "全体" {
		t.Fatalf("push: %s", p.Raw)
	}
	for _, s := range n.all { // what one node answered, every node shows to who brings its position
		n.shown(s, said.str("position")) // as soon as the partitions are shared out
		if l := s.must("cat", "/group/loadMoreMessage", object{"groupId": group, "seen": said.str("position")}).list(); len(l) != 1 {
			t.Fatalf("the group's history on %s: %v", s.addr, l)
		}
	}

	step("they share users, friends and groups")
	// Load, and a reader that resumes wherever it can.
	a.register("reader")
	var writers []*writer
	for i := range 3 {
		w := &writer{user: fmt.Sprint("w", i), at: map[string]string{}}
		a.befriend(w.user, "reader")
		writers = append(writers, w)
	}
	reader := &resuming{got: map[string]int{}}
	reader.attach(a)
	var stop atomic.Bool
	var load sync.WaitGroup
	for i, w := range writers {
		load.Go(func() { w.run(n, i, &stop) })
	}
	move := func(to *server) {
		reader.k.conn.CloseNow()
		reader.drain()
		reader.attach(to)
	}
	now := func(s *server) string { // a position just written
		return s.must("ann", "/chat/sendMessage", object{"uniqueNo": no(), "receiveUserId": "bob", "messageContent": "now"}).str("position")
	}

	// A node dies.
	n.shown(b, now(c))
	a.kill()
	reader.drain()
	reader.attach(b)
	everywhere := func(s *server) time.Duration { // writes to every partition
		var longest time.Duration
		for i := range 12 {
			user := fmt.Sprintf("x%d", i)
			p := s.must(user, "/user/updateUser", object{"uniqueNo": no(), "nickName": user}).str("position")
			longest = max(longest, n.shown(s, p))
			p = s.must(user, "/group/addGroup", object{"uniqueNo": no(), "groupName": user}).str("position")
			longest = max(longest, n.shown(s, p))
		}
		return longest
	}
	died := everywhere(b)
	step(fmt.Sprintf("after a kill -9 the read models waited %.1f s", died.Seconds()))
	a.start()
	move(a)

	// A node is stopped for longer than its session, and goes on.
	b.cmd.Process.Signal(syscall.SIGSTOP)
	paused := time.Now()
	step(fmt.Sprintf("after a SIGSTOP the read models waited %.1f s", everywhere(c).Seconds()))
	time.Sleep(time.Until(paused.Add(pauseOfANode))) // how long it is stopped
	b.cmd.Process.Signal(syscall.SIGCONT)
	b.ready()
	n.shown(b, now(c))
	move(b)

	step("the stopped node is back")

	// A replay while all of them run, and change over to its build.
	out, errs, code := run(t, nil, append([]string{"replay", "history", "--data", t.TempDir(), "--kafka-brokers", brokers, "--clickhouse", "http://" + n.engine}, args...)...)
	if code != 0 || !strings.Contains(out, "equal to the live build, now live") {
		t.Fatalf("replay: %d %s %s", code, out, errs)
	}
	build := n.sql("SELECT build FROM lishi_live FINAL WHERE name = 'history'")
	n.shown(a, now(c))
	step("replayed: " + strings.TrimSpace(out))

	// A rolling restart.
	for _, s := range n.all {
		if s == b {
			move(c)
		}
		if code := s.terminate(); code != 0 {
			t.Fatalf("status %d\n%s", code, s.log)
		}
		s.start()
	}
	step("restarted, one after the other")
	move(a)
	stop.Store(true)
	load.Wait()

	// Everything acknowledged is in history once and in order, on every node, and
	// reached the reader once.
	total := 0
	for _, w := range writers {
		if len(w.acked) < 10 {
			t.Fatalf("%s got %d messages through", w.user, len(w.acked))
		}
		total += len(w.acked)
		for _, s := range n.all {
			n.shown(s, w.at[w.acked[len(w.acked)-1]])
			rows := s.history("reader", w.user)
			if len(rows) != len(w.acked) {
				t.Fatalf("%s: %d rows on %s, %d acknowledged", w.user, len(rows), s.addr, len(w.acked))
			}
			for i, r := range rows {
				if r["talkContent"] != w.acked[i] || r["position"] != w.at[w.acked[i]] {
					t.Fatalf("%s: %v on %s as number %d, acknowledged %s at %s", w.user, r, s.addr, i, w.acked[i], w.at[w.acked[i]])
				}
			}
		}
		for _, text := range w.acked {
			wait(t, text+" at the reader", 20*time.Second, func() bool { reader.poll(); return reader.got[text] > 0 })
		}
	}
	for text, times := range reader.got {
		if times != 1 {
			t.Errorf("%s reached the reader %d times", text, times)
		}
	}
	if got := n.sql("SELECT build FROM lishi_live FINAL WHERE name = 'history'"); got != build {
		t.Errorf("build %s of history is live, not the replay's %s", got, build)
	}
	for _, table := range []string{"messages", "feed"} { // and the tables hold each event's rows once
		if got := n.sql("SELECT count() - uniqExact(partition, offset, * EXCEPT (partition, offset)) FROM " + table); got != "0" {
			t.Errorf("%s has %s rows twice", table, got)
		}
	}
	step(fmt.Sprintf("%d messages, each where it should be", total))
	n.sealed()
	out, errs, code = run(t, nil, append([]string{"audit", "verify", "--log", "--data", a.dir, "--kafka-brokers", brokers}, onlyOfTheLog(args)...)...)
	if code != 0 || !strings.Contains(out, "c0 holds") {
		t.Errorf("verify: %d %s%s", code, out, errs)
	}
	step("all nodes have sealed the same log")
}

// sealed waits until every node has the checkpoints of everything, whoever signed
// them, and no contradiction.
func (n *nodes) sealed() {
	n.t.Helper()
	for _, s := range n.all {
		wait(n.t, "the checkpoints on "+s.addr, time.Minute, func() bool {
			r, err := http.Get("http://" + s.addr + "/metrics")
			if err != nil {
				n.t.Fatal(err)
			}
			defer r.Body.Close()
			b, _ := io.ReadAll(r.Body)
			text := string(b)
			if !strings.Contains(text, "\nlishi_seal_contradictions 0\n") {
				n.t.Fatalf("%s found a contradiction: %s", s.addr, s.log)
			}
			lags := regexp.MustCompile(`(?m)^lishi_seal_lag_records\{.*\} (\d+)$`).FindAllStringSubmatch(text, -1)
			return len(lags) > 3 && !slices.ContainsFunc(lags, func(l []string) bool { return l[1] != "0" })
		})
	}
}

// onlyOfTheLog are the settings that the audit commands take.
func onlyOfTheLog(args []string) (out []string) {
	for i := 0; i < len(args); i += 2 {
		if args[i] == "--topic-prefix" || args[i] == "--audit-key" {
			out = append(out, args[i], args[i+1])
		}
	}
	return append(out, "--audit-key", auditSeed)
}

// auditSeed signs what several nodes seal.
var auditSeed = base64.RawURLEncoding.EncodeToString([]byte("an audit key's seed has 32 bytes"))

// pauseOfANode is longer than a session.
const pauseOfANode = 10 * time.Second
