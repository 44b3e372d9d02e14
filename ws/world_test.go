package ws

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"lishi/commands"
	"lishi/events"
	"lishi/events/tail"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a whole node but for Kafka and ClickHouse: real sockets, the real
// handler, tail and ledger, over a log in memory.
type world struct {
	t       testing.TB
	log     *memoryLog
	tail    *tail.Tail
	handler *commands.Handler
	server  *Server
	http    *httptest.Server
	metrics *recorded
	queries *answers
	clock   atomic.Int64 // Unix milliseconds
	close   func()

	mu      sync.Mutex
	clients []*client
	raw     []io.Closer
}

type settings struct {
	layout  events.Layout
	options Options
	tail    tail.Options
	policy  commands.Policy
	feed    func(*world) Feed
	realNow bool
}

func newWorld(t testing.TB, s settings) *world {
	w := openWorld(t, s)
	t.Cleanup(w.close)
	return w
}

// openWorld is newWorld for those who close it themselves.
func openWorld(t testing.TB, s settings) *world {
	if s.layout == (events.Layout{}) {
		s.layout = events.Layout{Conversations: 4, Users: 1}
	}
	w := &world{t: t, log: newMemoryLog(s.layout), metrics: &recorded{}, queries: &answers{}}
	w.clock.Store(time.Date(2020, 7, 30, 4, 0, 0, 0, time.UTC).UnixMilli())
	ctx, cancel := context.WithCancel(context.Background())
	w.tail = tail.New(w.log, s.tail)
	w.handler = commands.NewHandler(w.log, w.tail, commands.Options{Policy: s.policy})
	s.options.Metrics = w.metrics
	if !s.realNow {
		s.options.Now = func() time.Time { return time.UnixMilli(w.clock.Load()).UTC() }
	}
	var feed Feed
	if s.feed != nil {
		feed = s.feed(w)
	}
	w.server = New(verifyForTests, w.handler, w.tail, w.queries, feed, s.options)
	w.tail.Observe(w.server)
	var running sync.WaitGroup
	running.Go(func() { w.log.run(ctx) })
	running.Go(func() {
		if err := w.tail.Run(ctx); err != nil {
			t.Errorf("tail: %v", err)
		}
	})
	<-w.tail.Ready()
	mux := http.NewServeMux()
	mux.Handle("/ws", w.server)
	mux.Handle("/", w.server.HTTP())
	w.http = httptest.NewServer(mux)
	w.close = func() {
		w.log.pause(false)
		w.mu.Lock()
		for _, c := range w.clients {
			c.close()
		}
		for _, c := range w.raw {
			c.Close()
		}
		w.mu.Unlock()
		stop, done := context.WithTimeout(context.Background(), 10*time.Second)
		defer done()
		if err := w.server.Shutdown(stop); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := w.handler.Close(stop); err != nil {
			t.Errorf("handler: %v", err)
		}
		w.http.Close()
		http.DefaultClient.CloseIdleConnections()
		cancel()
		running.Wait()
	}
	return w
}

// A token of the tests says what it claims: "user", "user~name" or
// "user~name~unixmilli", where the last is its expiry.
func verifyForTests(token string, now time.Time) (Claims, error) {
	parts := strings.Split(token, "~")
	if parts[0] == "" || parts[0] == "forged" {
		return Claims{}, errors.New("token refused: wrong signature or algorithm")
	}
	c := Claims{UserID: parts[0], Name: strings.ToUpper(parts[0][:1]) + parts[0][1:]}
	if len(parts) > 1 {
		c.Name = parts[1]
	}
	if len(parts) > 2 {
		var ms int64
		if _, err := fmt.Sscan(parts[2], &ms); err != nil {
			return c, err
		}
		if c.Expires = time.UnixMilli(ms); !now.Before(c.Expires) {
			return c, errors.New("token refused: expired")
		}
	}
	return c, nil
}

// settle waits until everything in the log was observed.
func (w *world) settle() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	end, _ := w.log.End(ctx)
	if err := w.tail.Wait(ctx, end); err != nil {
		w.t.Fatal(err)
	}
}

// silent checks that nothing but what was read has come.
func (w *world) silent(cs ...*client) {
	w.t.Helper()
	w.settle()
	for _, c := range cs {
		c.send(`{"url":"/chat/ping"}`)
		if f := c.raw(); f != `{"code":200,"msg":"pong","obj":{"uniqueNo":""}}` {
			w.t.Fatalf("unexpected frame %s", f)
		}
	}
}

// befriend makes two people friends.
func (w *world) befriend(a, b string) {
	w.t.Helper()
	ca, cb := w.connect(), w.connect()
	cb.do("/user/updateUser", "token", b, "uniqueNo", "profile-"+a+b, "nickName", b)
	id := ca.do("/friend/applyFriend", "token", a, "uniqueNo", "apply-"+b, "userId", b)["applyFriendId"].(string)
	cb.do("/friend/verifyFriend", "token", b, "uniqueNo", "agree-"+a, "applyFriendId", id, "applyState", "9")
	ca.close()
	cb.close()
	w.settle() // an answer can be there a moment before Folded says so
}
