package analytics_test

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"lishi/events"
	"lishi/projections"
	"lishi/projections/analytics"
	"lishi/projections/friends"
	"lishi/projections/groups"
	"lishi/projections/history"
	"lishi/projections/projectiontest"
)

func TestMain(m *testing.M) { projectiontest.Main(m) }

// town is people who do random things at random times, and what became of it.
type town struct {
	world
	*projectiontest.World
	friends map[string]bool // began by an import
	groups  []string
	joined  map[string]bool // group and user: began by an import
	standing
}

// standing is who stands how to whom now.
type standing struct {
	pairs   map[string]bool
	member  map[string]map[string]bool
	deleted map[string]bool
}

var people = []string{"ann", "bob", "it's `c`", "d\\e", "小明"}

func newTown(t *testing.T) *town {
	w := projectiontest.New(t, history.Projection{}, friends.Projection{}, groups.Projection{})
	w.Register(people...)
	return &town{
		World: w, world: world{names: map[string]string{}, members: map[string]int{}},
		friends: map[string]bool{}, joined: map[string]bool{},
		standing: standing{pairs: map[string]bool{}, member: map[string]map[string]bool{}, deleted: map[string]bool{}},
	}
}

// moments are where calendars do odd things: a day that Samoa left out, days that
// begin at one o'clock, clocks that move by half an hour, twice the same hour.
var moments = []string{
	"2011-12-30T10:00:00Z", "2018-11-04T03:00:00Z", "2026-03-08T10:00:00Z", "2026-04-04T15:00:00Z", "2026-10-03T15:30:00Z",
	"2026-10-25T01:00:00Z", "2026-11-01T06:00:00Z", "2026-12-31T23:59:00Z", "2024-02-29T12:00:00Z", "2026-11-23T09:00:00Z",
}

var zones = []string{
	"UTC", "Asia/Shanghai", "Asia/Kolkata", "America/New_York", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia",
	"America/Sao_Paulo", "Europe/Dublin", "Africa/Casablanca", "Asia/Kathmandu", "Pacific/Chatham", "Antarctica/Troll",
}

func moment(t *rapid.T, days int) time.Time {
	at, err := time.Parse(time.RFC3339, rapid.SampledFrom(moments).Draw(t, "moment"))
	if err != nil {
		t.Fatal(err)
	}
	return at.Add(time.Duration(rapid.IntRange(-days*86_400_000, days*86_400_000).Draw(t, "shift")) * time.Millisecond)
}

// do appends an event at a random time, as if said or imported.
func (w *town) do(t *rapid.T, actor string, s events.Stream, body events.Body) events.Recorded {
	w.Clock = moment(t, rapid.SampledFrom([]int{1, 1, 3, 40}).Draw(t, "days"))
	e := w.Event(actor, s, body)
	e.Imported = rapid.IntRange(0, 3).Draw(t, "imported") == 0
	r := w.Record(e)
	if w.Tail.Book().Of(s).Void(r.Position.Offset) {
		t.Fatalf("%s by %s is void at %s", body.Type(), actor, r.Position)
	}
	return r
}

func (w *town) act(t *rapid.T) {
	a, b := rapid.SampledFrom(people).Draw(t, "a"), rapid.SampledFrom(people).Draw(t, "b")
	pair := events.PairStream(a, b)
	known := a != b && w.pairs[pair.Key()]
	group := ""
	if len(w.groups) > 0 {
		group = rapid.SampledFrom(w.groups).Draw(t, "group")
	}
	alive := group != "" && !w.deleted[group]
	switch rapid.IntRange(0, 19).Draw(t, "act") {
	default:
		if known {
			w.say(t, a, "", pair)
		}
	case 7, 8, 9, 10, 11:
		if alive && w.member[group][a] {
			w.say(t, a, group, events.GroupStream(group))
		}
	case 12, 13, 14:
		if a != b && !known {
			r := w.do(t, a, pair, events.FriendAgreed{Applicant: b})
			w.pairs[pair.Key()], w.friends[pair.Key()] = true, r.Imported
			w.changes = append(w.changes, change{"begun", "", r.Time, r.Imported})
		}
	case 15:
		if known {
			r := w.do(t, a, pair, events.FriendRemoved{})
			w.pairs[pair.Key()] = false
			w.changes = append(w.changes, change{"ended", "", r.Time, w.friends[pair.Key()]})
		}
	case 16:
		if len(w.groups) < 6 {
			w.found(t, a)
		}
	case 17:
		if alive && !w.member[group][a] {
			r := w.do(t, a, events.GroupStream(group), events.GroupJoined{GroupName: w.names[group]})
			w.join(group, a, r)
		}
	case 18:
		if alive {
			w.leave(t, group, a)
		}
	case 19:
		w.revise(t)
	}
}

func (w *town) say(t *rapid.T, from, group string, s events.Stream) {
	r := w.do(t, from, s, events.MessageSent{Content: events.Content{Plain: "…"}})
	w.said = append(w.said, &message{conversation: s.Key(), group: group, sender: from, at: r.Time, offset: r.Position.Offset, imported: r.Imported})
}

func (w *town) found(t *rapid.T, owner string) {
	id := fmt.Sprintf("g'%d", len(w.groups))
	w.groups = append(w.groups, id)
	w.names[id], w.member[id] = "The "+id, map[string]bool{}
	w.join(id, owner, w.do(t, owner, events.GroupStream(id), events.GroupCreated{GroupName: w.names[id], JoinMode: events.JoinOpen}))
}

func (w *town) join(group, user string, r events.Recorded) {
	w.member[group][user], w.joined[group+user] = true, r.Imported
	w.members[group]++
	w.changes = append(w.changes, change{"joined", group, r.Time, r.Imported})
}

// leave has a member quit; where it is the owner, who can't, the group ends for
// everybody.
func (w *town) leave(t *rapid.T, group, user string) {
	s := events.GroupStream(group)
	m, ok := w.Tail.Book().Relations(s).Member(s, user, events.Now)
	switch {
	case !ok:
	case m.Role != events.Owner:
		w.left(group, user, w.do(t, user, s, events.GroupMemberQuit{GroupName: w.names[group]}))
	case rapid.IntRange(0, 2).Draw(t, "ends") == 0:
		r := w.do(t, user, s, events.GroupDeleted{GroupName: w.names[group]})
		w.deleted[group] = true
		for member, is := range w.member[group] {
			if is {
				w.left(group, member, r)
			}
		}
	}
}

func (w *town) left(group, user string, r events.Recorded) {
	w.member[group][user] = false
	w.members[group]--
	w.changes = append(w.changes, change{"left", group, r.Time, w.joined[group+user]})
}

// revise edits or recalls a message, where its sender still may.
func (w *town) revise(t *rapid.T) {
	if len(w.said) == 0 {
		return
	}
	m := rapid.SampledFrom(w.said).Draw(t, "message")
	if m.recalled || m.group == "" && !w.pairs[m.conversation] || m.group != "" && (w.deleted[m.group] || !w.member[m.group][m.sender]) {
		return
	}
	s, err := events.ParseKey(m.conversation)
	if err != nil {
		t.Fatal(err)
	}
	at := events.Position{Partition: w.Log.Layout().Partition(s), Offset: m.offset}
	if rapid.Bool().Draw(t, "recall") {
		w.do(t, m.sender, s, events.MessageRecalled{Message: at, Sender: m.sender})
		m.recalled = true
	} else {
		w.do(t, m.sender, s, events.MessageEdited{Message: at, Content: events.Content{Plain: "better"}})
		m.edited = true
	}
}

// request draws parameters that the figure takes.
func (w *town) request(t *rapid.T, f *analytics.Figure) (analytics.Request, url.Values) {
	days := rapid.SampledFrom([]int{1, 10, 60}).Draw(t, "span")
	from := moment(t, days)
	to := from.Add(time.Duration(rapid.IntRange(1, days*86_400_000).Draw(t, "length")) * time.Millisecond)
	v := url.Values{"from": {from.Format(time.RFC3339Nano)}, "to": {to.Format(time.RFC3339Nano)}, "zone": {rapid.SampledFrom(zones).Draw(t, "zone")}}
	may := func(name string, values ...string) {
		if slices.Contains(f.Parameters, name) && rapid.Bool().Draw(t, "with "+name) {
			v.Set(name, rapid.SampledFrom(values).Draw(t, name))
		}
	}
	may("period", analytics.Periods...)
	may("week", analytics.Weeks...)
	may("imported", analytics.Imports...)
	may("group", append(slices.Clone(w.groups), "nowhere")...)
	may("limit", "1", "2", "1000")
	r, err := f.Parse(v, w.Clock)
	if err != nil {
		t.Fatalf("%s?%s: %v", f.Name, v.Encode(), err)
	}
	return r, v
}

// Every figure is what a plain count of the events says: for random events, times,
// zones, periods and choices, with rows inserted again, merged, and made anew by a
// replay. Half of the time it is asked as it is shown.
func TestFiguresAreWhatHappened(t *testing.T) {
	w := newTown(t)
	w.Settle()
	chat := projectiontest.In(t, "chat")
	rapid.Check(t, func(rt *rapid.T) {
		for range rapid.IntRange(1, 20).Draw(rt, "acts") {
			w.act(rt)
		}
		w.Settle()
		switch rapid.IntRange(0, 15).Draw(rt, "rows") {
		case 0, 1:
			again(t, w.DB)
		case 2:
			names := []string{rapid.SampledFrom([]string{history.Name, friends.Name, groups.Name}).Draw(rt, "replay")}
			if err := w.Engine.Replay(context.Background(), names, projections.Replaying{Throttle: 1}); err != nil {
				rt.Fatal(err)
			}
		case 3:
			for _, table := range tables(t, w.DB) {
				projectiontest.Exec(t, w.DB, "OPTIMIZE TABLE `"+table+"` FINAL")
			}
		}
		for range 3 {
			f := rapid.SampledFrom(analytics.Figures()).Draw(rt, "figure")
			r, v := w.request(rt, f)
			s := f.Statement(r)
			if rapid.Bool().Draw(rt, "as shown") {
				s = analytics.Statement{SQL: f.Comment(s)}
			}
			got := lines(t, chat, s.SQL, s.Args...)
			if want := w.count(f.Name, r); !slices.Equal(got, want) {
				rt.Fatalf("%s?%s is\n%s\nwant\n%s\nof %s", f.Name, v.Encode(), strings.Join(got, "\n"), strings.Join(want, "\n"), s.Text())
			}
		}
	})
}

// lines are the rows of a statement, their values with a space between.
func lines(t testing.TB, db projections.DB, sql string, args ...projections.Arg) []string {
	t.Helper()
	found := projectiontest.Strings(t, db, "SELECT formatRowNoNewline('CustomSeparated', *) FROM (\n"+sql+"\n) SETTINGS format_custom_field_delimiter = ' ', format_custom_escaping_rule = 'Raw', max_threads = 1", args...)
	return found
}

// tables are those of the live builds.
func tables(t testing.TB, db projections.DB) []string {
	t.Helper()
	return projectiontest.Strings(t, db, `SELECT t.name FROM system.tables AS t, (SELECT build FROM lishi_live FINAL) AS l
		WHERE t.database = currentDatabase() AND endsWith(t.name, concat('_b', toString(l.build)))`)
}

// again inserts every row once more, as a crash between rows and
// checkpoint does.
func again(t testing.TB, db projections.DB) {
	t.Helper()
	for _, table := range tables(t, db) {
		projectiontest.Exec(t, db, "INSERT INTO `"+table+"` SELECT * FROM `"+table+"`")
	}
}
