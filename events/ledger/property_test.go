package ledger

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"lishi/events"
)

const smallW = 12 // so that histories of a few dozen records run past the window

var (
	people  = []string{"an", "bo", "cy"}
	streams = []events.Stream{
		events.PairStream("an", "bo"), events.PairStream("bo", "cy"), events.GroupStream("g"), events.GroupStream("h"),
		events.UserStream("an"), events.UserStream("bo"),
	}
)

// world is one log and the writers who append to it, each having read only a
// part. Bodies come at random, deciders or not: the ledger must not depend on
// good manners.
type world struct {
	t       *rapid.T
	log     []events.Recorded
	oracle  oracle
	whole   *Ledger
	writers []*writerState
	now     time.Time
	nth     int
}

// writerState is a node: it decides on what it has folded, and on its own events
// that it has not read back yet.
type writerState struct {
	l      *Ledger
	behind map[events.Stream]events.Event // its latest event of a stream, not read back
}

func newWorld(t *rapid.T) *world {
	w := &world{t: t, oracle: oracle{width: smallW}, whole: newLedger(c0, smallW), now: begun}
	for range 2 {
		w.writers = append(w.writers, &writerState{l: newLedger(c0, smallW), behind: map[events.Stream]events.Event{}})
	}
	w.append(events.Event{ID: events.NewID("log", "", ""), Stream: events.SystemStream(), Body: events.LogOpened{LogID: "x"}})
	return w
}

// append puts an event at the end of the log and checks the verdict on it.
func (w *world) append(e events.Event) {
	w.now = w.now.Add(time.Duration(rapid.IntRange(-1, 3).Draw(w.t, "seconds")) * time.Second)
	e.Time = w.now.UTC()
	r := events.Recorded{Event: e, At: w.now.UTC(), Position: events.Position{Partition: c0, Offset: int64(len(w.log))}}
	got, err := w.whole.Admit(r)
	if err != nil {
		w.t.Fatalf("%s %T: %v", r.Position, e.Body, err)
	}
	if want := w.oracle.admit(r); got != want {
		w.t.Fatalf("%s %T by %s in %s: %s, the rules say %s", r.Position, e.Body, e.Actor, e.Stream, got, want)
	}
	w.log = append(w.log, r)
}

func (w *world) fold(n *writerState, to int) {
	for int(n.l.Folded())+1 < to {
		r := w.log[n.l.Folded()+1]
		if _, err := n.l.Admit(r); err != nil {
			w.t.Fatal(err)
		}
		if mine, ok := n.behind[r.Stream]; ok && mine.ID == r.ID && mine.Revision == r.Revision {
			delete(n.behind, r.Stream) // read back
		}
	}
}

// step lets one writer read some and append some.
func (w *world) step() {
	n := w.writers[rapid.IntRange(0, len(w.writers)-1).Draw(w.t, "writer")]
	folded := int(n.l.Folded()) + 1
	w.fold(n, rapid.IntRange(folded, len(w.log)).Draw(w.t, "reads up to"))
	for range rapid.IntRange(0, 4).Draw(w.t, "appends") {
		w.append(w.event(n))
	}
}

func (w *world) event(n *writerState) events.Event {
	w.nth++
	s := rapid.SampledFrom(streams).Draw(w.t, "stream")
	e := events.Event{Stream: s, Actor: w.person("actor"), Basis: n.l.Folded(), Body: w.body(s)}
	if _, read := e.Body.(events.ConversationRead); s.Kind == events.User {
		e.Actor = s.ID
		if read {
			e.ID = events.NewID(s.Key(), e.Actor, fmt.Sprint(w.nth))
			return e
		}
	}
	if events.OrderingOf(e.Body) == events.ByBasis { // few ids, so that they come again
		e.ID = events.NewID(s.Key(), e.Actor, fmt.Sprint(rapid.IntRange(0, 3).Draw(w.t, "uniqueNo")))
		return e
	}
	e.ID = events.NewID(s.Key(), e.Actor, fmt.Sprint("r", w.nth))
	if rapid.IntRange(0, 9).Draw(w.t, "same id as a message") == 0 {
		e.ID = events.NewID(s.Key(), e.Actor, fmt.Sprint(rapid.IntRange(0, 3).Draw(w.t, "uniqueNo")))
	}
	e.Revision, e.Prev = n.l.Relations().Head(s)
	if mine, ok := n.behind[s]; ok && mine.Revision > e.Revision {
		e.Revision, e.Prev = mine.Revision, mine.ID
	}
	e.Revision++
	e.Basis = 0
	n.behind[s] = e
	return e
}

func (w *world) person(label string) string { return rapid.SampledFrom(people).Draw(w.t, label) }

func (w *world) position() events.Position {
	return events.Position{Partition: c0, Offset: int64(rapid.IntRange(0, len(w.log)-1).Draw(w.t, "position"))}
}

func (w *world) application() (id events.ID) {
	if as := w.whole.state.asking; len(as) > 0 {
		id = rapid.SampledFrom(as).Draw(w.t, "application").ID
	}
	return id
}

func (w *world) body(s events.Stream) events.Body {
	pick := func(n int) int { return rapid.IntRange(0, n-1).Draw(w.t, "body") }
	if s.Kind == events.User {
		name := rapid.SampledFrom([]string{"x", "y"}).Draw(w.t, "name")
		switch pick(6) {
		case 4:
			return events.FolderCreated{Name: name}
		case 5:
			return events.FolderDeleted{Folder: w.application()}
		case 0:
			return events.UserRegistered{NickName: name}
		case 1:
			return events.UserProfileChanged{NickName: name, FromToken: rapid.Bool().Draw(w.t, "from token")}
		}
		return events.ConversationRead{Conversation: rapid.SampledFrom([]string{"p|an|bo", "g|g"}).Draw(w.t, "conversation"), Read: w.position()}
	}
	switch pick(16) {
	case 0, 1, 2:
		return events.MessageSent{Content: events.Content{Plain: "x"}, Strangers: pick(8) == 0}
	case 3:
		return events.MessageEdited{Message: w.position()}
	case 4, 5:
		return events.MessageRecalled{Message: w.position(), Sender: w.person("sender")}
	}
	if s.Kind == events.Pair {
		return []events.Body{
			events.FriendApplied{ExpiresAt: 5}, events.FriendAgreed{Application: w.application()}, events.FriendAgreed{},
			events.FriendRefused{Application: w.application()}, events.FriendRemoved{}, events.FriendBlocked{}, events.FriendUnblocked{}, events.FriendUnblocked{},
			events.FriendViewChanged{Remark: "r", FriendGroupID: "f"},
		}[pick(9)]
	}
	state := rapid.SampledFrom([]string{events.Agreed, events.Refused}).Draw(w.t, "state")
	switch i := pick(24); i {
	case 0, 1, 2, 3, 4:
		return events.GroupCreated{GroupName: "g", Invitations: []events.Invitation{{ID: events.NewID("inv", s.ID, fmt.Sprint(w.nth)), UserID: w.person("invited")}}}
	case 5, 6, 7, 8:
		return events.GroupJoined{}
	case 9:
		return events.GroupApplied{}
	case 10:
		return events.GroupInvited{UserID: w.person("invited")}
	case 11, 12:
		return events.GroupApplicationVerified{Application: w.application(), UserID: w.person("applicant"), State: state}
	case 13:
		return events.GroupInvitationVerified{Application: w.application(), State: state}
	case 14, 15:
		return events.GroupMemberRemoved{UserID: w.person("removed")}
	case 16:
		return events.GroupMemberQuit{}
	case 17, 18:
		return events.GroupOwnerChanged{UserID: w.person("owner")}
	case 19, 20:
		return events.GroupRoleChanged{UserID: w.person("admin"), Role: rapid.SampledFrom([]events.Role{events.Member, events.Admin}).Draw(w.t, "role")}
	case 21, 22:
		return events.GroupMemberMuted{UserID: w.person("muted"), MutedUntil: w.now.Add(time.Duration(rapid.IntRange(-2, 20).Draw(w.t, "for")) * time.Second).UnixMilli()}
	}
	if pick(3) == 0 {
		return events.GroupDeleted{}
	}
	return events.GroupInfoChanged{GroupName: "h"}
}

// view is everything that the relations answer about the small world, as of an
// offset; what is asked only of the present is left out unless now is set.
func view(l *Ledger, at int64, now bool) map[string]any {
	r, v := l.Relations(), map[string]any{}
	for _, user := range people {
		if now {
			v["groups of "+user] = r.Groups(user)
			v["folders of "+user] = r.Folders(user)
		}
	}
	for _, s := range streams {
		switch s.Kind {
		case events.Pair:
			v[s.Key()+" friends"] = r.FriendsAt(s, at)
		case events.Group:
			members := map[string]events.Role{}
			r.Members(s, at, func(user string, role events.Role) bool { members[user] = role; return true })
			v[s.Key()+" members"], v[s.Key()+" count"], v[s.Key()+" admins"] = members, r.Count(s, at), r.Admins(s, at)
			for _, user := range people {
				m, ok := r.Member(s, user, at)
				if !now {
					m.To = 0 // known only to those who have read on
				}
				v[s.Key()+" member "+user], v[s.Key()+" is "+user] = m, ok
			}
		}
		if now {
			revision, head := r.Head(s)
			v[s.Key()+" head"] = fmt.Sprint(revision, head)
			v[s.Key()+" pair"], v[s.Key()+" pending"] = fmt.Sprintf("%+v", r.Pair(s)), r.GroupApplications(s)
			g, ok := r.Group(s)
			v[s.Key()+" group"], v[s.Key()+" exists"] = g, ok
			for _, user := range people {
				v[s.Key()+" intervals "+user] = r.Intervals(s, user)
				a, ok := r.GroupApplication(s, user)
				v[s.Key()+" pending "+user] = fmt.Sprintf("%+v %v", a, ok)
			}
		}
	}
	return v
}

// Any history, any interleaving of two writers: the verdicts are the oracle's
// (append checks it), and everybody who reads has the same ones and the same
// state, wherever the reading began.
func TestEveryReaderComesToTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			w.step()
		}
		cut := rapid.IntRange(0, len(w.log)).Draw(t, "snapshot after")
		fresh := newLedger(c0, smallW)
		admit := func(l *Ledger, r events.Recorded) {
			v, err := l.Admit(r)
			if err != nil || v != w.oracle.verdicts[r.Position.Offset] || l.Void(r.Position.Offset) != v.Void() || l.Verdict(r.Position.Offset) != v {
				t.Fatalf("%s: %s %v, want %s", r.Position, v, err, w.oracle.verdicts[r.Position.Offset])
			}
		}
		for _, r := range w.log[:cut] {
			admit(fresh, r)
		}
		var snapshot bytes.Buffer
		if _, err := fresh.Snapshot(&snapshot); err != nil {
			t.Fatal(err)
		}
		restored, err := restore(&snapshot, smallW)
		if err != nil {
			t.Fatal(err)
		}
		if cut > 0 {
			if err := restored.Continues(w.log[cut-1]); err != nil {
				t.Fatal(err)
			}
		}
		for _, r := range w.log[cut:] {
			admit(fresh, r)
			admit(restored, r)
		}
		for _, n := range w.writers {
			w.fold(n, len(w.log))
		}
		want, err := w.whole.snapshot()
		if err != nil {
			t.Fatal(err)
		}
		for i, l := range []*Ledger{fresh, restored, w.writers[0].l, w.writers[1].l} {
			if got, err := l.snapshot(); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("reader %d ends in another state (%v)", i, err)
			}
			for _, r := range w.log {
				if v := l.Verdict(r.Position.Offset); v != w.oracle.verdicts[r.Position.Offset] {
					t.Fatalf("reader %d says that %s is %s, not %s", i, r.Position, v, w.oracle.verdicts[r.Position.Offset])
				}
			}
			if diff := cmp.Diff(view(w.whole, events.Now, true), view(l, events.Now, true)); diff != "" {
				t.Fatalf("reader %d has other relations:\n%s", i, diff)
			}
			for _, r := range w.log {
				a, av, aok := w.whole.Find(r.ID)
				b, bv, bok := l.Find(r.ID)
				if a != b || av != bv || aok != bok {
					t.Fatalf("reader %d finds %s at %d %s %v, not %d %s %v", i, r.ID, b, bv, bok, a, av, aok)
				}
			}
		}
	})
}

// What the one shared ledger says as of an offset is what a reader who stopped
// there knows.
func TestAsOfIsAFoldOfThePrefix(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		for range rapid.IntRange(1, 20).Draw(t, "steps") {
			w.step()
		}
		prefix := newLedger(c0, smallW)
		for _, r := range w.log {
			if diff := cmp.Diff(view(prefix, events.Now, false), view(w.whole, r.Position.Offset, false)); diff != "" {
				t.Fatalf("as of %s:\n%s", r.Position, diff)
			}
			if _, err := prefix.Admit(r); err != nil {
				t.Fatal(err)
			}
		}
		for _, s := range streams { // the oracle's roles, once more, at the end
			if s.Kind != events.Group {
				continue
			}
			members := map[string]events.Role{}
			w.whole.Relations().Members(s, events.Now, func(user string, role events.Role) bool { members[user] = role; return true })
			want := w.oracle.roles(s)
			if g, _ := w.whole.Relations().Group(s); g.Deleted {
				want = map[string]events.Role{}
			}
			if diff := cmp.Diff(want, members); diff != "" {
				t.Fatalf("%s:\n%s", s, diff)
			}
		}
	})
}
