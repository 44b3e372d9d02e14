package ws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"lishi/commands"
	"lishi/events"
	"lishi/events/tail"
	"lishi/projections"
	"lishi/ws/wire"
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

// client is one socket, driven by an independent implementation.
type client struct {
	t      testing.TB
	conn   *websocket.Conn
	frames chan string
	closed chan error
	ended  bool
	done   chan struct{}
}

func (w *world) connect() *client {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, resp, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(w.http.URL, "http")+"/ws", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if resp.Body != nil {
		resp.Body.Close()
	}
	conn.SetReadLimit(1 << 24)
	c := &client{t: w.t, conn: conn, frames: make(chan string, 1<<16), closed: make(chan error, 1), done: make(chan struct{})}
	go func() {
		defer close(c.done)
		for {
			_, b, err := conn.Read(context.Background())
			if err != nil {
				c.closed <- err
				return
			}
			c.frames <- string(b)
		}
	}()
	w.mu.Lock()
	w.clients = append(w.clients, c)
	w.mu.Unlock()
	return c
}

// as connects and logs in.
func (w *world) as(user string, params ...string) *client {
	w.t.Helper()
	c := w.connect()
	c.login(user, params...)
	return c
}

func (c *client) login(user string, params ...string) map[string]any {
	c.t.Helper()
	c.request("/chat/login", append([]string{"token", user}, params...)...)
	f := c.next()
	data := f["data"].(map[string]any)
	if f["msgType"] != "8" || data["code"] != "200" {
		c.t.Fatalf("login of %s: %v", user, f)
	}
	return data
}

func (c *client) send(text string) {
	c.t.Helper()
	if err := c.write(text); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) write(text string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := c.conn.Write(ctx, websocket.MessageText, []byte(text))
	if err != nil {
		select {
		case err = <-c.closed:
			c.closed <- err
		case <-ctx.Done():
		}
	}
	return err
}

// request sends names and values; values that look like JSON are sent as such.
func (c *client) request(url string, params ...string) {
	c.t.Helper()
	c.send(requestText(url, params...))
}

func requestText(url string, params ...string) string {
	return `{"url":` + quote(url) + `,"params":` + object(params...) + `}`
}

func object(params ...string) string {
	var b strings.Builder
	b.WriteByte('{')
	for i := 0; i < len(params); i += 2 {
		if i > 0 {
			b.WriteByte(',')
		}
		v := params[i+1]
		if !strings.HasPrefix(v, "[") && v != "true" && v != "false" {
			v = quote(v)
		}
		b.WriteString(quote(params[i]) + ":" + v)
	}
	b.WriteByte('}')
	return b.String()
}

func quote(s string) string { return string(appendText(nil, s)) }

// raw is the next frame.
func (c *client) raw() string {
	c.t.Helper()
	f, err := c.read()
	if err != nil {
		c.t.Fatal(err)
	}
	return f
}

// read is the next frame, or why there is none.
func (c *client) read() (string, error) {
	select {
	case f := <-c.frames:
		return f, nil
	default:
	}
	select {
	case f := <-c.frames:
		return f, nil
	case err := <-c.closed:
		c.closed <- err
		select {
		case f := <-c.frames:
			return f, nil
		default:
		}
		return "", fmt.Errorf("connection closed: %w", err)
	case <-time.After(10 * time.Second):
		return "", errors.New("no frame came")
	}
}

func (c *client) next() map[string]any {
	c.t.Helper()
	return decodeJSON(c.t, c.raw())
}

func decodeJSON(t testing.TB, s string) map[string]any {
	t.Helper()
	var f map[string]any
	if err := json.Unmarshal([]byte(s), &f); err != nil {
		t.Fatalf("%v in %s", err, s)
	}
	return f
}

// succeed sends a command and gives its result's obj.
func (c *client) do(url string, params ...string) map[string]any {
	c.t.Helper()
	c.request(url, params...)
	f := c.next()
	if f["code"] != 200.0 {
		c.t.Fatalf("%s %v: %v", url, params, f)
	}
	return f["obj"].(map[string]any)
}

// refused sends a request and expects a reason.
func (c *client) refused(reason, url string, params ...string) map[string]any {
	c.t.Helper()
	c.request(url, params...)
	f := c.next()
	obj, _ := f["obj"].(map[string]any)
	if obj["reason"] != reason {
		c.t.Fatalf("%s %v: want %s, got %v", url, params, reason, f)
	}
	return f
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

func (c *client) close() {
	if !c.ended {
		c.ended = true
		c.conn.CloseNow()
		<-c.done
	}
}

// closeCode is the code with which the server closed.
func (c *client) closeCode() websocket.StatusCode {
	c.t.Helper()
	select {
	case err := <-c.closed:
		c.closed <- err
		return websocket.CloseStatus(err)
	case <-time.After(10 * time.Second):
		c.t.Fatal("connection was not closed")
	}
	return 0
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
}

// recorded counts what the server tells its metrics.
type recorded struct {
	mu       sync.Mutex
	open     int
	closed   map[string]int
	requests map[string]int
	pushed   map[string]int
}

func (r *recorded) note(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed == nil {
		r.closed, r.requests, r.pushed = map[string]int{}, map[string]int{}, map[string]int{}
	}
	f()
}

func (r *recorded) Connected(d int)    { r.note(func() { r.open += d }) }
func (r *recorded) Closed(code string) { r.note(func() { r.closed[code]++ }) }
func (r *recorded) Requested(url, reason string, _ time.Duration) {
	r.note(func() { r.requests[url+" "+reason]++ })
}
func (r *recorded) Pushed(msgType string, n int) { r.note(func() { r.pushed[msgType] += n }) }

// answers is the read model of the tests: what a query gets is set by them.
type answers struct {
	mu   sync.Mutex
	run  func(ctx context.Context, q projections.Query, caller string) (projections.Page, error)
	seen []events.Cursor
}

func (a *answers) Answer(ctx context.Context, q projections.Query, caller string, seen events.Cursor) (projections.Page, error) {
	a.mu.Lock()
	a.seen = append(a.seen, seen)
	run := a.run
	a.mu.Unlock()
	if run == nil {
		return projections.Page{List: []string{}}, nil
	}
	return run(ctx, q, caller)
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never happened: %s", what)
		}
	}
}

var _ = wire.CloseNormal

// answer has every query looked at and answered with no rows.
func (a *answers) answer(look func(projections.Query)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.run = func(_ context.Context, q projections.Query, _ string) (projections.Page, error) {
		look(q)
		return projections.Page{}, nil
	}
}

// discard reads whatever comes, to nobody.
func (c *client) discard() {
	go func() {
		for {
			select {
			case <-c.frames:
			case <-c.done:
				return
			}
		}
	}()
}
