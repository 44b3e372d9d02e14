package friends_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"lishi/events"
	"lishi/projections/friends"
	"lishi/projections/projectiontest"
)

func create(w *projectiontest.World, user, name string) events.ID {
	return w.Do(user, events.UserStream(user), events.FolderCreated{Name: name}).ID
}

func see(w *projectiontest.World, user, friend, remark, folder string) {
	w.Do(user, events.PairStream(user, friend), events.FriendViewChanged{Remark: remark, FriendGroupID: folder})
}

// brief is "folder: friend (remark) …" of each folder.
func brief(w *projectiontest.World, caller string) string {
	w.T.Helper()
	var all []string
	for _, f := range w.Ask(caller, friends.List{}).List.([]friends.Filled) {
		s := f.FriendGroupName + ":"
		for _, p := range f.FriendLists {
			s += " " + p.FriendID + "(" + p.Remarks + ")"
			if p.Blocked {
				s += "!"
			}
		}
		all = append(all, s)
	}
	return strings.Join(all, " ")
}

func TestFolders(t *testing.T) {
	w := projectiontest.New(t, friends.Projection{})
	w.Register("a", "b", "c")
	const first = `{"friendGroupId":"0","friendGroupName":"我的好友","friendGroupOrder":0,"allowDeletion":false}`
	expect(t, "none made", w.Ask("a", friends.Folders{}), "["+first+"]")
	work, family := create(w, "a", "Work"), create(w, "a", "家人")
	row := func(id events.ID, name string, order int) string {
		return fmt.Sprintf(`{"friendGroupId":"%s","friendGroupName":"%s","friendGroupOrder":%d,"allowDeletion":true}`, id, name, order)
	}
	expect(t, "two made", w.Ask("a", friends.Folders{}), "["+first+","+row(work, "Work", 1)+","+row(family, "家人", 2)+"]")
	expect(t, "another's", w.Ask("b", friends.Folders{}), "["+first+"]")
	expect(t, "the list", w.Ask("a", friends.List{}), "["+strings.ReplaceAll(first+","+row(work, "Work", 1)+","+row(family, "家人", 2), "}", `,"friendLists":[]}`)+"]")
	w.Do("a", events.UserStream("a"), events.FolderDeleted{Folder: work})
	expect(t, "one deleted", w.Ask("a", friends.Folders{}), "["+first+","+row(family, "家人", 1)+"]")
	got := projectiontest.Strings(t, w.DB, "SELECT format('{} {} {} {}', user, folder, argMax(name, offset), toString(argMax(deleted, offset))) FROM folders GROUP BY user, folder")
	slices.Sort(got)
	want := []string{fmt.Sprintf("a %s  true", work), fmt.Sprintf("a %s 家人 false", family)}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("rows are %q, want %q", got, want)
	}
}

func TestFriendsInFolders(t *testing.T) {
	w := projectiontest.New(t, friends.Projection{})
	w.Register("a", "b", "c", "d")
	for _, u := range []string{"b", "c", "d"} {
		w.Befriend("a", u)
	}
	if got := brief(w, "a"); got != "我的好友: b(my b) c(my c) d(my d)" {
		t.Errorf("at first: %s", got)
	}
	work := create(w, "a", "Work")
	see(w, "a", "b", "Bobby", work.String())
	see(w, "a", "c", "", events.DefaultFolder)
	if got := brief(w, "a"); got != "我的好友: c() d(my d) Work: b(Bobby)" {
		t.Errorf("b moved: %s", got)
	}
	if got := brief(w, "b"); got != "我的好友: a(my a)" {
		t.Errorf("b's own view: %s", got)
	}
	see(w, "a", "d", "my d", work.String())
	see(w, "a", "b", "Bob", work.String())
	if got := brief(w, "a"); got != "我的好友: c() Work: b(Bob) d(my d)" { // in the order of becoming friends, whatever changed later
		t.Errorf("d moved: %s", got)
	}

	w.Do("a", events.PairStream("a", "b"), events.FriendBlocked{})
	w.Do("c", events.PairStream("a", "c"), events.FriendBlocked{})
	if got := brief(w, "a"); got != "我的好友: c() Work: b(Bob)! d(my d)" {
		t.Errorf("b blocked: %s", got)
	}
	if got := brief(w, "b"); got != "我的好友: a(my a)" {
		t.Errorf("b is told of the block: %s", got)
	}
	w.Do("a", events.PairStream("a", "b"), events.FriendUnblocked{})

	w.Do("a", events.UserStream("a"), events.FolderDeleted{Folder: work})
	if got := brief(w, "a"); got != "我的好友: b(Bob) c() d(my d)" {
		t.Errorf("without the folder: %s", got)
	}

	// The end of a friendship ends the views of it.
	w.Do("b", events.PairStream("a", "b"), events.FriendRemoved{})
	w.Do("a", events.PairStream("a", "b"), events.FriendViewChanged{Remark: "gone"}) // says nothing any more
	if got := brief(w, "a"); got != "我的好友: c() d(my d)" {
		t.Errorf("without b: %s", got)
	}
	w.Befriend("b", "a")
	if got := brief(w, "a"); got != "我的好友: c() d(my d) b(my b)" {
		t.Errorf("with b again: %s", got)
	}
}

// The rows say what the ledger says, merged or not.
func TestRowsOfViews(t *testing.T) {
	w := projectiontest.New(t, friends.Projection{})
	w.Register("a", "b", "c")
	w.Befriend("a", "b")
	w.Befriend("c", "a")
	see(w, "a", "b", "x", "0")
	see(w, "a", "b", "Bobby", "0")
	w.Do("c", events.PairStream("a", "c"), events.FriendRemoved{})
	w.Do("a", events.PairStream("a", "c"), events.FriendViewChanged{Remark: "gone"})
	w.Settle()
	check := func() {
		t.Helper()
		rows := projectiontest.Strings(t, w.DB, `SELECT format('{} {} {}', user, friend, argMax(remark, offset)) FROM friend_views GROUP BY user, friend ORDER BY user, friend`)
		if want := []string{"a b Bobby", "a c ", "b a my a", "c a "}; !slices.Equal(rows, want) {
			t.Errorf("rows are %q, want %q", rows, want)
		}
		for _, row := range rows {
			f := strings.SplitN(row, " ", 3)
			if remark := friends.Remark(w.Reader(), f[0], f[1]); remark != f[2] {
				t.Errorf("%s calls %s %q, the row says %q", f[0], f[1], remark, f[2])
			}
		}
	}
	check()
	projectiontest.Exec(t, w.DB, fmt.Sprintf("OPTIMIZE TABLE friend_views_b%d FINAL", w.Engine.Live(friends.Name)))
	check()
	if remark := friends.Remark(w.Reader(), "b", "c"); remark != "" {
		t.Errorf("strangers have the remark %q", remark)
	}
}
