package ledger

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lishi/events"
)

func TestPairs(t *testing.T) {
	s := newScript(t, W)
	r := s.l.Relations()
	if p := r.Pair(duo); p.Known || p.Friends || p.Since() != 0 {
		t.Fatalf("%+v", p)
	}
	one := s.do(duo, "an", events.FriendApplied{Note: "it's me", Remark: "bo from work", FriendGroupID: "f1", ExpiresAt: 7})
	want := Application{
		Stream: duo, ID: one, Offset: 1, Kind: FriendApplication, Actor: "an", User: "bo", State: events.Pending,
		ExpiresAt: 7, Note: "it's me", Remark: "bo from work", FriendGroupID: "f1",
	}
	p := r.Pair(duo)
	if diff := cmp.Diff([]Application{want}, p.Waiting); diff != "" || !p.Known || p.Revision != 1 || p.Head != one {
		t.Fatalf("%+v\n%s", p, diff)
	}
	s.do(duo, "bo", events.FriendRefused{Application: one, Applicant: "an"})
	if a, ok := r.Application(one); !ok || a.State != events.Refused || len(r.Pair(duo).Waiting) != 0 {
		t.Fatalf("%+v", a)
	}
	two := s.do(duo, "an", events.FriendApplied{})
	agreed := s.do(duo, "bo", events.FriendAgreed{Application: two, Applicant: "an"}) // offset 4
	if a, ok := r.Application(two); !ok || a.State != events.Agreed {
		t.Fatalf("%+v", a)
	}
	s.do(duo, "an", events.FriendAgreed{}) // once more: changes nothing
	s.do(duo, "bo", events.FriendRemoved{})
	s.do(duo, "bo", events.FriendRemoved{})
	s.do(duo, "bo", events.FriendAgreed{}) // offset 8
	s.do(duo, "bo", events.FriendBlocked{})
	p = r.Pair(duo)
	if diff := cmp.Diff([]Interval{{4, 6}, {8, 0}}, p.Intervals); diff != "" || !p.Friends || p.Since() != 8 || agreed.IsZero() {
		t.Fatalf("%+v\n%s", p, diff)
	}
	if p.Blocked("an") || !p.Blocked("bo") || p.Blocked("eve") || p.Blocked("") {
		t.Fatalf("%+v", p)
	}
	for at, want := range []bool{false, false, false, false, false, true, true, false, false, true} {
		if r.FriendsAt(duo, int64(at)) != want {
			t.Errorf("just before %d friends is %v", at, !want)
		}
	}
	if !r.FriendsAt(duo, events.Now) || r.FriendsAt(events.PairStream("an", "eve"), events.Now) || r.FriendsAt(club, events.Now) {
		t.Error("FriendsAt(Now) is wrong")
	}

	p.Intervals[0].To = 99 // an answer shares nothing
	if r.Pair(duo).Intervals[0].To != 6 {
		t.Error("an answer shares memory with the ledger")
	}
}

func TestGroups(t *testing.T) {
	s := newScript(t, W)
	r := s.l.Relations()
	if _, ok := r.Group(club); ok {
		t.Fatal("no group yet")
	}
	inv := events.NewID("x", "y", "z")
	created := s.relation(club, "olga", events.GroupCreated{
		GroupName: "club", GroupImg: "i.png", JoinMode: events.JoinByApplication,
		Invitations: []events.Invitation{{ID: inv, UserID: "adam", ExpiresAt: 5}},
	})
	s.want(Valid, created) // 1
	if diff := cmp.Diff(Application{
		Stream: club, ID: inv, Offset: 1, Kind: GroupInvitation, Actor: "olga", User: "adam", State: events.Pending, ExpiresAt: 5,
	}, first(r.GroupApplication(club, "adam"))); diff != "" {
		t.Fatal(diff)
	}
	s.do(club, "adam", events.GroupInvitationVerified{Application: inv, Inviter: "olga", State: events.Agreed}) // 2
	s.do(club, "olga", events.GroupRoleChanged{UserID: "adam", Role: events.Admin})                             // 3
	asked := s.do(club, "mia", events.GroupApplied{Note: "me too", ExpiresAt: 6})                               // 4
	if diff := cmp.Diff([]Application{{
		Stream: club, ID: asked, Offset: 4, Kind: GroupApplication, Actor: "mia", User: "mia", State: events.Pending, ExpiresAt: 6, Note: "me too",
	}}, r.GroupApplications(club)); diff != "" {
		t.Fatal(diff)
	}
	s.do(club, "adam", events.GroupApplicationVerified{Application: asked, UserID: "mia", State: events.Agreed}) // 5
	invited := s.do(club, "adam", events.GroupInvited{UserID: "max", Note: "come", ExpiresAt: 8})                // 6
	s.do(club, "max", events.GroupInvitationVerified{Application: invited, Inviter: "adam", State: events.Refused})
	if a, _ := r.Application(invited); a.State != events.Refused || a.Actor != "adam" || a.User != "max" {
		t.Fatalf("%+v", a)
	}
	s.do(club, "olga", events.GroupOwnerChanged{UserID: "mia"})                                                             // 8
	s.do(club, "mia", events.GroupMemberMuted{UserID: "adam", MutedUntil: 77})                                              // 9
	s.do(club, "mia", events.GroupMemberRemoved{UserID: "olga"})                                                            // 10
	s.do(club, "mia", events.GroupInfoChanged{GroupName: "new", GroupImg: "j.png", Notice: "n", JoinMode: events.JoinOpen}) // 11
	s.do(club, "olga", events.GroupJoined{})                                                                                // 12
	s.do(club, "olga", events.GroupMemberQuit{})                                                                            // 13
	deleted := s.do(club, "mia", events.GroupDeleted{})                                                                     // 14

	if diff := cmp.Diff(Group{
		Revision: 14, Head: deleted, Name: "new", Img: "j.png", Notice: "n", JoinMode: events.JoinOpen, Owner: "mia", Creator: "olga",
		CreatedAt: begun.Add(2 * time.Second).UnixMilli(), Created: 1, Deleted: true, DeletedAt: 14,
	}, first(r.Group(club))); diff != "" {
		t.Fatal(diff)
	}

	type roles map[string]events.Role
	o, a, m := events.Owner, events.Admin, events.Member
	for at, want := range map[int64]roles{
		1: {}, 2: {"olga": o}, 3: {"olga": o, "adam": m}, 4: {"olga": o, "adam": a}, 5: {"olga": o, "adam": a},
		6: {"olga": o, "adam": a, "mia": m}, 9: {"olga": a, "adam": a, "mia": o}, 10: {"olga": a, "adam": a, "mia": o},
		11: {"adam": a, "mia": o}, 13: {"olga": m, "adam": a, "mia": o}, 14: {"adam": a, "mia": o}, 15: {}, events.Now: {},
	} {
		got, order, admins := roles{}, []string{}, []string{}
		r.Members(club, at, func(user string, role events.Role) bool {
			got[user] = role
			order = append(order, user)
			return true
		})
		for _, user := range order {
			if want[user] > events.Member {
				admins = append(admins, user)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" || len(order) != len(want) || r.Count(club, at) != len(want) {
			t.Errorf("members just before %d: count %d\n%s", at, r.Count(club, at), diff)
		}
		gotAdmins := r.Admins(club, at)
		slices.Sort(gotAdmins)
		slices.Sort(admins)
		if !slices.Equal(gotAdmins, admins) {
			t.Errorf("admins just before %d: %q, want %q", at, gotAdmins, admins)
		}
	}
	if diff := cmp.Diff([]Interval{{1, 10}, {12, 13}}, r.Intervals(club, "olga")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]Interval{{5, 14}}, r.Intervals(club, "mia")); diff != "" { // the group's end closes it
		t.Error(diff)
	}
	if !slices.Equal(r.Groups("olga"), []events.Stream{club}) || len(r.Groups("max")) != 0 {
		t.Error("Groups is wrong")
	}
	if r.Intervals(club, "max") != nil {
		t.Error("max never was a member")
	}
	if is, ok := r.Member(club, "adam", 10); !ok || is.MutedUntil != 77 || is.Role != a || is.Interval != (Interval{2, 14}) {
		t.Errorf("%+v %v", is, ok)
	}
	if is, ok := r.Member(club, "adam", 9); !ok || is.MutedUntil != 0 {
		t.Errorf("%+v %v", is, ok)
	}
	if _, ok := r.Member(club, "adam", events.Now); ok {
		t.Error("a member of a deleted group")
	}
}

func first[A, B any](a A, _ B) A { return a }

func TestEventsThatChangeNothing(t *testing.T) {
	s := grouped(t, W)
	r := s.l.Relations()
	before := first(r.Group(club))
	for _, b := range []events.Body{
		events.GroupCreated{GroupName: "again"}, events.GroupJoined{}, events.GroupMemberRemoved{UserID: "eve"},
		events.GroupOwnerChanged{UserID: "eve"}, events.GroupOwnerChanged{UserID: "olga"}, events.GroupRoleChanged{UserID: "olga", Role: events.Member},
		events.GroupRoleChanged{UserID: "mia", Role: events.Owner}, events.GroupRoleChanged{UserID: "eve", Role: events.Admin},
		events.GroupMemberMuted{UserID: "eve", MutedUntil: 1}, events.GroupApplicationVerified{Application: events.NewID("", "", ""), State: events.Refused},
	} {
		s.do(club, "olga", b)
		after := first(r.Group(club))
		if after.Revision != before.Revision+1 {
			t.Fatalf("%T is no revision", b)
		}
		before.Revision, before.Head = after.Revision, after.Head
		if diff := cmp.Diff(before, after); diff != "" {
			t.Errorf("%T: %s", b, diff)
		}
	}
	if got := r.Admins(club, events.Now); !slices.Equal(got, []string{"olga", "adam"}) {
		t.Error(got)
	}
}

func TestUsers(t *testing.T) {
	s := newScript(t, W)
	me, r := events.UserStream("an"), s.l.Relations()
	step := func(b events.Body, want User) {
		t.Helper()
		want.Head = s.do(me, "an", b)
		got, ok := r.User("an")
		if diff := cmp.Diff(want, got); diff != "" || !ok {
			t.Fatal(diff)
		}
	}
	step(events.UserRegistered{NickName: "An"}, User{Revision: 1, NickName: "An", TokenName: "An"})
	step(events.UserProfileChanged{NickName: "Anna", FromToken: true}, User{Revision: 2, NickName: "Anna", TokenName: "Anna"})
	step(events.UserProfileChanged{NickName: "安", Avatar: "a.png"}, User{Revision: 3, NickName: "安", Avatar: "a.png", NameSet: true, TokenName: "Anna"})
	step(events.UserProfileChanged{NickName: "Ann", Avatar: "a.png", FromToken: true}, User{Revision: 4, NickName: "安", Avatar: "a.png", NameSet: true, TokenName: "Ann"})
	if _, ok := r.User("bo"); ok {
		t.Fatal("bo is not registered")
	}
}

func TestFolders(t *testing.T) {
	s := newScript(t, W)
	me, r := events.UserStream("an"), s.l.Relations()
	if r.Folders("an") != nil {
		t.Fatal("no folder yet")
	}
	s.do(me, "an", events.UserRegistered{})
	one := s.do(me, "an", events.FolderCreated{Name: "work"})
	two := s.do(me, "an", events.FolderCreated{Name: "work"})
	if diff := cmp.Diff([]Folder{{one, "work"}, {two, "work"}}, r.Folders("an")); diff != "" {
		t.Fatal(diff)
	}
	s.do(me, "an", events.FolderDeleted{Folder: one})
	s.do(me, "an", events.FolderDeleted{Folder: one}) // changes nothing
	if diff := cmp.Diff([]Folder{{two, "work"}}, r.Folders("an")); diff != "" || r.Folders("bo") != nil {
		t.Fatal(diff)
	}
}

func TestViews(t *testing.T) {
	s := newScript(t, W)
	r := s.l.Relations()
	want := func(an, bo View) {
		t.Helper()
		if p := r.Pair(duo); p.View("an") != an || p.View("bo") != bo || p.View("eve") != (View{}) {
			t.Fatalf("%+v", p)
		}
	}
	want(View{}, View{})
	one := s.do(duo, "an", events.FriendApplied{Remark: "Bo", FriendGroupID: "f1"})
	want(View{}, View{}) // an application is no friendship
	s.do(duo, "bo", events.FriendAgreed{Application: one, Applicant: "an", Remark: "An", FriendGroupID: "f2"})
	want(View{"Bo", "f1"}, View{"An", "f2"})
	s.do(duo, "bo", events.FriendViewChanged{Remark: "Anna"})
	want(View{"Bo", "f1"}, View{"Anna", ""})
	s.do(duo, "eve", events.FriendViewChanged{Remark: "x"}) // not of the pair
	s.do(duo, "an", events.FriendAgreed{})                  // friends already
	want(View{"Bo", "f1"}, View{"Anna", ""})
	s.do(duo, "bo", events.FriendRemoved{})
	want(View{}, View{})
	s.do(duo, "bo", events.FriendViewChanged{Remark: "x"}) // no friends
	want(View{}, View{})
	s.do(duo, "an", events.FriendAgreed{Remark: "Bo again"})
	want(View{"Bo again", ""}, View{})
}

func TestTwoApplicationsOfOneUser(t *testing.T) {
	s := grouped(t, W)
	r := s.l.Relations()
	one := s.do(club, "eve", events.GroupApplied{})
	two := s.do(club, "olga", events.GroupInvited{UserID: "eve"})
	if a, ok := r.GroupApplication(club, "eve"); !ok || a.ID != two {
		t.Fatalf("%+v", a)
	}
	s.do(club, "eve", events.GroupInvitationVerified{Application: two, State: events.Refused})
	if a, ok := r.GroupApplication(club, "eve"); !ok || a.ID != one {
		t.Fatalf("%+v", a)
	}
	s.do(club, "olga", events.GroupApplicationVerified{Application: one, UserID: "eve", State: events.Agreed})
	if _, ok := r.GroupApplication(club, "eve"); ok {
		t.Fatal("nothing waits any more")
	}
	if _, ok := r.Member(club, "eve", events.Now); !ok {
		t.Fatal("eve is no member")
	}
}

// The same request once more, after the window forgot it: the same id.
func TestTheSameApplicationAgain(t *testing.T) {
	s := newScript(t, W)
	e := s.relation(duo, "an", events.FriendApplied{Note: "one"})
	s.want(Valid, e)
	s.do(duo, "bo", events.FriendRefused{Application: e.ID})
	again := s.relation(duo, "an", events.FriendApplied{Note: "two"})
	again.ID = e.ID
	s.want(Valid, again)
	p := s.l.Relations().Pair(duo)
	if len(p.Waiting) != 1 || p.Waiting[0].Note != "two" {
		t.Fatalf("%+v", p.Waiting)
	}
}

// Members must not hold the lock while it yields: a yield that asks the ledger
// with a writer waiting in between would never end.
func TestMembersMayAskWhileAWriterWaits(t *testing.T) {
	s := grouped(t, W)
	for i := range 300 { // more than one round
		s.do(club, fmt.Sprint("u", i), events.GroupJoined{})
	}
	r := s.l.Relations()
	next := s.record(s.relation(club, "olga", events.GroupMemberRemoved{UserID: "u299"}))
	var seen []string
	r.Members(club, events.Now, func(user string, _ events.Role) bool {
		if len(seen) == 0 {
			if _, err := s.l.Admit(next); err != nil {
				t.Fatal(err)
			}
		}
		seen = append(seen, user)
		return true
	})
	if len(seen) != 304 || seen[0] != "olga" || seen[303] != "u299" { // one moment: before the removal
		t.Fatal(len(seen), seen[len(seen)-1])
	}
	n := 0
	r.Members(club, events.Now, func(string, events.Role) bool { n++; return n < 2 })
	if n != 2 {
		t.Fatalf("went on after no: %d", n)
	}
}

func TestABook(t *testing.T) {
	b := NewBook(events.Layout{Conversations: 3, Users: 2})
	if b.Layout().Conversations != 3 || b.Ledger(events.Partition{Topic: events.Conversations, Number: 3}) != nil {
		t.Fatal("wrong layout")
	}
	put := func(e events.Event) {
		t.Helper()
		l := b.Of(e.Stream)
		if l.Partition() != b.Layout().Partition(e.Stream) {
			t.Fatalf("%s is not in %s", e.Stream, l.Partition())
		}
		v, err := l.Admit(events.Recorded{Event: e, Position: events.Position{Partition: l.Partition(), Offset: l.Folded() + 1}, At: begun})
		if err != nil || v != Valid {
			t.Fatalf("%s %v", v, err)
		}
	}
	var ids []events.ID
	for _, peer := range []string{"bo", "cy", "di", "ed", "fay", "gil"} { // in several partitions
		s := events.PairStream("an", peer)
		id := events.NewID(s.Key(), "an", "1")
		put(events.Event{ID: id, Stream: s, Actor: "an", Revision: 1, Body: events.FriendApplied{}})
		put(events.Event{ID: events.NewID("u", peer, "1"), Stream: events.UserStream(peer), Actor: peer, Revision: 1, Body: events.UserRegistered{NickName: peer + "!"}})
		put(events.Event{ID: events.NewID("m", peer, "1"), Stream: events.UserStream(peer), Actor: peer, Body: events.ConversationRead{
			Conversation: s.Key(), Read: events.Position{Partition: b.Layout().Partition(s), Offset: 9},
		}})
		ids = append(ids, id)
		if u, ok := b.User(peer); !ok || u.NickName != peer+"!" {
			t.Fatalf("%+v", u)
		}
		if p, ok := b.Mark(peer, s.Key()); !ok || p.Offset != 9 {
			t.Fatal(p)
		}
		if b.Relations(s).Pair(s).Revision != 1 {
			t.Fatal("relation is not there")
		}
	}
	for _, id := range ids {
		if a, ok := b.Application(id); !ok || a.ID != id {
			t.Fatalf("%+v", a)
		}
	}
	if _, ok := b.Application(events.NewID("no", "", "")); ok {
		t.Fatal("found what is not there")
	}
	if err := b.Replace(New(events.Partition{Topic: events.Users, Number: 2})); err == nil {
		t.Fatal("a ledger of no partition")
	}
	fresh := New(events.Partition{Topic: events.Users, Number: 1})
	if err := b.Replace(fresh); err != nil || b.Ledger(fresh.Partition()) != fresh {
		t.Fatal(err)
	}
}
