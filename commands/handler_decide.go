package commands

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"lishi/events"
	"lishi/events/ledger"
	"lishi/events/seededfault"
)

// A step is what one attempt at a command came to.
type step int

const (
	sent     step = iota // the log has it
	answered             // nothing is left to do
	refused              // on this state: pending.why
	repeated             // the log had it before: pending.found
	blocking             // it must ask Requests, which blocks
)

// attempts is how often a command is decided again when others were faster.
const attempts = 16

// attempt decides the command once on what is folded, and sends the event. What
// the event says it was decided on (revision and prev, or basis) is read before
// the ledger is asked for the id, and that before the state: if either was
// outdated, the ledger finds the event stale or late.
func (h *Handler) attempt(p *pending, mayBlock bool) step {
	r := &p.request
	basis := p.part.ledger.Folded()
	revision, prev := p.state.own.Head(p.stream)
	if h.known(p) {
		return repeated
	}
	if r.Resend && basis+1 > ledger.W {
		if !mayBlock {
			return blocking
		}
		if found, err := h.ask(p, basis-ledger.W); err != nil {
			h.answer(p, Outcome{Err: err})
			return answered
		} else if found {
			return repeated
		}
	}
	if p.mustFetch() {
		if !mayBlock {
			return blocking
		}
		if err := h.fetch(p); err != nil {
			h.answer(p, Outcome{Err: err})
			return answered
		}
	}
	p.rests.reset()
	body, name, err := h.decide(p)
	if err != nil {
		p.why = refusal(err)
		return refused
	}
	e := events.Event{
		ID: p.id, Stream: p.stream, Actor: r.Actor.ID, ActorName: name, Request: r.UniqueNo,
		Fingerprint: r.Fingerprint, Time: r.Time, Body: body,
	}
	if body == nil {
		h.answer(p, Outcome{Event: unmoved(e)})
		return answered
	}
	switch p.ordering {
	case events.ByRevision:
		e.Revision, e.Prev = revision+1, prev
	case events.ByBasis:
		e.Basis = basis
	}
	part := p.part
	part.mu.Lock()
	if p.answered {
		part.mu.Unlock()
		return answered
	}
	p.outstanding, p.revision, p.prev, p.basis = true, e.Revision, e.Prev, e.Basis
	part.mu.Unlock()
	h.log.AppendAsync(e, h.hearing(p).done)
	if seededfault.Planted(seededfault.EarlyAnswer) && p.ordering == events.ByBasis {
		h.answer(p, Outcome{Event: events.Recorded{Event: e, Position: events.Position{Partition: part.partition, Offset: basis + 1}, At: e.Time}})
	}
	return sent
}

// decide asks the command, for an actor who exists.
func (h *Handler) decide(p *pending) (events.Body, string, error) {
	a := p.request.Actor
	name := a.Name
	if _, ok := p.request.Command.(register); !ok {
		u, known := p.state.User(a.ID)
		if !known {
			return nil, "", ErrNotFound.With("you are not registered")
		}
		name = u.NickName
	}
	body, err := p.request.Command.Decide(p.state, a, p.request.Time)
	return body, name, err
}

// known asks the ledger for the occurrence that decides for the command's id.
func (h *Handler) known(p *pending) bool {
	for _, part := range [...]*part{p.part, p.other} {
		if part == nil {
			continue
		}
		offset, v, ok := part.ledger.Find(p.id)
		if !ok || v == ledger.Stale { // what lost a race is no occurrence
			continue
		}
		p.found, p.judged = events.Position{Partition: part.partition, Offset: offset}, v
		return true
	}
	return false
}

// ask looks for the id among the requests that the ledger no longer remembers.
func (h *Handler) ask(p *pending, upTo int64) (bool, error) {
	if h.options.Requests == nil {
		return false, ErrUnavailable.With("older requests can't be looked up; nothing happened")
	}
	ctx, cancel := h.until(p)
	defer cancel()
	position, ok, err := h.options.Requests.Find(ctx, p.part.partition, p.id, upTo)
	if err != nil {
		return false, ErrUnavailable.With("older requests can't be looked up now; nothing happened")
	}
	p.found, p.judged = position, ledger.Valid
	return ok, nil
}

// repeat answers as the first time, from the record that decided then. Until it is
// read nobody can say that nothing happened: it did.
//
// The ledger knows a record a moment before it is delivered. A repeat of what
// another node appended may come in between. Delivery then finds it waiting and
// answers it, in place of a push; so it is not answered here before that.
func (h *Handler) repeat(p *pending) {
	p.part.mu.Lock()
	p.doubt = true
	p.part.mu.Unlock()
	ctx, cancel := h.until(p)
	defer cancel()
	var r events.Recorded
	err := h.tail.Wait(ctx, events.Cursor{p.found.Partition: p.found.Offset})
	if err == nil {
		r, err = h.log.At(ctx, p.found)
	}
	o := Outcome{Event: r}
	switch {
	case err != nil:
		o = Outcome{Err: ErrUnknown.With("this came before, and what became of it can't be read now; repeat with the same uniqueNo")}
	case r.ID != p.id:
		o = Outcome{Err: ErrUnknown.With(fmt.Sprintf("the log holds another event at %s", p.found))}
	case r.Fingerprint != p.request.Fingerprint:
		o = Outcome{Err: errReused}
	case p.judged == ledger.NotGreater:
		o.Event = unmoved(r.Event)
	case p.judged.Void():
		o = Outcome{Err: refusalOf(p.judged)}
	}
	h.answer(p, o)
}

// enqueue puts a command behind its stream's queue, which it begins if there is
// none. It needs part.mu.
func (h *Handler) enqueue(p *pending) {
	part, stream := p.part, p.stream
	if q := part.queues[stream]; q != nil {
		q.waiting = append(q.waiting, p)
		return
	}
	q := &queue{waiting: []*pending{p}}
	part.queues[stream] = q
	h.workers.Go(func() { h.work(part, stream, q) })
}

// work carries out a stream's queue until nothing waits in it.
func (h *Handler) work(part *part, stream events.Stream, q *queue) {
	for {
		part.mu.Lock()
		if len(q.waiting) == 0 {
			delete(part.queues, stream)
			part.mu.Unlock()
			return
		}
		p := q.waiting[0]
		q.waiting[0] = nil
		q.waiting = q.waiting[1:]
		part.mu.Unlock()
		h.carryOut(p)
	}
}

// carryOut sees a relation command to its answer, and a message into the log.
func (h *Handler) carryOut(p *pending) {
	for {
		p.part.mu.Lock()
		over, tries := p.answered, p.tries
		p.part.mu.Unlock()
		if over {
			return
		}
		if tries > 0 {
			if tries >= attempts {
				h.answer(p, Outcome{Err: errCompetition})
				return
			}
			h.sleep(rand.N(time.Millisecond << min(tries-1, 5)))
		}
		switch h.attempt(p, true) {
		case sent:
			if p.wake == nil {
				return
			}
			<-p.wake
		case refused:
			h.refuse(p)
		case repeated:
			h.repeat(p)
		}
	}
}

// refuse gives a refusal only if everything it rests on was caught up with since
// the command came; otherwise it catches up, and the command is decided again.
func (h *Handler) refuse(p *pending) {
	behind := slices.DeleteFunc(p.rests.partitions(h.book.Layout()), func(q events.Partition) bool {
		return slices.Contains(p.caught, q)
	})
	if len(behind) == 0 || seededfault.Planted(seededfault.SkipBarrier) {
		h.answer(p, Outcome{Err: p.why})
		return
	}
	if err := h.catchUp(p, behind); err != nil {
		h.answer(p, Outcome{Err: err})
	}
}

// catchUp is the barrier: all partitions at once, so that they share one look at
// the log's ends.
func (h *Handler) catchUp(p *pending, behind []events.Partition) error {
	ctx, cancel := h.until(p)
	defer cancel()
	errs := make([]error, len(behind))
	var all sync.WaitGroup
	for i, q := range behind[1:] {
		all.Go(func() { errs[i+1] = h.tail.CatchUp(ctx, q) })
	}
	errs[0] = h.tail.CatchUp(ctx, behind[0])
	all.Wait()
	if errors.Join(errs...) != nil {
		return ErrUnavailable.With("the log's end can't be learned now; nothing happened")
	}
	p.caught = append(p.caught, behind...)
	return nil
}

// until lasts as long as the command may.
func (h *Handler) until(p *pending) (context.Context, context.CancelFunc) {
	return context.WithDeadline(h.ctx, p.deadline)
}

func (h *Handler) sleep(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-h.ctx.Done():
	}
}

// lineUp resolves a command whose stream is not known yet. Those about the same
// record go one after the other, so that two edits of a message come into the
// log in the order of their coming; those about none need not wait.
func (h *Handler) lineUp(p *pending) {
	if !p.mustFetch() {
		h.workers.Go(func() { h.resolve(p) })
		return
	}
	h.lines.Lock()
	defer h.lines.Unlock()
	waiting, busy := h.line[p.about]
	h.line[p.about] = append(waiting, p)
	if !busy {
		h.workers.Go(func() { h.workLine(p.about) })
	}
}

func (h *Handler) workLine(about events.Position) {
	for {
		h.lines.Lock()
		waiting := h.line[about]
		if len(waiting) == 0 {
			delete(h.line, about)
			h.lines.Unlock()
			return
		}
		h.line[about] = waiting[1:]
		h.lines.Unlock()
		h.resolve(waiting[0])
	}
}

// resolve does what a command needs before its stream is known and that may
// block: it fetches the record that the command is about, and makes sure that
// what was not found is not there.
func (h *Handler) resolve(p *pending) {
	if p.mustFetch() {
		if err := h.fetch(p); err != nil {
			if err = h.turnAway(p, err); p.fetched {
				err = errUnreadable
			}
			h.reject(p, err)
			return
		}
	}
	stream, err := p.request.Command.Stream(&p.state, p.request.Actor)
	if behind := p.rests.partitions(h.book.Layout()); err != nil && refusal(err).rests() && len(behind) > 0 {
		if err := h.catchUp(p, behind); err != nil {
			h.reject(p, h.turnAway(p, err))
			return
		}
		stream, err = p.request.Command.Stream(&p.state, p.request.Actor)
	}
	if err != nil {
		h.reject(p, err)
		return
	}
	h.admit(p, stream)
}

func (p *pending) mustFetch() bool { return p.about != (events.Position{}) && !p.fetched }

// fetch shows a valid record to the command. One that is void, or beyond the
// log's end, is not shown.
func (h *Handler) fetch(p *pending) error {
	about := p.about
	l := h.book.Ledger(about.Partition)
	if l == nil {
		p.fetched = true
		return nil
	}
	if about.Offset > l.Folded() {
		if err := h.catchUp(p, []events.Partition{about.Partition}); err != nil {
			return err
		}
	}
	p.fetched = true
	if about.Offset > l.Folded() || l.Void(about.Offset) {
		return nil
	}
	ctx, cancel := h.until(p)
	defer cancel()
	r, err := h.log.At(ctx, about)
	if err != nil {
		return ErrUnavailable.With("the message can't be read now; nothing happened")
	}
	p.state.record = &r
	return nil
}
