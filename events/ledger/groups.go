package ledger

import (
	"slices"
	"strings"

	"lishi/events"
)

// Group is what is known of a group after everything folded.
type Group struct {
	Revision  uint64
	Head      events.ID
	Name      string
	Img       string
	Notice    string
	JoinMode  string
	Owner     string
	Creator   string
	CreatedAt int64 // when it was said, Unix milliseconds
	Created   int64 // offset
	Deleted   bool
	DeletedAt int64 // offset
	Members   int   // how many; 0 once it is deleted
}

// Membership is a user's standing in a group.
type Membership struct {
	Role       events.Role
	MutedUntil int64 // Unix milliseconds; 0 if never muted
	Interval         // offsets of the joining and, as far as folded, of the leaving event
}

// group needs the read lock.
func (r *Relations) group(s events.Stream) *group {
	if st := r.l.state.streams[s]; st != nil && st.group != nil && st.group.exists {
		return st.group
	}
	return nil
}

// Group gives a group's facts; ok also for a deleted one.
func (r *Relations) Group(s events.Stream) (Group, bool) {
	r.l.mu.RLock()
	defer r.l.mu.RUnlock()
	g := r.group(s)
	if g == nil {
		return Group{}, false
	}
	st := r.l.state.streams[s]
	return Group{
		Revision: st.revision(), Head: st.head(),
		Name: g.name, Img: g.img, Notice: g.notice, JoinMode: g.joinMode, Owner: g.owner, Creator: g.creator,
		CreatedAt: g.createdAt, Created: g.created, Deleted: g.deleted, DeletedAt: g.deletedAt, Members: g.count(events.Now),
	}, true
}

func (g *group) count(at int64) int {
	if g.gone(at) {
		return 0
	}
	return g.joins.below(at) - g.leaves.below(at)
}

// Count is the number of a group's members.
func (r *Relations) Count(s events.Stream, at int64) int {
	r.l.mu.RLock()
	defer r.l.mu.RUnlock()
	if g := r.group(s); g != nil {
		return g.count(at)
	}
	return 0
}

// Member is a user's standing in a group; ok only if the user was a member.
func (r *Relations) Member(s events.Stream, user string, at int64) (Membership, bool) {
	r.l.mu.RLock()
	defer r.l.mu.RUnlock()
	g := r.group(s)
	if g == nil || g.gone(at) {
		return Membership{}, false
	}
	m := g.find(user)
	if m == nil {
		return Membership{}, false
	}
	is := m.at(at)
	if is.role == events.NoRole {
		return Membership{}, false
	}
	out := Membership{Role: is.role, MutedUntil: is.mutedUntil}
	g.intervals(m, func(i Interval) {
		if i.covers(at) {
			out.Interval = i
		}
	})
	return out, true
}

// intervals hands on all memberships of a member, oldest first.
func (g *group) intervals(m *member, each func(Interval)) {
	from := int64(0)
	in := false
	for i := range len(m.past) + 1 {
		s := m.now
		if i < len(m.past) {
			s = m.past[i]
		}
		switch is := s.role != events.NoRole; {
		case is && !in:
			in, from = true, s.from
		case !is && in:
			in = false
			each(Interval{from, s.from})
		}
	}
	switch {
	case in && g.deleted:
		each(Interval{from, g.deletedAt})
	case in:
		each(Interval{From: from})
	}
}

// Intervals are all memberships a user ever had in a group, oldest first: the
// user may see the records between.
func (r *Relations) Intervals(s events.Stream, user string) []Interval {
	r.l.mu.RLock()
	defer r.l.mu.RUnlock()
	if g := r.group(s); g != nil {
		if m := g.find(user); m != nil {
			var is []Interval
			g.intervals(m, func(i Interval) { is = append(is, i) })
			return is
		}
	}
	return nil
}

// Groups are all groups of the partition that a user was ever a member of, by id.
func (r *Relations) Groups(user string) []events.Stream {
	r.l.mu.RLock()
	defer r.l.mu.RUnlock()
	found := slices.Clone(r.l.state.joined[user])
	slices.SortFunc(found, func(a, b events.Stream) int { return strings.Compare(a.ID, b.ID) })
	return found
}

// Members hands on the members of a group, in order of their first joining,
// until yield says no. yield is called without any lock, so it may ask the
// relations; records folded meanwhile change nothing.
func (r *Relations) Members(s events.Stream, at int64, yield func(user string, role events.Role) bool) {
	var found [128]struct {
		user string
		role events.Role
	}
	for next := 0; ; {
		n := 0
		r.l.mu.RLock()
		g := r.group(s)
		if g == nil {
			r.l.mu.RUnlock()
			return
		}
		at = min(at, r.l.folded+1) // Now is one moment, also for the later rounds
		all := len(g.members)
		if g.gone(at) {
			next = all
		}
		for ; next < all && n < len(found); next++ {
			m := &g.members[next]
			if role := m.at(at).role; role != events.NoRole {
				found[n].user, found[n].role = m.user, role
				n++
			}
		}
		r.l.mu.RUnlock()
		for i := range n {
			if !yield(found[i].user, found[i].role) {
				return
			}
		}
		if next == all {
			return
		}
	}
}

// Admins are the owner and admins of a group.
func (r *Relations) Admins(s events.Stream, at int64) []string {
	r.l.mu.RLock()
	defer r.l.mu.RUnlock()
	g := r.group(s)
	if g == nil || g.gone(at) {
		return nil
	}
	var users []string
	for _, i := range g.staff {
		if m := &g.members[i]; m.at(at).role > events.Member {
			users = append(users, m.user)
		}
	}
	return users
}

// GroupApplication is the newest pending application or invitation of a user in
// a group; whether it expired is for the caller to judge.
func (r *Relations) GroupApplication(s events.Stream, user string) (Application, bool) {
	r.l.mu.RLock()
	defer r.l.mu.RUnlock()
	g := r.group(s)
	if g == nil || len(g.waiting[user]) == 0 {
		return Application{}, false
	}
	ids := g.waiting[user]
	return *r.l.state.asked[ids[len(ids)-1]], true
}

// GroupApplications are all pending applications and invitations of a group,
// oldest first.
func (r *Relations) GroupApplications(s events.Stream) []Application {
	r.l.mu.RLock()
	defer r.l.mu.RUnlock()
	g := r.group(s)
	if g == nil {
		return nil
	}
	var as []Application
	for _, ids := range g.waiting {
		for _, id := range ids {
			as = append(as, *r.l.state.asked[id])
		}
	}
	slices.SortStableFunc(as, func(a, b Application) int { return int(a.Offset - b.Offset) })
	return as
}
