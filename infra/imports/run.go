package imports

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"lishi/events"
	"lishi/events/ledger"
	"lishi/events/tail"
)

// Options of one import.
type Options struct {
	Zone    *time.Location
	SkipBad bool
	// Progress is called every so often, from Run's goroutine.
	Progress func(Summary)
}

// Summary is what an import did so far.
type Summary struct {
	Lines    int // looked at
	Total    int // found by the scan
	Bad      int // skipped as bad
	Known    int // already in the log
	Messages int // appended
	Users    int // registered
	Groups   int // created
	Joined   int // memberships
	Friends  int // friendships
	Elapsed  time.Duration
}

// inFlight bounds the events that wait for the log, and with it how far a
// message's basis can fall behind its offset.
const inFlight = 16384

// Importer appends the lines of sources. The tail must be running and ready.
type Importer struct {
	log     events.AsyncLog
	tail    *tail.Tail
	known   *Known
	options Options
	heads   map[events.Stream]head
	done    map[fact]bool
	slots   chan struct{}
	failed  atomic.Pointer[error]
	waiting sync.WaitGroup
	last    events.Cursor
	lastMu  sync.Mutex
	sum     Summary
}

type head struct {
	revision uint64
	id       events.ID
}

// fact is something that must be true once before a message: a user, a group, a
// membership, a friendship.
type fact struct {
	stream events.Stream
	user   string
}

// Known observes a tail and remembers the ids of all imported messages, without
// a window, so that importing again adds nothing.
type Known struct {
	mu  sync.Mutex
	ids map[events.ID]struct{}
	// void is how many imported records did not count: another writer was at work
	// on the same streams.
	void int
}

// NewKnown makes an empty memory.
func NewKnown() *Known { return &Known{ids: map[events.ID]struct{}{}} }

// Observe implements tail.Observer.
func (k *Known) Observe(r events.Recorded, v ledger.Verdict) {
	if !r.Imported {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case v.Void() && v != ledger.Repeat:
		k.void++
	case r.Body.Type() == (events.MessageSent{}).Type():
		k.ids[r.ID] = struct{}{}
	}
}

func (k *Known) has(id events.ID) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	_, ok := k.ids[id]
	return ok
}

func (k *Known) any() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.ids) > 0
}

func (k *Known) voids() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.void
}

// New makes an importer. known must have observed the tail from its first record.
func New(log events.AsyncLog, t *tail.Tail, known *Known, o Options) *Importer {
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	return &Importer{
		log: log, tail: t, known: known, options: o,
		heads: map[events.Stream]head{}, done: map[fact]bool{},
		slots: make(chan struct{}, inFlight), last: events.Cursor{},
	}
}

// Run scans all sources, stops at the first bad line unless told to skip them,
// then appends: users, groups, memberships and friendships before the messages
// that need them. It returns once everything is in the log, folded and valid.
func (im *Importer) Run(ctx context.Context, sources ...*Source) (Summary, error) {
	begun := time.Now()
	before := im.known.voids()
	var firsts []Line
	for _, s := range sources {
		found, err := im.scan(ctx, s)
		if err != nil {
			return im.sum, err
		}
		firsts = append(firsts, found...)
	}
	for i := range firsts {
		if err := im.relations(ctx, &firsts[i]); err != nil {
			return im.sum, err
		}
	}
	for _, s := range sources {
		err := s.read(im.options.Zone, newIdentities(), func(_ int, l Line, bad *BadLine) error {
			if bad != nil {
				return nil
			}
			im.progress(begun, false)
			return im.message(ctx, &l)
		})
		if err != nil {
			im.waiting.Wait()
			return im.sum, err
		}
	}
	im.waiting.Wait()
	if err := im.failure(); err != nil {
		return im.sum, err
	}
	if err := im.tail.Wait(ctx, im.last); err != nil {
		return im.sum, err
	}
	im.progress(begun, true)
	if n := im.known.voids() - before; n > 0 {
		return im.sum, fmt.Errorf("%d records did not count: another writer was at work on the same conversations; import again to add what is missing", n)
	}
	return im.sum, nil
}

func (im *Importer) progress(begun time.Time, last bool) {
	im.sum.Elapsed = time.Since(begun)
	if im.options.Progress != nil && (last || im.sum.Lines%4096 == 0) {
		im.options.Progress(im.sum)
	}
}

// scan validates every line and collects those that are not in the log yet and
// that a user, a group, a membership or a friendship is seen in for the first
// time, in order.
func (im *Importer) scan(ctx context.Context, s *Source) (lines []Line, err error) {
	bad := 0
	seen := map[fact]bool{}
	first := func(f fact, l Line) {
		if !seen[f] {
			seen[f] = true
			lines = append(lines, l)
		}
	}
	total := 0
	var before *identities // where nothing was imported before, no line is known
	if im.known.any() {
		before = newIdentities()
	}
	err = s.read(im.options.Zone, before, func(_ int, l Line, b *BadLine) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		total++
		if b != nil {
			bad++
			if !im.options.SkipBad {
				return b
			}
			return nil
		}
		if im.known.has(l.id) {
			return nil // who has left since is not brought back
		}
		l.Text = "" // the facts need none
		first(fact{l.stream(), l.From}, l)
		if l.To != "" {
			first(fact{l.stream(), l.To}, l)
		}
		return nil
	})
	im.sum.Total += total
	im.sum.Lines += bad
	im.sum.Bad += bad
	return lines, err
}

// relations appends what must be true before the line can be said.
func (im *Importer) relations(ctx context.Context, l *Line) error {
	if err := im.user(ctx, l.From, l.Time); err != nil {
		return err
	}
	if l.Group != "" {
		return im.member(ctx, l)
	}
	if err := im.user(ctx, l.To, l.Time); err != nil {
		return err
	}
	return im.friends(ctx, l)
}

func (im *Importer) user(ctx context.Context, id string, at time.Time) error {
	s := events.UserStream(id)
	if im.done[fact{s, id}] {
		return nil
	}
	im.done[fact{s, id}] = true
	if _, ok := im.tail.Book().User(id); ok {
		return nil
	}
	im.sum.Users++
	return im.relation(ctx, s, id, at, events.UserRegistered{NickName: id})
}

func (im *Importer) member(ctx context.Context, l *Line) error {
	s := l.stream()
	if !im.done[fact{s, ""}] {
		im.done[fact{s, ""}] = true
		if g, ok := im.tail.Book().Relations(s).Group(s); !ok {
			im.sum.Groups++
			im.done[fact{s, l.From}] = true
			return im.relation(ctx, s, l.From, l.Time, events.GroupCreated{GroupName: l.Group, JoinMode: events.JoinByApplication})
		} else if g.Deleted {
			return fmt.Errorf("group %q was deleted; its history can't be added to", l.Group)
		}
	}
	if im.done[fact{s, l.From}] {
		return nil
	}
	im.done[fact{s, l.From}] = true
	if m, ok := im.tail.Book().Relations(s).Member(s, l.From, events.Now); ok {
		if until := time.UnixMilli(m.MutedUntil); until.After(time.Now()) {
			return fmt.Errorf("%s is muted in group %q until %s; nothing they said can be added before", l.From, l.Group, until.UTC().Format(time.RFC3339))
		}
		return nil
	}
	im.sum.Joined++
	return im.relation(ctx, s, l.From, l.Time, events.GroupJoined{GroupName: l.Group})
}

func (im *Importer) friends(ctx context.Context, l *Line) error {
	s := l.stream()
	if im.done[fact{s, ""}] {
		return nil
	}
	im.done[fact{s, ""}] = true
	switch pair := im.tail.Book().Relations(s).Pair(s); {
	case pair.Blocked(s.ID) || pair.Blocked(s.Peer):
		return fmt.Errorf("one of %s and %s has blocked the other; nothing can be added to what they said while that is so", s.ID, s.Peer)
	case pair.Friends:
		return nil
	}
	im.sum.Friends++
	return im.relation(ctx, s, l.From, l.Time, events.FriendAgreed{Applicant: l.To})
}

// relation appends an event that carries a revision. The importer is the only
// writer of these streams while it runs, so it counts them on by itself.
func (im *Importer) relation(ctx context.Context, s events.Stream, actor string, at time.Time, body events.Body) error {
	h, ok := im.heads[s]
	if !ok {
		h.revision, h.id = im.tail.Book().Relations(s).Head(s)
	}
	id := events.NewID(s.Key(), actor, fmt.Sprintf("import|%s|%d", body.Type(), h.revision+1))
	err := im.append(ctx, events.Event{
		ID: id, Prev: h.id, Stream: s, Revision: h.revision + 1,
		Actor: actor, ActorName: actor, Request: "import", Imported: true, Time: at, Body: body,
	})
	im.heads[s] = head{h.revision + 1, id}
	return err
}

func (im *Importer) message(ctx context.Context, l *Line) error {
	im.sum.Lines++
	if im.known.has(l.id) {
		im.sum.Known++
		return nil
	}
	s := l.stream()
	im.sum.Messages++
	return im.append(ctx, events.Event{
		ID: l.id, Stream: s, Basis: im.tail.Book().Of(s).Folded(),
		Actor: l.From, ActorName: l.From, Request: "import", Imported: true, Time: l.Time,
		Body: events.MessageSent{Content: events.Content{Plain: l.Text}},
	})
}

func (im *Importer) append(ctx context.Context, e events.Event) error {
	if err := im.failure(); err != nil {
		return err
	}
	select {
	case im.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	im.waiting.Add(1)
	im.log.AppendAsync(e, func(p events.Position, err error) {
		if err != nil {
			err = fmt.Errorf("append to %s: %w", e.Stream, err)
			im.failed.CompareAndSwap(nil, &err)
		} else {
			im.lastMu.Lock()
			im.last.Advance(p)
			im.lastMu.Unlock()
		}
		<-im.slots
		im.waiting.Done()
	})
	return nil
}

func (im *Importer) failure() error {
	if p := im.failed.Load(); p != nil {
		return *p
	}
	return nil
}

// IsBad tells whether an import ended at a bad line.
func IsBad(err error) bool {
	var b *BadLine
	return errors.As(err, &b)
}
