package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"lishi/events"
)

// Soak is a mixed load of people whose connections break: after a while each is
// cut without a word, wherever it stands, and comes back with its cursor. A server
// that goes away is waited for. What was not answered is sent again with the same
// idempotency key.
type Soak struct {
	Mixed
	Cut      time.Duration    // how long a connection lives on the average; 0: until the server ends it
	Patience time.Duration    // how long the server may be away, and an answer late
	Every    time.Duration    // how often Progress is told; 0: never
	Progress func(SoakReport) // may be nil
}

// SoakReport is what was seen so far. Latencies count from when a message was to
// be sent, the time without a connection with it.
type SoakReport struct {
	People      int     `json:"people"`
	Seconds     float64 `json:"seconds"`
	Messages    int64   `json:"messages"`
	Deliveries  int64   `json:"deliveries"`
	Connections int64   `json:"connections"` // that were lost
	Resent      int64   `json:"resent"`      // messages, because their answer had not come
	Refused     int64   `json:"refused"`     // answers that told to try again
	Push        Latency `json:"sendToPush"`
	Answer      Latency `json:"sendToAnswer"`
}

func (r SoakReport) String() string {
	return fmt.Sprintf("%.0f s: %d people, %d messages, %d deliveries, %d connections lost, %d messages sent again, %d refusals for the moment; send to push %s; send to answer p50 %.2f p99 %.2f ms",
		r.Seconds, r.People, r.Messages, r.Deliveries, r.Connections, r.Resent, r.Refused, r.Push, float64(r.Answer.P50)/1e3, float64(r.Answer.P99)/1e3)
}

// soak is a run under way.
type soak struct {
	Soak
	server       Lishi
	started      time.Time
	people       int
	push, answer *recorder

	messages, deliveries, connections, resent, refused atomic.Int64
}

// Run makes the people, loads, and checks that everything that was sent is
// answered in the end, and came to each receiver exactly once, unchanged and in
// order, over all of that person's connections.
func (l Soak) Run(ctx context.Context, server Lishi) (SoakReport, error) {
	talks, beats, err := l.meet(ctx, server)
	if err != nil {
		return SoakReport{}, err
	}
	s := &soak{Soak: l, server: server, push: newRecorder(), answer: newRecorder()}
	all, ctx := errgroup.WithContext(ctx)
	done, finish := context.WithCancel(ctx) // of the receivers
	defer finish()
	senders, receivers := make([]*someone, len(talks)), make([][]*someone, len(talks))
	for i, t := range talks {
		t.close() // what meeting brought is over: the cursors begin behind it
		t.times = make([]atomic.Int64, window)
		if senders[i], err = s.enter(ctx, t.from.Person); err != nil {
			return SoakReport{}, err
		}
		for _, c := range t.to {
			p, err := s.enter(done, c.Person)
			if err != nil {
				return SoakReport{}, err
			}
			receivers[i] = append(receivers[i], p)
		}
	}
	s.started = time.Now()
	press := l.press(beats)
	over, stop := context.WithDeadline(ctx, s.started.Add(l.Duration)) // for the senders
	defer stop()
	var speaking sync.WaitGroup
	for i, t := range talks {
		for j, p := range receivers[i] {
			all.Go(func() error { return p.receive(t, j) })
		}
		speaking.Add(1)
		all.Go(func() error {
			defer speaking.Done()
			return senders[i].speak(over, t, func(n int64) time.Time {
				return s.started.Add(time.Duration(press * float64(beats[t].when(n))))
			})
		})
	}
	all.Go(func() error { // when everything is answered: has it arrived?
		speaking.Wait()
		defer finish()
		return drained(ctx, talks, nil)
	})
	if l.Progress != nil {
		go s.tell(done)
	}
	err = all.Wait()
	return s.report(), err
}

func (s *soak) report() SoakReport {
	return SoakReport{People: s.people, Seconds: time.Since(s.started).Seconds(), Messages: s.messages.Load(), Deliveries: s.deliveries.Load(),
		Connections: s.connections.Load(), Resent: s.resent.Load(), Refused: s.refused.Load(), Push: s.push.now(), Answer: s.answer.now()}
}

func (s *soak) tell(done context.Context) {
	tick := time.NewTicker(s.Every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.Progress(s.report())
		case <-done.Done():
			return
		}
	}
}

// someone is a person who comes back when the connection breaks, until their
// context ends.
type someone struct {
	*soak
	*Conn
	ctx    context.Context
	cursor events.Cursor
	cut    *time.Timer
	end    func() bool
}

// enter logs a person in who starts live.
func (s *soak) enter(ctx context.Context, person string) (*someone, error) {
	c, cursor, err := s.server.login(ctx, person, "")
	if err != nil {
		return nil, err
	}
	p := &someone{soak: s, ctx: ctx}
	if p.cursor, err = events.ParseCursor(cursor); err != nil {
		c.Close()
		return nil, err
	}
	s.people++
	p.took(c)
	return p, nil
}

func (p *someone) took(c *Conn) {
	p.Conn = c
	p.end = context.AfterFunc(p.ctx, c.Close)
	if p.Cut > 0 {
		p.cut = time.AfterFunc(time.Duration(rand.ExpFloat64()*float64(p.Cut)), c.Close)
	}
}

func (p *someone) leave() {
	if p.cut != nil {
		p.cut.Stop()
	}
	p.end()
	p.Close()
}

// again connects anew, with the cursor, as often as patience allows.
func (p *someone) again(cause error) error {
	p.leave()
	p.connections.Add(1)
	ctx, cancel := context.WithTimeout(p.ctx, p.Patience)
	defer cancel()
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		c, _, err := p.server.login(ctx, p.Person, p.cursor.String())
		if err == nil {
			p.took(c)
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s, who lost the connection (%v), can't come back: %w", p.Person, cause, err)
		case <-time.After(jitter(pause)):
		}
	}
}

func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d/2+1) }

// passed remembers how far the person has got.
func (p *someone) passed(frame []byte) error {
	text := Field(frame, "position")
	if text == nil {
		return nil
	}
	at, err := events.ParsePosition(string(text))
	if err == nil {
		p.cursor.Advance(at)
	}
	return err
}

// receive takes what comes to the ith receiver, over as many connections as it
// needs, until the person's context ends.
func (p *someone) receive(t *talk, i int) error {
	defer func() { p.leave() }()
	for {
		frame, err := p.Frame()
		if err != nil {
			if p.ctx.Err() == nil {
				err = p.again(err)
			}
			if p.ctx.Err() != nil {
				return nil
			}
			if err != nil {
				return err
			}
			continue
		}
		said, _, err := p.server.Next(frame)
		if err != nil {
			return err
		}
		if said.Kind == Pushed {
			n, bad := t.numberOf(said.Content)
			if want := t.arrived[i].Load() + 1; bad != nil || n != want {
				return fmt.Errorf("%q arrived at %s where message %d was due (%v)", said.Content, p.Person, want, bad)
			}
			p.push.since(t.due(n))
			p.deliveries.Add(1)
			t.arrived[i].Store(n)
		}
		if err := p.passed(frame); err != nil {
			return err
		}
	}
}

// speak says one message after the other, each when it is due and the one before
// is answered, and says it again until it is answered.
func (p *someone) speak(over context.Context, t *talk, due func(n int64) time.Time) error {
	defer func() { p.leave() }()
	for {
		at := due(t.sent.Load())
		select {
		case <-over.Done():
			return nil
		case <-time.After(time.Until(at)):
		}
		n := t.next(at)
		given := time.Now().Add(p.Patience)
		for err := p.say(t, n, false); err != nil; err = p.say(t, n, true) {
			bad := (*refusedError)(nil)
			switch {
			case p.ctx.Err() != nil:
				return p.ctx.Err()
			case time.Now().After(given), errors.As(err, &bad) && !bad.forNow():
				return fmt.Errorf("message %d of %s was not taken: %w", n, p.Person, err)
			case bad != nil:
				p.refused.Add(1)
				time.Sleep(jitter(200 * time.Millisecond))
			default:
				if err := p.again(err); err != nil {
					return err
				}
			}
			p.resent.Add(1)
		}
		p.answer.since(t.due(n))
		p.messages.Add(1)
		t.answered.Store(n)
	}
}

// say sends the nth message and waits for its answer. repeated: once more, as a
// client does who does not know what became of it.
func (p *someone) say(t *talk, n int64, repeated bool) error {
	p.Queue(func(b []byte) []byte {
		b = t.writer.Append(b, n, t.text)
		if repeated {
			b = append(b[:len(b)-len("}}")], `,"resend":true}}`...)
		}
		return b
	})
	if err := p.Flush(); err != nil {
		return err
	}
	return p.answered(n)
}

// answered waits for the answer to the nth message.
func (p *someone) answered(n int64) error {
	p.Deadline(time.Now().Add(p.Patience))
	for {
		frame, err := p.Frame()
		if err != nil {
			return err
		}
		var r result
		if err := json.Unmarshal(frame, &r); err != nil {
			return err
		}
		if err := p.passed(frame); err != nil {
			return err
		}
		if r.MsgType != "" || r.Obj.UniqueNo != fmt.Sprint(n) {
			continue
		}
		if r.Code != 200 {
			return &refusedError{r.Obj.Reason, r.Obj.Detail}
		}
		return nil
	}
}

// refusedError is an answer that is not a success.
type refusedError struct{ reason, detail string }

func (e *refusedError) Error() string { return e.reason + ": " + e.detail }

// forNow tells whether the same may be taken a little later.
func (e *refusedError) forNow() bool {
	switch e.reason {
	case "unavailable", "unknown", "rate_limited":
		return true
	}
	return false
}
