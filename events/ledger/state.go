package ledger

import (
	"slices"

	"lishi/events"
)

// state is what the valid records of a partition say: the chains of revisions,
// and the relations. Everything in it keeps the offsets at which it changed.
type state struct {
	streams map[events.Stream]*stream
	order   []*stream // by first record: a snapshot of the same state has the same bytes
	asked   map[events.ID]*Application
	asking  []*Application             // by first record
	joined  map[string][]events.Stream // the groups that a user was ever a member of
	copying *copying                   // a snapshot being made, or nil
}

// stream is one conversation or user that has relation events or read marks.
type stream struct {
	key   events.Stream
	place int         // in state.order
	ids   []events.ID // of the valid relation events; revision n is ids[n-1]
	void  []events.ID // of those that lost; a writer may still have decided on one
	*pair
	*group
	*user
}

func newState() state {
	return state{streams: map[events.Stream]*stream{}, asked: map[events.ID]*Application{}, joined: map[string][]events.Stream{}}
}

// stream is for changing it.
func (st *state) stream(key events.Stream) *stream {
	s := st.streams[key]
	if s != nil && st.copying != nil {
		st.copying.keepStream(s)
	}
	if s == nil {
		s = &stream{key: key, place: len(st.order)}
		switch key.Kind {
		case events.Pair:
			s.pair = &pair{}
		case events.Group:
			s.group = &group{index: map[string]int32{}}
		case events.User:
			s.user = &user{}
		}
		st.streams[key] = s
		st.order = append(st.order, s)
	}
	return s
}

// index enters a group with those of its members that came after the first known.
func (st *state) index(s *stream, known int) {
	for _, m := range s.members[known:] {
		st.joined[m.user] = append(st.joined[m.user], s.key)
	}
}

func (s *stream) revision() uint64 {
	if s == nil {
		return 0
	}
	return uint64(len(s.ids))
}

func (s *stream) head() events.ID {
	if s == nil || len(s.ids) == 0 {
		return events.ID{}
	}
	return s.ids[len(s.ids)-1]
}

// seen tells whether an id is of this stream's relation events, valid or void.
func (s *stream) seen(id events.ID, revision uint64) bool {
	if id.IsZero() {
		return true
	}
	if s == nil {
		return false
	}
	if n := revision - 1; n >= 1 && n <= uint64(len(s.ids)) && s.ids[n-1] == id {
		return true
	}
	return slices.Contains(s.void, id) || slices.Contains(s.ids, id)
}

// Of blocked and views the first is the stream's ID's, the second its Peer's.
type pair struct {
	friends []Interval
	blocked [2]bool
	views   [2]View
	waiting []events.ID
}

func (p *pair) friendsNow() bool {
	n := len(p.friends)
	return n > 0 && p.friends[n-1].To == 0
}

type user struct {
	nickName, avatar, tokenName string
	nameSet                     bool
	folders                     []Folder // in order of their making
	marks                       map[string]events.Position
}

type group struct {
	name, img, notice, joinMode, owner, creator string

	createdAt int64 // said, Unix milliseconds
	created   int64 // offset
	exists    bool
	deleted   bool
	deletedAt int64 // offset

	index   map[string]int32 // user → place in members
	members []member         // everybody who ever was one, by first joining
	staff   []int32          // places of those who ever were owner or admin
	joins   offsets
	leaves  offsets
	waiting map[string][]events.ID
}

// member is one user's history in a group.
type member struct {
	user string
	now  spell
	past []spell // oldest first
}

// spell is what holds for the records after an offset, until the next spell.
type spell struct {
	from       int64
	mutedUntil int64
	role       events.Role // NoRole: not a member
}

// at is the spell in which the record at an offset falls.
func (m *member) at(at int64) spell {
	if m.now.from < at {
		return m.now
	}
	for i := len(m.past) - 1; i >= 0; i-- {
		if m.past[i].from < at {
			return m.past[i]
		}
	}
	return spell{}
}

func (m *member) change(offset int64, to spell) {
	to.from = offset
	m.past = append(m.past, m.now)
	m.now = to
}

// gone tells whether the group's end lies before the record at an offset.
func (g *group) gone(at int64) bool { return g.deleted && g.deletedAt < at }

func (g *group) find(user string) *member {
	if i, ok := g.index[user]; ok {
		return &g.members[i]
	}
	return nil
}

// role is the user's role after everything folded.
func (g *group) role(user string) events.Role {
	if m := g.find(user); m != nil && !g.deleted {
		return m.now.role
	}
	return events.NoRole
}

func (g *group) join(offset int64, user string, role events.Role) {
	m := g.find(user)
	switch {
	case m == nil:
		g.index[user] = int32(len(g.members))
		g.members = append(g.members, member{user: user, now: spell{from: offset, role: role}})
	case m.now.role != events.NoRole:
		return
	default: // who left does not shake off a mute by coming back
		m.change(offset, spell{role: role, mutedUntil: m.now.mutedUntil})
	}
	g.joins.add(offset)
	g.note(user, role)
}

func (g *group) leave(offset int64, user string) {
	if m := g.find(user); m != nil && m.now.role != events.NoRole {
		m.change(offset, spell{mutedUntil: m.now.mutedUntil})
		g.leaves.add(offset)
	}
}

func (g *group) setRole(offset int64, user string, role events.Role) {
	if m := g.find(user); m != nil && m.now.role != events.NoRole && m.now.role != role {
		m.change(offset, spell{role: role, mutedUntil: m.now.mutedUntil})
		g.note(user, role)
	}
}

func (g *group) mute(offset int64, user string, until int64) {
	if m := g.find(user); m != nil && m.now.role != events.NoRole {
		m.change(offset, spell{role: m.now.role, mutedUntil: until})
	}
}

// note keeps the places of those whom Admins has to look at.
func (g *group) note(user string, role events.Role) {
	if i := g.index[user]; role > events.Member && !slices.Contains(g.staff, i) {
		g.staff = append(g.staff, i)
	}
}
