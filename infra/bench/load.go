package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/sync/errgroup"
)

// Latency is a distribution in microseconds, counted from when a message was to
// be sent: a server that stalls is not spared the messages that had to wait.
type Latency struct {
	P50  int64 `json:"p50us"`
	P90  int64 `json:"p90us"`
	P99  int64 `json:"p99us"`
	P999 int64 `json:"p999us"`
	Max  int64 `json:"maxus"`
}

func (l Latency) String() string {
	ms := func(us int64) float64 { return float64(us) / 1e3 }
	return fmt.Sprintf("p50 %.2f p90 %.2f p99 %.2f p99.9 %.2f max %.1f ms", ms(l.P50), ms(l.P90), ms(l.P99), ms(l.P999), ms(l.Max))
}

// Report is what a run measured. Messages are those that were answered;
// deliveries are those that came to somebody.
type Report struct {
	Load       string  `json:"load"`
	People     int     `json:"people"`
	Seconds    float64 `json:"seconds"`
	Messages   int64   `json:"messages"`
	PerSecond  float64 `json:"messagesPerSecond"`
	Deliveries int64   `json:"deliveries"`
	DeliveredS float64 `json:"deliveriesPerSecond"`
	Push       Latency `json:"sendToPush"`
	Answer     Latency `json:"sendToAnswer"`
	Setup      float64 `json:"setupSeconds"`
}

func (r Report) String() string {
	return fmt.Sprintf("%s: %.0f messages/s, %.0f deliveries/s; send to push %s; send to answer p50 %.2f p99 %.2f ms",
		r.Load, r.PerSecond, r.DeliveredS, r.Push, float64(r.Answer.P50)/1e3, float64(r.Answer.P99)/1e3)
}

// recorder takes latencies from any goroutine.
type recorder struct {
	mu sync.Mutex
	h  *hdrhistogram.Histogram
}

func newRecorder() *recorder { return &recorder{h: histogram()} }

func histogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, 300_000_000, 3) }

// since records the time from a moment, in Unix nanoseconds, until now. A nil
// recorder takes nothing.
func (r *recorder) since(ns int64) {
	if r == nil {
		return
	}
	us := max(1, (time.Now().UnixNano()-ns)/1000)
	r.mu.Lock()
	_ = r.h.RecordValue(us)
	r.mu.Unlock()
}

// now is what was recorded until now.
func (r *recorder) now() Latency {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.latency()
}

func (r *recorder) latency() Latency {
	h := r.h
	return Latency{h.ValueAtQuantile(50), h.ValueAtQuantile(90), h.ValueAtQuantile(99), h.ValueAtQuantile(99.9), h.Max()}
}

// window is how many messages of one conversation may be under way.
const window = 1 << 14

// talk is what one person writes to one or several others. Its sender is one
// goroutine, and each receiver one.
type talk struct {
	server Server
	from   *Conn
	to     []*Conn
	writer Writer
	size   func(n int64) int // bytes of the nth message's content
	text   []byte            // the sender's: the content being written

	sent     atomic.Int64
	answered atomic.Int64
	arrived  []atomic.Int64 // at each receiver
	times    []atomic.Int64 // when each was to be sent, by its number; nil: nobody asks
	push     *recorder
	answer   *recorder
}

// meet connects somebody and so many others, whom the first then may write to: one
// as a friend, more as members of a group.
func meet(ctx context.Context, s Server, name string, others int) (*talk, error) {
	people := make([]*Conn, 1+others)
	err := each(len(people), func(i int) (err error) {
		people[i], err = s.Dial(ctx, fmt.Sprintf("%s-%d", name, i))
		return err
	})
	if err != nil {
		for _, c := range people {
			if c != nil {
				c.Close()
			}
		}
		return nil, err
	}
	t := &talk{server: s, from: people[0], to: people[1:], arrived: make([]atomic.Int64, others)}
	if others == 1 {
		t.writer, err = s.Pair(ctx, t.from, t.to[0])
	} else {
		t.writer, err = s.Group(ctx, t.from, t.to)
	}
	return t, err
}

// always is the size of messages that are all equally long.
func always(size int) func(int64) int { return func(int64) int { return size } }

// filler is what messages are filled with, behind their number.
var filler = bytes.Repeat([]byte("abcdefghijklmnopqrstuvwxyz"), 1+maxBytes/26)

// maxBytes is how long a message's content may be.
const maxBytes = 16384

// rest is what stands behind the number, of so many digits, and colon in the nth
// message.
func (t *talk) rest(n int64, digits int) []byte {
	return filler[:min(max(0, t.size(n)-digits-1), maxBytes)]
}

// queue makes the next message's frame, which was to be sent at a time.
func (t *talk) queue(at time.Time) {
	n := t.next(at)
	t.from.Queue(func(b []byte) []byte { return t.writer.Append(b, n, t.text) })
}

// next makes the next message's text, and gives its number.
func (t *talk) next(at time.Time) int64 {
	n := t.sent.Add(1)
	if t.times != nil {
		t.times[n%window].Store(at.UnixNano())
	}
	t.text = strconv.AppendInt(t.text[:0], n, 10)
	t.text = append(append(t.text, ':'), t.rest(n, len(t.text))...)
	return n
}

// answers reads until messages were answered and nothing more lies ready, and
// gives how many; 0 when the socket was closed and none was open.
func (t *talk) answers() (int64, error) {
	before := t.answered.Load()
	for {
		frame, err := t.from.Frame()
		for err == nil && len(frame) > 0 {
			var said Said
			if said, frame, err = t.server.Next(frame); err == nil && said.Kind == Answered {
				want := t.answered.Load() + 1
				if said.N != want {
					return 0, fmt.Errorf("answer %d came where %d was due", said.N, want)
				}
				t.answer.since(t.due(said.N))
				t.answered.Store(said.N)
			}
		}
		if err != nil {
			if t.answered.Load() == t.sent.Load() {
				err = nil
			}
			return 0, err
		}
		if got := t.answered.Load() - before; got > 0 && !t.from.Ready() {
			return got, nil
		}
	}
}

// due is when the nth message was to be sent.
func (t *talk) due(n int64) int64 {
	if t.times == nil {
		return 0
	}
	return t.times[n%window].Load()
}

// numberOf is the number of the message with this content.
func (t *talk) numberOf(content []byte) (int64, error) {
	number, rest, _ := bytes.Cut(content, []byte{':'})
	n, err := strconv.ParseInt(string(number), 10, 64)
	if err == nil && !bytes.Equal(rest, t.rest(n, len(number))) {
		err = errors.New("its content is not what was sent")
	}
	return n, err
}

// receive reads what comes to the ith receiver until its socket is closed, which
// is an error where something is still to come. last, if any, is told of each
// message.
func (t *talk) receive(i int, last func(n int64)) error {
	arrived := &t.arrived[i]
	for {
		frame, err := t.to[i].Frame()
		for err == nil && len(frame) > 0 {
			var said Said
			if said, frame, err = t.server.Next(frame); err != nil || said.Kind != Pushed {
				continue
			}
			n, bad := t.numberOf(said.Content)
			if want := arrived.Load() + 1; bad != nil || n != want {
				return fmt.Errorf("%q arrived at %s where message %d was due (%v)", said.Content, t.to[i].Person, want, bad)
			}
			t.push.since(t.due(n))
			arrived.Store(n)
			if last != nil {
				last(n)
			}
		}
		if err != nil {
			if arrived.Load() == t.sent.Load() {
				err = nil
			}
			return err
		}
	}
}

// settled tells whether everything that was sent was answered and has arrived.
func (t *talk) settled() bool {
	sent := t.sent.Load()
	if t.answered.Load() < sent {
		return false
	}
	for i := range t.arrived {
		if t.arrived[i].Load() < sent {
			return false
		}
	}
	return true
}

func (t *talk) close() {
	t.from.Close()
	for _, c := range t.to {
		c.Close()
	}
}

// drained waits until all is settled.
func drained(ctx context.Context, talks []*talk, fail <-chan error) error {
	deadline := time.After(time.Minute)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		open := 0
		for _, t := range talks {
			if !t.settled() {
				open++
			}
		}
		if open == 0 {
			return nil
		}
		select {
		case err := <-fail:
			return err
		case <-ctx.Done():
			return ctx.Err()
		case <-deadline:
			return fmt.Errorf("lost: in %d conversations answers or messages are missing after a minute", open)
		case <-tick.C:
		}
	}
}

// load lets all talk until it is enough and everything has arrived. speak is
// each sender's part; it ends when over is closed and all is answered.
func load(ctx context.Context, talks []*talk, enough <-chan struct{}, speak func(t *talk, over <-chan struct{}) error, arrived func(*talk) func(n int64)) (r Report, err error) {
	var all sync.WaitGroup
	fail := make(chan error, 1)
	over := make(chan struct{})
	run := func(f func() error) {
		all.Go(func() {
			if err := f(); err != nil {
				select {
				case fail <- err:
				default:
				}
			}
		})
	}
	const shards = 8 // recorders that all share: a histogram has some hundred kilobytes
	var push, answer [shards]*recorder
	for i := range shards {
		push[i], answer[i] = newRecorder(), newRecorder()
	}
	started := time.Now()
	for i, t := range talks {
		t.push, t.answer, t.times = push[i%shards], answer[i%shards], make([]atomic.Int64, window)
		var last func(int64)
		if arrived != nil {
			last = arrived(t)
		}
		for i := range t.to {
			run(func() error { return t.receive(i, last) })
		}
		run(func() error { return speak(t, over) })
		r.People += 1 + len(t.to)
	}
	select {
	case err = <-fail:
	case <-ctx.Done():
		err = ctx.Err()
	case <-enough:
	}
	close(over)
	if err == nil {
		err = drained(ctx, talks, fail)
	}
	r.Seconds = time.Since(started).Seconds()
	for _, t := range talks {
		t.close()
	}
	all.Wait()
	if err != nil {
		return r, err
	}
	for _, t := range talks {
		r.Messages += t.answered.Load()
		r.Deliveries += t.answered.Load() * int64(len(t.to))
	}
	for i := range push[1:] {
		push[0].h.Merge(push[i+1].h)
		answer[0].h.Merge(answer[i+1].h)
	}
	r.PerSecond, r.DeliveredS = float64(r.Messages)/r.Seconds, float64(r.Deliveries)/r.Seconds
	r.Push, r.Answer = push[0].latency(), answer[0].latency()
	return r, nil
}

// after is closed when the time is over.
func after(d time.Duration) <-chan struct{} {
	over := make(chan struct{})
	time.AfterFunc(d, func() { close(over) })
	return over
}

// each runs n jobs, 16 at a time, and gives the first error.
func each(n int, job func(int) error) error {
	var g errgroup.Group
	g.SetLimit(16)
	for i := range n {
		g.Go(func() error { return job(i) })
	}
	return g.Wait()
}

// nameless is a name for people that no earlier run used.
func nameless() string { return "bench-" + strconv.FormatInt(time.Now().UnixNano(), 36) }
