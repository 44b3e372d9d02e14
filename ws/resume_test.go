package ws

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"pgregory.net/rapid"

	"lishi/commands"
	"lishi/events"
	"lishi/events/tail"
	"lishi/ws/wire"
)

// feedOfTests keeps rows as the read model does: an event by audience, found by
// user, or by group within the user's memberships.
type feedOfTests struct {
	w    *world
	mu   sync.Mutex
	rows map[string][]events.Recorded
	done events.Cursor
	used int
}

// build brings the rows up to what is folded, but for the last few records.
func (f *feedOfTests) build(lag int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.w.server.partitions {
		upTo := f.w.tail.Folded()[p] - lag
		if upTo <= f.done[p] {
			continue
		}
		f.w.tail.Range(context.Background(), p, f.done[p], upTo, func(batch []events.Recorded, _ int64) error {
			for _, e := range batch {
				for _, a := range FeedAudiences(e, f.w.tail.Book()) {
					f.rows[a] = append(f.rows[a], e)
				}
			}
			return nil
		})
		f.done[p] = upTo
	}
}

func (f *feedOfTests) Backlog(_ context.Context, users []string, p events.Partition, after, upTo int64, each func(events.Recorded) error) (int64, error) {
	f.mu.Lock()
	f.used++
	at := map[int64]events.Recorded{}
	for a, rows := range f.rows {
		s, _ := events.ParseKey(a)
		for _, e := range rows {
			o := e.Position.Offset
			if e.Position.Partition != p || o <= after || o > upTo {
				continue
			}
			for _, user := range users {
				if s == events.UserStream(user) {
					at[o] = e
				} else if s.Kind == events.Group {
					for _, i := range f.w.tail.Book().Relations(s).Intervals(s, user) {
						if i.From < o && (i.To == 0 || o <= i.To) {
							at[o] = e
						}
					}
				}
			}
		}
	}
	done := f.done[p]
	f.mu.Unlock()
	for o := after + 1; o <= upTo; o++ {
		if e, ok := at[o]; ok {
			if err := each(e); err != nil {
				return 0, err
			}
		}
	}
	return done, nil
}

// follower is a client that keeps its cursor as the protocol says, over any
// number of connections.
type follower struct {
	w       *world
	t       *rapid.T
	user    string
	own     bool
	conn    *client
	cursor  events.Cursor
	started events.Cursor
	got     map[events.Position]int
	pushed  map[events.Position]int // on the present connection
	last    events.Cursor           // of pushes, on the present connection
	backlog bool                    // 15 is still to come
	sent    int
	slow    int // times that the server closed with 4008
	made    int // connections made, the present one too
	over    int // connections that were over when the first was made
}

func (f *follower) connect() {
	f.made++
	f.conn = f.w.connect()
	f.pushed, f.last = map[events.Position]int{}, events.Cursor{}
	params := []string{"token", f.user}
	if f.own {
		params = append(params, "own", "true")
	}
	if f.cursor != nil {
		params = append(params, "cursor", f.cursor.String())
		f.backlog = true
	}
	f.request(pathLogin, params...)
}

// request sends, and connects anew where the server has closed as PROTOCOL says.
func (f *follower) request(url string, params ...string) {
	if err := f.conn.write(requestText(url, params...)); err != nil {
		f.closed(err)
	}
}

func (f *follower) closed(err error) {
	if code := websocket.CloseStatus(err); code != 4008 {
		f.t.Fatal(err)
	}
	f.slow++
	f.drop()
	f.connect()
}

// read takes one frame as a client does.
func (f *follower) read() map[string]any {
	text, err := f.conn.read()
	if err != nil {
		f.closed(err)
		return map[string]any{}
	}
	frame := decodeJSON(f.w.t, text)
	data, _ := frame["data"].(map[string]any)
	switch frame["msgType"] {
	case "8":
		if data["code"] != "200" {
			f.t.Fatalf("login refused: %v", frame)
		}
		c, err := events.ParseCursor(data["cursor"].(string))
		if err != nil {
			f.t.Fatal(err)
		}
		if f.cursor == nil {
			f.cursor, f.started = c, c.Clone()
		} else if c.String() != f.cursor.String() {
			f.t.Fatalf("8 returned %s for %s", c, f.cursor)
		}
	case "15":
		if !f.backlog || data["complete"] != true {
			f.t.Fatalf("unexpected %v", frame)
		}
		f.backlog = false
		c, err := events.ParseCursor(data["cursor"].(string))
		if err != nil || !c.Covers(f.cursor) {
			f.t.Fatalf("15 says %v, but %s was reached: %v", data, f.cursor, err)
		}
		for p, o := range c {
			f.cursor.Advance(events.Position{Partition: p, Offset: o})
		}
	case nil:
		if frame["obj"] == nil {
			break
		}
		obj := frame["obj"].(map[string]any)
		if p, ok := obj["position"].(string); ok {
			if f.backlog {
				f.t.Fatalf("a success came before the backlog was complete: %v", frame)
			}
			f.take(p, false)
		}
	default:
		f.take(data["position"].(string), true)
	}
	return frame
}

// released tells whether nothing is held for the connection any more.
func (f *follower) released() bool {
	for _, c := range f.w.server.hub.find(f.user).connections() {
		if c.gate.Load() {
			return false
		}
	}
	return true
}

func (f *follower) take(position string, push bool) {
	p, err := events.ParsePosition(position)
	if err != nil {
		f.t.Fatal(err)
	}
	f.got[p]++
	if last, ok := f.last[p.Partition]; ok && last >= p.Offset {
		f.t.Fatalf("%s came after offset %d", p, last)
	}
	f.last.Advance(p)
	f.cursor.Advance(p)
}

func (f *follower) drop() {
	f.conn.close()
	f.backlog = false
}

// check compares all that came with the log.
func (f *follower) check() {
	// What was sent over the connections before this one has been done, or never
	// will be. They are told by their ends: how many are open says nothing, since
	// the server may not have counted this one yet.
	eventually(f.w.t, "the other connections are gone", func() bool {
		return f.w.metrics.over() == f.over+f.made-1 && f.w.server.under.Load() == 0
	})
	f.w.settle()
	for quiet := false; !quiet; { // no live push comes any more: a pong comes last
		slow, backlog := f.slow, f.backlog || !f.released()
		f.request(pathPing)
		for f.read()["msg"] != "pong" && f.slow == slow {
		}
		quiet = f.slow == slow && !backlog && !f.backlog && f.released()
	}
	for _, p := range f.w.server.partitions {
		end := f.w.tail.Folded()[p]
		f.w.tail.Range(context.Background(), p, f.started[p], end, func(batch []events.Recorded, _ int64) error {
			for _, e := range batch {
				frame := frameFor(f.user, f.own, &e, f.w.tail.Book())
				n := f.got[e.Position]
				delete(f.got, e.Position)
				if frame == nil && n > 0 && e.Actor == f.user && n == 1 {
					continue // the result of a command that tells nobody
				}
				if want := map[bool]int{true: 1}[frame != nil]; n != want {
					f.t.Fatalf("%s (%s by %s) came %d times, not %d", e.Position, e.Body.Type(), e.Actor, n, want)
				}
			}
			return nil
		})
	}
	if len(f.got) > 0 {
		f.t.Fatalf("came from nowhere: %v", f.got)
	}
}

func TestResumeBringsEverythingOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		small := rapid.Bool().Draw(rt, "small buffers")
		s := settings{tail: tail.Options{Ring: rapid.SampledFrom([]int{2, 1000}).Draw(rt, "ring"), MaxBatch: rapid.SampledFrom([]int{1, 1000}).Draw(rt, "batch")}}
		x := &traffic{length: 5}
		if small {
			s.options.Wire = wire.Options{QueueLimit: 32 << 10}
			x.length = 400
		}
		var feed *feedOfTests
		if rapid.Bool().Draw(rt, "feed") {
			s.options.LogGap = 2
			s.feed = func(w *world) Feed {
				feed = &feedOfTests{w: w, rows: map[string][]events.Recorded{}, done: events.Cursor{}}
				return feed
			}
		}
		w := openWorld(t, s)
		defer w.close()
		x.w = w
		w.befriend("friend", "user")
		w.befriend("friend", "owner")
		x.group = w.connect().do("/group/addGroup", "token", "owner", "uniqueNo", "g", "groupName", "g", "joinMode", "9")["groupId"].(string)
		w.connect().do("/user/updateUser", "token", "guest", "uniqueNo", "u", "nickName", "g")

		f := &follower{w: w, t: rt, user: "user", own: rapid.Bool().Draw(rt, "own"), got: map[events.Position]int{}}
		eventually(t, "only two connections are left", func() (two bool) {
			w.metrics.note(func() { two = w.metrics.open == 2 })
			return two
		})
		f.over = w.metrics.over()
		f.connect()
		rt.Repeat(map[string]func(*rapid.T){
			"traffic": func(rt *rapid.T) {
				for range rapid.IntRange(1, 60).Draw(rt, "n") {
					x.step(rapid.IntRange(0, 9).Draw(rt, "kind"), "user")
				}
			},
			"settle": func(*rapid.T) {
				x.wait.Wait()
				w.settle()
				if feed != nil {
					feed.build(3)
				}
			},
			"speak": func(rt *rapid.T) {
				f.sent++
				no := fmt.Sprint("own", f.sent)
				switch rapid.IntRange(0, 2).Draw(rt, "kind") {
				case 0:
					f.request("/chat/sendMessage", "token", "user", "uniqueNo", no, "receiveUserId", "friend", "messageContent", "x")
				case 1:
					f.request("/group/applyGroup", "token", "user", "uniqueNo", no, "groupId", x.group)
				case 2:
					f.request("/chat/sendGroupMessage", "token", "user", "uniqueNo", no, "groupId", x.group, "messageContent", "x")
				}
			},
			"read": func(rt *rapid.T) {
				for range rapid.IntRange(1, 30).Draw(rt, "n") {
					if len(f.conn.frames) == 0 {
						return
					}
					f.read()
				}
			},
			"reconnect": func(*rapid.T) {
				f.drop()
				f.connect()
			},
		})
		x.wait.Wait()
		f.drop()
		f.connect()
		f.check()
	})
}

// A client that does not read its backlog keeps nobody from theirs.
func TestASlowResumeHoldsUpNobody(t *testing.T) {
	for _, from := range []string{"log", "feed"} {
		t.Run(from, func(t *testing.T) { slowResume(t, from == "feed") })
	}
}

func slowResume(t *testing.T, fed bool) {
	var feed *feedOfTests
	s := settings{options: Options{Wire: wire.Options{QueueLimit: 64 << 10, WriteTimeout: time.Minute, CloseTimeout: 100 * time.Millisecond}}}
	if fed {
		s.options.LogGap = 2
		s.feed = func(w *world) Feed {
			feed = &feedOfTests{w: w, rows: map[string][]events.Recorded{}, done: events.Cursor{}}
			return feed
		}
	}
	w := newWorld(t, s)
	w.server.passes = make(chan struct{}, 1)
	w.befriend("alice", "bob")
	cursor := w.tail.Folded().String()
	x := &traffic{w: w, length: 16000}
	for range 600 { // more than sockets hold
		x.do("alice", &commands.SendMessage{ReceiveUserID: "bob", Content: strings.Repeat("x", x.length)}, "m")
	}
	x.wait.Wait()
	w.settle()
	if fed {
		feed.build(3)
	}
	stuck, _, err := websocket.Dial(context.Background(), "ws"+strings.TrimPrefix(w.http.URL, "http")+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer stuck.CloseNow()
	if err := stuck.Write(context.Background(), websocket.MessageText, []byte(requestText(pathLogin, "token", "bob", "cursor", cursor))); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is logged in", func() bool { return w.server.hub.logins.Load() == 1 })
	bob := w.connect()
	bob.login("bob", "cursor", cursor)
	for range 600 {
		if f := bob.next(); f["msgType"] != "1" {
			t.Fatalf("%v", f)
		}
	}
	if f := bob.next(); f["msgType"] != "15" {
		t.Fatalf("%v", f)
	}
	w.silent(bob)
	if fed && feed.used < 4 {
		t.Errorf("the feed was read %d times", feed.used)
	}
}

// A feed that can't be read costs time, never a message.
func TestResumeWithoutTheFeed(t *testing.T) {
	w := newWorld(t, settings{options: Options{LogGap: 1}, feed: func(*world) Feed { return brokenFeed{} }})
	w.befriend("alice", "bob")
	cursor := w.tail.Folded().String()
	alice := w.connect()
	for i := range 20 {
		alice.do("/chat/sendMessage", "token", "alice", "uniqueNo", strconv.Itoa(i), "receiveUserId", "bob", "messageContent", strconv.Itoa(i))
	}
	bob := w.connect()
	bob.login("bob", "cursor", cursor)
	for i := range 20 {
		if d := bob.next()["data"].(map[string]any); d["messageContent"] != strconv.Itoa(i) {
			t.Fatalf("%d: %v", i, d)
		}
	}
	if f := bob.next(); f["msgType"] != "15" {
		t.Fatalf("%v", f)
	}
}

// brokenFeed hands on one event and then fails.
type brokenFeed struct{}

func (brokenFeed) Backlog(_ context.Context, _ []string, p events.Partition, after, _ int64, each func(events.Recorded) error) (int64, error) {
	each(events.Recorded{Position: events.Position{Partition: p, Offset: after + 1}, Event: events.Event{Body: events.Foreign{}}})
	return after + 1, errors.New("the database is down")
}

// More may come while a login without cursor is answered than is held for it.
func TestALiveLoginLosesNothingWhileItIsAnswered(t *testing.T) {
	w := newWorld(t, settings{options: Options{Wire: wire.Options{QueueLimit: 32 << 10}}})
	w.befriend("alice", "bob")
	x := &traffic{w: w, length: 2000}
	send := func() {
		for range 50 {
			x.do("alice", &commands.SendMessage{ReceiveUserID: "bob", Content: strings.Repeat("x", x.length)}, "m")
		}
		x.wait.Wait()
		w.settle()
	}
	bob := w.connect()
	bob.login("bob") // a token that is renewed logs in again, and pushes come already
	w.metrics.on8.Store(&send)
	bob.request(pathLogin, "token", "bob")
	logins, got := 0, 0
	for got < 50 {
		switch f := bob.next(); f["msgType"] {
		case "8":
			logins++
		case "1":
			got++
		default:
			t.Fatalf("%v", f)
		}
	}
	if logins != 1 {
		t.Errorf("%d answers", logins)
	}
	w.silent(bob)
}
