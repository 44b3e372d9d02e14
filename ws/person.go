package ws

import (
	"hash/maphash"
	"iter"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"lishi/events"
)

// hub knows the people who are connected, or were a moment ago.
//
// Locks: a shard's mu is taken with nothing held but a session's mu or, by delivery,
// a partition's fold lock and a ledger's read lock. While it is held only a
// person's mu may be taken.
type hub struct {
	seed       maphash.Seed
	shards     [64]shard
	partitions int
	rate       float64
	burst      float64
	epoch      time.Time    // what times are counted from
	logins     atomic.Int64 // logged-in connections
}

type shard struct {
	mu     sync.RWMutex
	people map[string]*person
	online []*person // those with a logged-in connection, in no order
	swept  time.Time
}

// person is one user on this node, over all connections and HTTP requests.
type person struct {
	id   string
	hole string // the id as JSON: what fills the hole of a shared frame
	// seen holds, by partition, the greatest offset that the user was answered or
	// pushed; 0 where none. A query of theirs sees at least that much.
	seen     []atomic.Int64
	sessions atomic.Pointer[[]*session] // logged in; replaced, never changed
	asking   places                     // queries that run

	mu     sync.Mutex
	refs   int32         // sessions that hold this person
	place  int32         // in the shard's online, which the shard's mu guards
	used   time.Duration // since the hub's epoch
	filled time.Duration
	tokens float64 // of the rate, when filled
}

// linger is how long a person without connection is remembered: longer than any
// read model may lag, and until the rate's bucket is full again.
const linger = time.Minute

func newHub(partitions int, o Options) *hub {
	h := &hub{seed: maphash.MakeSeed(), partitions: partitions, rate: float64(o.Rate), burst: float64(o.Burst), epoch: time.Now()}
	for i := range h.shards {
		h.shards[i].people = map[string]*person{}
	}
	return h
}

func (h *hub) since(now time.Time) time.Duration { return now.Sub(h.epoch) }

func (h *hub) shard(user string) *shard {
	return &h.shards[maphash.String(h.seed, user)%uint64(len(h.shards))]
}

// find gives the person, or nil.
func (h *hub) find(user string) *person {
	s := h.shard(user)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.people[user]
}

// enter gives the person, made where needed. held: until leave is called.
func (h *hub) enter(user string, at time.Time, held bool) *person {
	now := h.since(at)
	s := h.shard(user)
	s.mu.RLock()
	p := s.people[user]
	if p != nil {
		p.touch(now, held) // under the shard's lock: sweep does not miss it
	}
	s.mu.RUnlock()
	if p != nil {
		return p
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep(at, now)
	if p = s.people[user]; p == nil {
		hole := string(appendText(nil, user))
		if quoted := hole[1 : len(hole)-1]; quoted == user {
			user = quoted // one string for both
		}
		p = &person{
			id: user, hole: hole, seen: make([]atomic.Int64, h.partitions),
			tokens: h.burst, filled: now,
		}
		s.people[user] = p
	}
	p.touch(now, held)
	return p
}

func (p *person) touch(now time.Duration, held bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.used = now
	if held {
		p.refs++
	}
}

func (h *hub) leave(p *person, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refs--
	p.used = h.since(now)
}

// sweep forgets people who left long ago. The caller holds s.mu.
func (s *shard) sweep(at time.Time, now time.Duration) {
	if at.Sub(s.swept) < linger {
		return
	}
	s.swept = at
	for id, p := range s.people {
		p.mu.Lock()
		if p.refs == 0 && now-p.used > linger {
			delete(s.people, id)
		}
		p.mu.Unlock()
	}
}

// everybody goes through all people who have a logged-in connection; who comes or
// goes meanwhile is among them or not. No lock is held while one is looked at.
func (h *hub) everybody() iter.Seq[*person] {
	return func(yield func(*person) bool) {
		seen := crowds.Get().(*[]*person)
		defer crowds.Put(seen)
		for i := range h.shards {
			s := &h.shards[i]
			s.mu.RLock()
			*seen = append((*seen)[:0], s.online...)
			s.mu.RUnlock()
			for _, p := range *seen {
				if !yield(p) {
					return
				}
			}
		}
	}
}

// crowds are copies of a shard's people, made where a push goes through all.
var crowds = sync.Pool{New: func() any { return new([]*person) }}

func (h *hub) online(user string) bool {
	p := h.find(user)
	return p != nil && len(p.connections()) > 0
}

// connections are the logged-in ones.
func (p *person) connections() []*session {
	if s := p.sessions.Load(); s != nil {
		return *s
	}
	return nil
}

func (h *hub) login(p *person, s *session) {
	shard := h.shard(p.id)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	list := append(slices.Clone(p.connections()), s)
	p.sessions.Store(&list)
	if len(list) == 1 {
		p.place = int32(len(shard.online))
		shard.online = append(shard.online, p)
	}
	h.logins.Add(1)
}

func (h *hub) logout(p *person, s *session) {
	shard := h.shard(p.id)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(p.connections(), s)
	if i < 0 {
		return
	}
	h.logins.Add(-1)
	if len(p.connections()) > 1 {
		list := slices.Delete(slices.Clone(p.connections()), i, i+1)
		p.sessions.Store(&list)
		return
	}
	p.sessions.Store(nil)
	last := len(shard.online) - 1
	shard.online[p.place] = shard.online[last]
	shard.online[p.place].place = p.place
	shard.online[last] = nil
	shard.online = shard.online[:last]
}

// saw notes that the user was answered or pushed an offset of a partition.
func (p *person) saw(partition int, offset int64) {
	for {
		old := p.seen[partition].Load()
		if offset <= old || p.seen[partition].CompareAndSwap(old, offset) {
			return
		}
	}
}

// cursor is what the user has seen on this node, as positions.
func (p *person) cursor(partitions []events.Partition) events.Cursor {
	c := events.Cursor{}
	for i := range p.seen {
		if o := p.seen[i].Load(); o > 0 {
			c[partitions[i]] = o
		}
	}
	return c
}

// take is one request out of the user's rate. Where it is too much, it says how
// long to wait.
func (h *hub) take(p *person, now time.Time) (wait time.Duration) {
	if h.rate <= 0 {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tokens, p.filled = refill(p.tokens, p.filled, h.since(now), h.rate, h.burst)
	if p.tokens >= 1 {
		p.tokens--
		return 0
	}
	return time.Duration(math.Ceil((1-p.tokens)/h.rate*1000)) * time.Millisecond
}

func refill(tokens float64, filled, now time.Duration, rate, burst float64) (float64, time.Duration) {
	if d := (now - filled).Seconds(); d > 0 {
		return min(burst, tokens+d*rate), now
	}
	return tokens, filled
}
