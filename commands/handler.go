package commands

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"lishi/events"
	"lishi/events/ledger"
)

// Tail is what the handler needs of whoever reads the log.
type Tail interface {
	Book() *ledger.Book
	// CatchUp returns once everything is folded that was in the partition when
	// the call began.
	CatchUp(context.Context, events.Partition) error
	// Wait returns once everything up to the cursor is folded, and was handed to
	// Settle.
	Wait(context.Context, events.Cursor) error
}

// Requests finds requests that are older than the ledger's memory of ids. Find
// looks for the valid event with an id among the records of a partition up to an
// offset; events.ErrUnavailable if it has not come that far.
type Requests interface {
	Find(ctx context.Context, p events.Partition, id events.ID, upTo int64) (events.Position, bool, error)
}

// Request is one command as it was sent.
type Request struct {
	URL         string
	Command     Command
	Actor       Actor
	UniqueNo    string
	Fingerprint events.Fingerprint // of url and command
	Resend      bool               // the client may have sent this before, however long ago
	Time        time.Time          // when it came; the time that is said in the event
	Origin      any                // handed back by Settle: the connection that gets the answer
}

// Outcome is the answer to a request. Err is nil or a *Refusal. Of a success
// that appended nothing, Event has no position.
type Outcome struct {
	Event events.Recorded
	Err   error
}

// Options are the handler's limits; the zero value has the defaults.
type Options struct {
	Policy Policy
	// Deadline is how long a command waits for the log (default 10 s).
	Deadline time.Duration
	// UnderWay is how many commands may be under way at once (default 65536);
	// more are refused with unavailable.
	UnderWay int
	// Requests serves resends; nil refuses those it would be needed for.
	Requests Requests
}

// Handler takes commands, appends the events they are decided to be, and answers
// when the log has shown them. Relation commands of a stream go one after the
// other. Messages do not wait for one another, only for the relation commands
// before them. It is safe for concurrent use.
//
// Lock order: a partition of the tail, part.mu, the ledger's. done is called
// without part.mu.
type Handler struct {
	log     events.AsyncLog
	tail    Tail
	book    *ledger.Book
	options Options
	parts   map[events.Topic][]*part

	hearings sync.Pool // of *hearing

	underWay atomic.Int64
	closing  atomic.Bool
	idle     chan struct{} // a signal that underWay fell to 0 while closing

	ctx     context.Context
	cancel  context.CancelFunc
	workers sync.WaitGroup

	lines sync.Mutex
	line  map[events.Position][]*pending // commands whose stream is not known yet, by the record they are about
}

// NewHandler makes a handler. The tail's delivery must hand every record to
// Settle.
func NewHandler(log events.AsyncLog, t Tail, o Options) *Handler {
	if o.Deadline <= 0 {
		o.Deadline = 10 * time.Second
	}
	if o.UnderWay <= 0 {
		o.UnderWay = 65536
	}
	h := &Handler{
		log: log, tail: t, book: t.Book(), options: o, parts: map[events.Topic][]*part{}, idle: make(chan struct{}, 1),
		line: map[events.Position][]*pending{},
	}
	for _, p := range h.book.Layout().Partitions() {
		h.parts[p.Topic] = append(h.parts[p.Topic], newPart(p, h.book.Ledger(p)))
	}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	h.workers.Go(h.watchDeadlines)
	return h
}

// part is what one partition's commands share.
func (h *Handler) part(p events.Partition) *part { return h.parts[p.Topic][p.Number] }

func (h *Handler) partOf(s events.Stream) *part { return h.part(h.book.Layout().Partition(s)) }

// Submit takes a command. It does not block on the log. Commands that one
// goroutine submits to one stream are appended in the order of the calls. done is
// called exactly once, on Submit's goroutine or another, and must not block; it
// may be called before Submit returns.
//
// ctx is looked at once: when it has ended, nothing is sent. A command that was
// sent is in the log's hands.
func (h *Handler) Submit(ctx context.Context, r Request, done func(Outcome)) {
	h.submit(ctx, r, events.ID{}, done)
}

func (h *Handler) submit(ctx context.Context, r Request, id events.ID, done func(Outcome)) {
	p := h.newPending(r, id, done)
	err := h.enter(ctx)
	if err != nil {
		done(Outcome{Err: h.turnAway(p, err)})
		return
	}
	if c, ok := r.Command.(About); ok {
		if p.about, err = c.About(); err != nil {
			h.reject(p, err)
			return
		}
	}
	stream, err := r.Command.Stream(&p.state, r.Actor)
	if err != nil {
		if refusal(err).rests() {
			h.lineUp(p)
			return
		}
		h.reject(p, err)
		return
	}
	h.admit(p, stream)
}

// enter counts a command in, or says why not.
func (h *Handler) enter(ctx context.Context) error {
	n := h.underWay.Add(1)
	var err error
	switch {
	case h.closing.Load():
		err = errClosing
	case n > int64(h.options.UnderWay):
		err = errOverload
	case ctx.Err() != nil:
		err = ErrUnavailable.With("the request ended before it was sent; nothing happened")
	}
	if err != nil {
		h.leave(1)
	}
	return err
}

func (h *Handler) leave(n int) {
	if h.underWay.Add(int64(-n)) <= 0 && h.closing.Load() {
		select {
		case h.idle <- struct{}{}:
		default:
		}
	}
}

// turnAway is the answer to a command that was not taken: unavailable, unless
// the same request came before and its fate is not known.
func (h *Handler) turnAway(p *pending, err error) error {
	stream, e := p.request.Command.Stream(&p.state, p.request.Actor)
	if e != nil {
		if c, ok := p.request.Command.(About); ok {
			if about, e := c.About(); e == nil && h.underWayAbout(p, about) {
				return ErrUnknown
			}
		}
		return err
	}
	h.name(p, stream)
	p.part.mu.Lock()
	defer p.part.mu.Unlock()
	if p.part.commands[p.id] != nil {
		return ErrUnknown
	}
	return err
}

// underWayAbout tells whether the same request about a record is under way or in
// doubt. Its id is not known without the record, so it is searched for.
func (h *Handler) underWayAbout(p *pending, about events.Position) bool {
	if h.book.Ledger(about.Partition) == nil {
		return false
	}
	part := h.part(about.Partition)
	part.mu.Lock()
	defer part.mu.Unlock()
	for _, other := range part.commands {
		if r := &other.request; r.Fingerprint == p.request.Fingerprint && r.Actor.ID == p.request.Actor.ID && r.UniqueNo == p.request.UniqueNo {
			return true
		}
	}
	return false
}

// reject answers a command that never came as far as a stream.
func (h *Handler) reject(p *pending, err error) {
	h.tell(p, p.waiters, Outcome{Err: refusal(err)})
}

// name gives a command its stream and id.
func (h *Handler) name(p *pending, stream events.Stream) {
	r := &p.request
	p.stream, p.part = stream, h.partOf(stream)
	p.state.stream, p.state.own = stream, p.part.ledger.Relations()
	if !p.id.IsZero() {
		return
	}
	scope := stream
	if c, ok := r.Command.(Scoped); ok {
		scope = c.Scope(stream, r.Actor)
	}
	p.id = scope.RequestID(r.Actor.ID, r.UniqueNo)
	p.other = h.otherPlace(p, scope)
}

// otherPlace is where else an id of this scope can be: a conversation's in the
// actor's read marks or in the conversation; the actor's own in the actor's
// stream or in the group that it made.
func (h *Handler) otherPlace(p *pending, scope events.Stream) *part {
	other := events.UserStream(p.request.Actor.ID)
	switch {
	case scope != p.stream:
		other = scope
	case scope.Kind == events.User:
		other = events.GroupStream(p.id.String())
	}
	if part := h.partOf(other); part != p.part {
		return part
	}
	return nil
}

// admit joins the command to the same one under way, puts it behind those it
// must wait for, or decides it here and now.
func (h *Handler) admit(p *pending, stream events.Stream) {
	h.name(p, stream)
	part := p.part
	part.mu.Lock()
	if old := part.commands[p.id]; old != nil {
		switch {
		case old.answered: // unknown: it may be in the log; this one tries again
			p.doubt = true
			part.forget(old)
		case old.request.Fingerprint != p.request.Fingerprint:
			part.mu.Unlock()
			h.reject(p, errReused)
			return
		default:
			old.waiters = append(old.waiters, p.waiters...)
			part.mu.Unlock()
			return
		}
	}
	if h.ctx.Err() != nil {
		part.mu.Unlock()
		err := errClosing
		if p.doubt {
			err = ErrUnknown
		}
		h.reject(p, err)
		return
	}
	part.enter(p)
	_, busy := part.queues[stream]
	if busy || p.ordering == events.ByRevision {
		h.enqueue(p)
		part.mu.Unlock()
		return
	}
	part.mu.Unlock()
	switch h.attempt(p, false) {
	case refused, blocking:
		part.mu.Lock()
		h.enqueue(p)
		part.mu.Unlock()
	case repeated:
		h.workers.Go(func() { h.repeat(p) })
	}
}

// Close takes no more commands, waits for those under way as long as ctx lasts,
// and then answers what is left: unknown, or unavailable where nothing was sent.
func (h *Handler) Close(ctx context.Context) error {
	h.closing.Store(true)
	var err error
	for err == nil && h.underWay.Load() > 0 {
		select {
		case <-h.idle:
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	h.cancel()
	h.expire(time.Time{})
	for h.underWay.Load() > 0 { // those who just learn of it
		<-h.idle
	}
	h.workers.Wait()
	return err
}

// refusal is the refusal in an error of a decider or of the log.
func refusal(err error) *Refusal {
	var r *Refusal
	switch {
	case errors.As(err, &r):
		return r
	case errors.Is(err, events.ErrUnknown):
		return ErrUnknown
	}
	return ErrUnavailable.With(err.Error())
}
