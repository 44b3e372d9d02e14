package ws

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"lishi/events"
	"lishi/events/ledger"
	"lishi/projections/dates"
)

// chronicle builds a book by events that the ledger admits.
type chronicle struct {
	t    testing.TB
	book *ledger.Book
	next map[events.Partition]int64
	n    int
}

func newChronicle(t testing.TB) *chronicle {
	h := &chronicle{t: t, book: ledger.NewBook(events.Layout{Conversations: 1, Users: 1}), next: map[events.Partition]int64{}}
	for _, p := range h.book.Layout().Partitions() {
		h.admit(p, events.Event{Stream: events.SystemStream(), Body: events.LogOpened{LogID: "t", Partitions: 1, Format: 1}})
	}
	return h
}

func (h *chronicle) admit(p events.Partition, e events.Event) events.Recorded {
	h.t.Helper()
	h.n++
	e.ID = events.NewID("test", "", fmt.Sprint(h.n))
	e.Time = time.Date(2020, 7, 30, 4, 0, h.n, 0, time.UTC)
	r := events.Recorded{Event: e, Position: events.Position{Partition: p, Offset: h.next[p]}, At: e.Time}
	h.next[p]++
	if v, err := h.book.Ledger(p).Admit(r); err != nil || v.Void() {
		h.t.Fatalf("%s by %s: %s %v", e.Body.Type(), e.Actor, v, err)
	}
	return r
}

// say admits what an actor did.
func (h *chronicle) say(s events.Stream, actor string, b events.Body) events.Recorded {
	h.t.Helper()
	p := h.book.Layout().Partition(s)
	e := events.Event{Stream: s, Actor: actor, ActorName: strings.ToUpper(actor), Body: b, Basis: h.next[p] - 1}
	if events.OrderingOf(b) == events.ByRevision {
		var revision uint64
		revision, e.Prev = h.book.Relations(s).Head(s)
		e.Revision = revision + 1
	}
	return h.admit(p, e)
}

// told lists who is told what, in the order of Route: "bob:1", "alice/own:3",
// "g!owner:11" (a group without one).
func told(e *events.Recorded, book *ledger.Book) []string {
	var list []string
	for a, f := range Route(e, book) {
		who := a.User
		if a.Own {
			who += "/own"
		}
		if a.User == "" {
			if who = a.Group.ID; a.Except != "" {
				who += "!" + a.Except
			}
			if a.Saw > 0 {
				who += fmt.Sprint("@", a.Saw)
			}
		}
		prefix, suffix, hollow := f.json(nil, dates.Format{})
		what := f.MsgType
		if f.MsgType == "11" {
			_, rest, _ := strings.Cut(string(prefix), `"change":"`)
			change, _, _ := strings.Cut(rest, `"`)
			what += " " + change
		}
		if hollow {
			what += " each"
			prefix = slices.Concat(prefix, []byte(`"x"`), suffix)
		}
		if _, err := parse(prefix); err != nil {
			panic(string(prefix))
		}
		list = append(list, who+":"+what)
	}
	return list
}

func TestRouteOfEveryEventType(t *testing.T) {
	pair, other, group := events.PairStream("alice", "bob"), events.PairStream("carol", "bob"), events.GroupStream("g")
	user := events.UserStream("alice")
	h := newChronicle(t)
	app := events.NewID("application", "", "")
	read := events.Position{Partition: events.Partition{Topic: events.Conversations}, Offset: 3}
	said := events.Position{Partition: read.Partition, Offset: 20}
	steps := []struct {
		stream events.Stream
		actor  string
		body   events.Body
		want   string
	}{
		{user, "alice", events.UserRegistered{NickName: "A"}, "alice:14"},
		{user, "alice", events.UserProfileChanged{NickName: "B"}, "alice:14"},
		{pair, "alice", events.FriendApplied{ExpiresAt: 1 << 50}, "bob:3 alice/own:3"},
		{pair, "bob", events.FriendRefused{Application: app, Applicant: "alice"}, "alice:9 bob:9"},
		{pair, "alice", events.FriendApplied{ExpiresAt: 1 << 50}, "bob:3 alice/own:3"},
		{pair, "bob", events.FriendAgreed{Application: app, Applicant: "alice"}, "alice:9 bob:9"},
		{pair, "alice", events.MessageSent{Content: events.Content{Plain: "x"}}, "bob:1 alice:1"},
		{user, "alice", events.ConversationRead{Conversation: pair.Key(), Read: read}, "alice:13 bob:13"},
		{user, "alice", events.ConversationRead{Conversation: group.Key(), Read: read}, "alice:13"},
		{pair, "alice", events.MessageEdited{Message: read}, "bob:12 alice:12"},
		{pair, "alice", events.MessageRecalled{Message: read, Sender: "alice"}, "bob:12 alice:12"},
		{pair, "alice", events.FriendViewChanged{Remark: "B", FriendGroupID: "f"}, "alice:14"},
		{user, "alice", events.FolderCreated{Name: "f"}, "alice:14"},
		{user, "alice", events.FolderDeleted{Folder: app}, "alice:14"},
		{pair, "alice", events.FriendRemoved{}, "bob:6 alice/own:6"},
		{pair, "alice", events.FriendBlocked{}, ""},
		{pair, "alice", events.FriendUnblocked{}, ""},
		{other, "bob", events.FriendApplied{ExpiresAt: 1 << 50}, "carol:3 bob/own:3"},
		{other, "carol", events.FriendAgreed{Application: app, Applicant: "bob", Crossed: true}, "bob:9 carol:9"},

		{group, "owner", events.GroupCreated{GroupName: "G", JoinMode: "9", Invitations: []events.Invitation{{ID: app, UserID: "ann", ExpiresAt: 1 << 50}, {ID: app, UserID: "ben"}}}, "ann:5 ben:5 owner/own:11 created"},
		{group, "ann", events.GroupInvitationVerified{GroupName: "G", Application: app, Inviter: "owner", State: events.Refused}, "owner:10 ann:10"},
		{group, "ben", events.GroupInvitationVerified{GroupName: "G", Application: app, Inviter: "owner", State: events.Agreed}, "owner:10 ben:10 g!ben:11 joined"},
		{group, "dan", events.GroupJoined{GroupName: "G"}, "dan/own:11 joined g!dan:11 joined"},
		{group, "owner", events.GroupRoleChanged{UserID: "ben", Role: events.Admin}, "owner/own:11 role g!owner:11 role"},
		{group, "eve", events.GroupApplied{GroupName: "G", ExpiresAt: 1 << 50}, "owner:4 ben:4"},
		{group, "ben", events.GroupApplicationVerified{GroupName: "G", Application: app, UserID: "eve", State: events.Refused}, "eve:10 ben:10"},
		{group, "ben", events.GroupApplicationVerified{GroupName: "G", Application: app, UserID: "eve", State: events.Agreed}, "eve:10 ben:10 g!ben:11 joined"},
		{group, "owner", events.GroupInvited{GroupName: "G", UserID: "fay", ExpiresAt: 1 << 50}, "fay:5 owner/own:5"},
		{group, "dan", events.MessageSent{Content: events.Content{Plain: "x"}}, "g:2 each"},
		{group, "dan", events.MessageEdited{Message: said}, "dan:12 g!dan@20:12"},
		{group, "owner", events.MessageRecalled{Message: said, Sender: "dan"}, "owner:12 g!owner@20:12"},
		{group, "owner", events.GroupInfoChanged{GroupName: "H", JoinMode: "9"}, "owner/own:11 info g!owner:11 info"},
		{group, "owner", events.GroupMemberMuted{UserID: "dan", MutedUntil: 1}, "owner/own:11 muted g!owner:11 muted"},
		{group, "owner", events.GroupMemberRemoved{GroupName: "H", UserID: "eve"}, "eve:7 owner/own:7 g!owner:11 removed"},
		{group, "dan", events.GroupMemberQuit{GroupName: "H"}, "dan/own:11 quit g!dan:11 quit"},
		{group, "owner", events.GroupOwnerChanged{UserID: "ben"}, "owner/own:11 owner g!owner:11 owner"},
		{group, "ben", events.GroupDeleted{GroupName: "H"}, "ben/own:7 g!ben:7"},
	}
	seen := map[string]bool{events.LogOpened{}.Type(): true} // tells nobody: see below
	var recorded []events.Recorded
	for _, s := range steps {
		seen[s.body.Type()] = true
		r := h.say(s.stream, s.actor, s.body)
		recorded = append(recorded, r)
		if got := strings.Join(told(&r, h.book), " "); got != s.want {
			t.Errorf("%s by %s: %q, not %q", s.body.Type(), s.actor, got, s.want)
		}
	}
	for _, typ := range events.Types() {
		if !seen[typ] && !strings.HasPrefix(typ, "checkpoint.") && !strings.HasPrefix(typ, "key.") && !strings.HasPrefix(typ, "look.") { // beside the chat
			t.Errorf("%s has no row in this table", typ)
		}
	}
	// A function of the log alone: asked again when all has been folded, Route
	// comes to the same answer, and so does the feed.
	for i, s := range steps {
		r := recorded[i]
		if got := strings.Join(told(&r, h.book), " "); got != s.want {
			t.Errorf("later: %s by %s: %q, not %q", s.body.Type(), s.actor, got, s.want)
		}
		keys := FeedAudiences(r, h.book)
		for _, user := range []string{"alice", "bob", "carol", "owner", "ann", "ben", "dan", "eve", "fay", "nobody"} {
			found := slices.Contains(keys, "u|"+user)
			if slices.Contains(keys, "g|g") {
				for _, in := range h.book.Relations(group).Intervals(group, user) {
					found = found || in.From < r.Position.Offset && (in.To == 0 || r.Position.Offset <= in.To)
				}
			}
			if told := frameFor(user, true, &r, h.book) != nil; told && !found {
				t.Errorf("%s by %s: %s is told, but the feed has %v", s.body.Type(), s.actor, user, keys)
			}
		}
		r.Imported = true
		if told := told(&r, h.book); len(told) > 0 || len(FeedAudiences(r, h.book)) > 0 {
			t.Errorf("imported %s is told to %v", s.body.Type(), told)
		}
	}
}

// Of an edit or a recall hears who could see the message and still belongs.
func TestChangesAreToldToWhoSawTheMessage(t *testing.T) {
	h := newChronicle(t)
	g := events.GroupStream("g")
	h.say(g, "owner", events.GroupCreated{GroupName: "G", JoinMode: "9"})
	h.say(g, "ann", events.GroupJoined{GroupName: "G"})
	h.say(g, "gone", events.GroupJoined{GroupName: "G"})
	message := h.say(g, "ann", events.MessageSent{Content: events.Content{Plain: "x"}})
	h.say(g, "late", events.GroupJoined{GroupName: "G"})
	h.say(g, "gone", events.GroupMemberQuit{GroupName: "G"})
	h.say(g, "owner", events.GroupOwnerChanged{UserID: "late"})
	edit := h.say(g, "ann", events.MessageEdited{Message: message.Position, Content: events.Content{Plain: "y"}})
	recall := h.say(g, "late", events.MessageRecalled{Message: message.Position, Sender: "ann"})
	for user, want := range map[string][2]bool{
		"ann": {true, true}, "owner": {true, true}, "gone": {}, "nobody": {},
		"late": {false, true}, // who recalls it knows of it
	} {
		for i, r := range []events.Recorded{edit, recall} {
			if f := frameFor(user, false, &r, h.book); (f != nil) != want[i] {
				t.Errorf("%s of %s: %v", r.Body.Type(), user, f)
			}
		}
	}
}

// The most specific frame is the only one: whom 10 or 7 tells, 11 does not.
func TestOneFrameAConnection(t *testing.T) {
	h := newChronicle(t)
	g := events.GroupStream("g")
	h.say(g, "owner", events.GroupCreated{GroupName: "G", JoinMode: "9"})
	for _, u := range []string{"ann", "ben"} {
		h.say(g, u, events.GroupJoined{GroupName: "G"})
	}
	r := h.say(g, "owner", events.GroupMemberRemoved{GroupName: "G", UserID: "ann"})
	for user, want := range map[string]string{"ann": "7", "ben": "11", "owner/own": "7", "owner": "", "nobody": ""} {
		id, own := strings.CutSuffix(user, "/own")
		got := ""
		if f := frameFor(id, own, &r, h.book); f != nil {
			got = f.MsgType
		}
		if got != want {
			t.Errorf("%s gets %q, not %q", user, got, want)
		}
	}
}

// In a group of more than 1,000 members nobody is told who joins and quits.
func TestLargeGroupsAreQuiet(t *testing.T) {
	h := newChronicle(t)
	g := events.GroupStream("g")
	h.say(g, "owner", events.GroupCreated{GroupName: "G", JoinMode: "9"})
	app := events.NewID("application", "", "")
	for n := 1; n <= 1002; n++ { // n members before the event
		r := h.say(g, fmt.Sprint("u", n), events.GroupJoined{GroupName: "G"})
		if loud := len(told(&r, h.book)) > 0; loud != (n <= 1000) {
			t.Fatalf("joining %d members: told %v", n, loud)
		}
	}
	check := func(want string, actor string, b events.Body) {
		t.Helper()
		r := h.say(g, actor, b)
		if got := strings.Join(told(&r, h.book), " "); got != want {
			t.Errorf("%s: %q, not %q", b.Type(), got, want)
		}
	}
	h.say(g, "x", events.GroupApplied{GroupName: "G", ExpiresAt: 1 << 50})
	check("x:10 owner:10", "owner", events.GroupApplicationVerified{GroupName: "G", Application: app, UserID: "x", State: events.Agreed})
	check("u1:7 owner/own:7 g!owner:11 removed", "owner", events.GroupMemberRemoved{GroupName: "G", UserID: "u1"})
	check("", "u2", events.GroupMemberQuit{GroupName: "G"})
	check("", "u3", events.GroupMemberQuit{GroupName: "G"})
	check("", "u4", events.GroupMemberQuit{GroupName: "G"}) // 1001 with the one who quits
	check("u5/own:11 quit g!u5:11 quit", "u5", events.GroupMemberQuit{GroupName: "G"})
}
