package commands

import (
	"sync"
	"sync/atomic"
	"time"

	"lishi/events"
	"lishi/events/ledger"
)

// pending is a command under way.
type pending struct {
	request  Request // the first one's, if several joined
	ordering events.Ordering
	state    State
	rests    rests
	id       events.ID
	stream   events.Stream
	part     *part // of the stream
	other    *part // where else the id can be; nil if that is the same

	about   events.Position // of the record that the command is about; zero: of none
	fetched bool            // and State.Record shows it, if it is there
	found   events.Position // of the event that a repeat is answered with
	judged  ledger.Verdict  // on that event
	why     *Refusal        // of the last attempt
	caught  []events.Partition

	deadline time.Time

	// Guarded by part.mu.
	waiters     []waiter
	answered    bool
	outstanding bool // an attempt was sent and the log has not told its fate
	doubt       bool // an earlier one with this id was answered with unknown
	tries       int
	revision    uint64 // of the attempt, as prev and basis
	prev        events.ID
	basis       int64
	forget      time.Time // when its id is forgotten, after unknown
	next, last  *pending  // in the part's line

	wake    chan struct{} // of relation commands: answered, or to be decided again
	origins []any

	roomWaiter [1]waiter
	roomOrigin [1]any
}

type waiter struct {
	done   func(Outcome)
	origin any
}

func (h *Handler) newPending(r Request, id events.ID, done func(Outcome)) *pending {
	if r.Time.IsZero() {
		r.Time = time.Now()
	}
	r.Time = r.Time.UTC().Truncate(time.Millisecond)
	p := &pending{request: r, id: id, deadline: time.Now().Add(h.options.Deadline)}
	p.state = NewState(h.book, h.options.Policy, r.Actor.ID, r.UniqueNo)
	p.state.rests = &p.rests
	p.rests.reset()
	p.roomWaiter[0] = waiter{done, r.Origin}
	p.waiters, p.origins = p.roomWaiter[:], p.roomOrigin[:0]
	if c, ok := r.Command.(Ordered); ok {
		p.ordering = c.Ordering()
	} else {
		p.wake = make(chan struct{}, 1)
	}
	return p
}

func (p *pending) signal() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// part is a partition's commands under way.
type part struct {
	partition events.Partition
	ledger    *ledger.Ledger
	size      atomic.Int64 // of commands

	mu       sync.Mutex
	commands map[events.ID]*pending
	queues   map[events.Stream]*queue
	due      line // unanswered ones
	doubts   line // those answered with unknown
}

// queue is a stream's commands behind a relation command or a barrier. It is in
// part.queues as long as a goroutine works on it.
type queue struct{ waiting []*pending }

func newPart(p events.Partition, l *ledger.Ledger) *part {
	return &part{partition: p, ledger: l, commands: map[events.ID]*pending{}, queues: map[events.Stream]*queue{}}
}

// enter makes the command known to Settle and to the deadline. It needs mu.
func (pt *part) enter(p *pending) {
	pt.commands[p.id] = p
	pt.size.Store(int64(len(pt.commands)))
	pt.due.push(p)
}

// answer takes an unanswered command out and returns whom to tell: nobody if it
// was answered before. It needs mu.
func (pt *part) answer(p *pending) []waiter {
	if p.answered {
		return nil
	}
	p.answered = true
	pt.due.remove(p)
	delete(pt.commands, p.id)
	pt.size.Store(int64(len(pt.commands)))
	return p.waiters
}

// remember keeps an answered command's id, whose fate is not known. It needs mu.
func (pt *part) remember(p *pending, until time.Time) {
	p.forget = until
	pt.commands[p.id] = p
	pt.size.Store(int64(len(pt.commands)))
	pt.doubts.push(p)
}

// forget takes a remembered id out. It needs mu.
func (pt *part) forget(p *pending) {
	if pt.commands[p.id] == p {
		delete(pt.commands, p.id)
		pt.size.Store(int64(len(pt.commands)))
		pt.doubts.remove(p)
	}
}

// line is a list in order of deadlines, which is that of their coming, since all
// wait equally long.
type line struct{ head, tail *pending }

func (l *line) push(p *pending) {
	p.last, p.next = l.tail, nil
	if l.tail == nil {
		l.head = p
	} else {
		l.tail.next = p
	}
	l.tail = p
}

func (l *line) remove(p *pending) {
	if p.last == nil {
		l.head = p.next
	} else {
		p.last.next = p.next
	}
	if p.next == nil {
		l.tail = p.last
	} else {
		p.next.last = p.last
	}
	p.last, p.next = nil, nil
}

// answer answers a command, unless that was done before.
func (h *Handler) answer(p *pending, o Outcome) {
	part := p.part
	part.mu.Lock()
	if r, ok := o.Err.(*Refusal); ok && r.Reason == Unavailable && p.doubt {
		waiters := h.giveUp(p)
		part.mu.Unlock()
		h.tell(p, waiters, Outcome{Err: ErrUnknown})
		return
	}
	waiters := part.answer(p)
	part.mu.Unlock()
	h.tell(p, waiters, o)
}

// giveUp ends a command whose fate is not known. Its id is remembered for a
// while: of the same request, sent again and refused by the log, nobody can say
// that nothing happened. It needs part.mu.
func (h *Handler) giveUp(p *pending) []waiter {
	waiters := p.part.answer(p)
	if waiters != nil {
		p.part.remember(p, time.Now().Add(6*h.options.Deadline))
	}
	return waiters
}

// tell calls back everybody who waits for a command.
func (h *Handler) tell(p *pending, waiters []waiter, o Outcome) {
	if len(waiters) == 0 {
		return
	}
	for i := range waiters {
		waiters[i].done(o)
	}
	if p.wake != nil {
		p.signal()
	}
	h.leave(len(waiters))
}

// watchDeadlines answers commands that the log did not answer in time.
func (h *Handler) watchDeadlines() {
	tick := time.NewTicker(min(max(h.options.Deadline/40, time.Millisecond), 250*time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			h.expire(now)
		case <-h.ctx.Done():
			return
		}
	}
}

// expire answers what is due at a time; the zero time means everything.
func (h *Handler) expire(now time.Time) {
	for _, parts := range h.parts {
		for _, part := range parts {
			for h.expireFirst(part, now) {
			}
		}
	}
}

func (h *Handler) expireFirst(part *part, now time.Time) bool {
	part.mu.Lock()
	for p := part.doubts.head; p != nil && (now.IsZero() || !p.forget.After(now)); p = part.doubts.head {
		part.forget(p)
	}
	p := part.due.head
	if p == nil || !now.IsZero() && p.deadline.After(now) {
		part.mu.Unlock()
		return false
	}
	var waiters []waiter
	o := Outcome{Err: ErrUnavailable.With("the log did not take the command in time; nothing happened")}
	if p.outstanding || p.doubt {
		waiters, o.Err = h.giveUp(p), ErrUnknown
	} else {
		waiters = part.answer(p)
	}
	part.mu.Unlock()
	h.tell(p, waiters, o)
	return true
}
