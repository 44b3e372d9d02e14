package groups_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"lishi/commands"
	"lishi/events"
	"lishi/projections/groups"
	"lishi/projections/projectiontest"
)

func TestMutes(t *testing.T) {
	w := world(t)
	w.Register("o", "m")
	g := w.Create("g", "o", "m")
	muted := func() string {
		u := w.Ask("o", groups.Users{GroupID: "g", Limit: 1}).List.([]groups.User)[0]
		return fmt.Sprint(u.UserID, u.Muted, u.MutedUntil)
	}
	until := w.Clock.Add(time.Hour).UnixMilli()
	w.Do("o", g, events.GroupMemberMuted{UserID: "m", MutedUntil: until})
	if got, want := muted(), fmt.Sprint("m", true, until); got != want {
		t.Errorf("muted: %s, want %s", got, want)
	}
	own := func(caller string) string { // as the group's own rows tell it
		var ms []int64
		for _, f := range w.Ask(caller, groups.List{}).List.([]groups.Group) {
			ms = append(ms, f.MutedUntil)
		}
		return fmt.Sprint(ms, w.Ask(caller, groups.Get{GroupID: "g"}).List.([]groups.Group)[0].MutedUntil)
	}
	if got, want := own("m")+own("o"), fmt.Sprint([]int64{until}, until)+"[0] 0"; got != want {
		t.Errorf("m and o are told %s, want %s", got, want)
	}
	w.Do("o", g, events.GroupRoleChanged{UserID: "m", Role: events.Admin})
	w.Do("o", g, events.GroupRoleChanged{UserID: "m", Role: events.Member})
	w.Do("m", g, events.GroupMemberQuit{})
	if got := muted(); got != "o"+fmt.Sprint(false, 0) {
		t.Errorf("m has left, but: %s", got)
	}
	if got := own("m"); got != "[] 0" {
		t.Errorf("m, who has left, is told %s", got)
	}
	w.Do("m", g, events.GroupJoined{})
	if got, want := muted(), fmt.Sprint("m", true, until); got != want {
		t.Errorf("coming back shakes it off: %s, want %s", got, want)
	}
	w.Do("o", g, events.GroupMemberMuted{UserID: "m"})
	if got := muted(); got != "m"+fmt.Sprint(false, 0) {
		t.Errorf("lifted, but: %s", got)
	}
}

func TestNoticeAndJoinMode(t *testing.T) {
	w := world(t)
	w.Register("o", "x")
	g := w.Create("g", "o")
	facts := func(caller string) string {
		f := w.Ask(caller, groups.Get{GroupID: "g"}).List.([]groups.Group)[0]
		return strings.Join([]string{f.GroupName, f.GroupImg, f.Notice, f.JoinMode}, "|")
	}
	for _, c := range []struct {
		to             events.GroupInfoChanged
		member, others string
	}{
		{events.GroupInfoChanged{GroupName: "N", GroupImg: "i", Notice: "周五 <b>", JoinMode: events.JoinByApplication}, "N|i|周五 <b>|1", "N|i||1"},
		{events.GroupInfoChanged{GroupName: "N", JoinMode: events.JoinByInvitation}, "N|||0", "N|||0"}, // notice and picture taken away
		{events.GroupInfoChanged{GroupName: "M", Notice: "again", JoinMode: events.JoinOpen}, "M||again|9", "M|||9"},
	} {
		w.Do("o", g, c.to)
		if got := facts("o"); got != c.member {
			t.Errorf("a member sees %s, want %s", got, c.member)
		}
		if got := facts("x"); got != c.others {
			t.Errorf("others see %s, want %s", got, c.others)
		}
		if got := w.Ask("o", groups.List{}).List.([]groups.Group)[0]; got.Notice != c.to.Notice || got.JoinMode != c.to.JoinMode {
			t.Errorf("the list has %+v", got)
		}
	}
}

// Whatever is done to the members of a group, the queries give what a plain fold
// gives: who is a member, as what, and muted until when.
func TestMembersFollowTheLog(t *testing.T) {
	w := world(t)
	everybody := []string{"a", "b", "c", "d", "e"}
	w.Register(everybody...)
	g := w.Create("g", "a", "b", "c")
	owner := "a"
	role := map[string]string{"a": "9", "b": "1", "c": "1"}
	muted := map[string]int64{} // stays when they leave
	rapid.Check(t, func(rt *rapid.T) {
		for range rapid.IntRange(1, 4).Draw(rt, "steps") {
			user := rapid.SampledFrom(everybody).Draw(rt, "whom")
			in := role[user] != ""
			switch what := rapid.SampledFrom([]string{"move", "move", "remove", "role", "role", "mute", "mute", "owner"}).Draw(rt, "what"); {
			case what == "move" && !in:
				w.Do(user, g, events.GroupJoined{})
				role[user] = "1"
			case !in || user == owner:
			case what == "move":
				w.Do(user, g, events.GroupMemberQuit{})
				delete(role, user)
			case what == "remove":
				w.Do(owner, g, events.GroupMemberRemoved{UserID: user})
				delete(role, user)
			case what == "role":
				role[user] = rapid.SampledFrom([]string{"1", "5"}).Draw(rt, "role")
				w.Do(owner, g, events.GroupRoleChanged{UserID: user, Role: events.Role(role[user][0])})
			case what == "mute":
				muted[user] = rapid.SampledFrom([]int64{0, 1, w.Clock.Add(10000 * time.Hour).UnixMilli()}).Draw(rt, "until")
				w.Do(owner, g, events.GroupMemberMuted{UserID: user, MutedUntil: muted[user]})
			case what == "owner":
				w.Do(owner, g, events.GroupOwnerChanged{UserID: user})
				role[owner], role[user], owner = "5", "9", user
			}
		}
		var want []string
		for _, u := range everybody {
			if role[u] != "" {
				want = append(want, fmt.Sprint(u, role[u], " ", muted[u] > 1))
			}
		}
		caller := rapid.SampledFrom(everybody).Draw(rt, "asks")
		page, err := w.Try(caller, groups.Users{GroupID: "g"})
		if role[caller] == "" {
			if !errors.Is(err, commands.ErrNotMember) {
				rt.Fatalf("%s, who is no member, gets %v", caller, err)
			}
			return
		}
		if err != nil {
			rt.Fatal(err)
		}
		var got []string
		for _, u := range page.List.([]groups.User) {
			got = append(got, fmt.Sprint(u.UserID, u.Role, " ", u.Muted))
		}
		if !slices.Equal(got, want) {
			rt.Fatalf("members are %q, want %q", got, want)
		}
		mine := w.Ask(caller, groups.List{}).List.([]groups.Group)
		if len(mine) != 1 || mine[0].Role != role[caller] || mine[0].MemberCount != len(role) {
			rt.Fatalf("%s's groups are %+v", caller, mine)
		}
	})
	w.Settle()
	for _, table := range []string{"group_members", "user_groups"} {
		merged := fmt.Sprintf("OPTIMIZE TABLE %s_b%d FINAL", table, w.Engine.Live(groups.Name))
		projectiontest.Exec(t, w.DB, merged)
		rows := projectiontest.Strings(t, w.DB, "SELECT concat(user, toString(argMax(role, offset)) AS now) FROM "+table+" GROUP BY user HAVING now != '' ORDER BY user")
		var want []string
		for _, u := range everybody {
			if role[u] != "" {
				want = append(want, u+role[u])
			}
		}
		if !slices.Equal(rows, want) {
			t.Errorf("%s has %q, want %q", table, rows, want)
		}
	}
}
