package commands

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"lishi/events"
	"lishi/events/ledger"
	"lishi/events/tail"
)

// node is one lishi of several on a log.
type node struct {
	t    *testing.T
	view *view
	tail *tail.Tail
	h    *Handler

	round int                   // of befriend
	slow  func(events.Recorded) // between ledger and handler; set it before such records come

	mu      sync.Mutex
	origins map[events.Position][]any
	valid   []events.Recorded // in the order observed
	stopped chan error
	cancel  context.CancelFunc
}

func newNode(t *testing.T, log *faultyLog, o Options) *node {
	n := &node{t: t, view: &view{faultyLog: log}, origins: map[events.Position][]any{}, stopped: make(chan error, 1)}
	n.tail = tail.New(n.view, tail.Options{}, n)
	n.h = NewHandler(n.view, n.tail, o)
	var ctx context.Context
	ctx, n.cancel = context.WithCancel(context.Background())
	go func() { n.stopped <- n.tail.Run(ctx) }()
	<-n.tail.Ready()
	return n
}

// Observe implements tail.Observer as delivery does.
func (n *node) Observe(r events.Recorded, v ledger.Verdict) {
	if n.slow != nil {
		n.slow(r)
	}
	origins := n.h.Settle(r, v)
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(origins) > 0 {
		n.origins[r.Position] = slices.Clone(origins)
	}
	if !v.Void() && r.Body.Type() != (events.LogOpened{}).Type() {
		n.valid = append(n.valid, r)
	}
}

func (n *node) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := n.h.Close(ctx); err != nil {
		n.t.Errorf("Close: %v", err)
	}
	n.cancel()
	if err := <-n.stopped; err != nil {
		n.t.Errorf("the tail stopped: %v", err)
	}
}

// events lists the valid events of a type, by everything read so far.
func (n *node) events(typ string) (es []events.Recorded) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, r := range n.valid {
		if r.Body.Type() == typ {
			es = append(es, r)
		}
	}
	return es
}

func (n *node) originsOf(p events.Position) []any {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.origins[p]
}

func request(actor, no string, c Command) Request {
	return Request{
		URL: urlOf(c), Command: c, Actor: Actor{ID: actor}, UniqueNo: no, Fingerprint: Fingerprint(urlOf(c), c), Time: time.Now(),
	}
}

func urlOf(c Command) string { return "/" + reflect.TypeOf(c).Name() }

// submit sends and does not wait.
func (n *node) submit(actor, no string, c Command) <-chan Outcome {
	return n.send(request(actor, no, c))
}

func (n *node) send(r Request) <-chan Outcome {
	outcome := make(chan Outcome, 2) // room for a second answer, which the tests would see
	n.h.Submit(context.Background(), r, func(o Outcome) { outcome <- o })
	return outcome
}

func (n *node) do(actor, no string, c Command) Outcome { return <-n.submit(actor, no, c) }

// must is a success that appended.
func (n *node) must(actor, no string, c Command) events.Recorded {
	n.t.Helper()
	o := n.do(actor, no, c)
	if o.Err != nil || o.Event.Position == (events.Position{}) {
		n.t.Fatalf("%T: %v", c, o.Err)
	}
	return o.Event
}

func (n *node) register(users ...string) {
	n.t.Helper()
	for _, u := range users {
		if err := n.h.Register(context.Background(), Actor{ID: u, Name: u}); err != nil {
			n.t.Fatal(err)
		}
	}
}

// befriend makes two users friends by their own commands.
func (n *node) befriend(a, b string) {
	n.t.Helper()
	n.register(a, b)
	n.round++
	no := fmt.Sprint("befriend ", n.round)
	n.must(a, no, ApplyFriend{UserID: b})
	n.must(b, no, ApplyFriend{UserID: a})
}

func (n *node) catchUp() {
	for _, p := range n.view.layout.Partitions() {
		if err := n.tail.CatchUp(context.Background(), p); err != nil {
			n.t.Error(err)
		}
	}
}

func reasonOf(o Outcome) string {
	if o.Err == nil {
		return ""
	}
	return refusal(o.Err).Reason
}

func wantReason(t *testing.T, o Outcome, reason string) {
	t.Helper()
	if got := reasonOf(o); got != reason {
		t.Fatalf("got %q (%v), want %q", got, o.Err, reason)
	}
}
