package commands

import (
	"slices"
	"time"

	"lishi/events"
	"lishi/events/ledger"
)

// Policy is what a deployment lets people do. It is looked at when a command is
// decided, never when an event is folded.
type Policy struct {
	// Strangers lets people write to one another without friendship.
	Strangers bool
	// Expiry is how long an application or invitation can be verified (default
	// 7 days).
	Expiry time.Duration
	// RecallWindow is how long a sender can recall a message (default 2 minutes);
	// negative: not at all.
	RecallWindow time.Duration
}

const (
	defaultExpiry       = 7 * 24 * time.Hour
	defaultRecallWindow = 2 * time.Minute
)

// State is what a command is decided on: a read-only view of everything that the
// ledger has folded, for one request. It remembers which streams were asked
// about, because a refusal holds only once those were caught up with.
type State struct {
	book   *ledger.Book
	policy Policy
	stream events.Stream     // of the command, once it is known
	own    *ledger.Relations // of that stream's partition
	actor  string
	no     string // uniqueNo
	record *events.Recorded
	rests  *rests
}

// rests lists what a decision rests on.
type rests struct {
	streams  []events.Stream
	anywhere bool // every partition of conversations: an application that was not found
	room     [4]events.Stream
}

func (r *rests) reset() { r.streams, r.anywhere = r.room[:0], false }

func (r *rests) add(s events.Stream) {
	if r != nil {
		r.streams = append(r.streams, s)
	}
}

// partitions lists each partition once.
func (r *rests) partitions(l events.Layout) []events.Partition {
	var ps []events.Partition
	for _, s := range r.streams {
		if p := l.Partition(s); !slices.Contains(ps, p) {
			ps = append(ps, p)
		}
	}
	if r.anywhere {
		for n := range l.Conversations {
			if p := (events.Partition{Topic: events.Conversations, Number: n}); !slices.Contains(ps, p) {
				ps = append(ps, p)
			}
		}
	}
	return ps
}

// NewState is a view of a book for one request of an actor.
func NewState(book *ledger.Book, policy Policy, actor, uniqueNo string) State {
	if policy.Expiry <= 0 {
		policy.Expiry = defaultExpiry
	}
	if policy.RecallWindow == 0 {
		policy.RecallWindow = defaultRecallWindow
	}
	return State{book: book, policy: policy, actor: actor, no: uniqueNo}
}

// relations is the ledger's view of a stream; asking makes the decision rest on it.
func (s State) relations(of events.Stream) *ledger.Relations {
	s.rests.add(of)
	if s.own != nil && of == s.stream {
		return s.own
	}
	return s.book.Relations(of)
}

// User finds a user by id.
func (s State) User(id string) (ledger.User, bool) {
	s.rests.add(events.UserStream(id))
	return s.book.User(id)
}

// Application implements Lookup.
func (s State) Application(id events.ID) (ledger.Application, bool) {
	a, ok := s.book.Application(id)
	if ok {
		s.rests.add(a.Stream)
	} else if s.rests != nil {
		s.rests.anywhere = true
	}
	return a, ok
}

// EventID implements Lookup.
func (s State) EventID(scope events.Stream) events.ID {
	return scope.RequestID(s.actor, s.no)
}

// Record implements Lookup.
func (s State) Record() (events.Recorded, bool) {
	if s.record == nil {
		return events.Recorded{}, false
	}
	return *s.record, true
}

// knows refuses unknown users.
func (s State) knows(user string) error {
	if _, ok := s.User(user); !ok {
		return errUnknownUser
	}
	return nil
}

// group finds a group that was not deleted.
func (s State) group(stream events.Stream) (ledger.Group, error) {
	g, ok := s.relations(stream).Group(stream)
	if !ok || g.Deleted {
		return g, errUnknownGroup
	}
	return g, nil
}

// member finds a user's membership as of now.
func (s State) member(group events.Stream, user string) (ledger.Membership, bool) {
	return s.relations(group).Member(group, user, events.Now)
}

// knowsFolder refuses folders that the user did not make or has deleted.
func (s State) knowsFolder(user, id string) error {
	if id == "" || id == events.DefaultFolder {
		return nil
	}
	for _, f := range s.relations(events.UserStream(user)).Folders(user) {
		if f.ID.String() == id {
			return nil
		}
	}
	return errUnknownFolder
}

// expiresAt is when an application of now can no longer be verified, in Unix
// milliseconds.
func (s State) expiresAt(now time.Time) int64 { return now.Add(s.policy.Expiry).UnixMilli() }

// waits tells whether an application can still be verified.
func waits(a ledger.Application, now time.Time) bool {
	return a.State == events.Pending && now.UnixMilli() < a.ExpiresAt
}

// verifiable refuses what was verified or has expired, and what a later joining
// has overtaken: it must not open the door again for somebody removed since.
func verifiable(a ledger.Application, now time.Time, joined []ledger.Interval) error {
	switch {
	case a.State != events.Pending:
		return ErrConflict.With("this application has been verified already")
	case now.UnixMilli() >= a.ExpiresAt:
		return ErrConflict.With("this application has expired; it can be made again")
	}
	for _, i := range joined {
		if i.From > a.Offset {
			return ErrConflict.With("this application was overtaken; it can be made again")
		}
	}
	return nil
}

// pending is what waits for a user in a group and can still be verified.
func (s State) pending(group events.Stream, user string, now time.Time) (ledger.Application, bool) {
	r := s.relations(group)
	a, ok := r.GroupApplication(group, user)
	return a, ok && verifiable(a, now, r.Intervals(group, user)) == nil
}

// admissible is verifiable for membership of a group.
func (s State) admissible(a ledger.Application, now time.Time) error {
	if _, member := s.member(a.Stream, a.User); member {
		return ErrConflict.With("the user is a member of this group already")
	}
	return verifiable(a, now, s.relations(a.Stream).Intervals(a.Stream, a.User))
}

// answer checks a verification's applyState.
func answer(state string) error {
	if state != events.Agreed && state != events.Refused {
		return ErrBadRequest.With(`applyState must be "0" (refused) or "9" (agreed)`)
	}
	return nil
}

// findApplication finds an application of a kind by its id on the wire. Every id
// that was ever given out is well-formed, so another one names nothing.
func findApplication(l Lookup, id string, kind ledger.ApplicationKind) (ledger.Application, error) {
	parsed, err := events.ParseID(id)
	if err != nil || parsed.IsZero() {
		return ledger.Application{}, errUnknownApplication
	}
	a, ok := l.Application(parsed)
	if !ok || a.Kind != kind {
		return ledger.Application{}, errUnknownApplication
	}
	return a, nil
}

// pairWith is the stream of the actor and another user, who must not be himself.
func pairWith(actor Actor, user string) (events.Stream, error) {
	if user == actor.ID {
		return events.Stream{}, ErrBadRequest.With("that is you yourself")
	}
	return events.PairStream(actor.ID, user), nil
}
