package ledger

import (
	"slices"

	"lishi/events"
)

// Relations is a read-only view of what a ledger has folded, safe for any
// goroutine. Where a method takes an offset `at`, it answers as of just before
// the record at that offset; events.Now asks for what is true after everything
// folded. No answer shares memory with the ledger.
type Relations struct{ l *Ledger }

// Interval is a span of offsets: From began it, To ended it. To is 0 while it is
// open. The records in it are those with From < offset <= To.
type Interval struct{ From, To int64 }

func (i Interval) covers(at int64) bool { return i.From < at && (i.To == 0 || at <= i.To) }

// Pair is what two users are to each other.
type Pair struct {
	Revision  uint64
	Head      events.ID
	Known     bool // there was a relation event at all
	Friends   bool
	Intervals []Interval    // all friendships ever
	Waiting   []Application // pending ones, oldest first; whether they expired is for the caller to judge

	key     events.Stream
	blocked [2]bool
	views   [2]View
}

// View is what one of a pair of friends keeps of the other. A folder that does
// not exist any more means the default one.
type View struct{ Remark, FriendGroupID string }

// View is how that user sees the other one; empty if they are no friends.
func (p Pair) View(of string) View {
	switch of {
	case p.key.ID:
		return p.views[0]
	case p.key.Peer:
		return p.views[1]
	}
	return View{}
}

// Folder is one that a user made for friends.
type Folder struct {
	ID   events.ID
	Name string
}

// Blocked tells whether that user has blocked the other one.
func (p Pair) Blocked(by string) bool {
	return by == p.key.ID && p.blocked[0] || by == p.key.Peer && p.blocked[1]
}

// Since is the offset at which the present friendship began; 0 if they are no
// friends.
func (p Pair) Since() int64 {
	if !p.Friends {
		return 0
	}
	return p.Intervals[len(p.Intervals)-1].From
}

// ApplicationKind says what was asked.
type ApplicationKind byte

const (
	FriendApplication ApplicationKind = iota + 1 // Actor asks User for friendship
	GroupApplication                             // Actor asks for membership
	GroupInvitation                              // Actor asks User to become a member
)

// Application is an application for friendship or membership, or an invitation.
type Application struct {
	Stream events.Stream
	ID     events.ID
	Offset int64 // of the event that made it
	Kind   ApplicationKind
	Actor  string // who applied or invited
	// User is whom it concerns: the one asked for friendship; of a group, the one
	// who would become a member.
	User          string
	State         string // events.Pending, Agreed or Refused; that it expired is for the caller to judge
	ExpiresAt     int64  // Unix milliseconds
	Note          string
	Remark        string
	FriendGroupID string
}

// User is a person's profile.
type User struct {
	Revision  uint64
	Head      events.ID
	NickName  string
	Avatar    string
	NameSet   bool   // by updateUser; a token's name never replaces it
	TokenName string // the last one a token carried
}

// Head is the last valid relation event of a stream and its revision; 0 and the
// zero id if there was none.
func (r *Relations) Head(s events.Stream) (revision uint64, head events.ID) {
	r.l.mu.RLock()
	defer r.l.mu.RUnlock()
	st := r.l.state.streams[s]
	return st.revision(), st.head()
}

// Pair is the relation of a pair's stream.
func (r *Relations) Pair(s events.Stream) Pair {
	r.l.mu.RLock()
	defer r.l.mu.RUnlock()
	p, st := r.pair(s)
	if st != nil {
		p.Intervals = slices.Clone(st.friends)
	}
	return p
}

// PairNow is Pair without Intervals, which only the past is asked for.
func (r *Relations) PairNow(s events.Stream) Pair {
	r.l.mu.RLock()
	defer r.l.mu.RUnlock()
	p, _ := r.pair(s)
	return p
}

// pair needs the ledger's lock.
func (r *Relations) pair(s events.Stream) (Pair, *stream) {
	p := Pair{key: s}
	st := r.l.state.streams[s]
	if st == nil || st.pair == nil {
		return p, nil
	}
	p.Revision, p.Head, p.Known = st.revision(), st.head(), st.revision() > 0
	p.Friends, p.blocked, p.views = st.friendsNow(), st.blocked, st.views
	for _, id := range st.pair.waiting {
		p.Waiting = append(p.Waiting, *r.l.state.asked[id])
	}
	return p, st
}

// FriendsAt tells whether a pair were friends.
func (r *Relations) FriendsAt(s events.Stream, at int64) bool {
	r.l.mu.RLock()
	defer r.l.mu.RUnlock()
	st := r.l.state.streams[s]
	if st == nil || st.pair == nil {
		return false
	}
	if at > r.l.folded {
		return st.friendsNow()
	}
	for i := len(st.friends) - 1; i >= 0; i-- {
		if st.friends[i].From < at {
			return st.friends[i].covers(at)
		}
	}
	return false
}

// Application finds an application or invitation by its id, in whatever state.
func (r *Relations) Application(id events.ID) (Application, bool) {
	r.l.mu.RLock()
	defer r.l.mu.RUnlock()
	if a := r.l.state.asked[id]; a != nil {
		return *a, true
	}
	return Application{}, false
}

// User is a person's profile, if the person is registered.
func (r *Relations) User(id string) (User, bool) {
	r.l.mu.RLock()
	defer r.l.mu.RUnlock()
	st := r.l.state.streams[events.UserStream(id)]
	if st == nil || st.revision() == 0 {
		return User{}, false
	}
	u := st.user
	return User{
		Revision: st.revision(), Head: st.head(),
		NickName: u.nickName, Avatar: u.avatar, NameSet: u.nameSet, TokenName: u.tokenName,
	}, true
}

// Folders are those that a user made and did not delete, in the order of their
// making.
func (r *Relations) Folders(user string) []Folder {
	r.l.mu.RLock()
	defer r.l.mu.RUnlock()
	if st := r.l.state.streams[events.UserStream(user)]; st != nil {
		return append([]Folder(nil), st.folders...)
	}
	return nil
}

// Mark is how far a reader has read a conversation, named by its stream's key.
func (r *Relations) Mark(reader, conversation string) (events.Position, bool) {
	r.l.mu.RLock()
	defer r.l.mu.RUnlock()
	st := r.l.state.streams[events.UserStream(reader)]
	if st == nil {
		return events.Position{}, false
	}
	p, ok := st.user.marks[conversation]
	return p, ok
}
