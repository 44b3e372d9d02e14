package groups_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"lishi/commands"
	"lishi/events"
	"lishi/projections/friends"
	"lishi/projections/groups"
	"lishi/projections/projectiontest"
)

func TestMain(m *testing.M) { projectiontest.Main(m) }

func world(t *testing.T) *projectiontest.World {
	return projectiontest.New(t, groups.Projection{}, friends.Projection{})
}

func asJSON(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

func TestGroups(t *testing.T) {
	w := world(t)
	w.Register("o", "m", "x")
	made := w.Clock
	g := w.Create("g", "o", "m")
	w.Create("h", "m")
	date := made.Add(8 * time.Hour).Format(time.DateTime)
	row := func(name, notice, role string, members int) string {
		return fmt.Sprintf(`{"groupId":"g","groupName":"%s","groupImg":"g.png","crtUserId":"o","crtDate":"%s","time":%d,"notice":"%s","joinMode":"9","role":"%s","memberCount":%d}`,
			name, date, made.UnixMilli(), notice, role, members)
	}
	if got, want := asJSON(w.Ask("o", groups.List{}).List), "["+row("Gg", "", "9", 2)+"]"; got != want {
		t.Errorf("the owner's groups are\n%s, want\n%s", got, want)
	}
	if got := w.Ask("m", groups.List{}).List.([]groups.Group); len(got) != 2 || got[0].Role+got[1].Role != "19" && got[0].Role+got[1].Role != "91" {
		t.Errorf("m's groups are %+v", got)
	}
	if got, want := asJSON(w.Ask("m", groups.List{GroupID: "g"}).List), "["+row("Gg", "", "1", 2)+"]"; got != want {
		t.Errorf("m's group is\n%s, want\n%s", got, want)
	}
	w.Do("o", g, events.GroupInfoChanged{GroupName: "new", GroupImg: "g.png", Notice: "hush", JoinMode: events.JoinOpen})
	if got, want := asJSON(w.Ask("m", groups.Get{GroupID: "g"}).List), "["+row("new", "hush", "1", 2)+"]"; got != want {
		t.Errorf("the group is\n%s, want\n%s", got, want)
	}
	if got, want := asJSON(w.Ask("x", groups.Get{GroupID: "g"}).List), "["+row("new", "", "", 2)+"]"; got != want {
		t.Errorf("for others the group is\n%s, want\n%s", got, want)
	}
	w.Do("m", g, events.GroupMemberQuit{})
	if got := w.Ask("m", groups.List{GroupID: "g"}).List.([]groups.Group); len(got) != 0 {
		t.Errorf("after quitting, m's groups are %+v", got)
	}
	w.Do("o", g, events.GroupDeleted{})
	if got := w.Ask("o", groups.List{}).List.([]groups.Group); len(got) != 0 {
		t.Errorf("after the end, o's groups are %+v", got)
	}
	for _, id := range []string{"g", "nowhere"} {
		if _, err := w.Try("o", groups.Get{GroupID: id}); !errors.Is(err, commands.ErrNotFound) {
			t.Errorf("getGroup %s gives %v", id, err)
		}
		if _, err := w.Try("o", groups.Users{GroupID: id}); !errors.Is(err, commands.ErrNotFound) {
			t.Errorf("getGroupUsers %s gives %v", id, err)
		}
	}
	if got := projectiontest.Strings(t, w.DB, "SELECT user FROM group_members WHERE group_id = 'g' GROUP BY user HAVING argMax(role, offset) != ''"); len(got) != 0 {
		t.Errorf("the deleted group has members %v", got)
	}
}

// Groups come in the order of joining, whatever happened to the member since.
func TestTheOrderOfGroups(t *testing.T) {
	log := projectiontest.NewLog(projectiontest.Layout)
	w := projectiontest.Still(t, projectiontest.DB(t), log, groups.Projection{})
	log.Now = func() time.Time { return w.Clock }
	w.Start()
	order := func() (ids string) {
		for _, g := range w.Ask("m", groups.List{}).List.([]groups.Group) {
			ids += g.GroupID
		}
		return ids
	}
	w.Register("o", "m")
	first, second := w.Create("1", "o", "m"), w.Create("2", "o", "m")
	w.Create("3", "m")
	w.Do("o", second, events.GroupMemberMuted{UserID: "m", MutedUntil: 1})
	w.Do("o", first, events.GroupRoleChanged{UserID: "m", Role: events.Admin})
	if got := order(); got != "123" {
		t.Errorf("with another role: %s", got)
	}
	w.Do("m", first, events.GroupMemberQuit{})
	w.Do("m", first, events.GroupJoined{})
	if got := order(); got != "231" {
		t.Errorf("joined again: %s", got)
	}
}

func TestMembers(t *testing.T) {
	w := world(t)
	w.Register("a", "b", "c", "d", "o")
	g := w.Create("g", "o", "a", "b", "c")
	w.Befriend("a", "b")
	users := func(caller, after string, limit int64) string {
		var all []string
		for _, u := range w.Ask(caller, groups.Users{GroupID: "g", After: after, Limit: limit}).List.([]groups.User) {
			all = append(all, u.UserID+u.Role)
		}
		return strings.Join(all, " ")
	}
	if got := users("a", "", 0); got != "a1 b1 c1 o9" {
		t.Errorf("members: %s", got)
	}
	if got := users("a", "a", 2); got != "b1 c1" {
		t.Errorf("the second page: %s", got)
	}
	w.Do("o", g, events.GroupRoleChanged{UserID: "b", Role: events.Admin})
	w.Do("b", g, events.GroupMemberMuted{UserID: "a", MutedUntil: w.Clock.Add(time.Hour).UnixMilli()})
	w.Do("o", g, events.GroupMemberRemoved{UserID: "c"})
	w.Do("o", g, events.GroupOwnerChanged{UserID: "a"})
	if got := users("a", "", 0); got != "a9 b5 o5" {
		t.Errorf("after changes: %s", got)
	}
	got := asJSON(w.Ask("a", groups.Users{GroupID: "g", Limit: 2}).List)
	want := fmt.Sprintf(`[{"userId":"a","nickName":"Na","remarks":"","avatar":"","role":"9","muted":true,"mutedUntil":%d},`+
		`{"userId":"b","nickName":"Nb","remarks":"my b","avatar":"","role":"5","muted":false}]`, w.Clock.Add(time.Hour-3*time.Second).UnixMilli())
	if got != want {
		t.Errorf("rows are\n%s, want\n%s", got, want)
	}
	w.Clock = w.Clock.Add(2 * time.Hour)
	if u := w.Ask("a", groups.Users{GroupID: "g", Limit: 1}).List.([]groups.User)[0]; u.Muted || u.MutedUntil != 0 {
		t.Errorf("the mute is over, but: %+v", u)
	}
	for _, stranger := range []string{"c", "d"} {
		if _, err := w.Try(stranger, groups.Users{GroupID: "g"}); !errors.Is(err, commands.ErrNotMember) {
			t.Errorf("for %s: %v", stranger, err)
		}
	}
	if _, err := w.Try("a", groups.Users{GroupID: "g", Limit: 500}); !errors.Is(err, commands.ErrBadRequest) {
		t.Errorf("500 at once: %v", err)
	}
	// The rows say what the ledger says.
	w.Tail.Book().Relations(g).Members(g, events.Now, func(user string, role events.Role) bool {
		got := projectiontest.Strings(t, w.DB, "SELECT toString(argMax(role, offset)) FROM user_groups WHERE user = '"+user+"' GROUP BY group_id")
		if len(got) != 1 || got[0] != role.String() {
			t.Errorf("%s has the role %v, the ledger says %s", user, got, role)
		}
		return true
	})
}

func TestApplications(t *testing.T) {
	w := world(t)
	w.Register("o", "m", "x", "y", "z")
	g := events.GroupStream("g")
	day := w.Clock.Add(24 * time.Hour).UnixMilli()
	first := events.NewID("g", "o", "x")
	made := w.Do("o", g, events.GroupCreated{GroupName: "Gg", JoinMode: events.JoinByApplication,
		Invitations: []events.Invitation{{ID: first, UserID: "x", ExpiresAt: day}}})
	applied := w.Do("y", g, events.GroupApplied{GroupName: "Gg", Note: "let me in", ExpiresAt: day})
	invited := w.Do("o", g, events.GroupInvited{GroupName: "Gg", UserID: "z", Note: "come", ExpiresAt: w.Clock.UnixMilli()})
	w.Do("x", g, events.GroupInvitationVerified{GroupName: "Gg", Application: first, Inviter: "o", State: events.Agreed})
	w.Do("o", g, events.GroupApplicationVerified{GroupName: "Gg", Application: applied.ID, UserID: "y", State: events.Refused})
	row := func(e events.Recorded, id events.ID, target, note, state, kind string) string {
		return fmt.Sprintf(`{"applyGroupId":"%s","applyUserId":"%s","applyNickName":"N%s","targetUserId":"%s","note":"%s","applyDate":"%s","time":%d,"applyState":"%s","groupId":"g","groupName":"Gg","applyType":"%s","position":"%s"}`,
			id, e.Actor, e.Actor, target, note, e.Time.Add(8*time.Hour).Format(time.DateTime), e.Time.UnixMilli(), state, kind, e.Position)
	}
	one := row(made, first, "x", "", "9", "1")
	two := row(applied, applied.ID, "y", "let me in", "0", "2")
	three := row(invited, invited.ID, "z", "come", "2", "1")
	for caller, want := range map[string]string{
		"o": one + "," + two + "," + three,
		"x": one,
		"y": two,
		"z": three,
		"m": "",
	} {
		if got := asJSON(w.Ask(caller, groups.Applications{}).List); got != "["+want+"]" {
			t.Errorf("%s gets\n%s, want\n[%s]", caller, got, want)
		}
	}
	w.Do("o", g, events.GroupRoleChanged{UserID: "x", Role: events.Admin})
	if got := w.Ask("x", groups.Applications{}).List.([]groups.Application); len(got) != 3 {
		t.Errorf("the new admin gets %+v", got)
	}
}
