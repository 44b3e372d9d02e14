package kafka_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"

	"lishi/events"
	"lishi/infra/kafka"
	"lishi/infra/kafka/logtest"
)

// An append that is given up before it was sent is certainly not in the log; one
// that is given up later may be.
func TestGivingUp(t *testing.T) {
	c := cluster(t, 1)
	l := openCluster(t, c, kafka.Options{Patience: time.Minute})
	h := c.Fault(produceFault(kerr.UnknownServerError, -1))
	giveUp := func(after func() bool, n int) error {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			_, err := l.Append(ctx, logtest.Message(stream, n))
			done <- err
		}()
		if after != nil {
			await(t, after)
		} else {
			time.Sleep(20 * time.Millisecond) // it waits behind the other, which nothing shows
		}
		cancel()
		return <-done
	}
	if err := giveUp(func() bool { return h.Hits() > 0 }, 1); !errors.Is(err, events.ErrUnknown) {
		t.Error("under way:", err)
	}
	if err := giveUp(nil, 2); !errors.Is(err, events.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Error("waiting:", err)
	}
	h.Remove()
	if _, err := l.Append(t.Context(), logtest.Message(stream, 3)); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range readAll(t, l) {
		got = append(got, r.Request)
	}
	if !slices.Equal(got, []string{"1", "3"}) {
		t.Error(got)
	}
}

// What waits longer than the appender's patience is refused, though the batch
// before it is still being tried.
func TestWaitingIsBounded(t *testing.T) {
	c := cluster(t, 1)
	l := openCluster(t, c, kafka.Options{Patience: 200 * time.Millisecond, BatchBytes: 10_000})
	h := c.Fault(produceFault(kerr.NotEnoughReplicas, -1))
	began := time.Now()
	var wg sync.WaitGroup
	for i := range 2000 { // many batches
		wg.Add(1)
		e := logtest.Message(stream, i)
		l.AppendAsync(e, func(_ events.Position, err error) {
			defer wg.Done()
			if !errors.Is(err, events.ErrUnavailable) {
				t.Error(err)
			}
		})
	}
	await(t, func() bool { return h.Hits() > 0 })
	wg.Wait()
	if took := time.Since(began); took > 5*time.Second {
		t.Error("it took", took)
	}
}

// proxy cuts connections after so many bytes from the client.
type proxy struct {
	net.Listener
	to  string
	cut atomic.Bool // cut the next answer to anything longer than 300 bytes
}

func (p *proxy) serve() {
	for {
		in, err := p.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", p.to)
		if err != nil {
			in.Close()
			continue
		}
		var long atomic.Bool
		go func() {
			defer out.Close()
			buf := make([]byte, 64<<10)
			for {
				n, err := in.Read(buf)
				if n > 300 {
					long.Store(true)
				}
				if _, werr := out.Write(buf[:n]); err != nil || werr != nil {
					return
				}
			}
		}()
		go func() {
			defer in.Close()
			buf := make([]byte, 64<<10)
			for {
				n, err := out.Read(buf)
				if long.Load() && p.cut.CompareAndSwap(true, false) {
					return // the broker has done it; nobody will hear of it
				}
				if _, werr := in.Write(buf[:n]); err != nil || werr != nil {
					return
				}
			}
		}()
	}
}

// An answer that is lost on the way leaves the batch in doubt: it is sent again,
// byte for byte.
func TestLostAnswer(t *testing.T) {
	p := &proxy{}
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.ListenFn(func(network, address string) (net.Listener, error) {
		l, err := net.Listen(network, address)
		if err != nil {
			return nil, err
		}
		front, err := net.Listen(network, "127.0.0.1:0")
		p.Listener, p.to = front, l.Addr().String()
		return proxied{l, front.Addr()}, err
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	go p.serve()
	t.Cleanup(func() { p.Close() })
	l := openCluster(t, c, kafka.Options{Patience: 10 * time.Second})
	p.cut.Store(true)
	ps, err := l.Append(t.Context(), logtest.Message(stream, 1))
	if err != nil {
		t.Fatal(err)
	}
	rs := readAll(t, l)
	if len(rs) != 2 || p.cut.Load() || rs[0].ID != rs[1].ID || !rs[0].At.Equal(rs[1].At) || ps[0] != rs[1].Position {
		t.Errorf("%d records, said to stand at %s", len(rs), ps[0])
	}
}

// proxied tells the cluster's clients the proxy's address.
type proxied struct {
	net.Listener
	front net.Addr
}

func (p proxied) Addr() net.Addr { return p.front }

// The log is a message.Publisher: what publishers on the way add becomes headers,
// and each message is told its position.
func TestPublish(t *testing.T) {
	c := cluster(t, 1)
	l := openCluster(t, c, kafka.Options{})
	var p message.Publisher = l
	var ms []*message.Message
	for i := range 3 {
		m, err := l.NewMessage(t.Context(), logtest.Message(stream, i))
		if err != nil {
			t.Fatal(err)
		}
		m.Metadata.Set("traceparent", "00-1")
		ms = append(ms, m)
	}
	if err := p.Publish("lishi.users", ms...); !errors.Is(err, events.ErrUnavailable) {
		t.Error("to another topic:", err)
	}
	if err := p.Publish("lishi.conversations", message.NewMessage("x", nil)); !errors.Is(err, events.ErrUnavailable) {
		t.Error("not an event:", err)
	}
	if err := p.Publish("lishi.conversations", ms...); err != nil {
		t.Fatal(err)
	}
	rs := readAll(t, l)
	for i, m := range ms {
		at, err := kafka.Outcome(m)
		if err != nil || at != rs[i].Position || m.UUID != rs[i].ID.String() {
			t.Error(at, err, rs[i].Position)
		}
	}
	raw := fetchRaw(t, c, "lishi.conversations", int(rs[0].Position.Number))
	traced := 0
	for _, r := range raw {
		for _, h := range r.Headers {
			if h.Key == "traceparent" && string(h.Value) == "00-1" {
				traced++
			}
		}
	}
	if traced != 3 {
		t.Errorf("%d of 3 messages kept what was added", traced)
	}

	h := c.Fault(produceFault(kerr.NotEnoughReplicas, -1))
	defer h.Remove()
	m, err := l.NewMessage(t.Context(), logtest.Message(stream, 9))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Publish("lishi.conversations", m); !errors.Is(err, events.ErrUnavailable) {
		t.Error(err)
	}
	if _, err := kafka.Outcome(m); !errors.Is(err, events.ErrUnavailable) {
		t.Error(err)
	}
	if _, err := kafka.Outcome(message.NewMessage("x", nil)); err == nil {
		t.Error("a message nobody sent has a position")
	}
}

// An event that can't be written is refused before anything is sent.
func TestUnwritableEvent(t *testing.T) {
	l := openCluster(t, cluster(t, 1), kafka.Options{})
	bad := logtest.Message(stream, 1)
	bad.ActorName = "\xff"
	if _, err := l.Append(t.Context(), logtest.Message(stream, 0), bad); !errors.Is(err, events.ErrUnavailable) {
		t.Error(err)
	}
	done := make(chan error, 1)
	l.AppendAsync(bad, func(_ events.Position, err error) { done <- err })
	if err := <-done; !errors.Is(err, events.ErrUnavailable) {
		t.Error(err)
	}
	if rs := readAll(t, l); len(rs) != 0 {
		t.Errorf("%d records", len(rs))
	}
}

// Publishers to other topics keep off the log's own.
func TestPublisherKeepsOffTheLog(t *testing.T) {
	l := openCluster(t, cluster(t, 1), kafka.Options{})
	if err := l.NewPublisher(nil).Publish("lishi.users", message.NewMessage("x", nil)); !errors.Is(err, events.ErrUnavailable) {
		t.Error(err)
	}
}
