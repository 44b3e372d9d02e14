package bench

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Load is one run: pairs of people, one writing to the other.
type Load struct {
	Addr     string
	Pairs    int
	Depth    int // messages under way in a pair
	Duration time.Duration
	Bytes    int // of each message's content
	Token    func(user string) (string, error)
}

// Report is what a run measured. Latencies are in microseconds.
type Report struct {
	Pairs       int     `json:"pairs"`
	Depth       int     `json:"depth"`
	Seconds     float64 `json:"seconds"`
	Messages    int64   `json:"messages"`
	PerSecond   float64 `json:"messagesPerSecond"`
	PushP50     int64   `json:"sendToPushP50us"`
	PushP99     int64   `json:"sendToPushP99us"`
	AnswerP50   int64   `json:"sendToAnswerP50us"`
	AnswerP99   int64   `json:"sendToAnswerP99us"`
	ConnectTook float64 `json:"setupSeconds"`
}

func (r Report) String() string {
	return fmt.Sprintf("%4d pairs × %d under way: %9.0f messages/s durable; send to push p50 %.2f ms p99 %.2f ms; send to answer p50 %.2f ms p99 %.2f ms",
		r.Pairs, r.Depth, r.PerSecond, float64(r.PushP50)/1e3, float64(r.PushP99)/1e3, float64(r.AnswerP50)/1e3, float64(r.AnswerP99)/1e3)
}

type pair struct {
	from, to *client
	slots    chan struct{}
	sent     atomic.Int64
	answered atomic.Int64
	arrived  atomic.Int64
	push     *hdrhistogram.Histogram
	answer   *hdrhistogram.Histogram
	times    []atomic.Int64 // send times by sequence number, a ring
}

// Run makes the people and friendships, loads, and checks that every message
// was answered and arrived exactly once and in order.
func (l Load) Run(ctx context.Context) (Report, error) {
	run := strconv.FormatInt(time.Now().UnixNano(), 36)
	begun := time.Now()
	pairs := make([]*pair, l.Pairs)
	if err := each(l.Pairs, func(i int) (err error) {
		pairs[i], err = l.befriend(ctx, run, i)
		return err
	}); err != nil {
		return Report{}, err
	}
	rep := Report{Pairs: l.Pairs, Depth: l.Depth, ConnectTook: time.Since(begun).Seconds()}

	var readers, writers sync.WaitGroup
	fail := make(chan error, 4*l.Pairs)
	end := make(chan struct{})
	started := time.Now()
	for _, p := range pairs {
		readers.Add(2)
		go func() { defer readers.Done(); report(fail, p.readAnswers()) }()
		go func() { defer readers.Done(); report(fail, p.readPushes()) }()
		writers.Add(1)
		go func() { defer writers.Done(); report(fail, p.write(l.Bytes, end)) }()
	}
	var err error
	select {
	case err = <-fail:
	case <-ctx.Done():
		err = ctx.Err()
	case <-time.After(l.Duration):
	}
	close(end)
	writers.Wait()
	if err == nil {
		err = drained(ctx, pairs, fail)
	}
	rep.Seconds = time.Since(started).Seconds()
	for _, p := range pairs {
		p.from.conn.Close()
		p.to.conn.Close()
	}
	readers.Wait()
	if err != nil {
		return rep, err
	}
	push, answer := histogram(), histogram()
	for _, p := range pairs {
		rep.Messages += p.answered.Load()
		push.Merge(p.push)
		answer.Merge(p.answer)
	}
	rep.PerSecond = float64(rep.Messages) / rep.Seconds
	rep.PushP50, rep.PushP99 = push.ValueAtQuantile(50), push.ValueAtQuantile(99)
	rep.AnswerP50, rep.AnswerP99 = answer.ValueAtQuantile(50), answer.ValueAtQuantile(99)
	return rep, nil
}

func histogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, 60_000_000, 3) }

func report(fail chan<- error, err error) {
	if err != nil {
		select {
		case fail <- err:
		default:
		}
	}
}

// each runs n jobs, 16 at a time.
func each(n int, job func(int) error) error {
	var wg sync.WaitGroup
	errs := make(chan error, n)
	slots := make(chan struct{}, 16)
	for i := range n {
		wg.Add(1)
		slots <- struct{}{}
		go func() {
			defer func() { <-slots; wg.Done() }()
			report(errs, job(i))
		}()
	}
	wg.Wait()
	select {
	case err := <-errs:
		return err
	default:
		return nil
	}
}

func (l Load) befriend(ctx context.Context, run string, i int) (*pair, error) {
	var cs [2]*client
	for k, side := range []string{"a", "b"} {
		id := fmt.Sprintf("bench-%s-%d-%s", run, i, side)
		token, err := l.Token(id)
		if err != nil {
			return nil, err
		}
		if cs[k], err = dial(ctx, l.Addr, id, token); err != nil {
			return nil, err
		}
	}
	applied, err := cs[0].call("/friend/applyFriend", unique(run), map[string]any{"userId": cs[1].id})
	if err != nil {
		return nil, err
	}
	if _, err := cs[1].call("/friend/verifyFriend", unique(run), map[string]any{"applyFriendId": applied.Obj.ApplyFriendID, "applyState": "9"}); err != nil {
		return nil, err
	}
	p := &pair{from: cs[0], to: cs[1], slots: make(chan struct{}, l.Depth), push: histogram(), answer: histogram(), times: make([]atomic.Int64, 1<<14)}
	return p, nil
}

func (p *pair) write(bytes int, end <-chan struct{}) error {
	head := `{"url":"/chat/sendMessage","params":{"token":"` + p.from.token + `","receiveUserId":"` + p.to.id + `","uniqueNo":"`
	var batch []string
	for {
		select {
		case <-end:
			return nil
		case p.slots <- struct{}{}:
		}
		batch = batch[:0]
		for more := true; more; {
			n := p.sent.Add(1)
			p.times[n%int64(len(p.times))].Store(time.Now().UnixNano())
			content := strconv.FormatInt(n, 10) + ":"
			content += strings.Repeat("x", max(0, bytes-len(content)))
			batch = append(batch, head+strconv.FormatInt(n, 10)+`","messageContent":"`+content+`"}}`)
			select {
			case p.slots <- struct{}{}:
			default:
				more = false
			}
		}
		if err := p.from.send(batch...); err != nil {
			return err
		}
	}
}

func (p *pair) since(n int64) int64 {
	return max(1, (time.Now().UnixNano()-p.times[n%int64(len(p.times))].Load())/1000)
}

func (p *pair) readAnswers() error {
	for {
		m, err := p.from.read()
		if err != nil {
			return p.ended(err, p.answered.Load())
		}
		n, err := strconv.ParseInt(field(m, "uniqueNo"), 10, 64)
		if err != nil {
			continue // the friendship's push
		}
		if !strings.HasPrefix(string(m), `{"code":200`) {
			return fmt.Errorf("refused: %s", m)
		}
		if want := p.answered.Load() + 1; n != want {
			return fmt.Errorf("answer %d came where %d was due", n, want)
		}
		_ = p.answer.RecordValue(p.since(n))
		p.answered.Store(n)
		<-p.slots
	}
}

func (p *pair) readPushes() error {
	for {
		m, err := p.to.read()
		if err != nil {
			return p.ended(err, p.arrived.Load())
		}
		head, _, ok := strings.Cut(field(m, "messageContent"), ":")
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(head, 10, 64)
		if err != nil {
			return fmt.Errorf("strange content in %s", m)
		}
		if want := p.arrived.Load() + 1; n != want {
			return fmt.Errorf("message %d arrived where %d was due", n, want)
		}
		_ = p.push.RecordValue(p.since(n))
		p.arrived.Store(n)
	}
}

// ended turns the end of a socket into an error unless everything had come.
func (p *pair) ended(err error, seen int64) error {
	if seen == p.sent.Load() {
		return nil
	}
	return err
}

// drained waits until everything that was sent was answered and arrived.
func drained(ctx context.Context, pairs []*pair, fail <-chan error) error {
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		open := 0
		for _, p := range pairs {
			if s := p.sent.Load(); p.answered.Load() < s || p.arrived.Load() < s {
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
			return fmt.Errorf("lost: %d pairs still wait for answers or messages after 30 s", open)
		case <-tick.C:
		}
	}
}
