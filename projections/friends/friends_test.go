package friends_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"lishi/commands"
	"lishi/events"
	"lishi/projections"
	"lishi/projections/friends"
	"lishi/projections/projectiontest"
)

func TestMain(m *testing.M) { projectiontest.Main(m) }

func expect(t *testing.T, what string, page projections.Page, want string) {
	t.Helper()
	got, err := json.Marshal(page.List)
	if err != nil || string(got) != want {
		t.Errorf("%s:\n%s, want\n%s (%v)", what, got, want, err)
	}
}

func TestFriendList(t *testing.T) {
	w := projectiontest.New(t, friends.Projection{})
	w.Register("a", "b", "online", "d")
	const folder = `[{"friendGroupId":"0","friendGroupName":"我的好友","friendGroupOrder":0,"allowDeletion":false,"friendLists":[%s]}]`
	expect(t, "nobody", w.Ask("a", friends.List{}), fmt.Sprintf(folder, ""))

	w.Befriend("a", "b")
	w.Befriend("online", "a")
	w.Befriend("b", "d")
	w.Do("b", events.UserStream("b"), events.UserProfileChanged{NickName: "Bob", Avatar: "b.png"})
	b := `{"friendId":"b","friendState":"0","nickName":"Bob","remarks":"my b","avatar":"b.png"}`
	online := `{"friendId":"online","friendState":"9","nickName":"Nonline","remarks":"my online","avatar":""}`
	expect(t, "two", w.Ask("a", friends.List{}), fmt.Sprintf(folder, b+","+online))
	expect(t, "the other side", w.Ask("online", friends.List{}),
		fmt.Sprintf(folder, `{"friendId":"a","friendState":"0","nickName":"Na","remarks":"my a","avatar":""}`))

	w.Do("b", events.PairStream("a", "b"), events.FriendRemoved{})
	expect(t, "one left", w.Ask("a", friends.List{}), fmt.Sprintf(folder, online))

	// Friends again, by two applications that cross: the later one agrees.
	w.Do("a", events.PairStream("a", "b"), events.FriendApplied{Remark: "Bobby", ExpiresAt: 1 << 50})
	waiting := w.Tail.Book().Relations(events.PairStream("a", "b")).Pair(events.PairStream("a", "b")).Waiting
	w.Do("b", events.PairStream("a", "b"), events.FriendAgreed{Application: waiting[0].ID, Applicant: "a", Remark: "Anna", Crossed: true})
	b = `{"friendId":"b","friendState":"0","nickName":"Bob","remarks":"Bobby","avatar":"b.png"}`
	expect(t, "again", w.Ask("a", friends.List{}), fmt.Sprintf(folder, online+","+b))
}

func TestFind(t *testing.T) {
	w := projectiontest.New(t, friends.Projection{})
	for id, name := range map[string]string{"1": "王小明", "2": "Anna 小", "3": "ANNABEL", "4": "100%_'x"} {
		w.Do(id, events.UserStream(id), events.UserRegistered{NickName: name})
	}
	w.Do("3", events.UserStream("3"), events.UserProfileChanged{NickName: "Bella", Avatar: "b.png"})
	for _, c := range []struct {
		q    friends.Find
		want string
	}{
		{friends.Find{UserNo: "1"}, `[{"userId":"1","userNo":"1","nickName":"王小明","avatar":""}]`},
		{friends.Find{UserNo: "9"}, `[]`},
		{friends.Find{UserNo: "1", NickName: "小明"}, `[{"userId":"1","userNo":"1","nickName":"王小明","avatar":""}]`},
		{friends.Find{UserNo: "1", NickName: "x"}, `[]`},
		{friends.Find{NickName: "小"}, `[{"userId":"1","userNo":"1","nickName":"王小明","avatar":""},{"userId":"2","userNo":"2","nickName":"Anna 小","avatar":""}]`},
		{friends.Find{NickName: "aNN"}, `[{"userId":"2","userNo":"2","nickName":"Anna 小","avatar":""}]`}, // 3 is called otherwise now
		{friends.Find{NickName: "ELL"}, `[{"userId":"3","userNo":"3","nickName":"Bella","avatar":"b.png"}]`},
		{friends.Find{NickName: "%_'"}, `[{"userId":"4","userNo":"4","nickName":"100%_'x","avatar":""}]`},
		{friends.Find{NickName: "%"}, `[{"userId":"4","userNo":"4","nickName":"100%_'x","avatar":""}]`},
	} {
		expect(t, fmt.Sprintf("%+v", c.q), w.Ask("1", c.q), c.want)
	}
	if _, err := w.Try("1", friends.Find{}); !errors.Is(err, commands.ErrBadRequest) {
		t.Errorf("asking for nobody gives %v", err)
	}
}

func TestApplications(t *testing.T) {
	w := projectiontest.New(t, friends.Projection{})
	w.Register("a", "b", "c", "d", "e")
	day := int64(24 * time.Hour / time.Millisecond)
	apply := func(from, to string, expires int64) events.Recorded {
		return w.Do(from, events.PairStream(from, to), events.FriendApplied{Note: "hi " + to, ExpiresAt: expires})
	}
	now := w.Clock.UnixMilli()
	toB := apply("a", "b", now+day)
	toC := apply("a", "c", now+day)
	fromD := apply("d", "a", now+1)
	fromE := apply("e", "a", now+day)
	apply("b", "c", now+day)
	w.Do("b", events.PairStream("a", "b"), events.FriendAgreed{Application: toB.ID, Applicant: "a"})
	w.Do("c", events.PairStream("a", "c"), events.FriendRefused{Application: toC.ID, Applicant: "a", Note: "no"})
	row := func(e events.Recorded, to, state string) string {
		return fmt.Sprintf(`{"applyFriendId":"%s","applyUserId":"%s","applyNickName":"N%s","note":"hi %s","applyDate":"%s","time":%d,"applyState":"%s","receiveUserId":"%s","position":"%s"}`,
			e.ID, e.Actor, e.Actor, to, e.Time.Add(8*time.Hour).Format(time.DateTime), e.Time.UnixMilli(), state, to, e.Position)
	}
	expectSet(t, w.Ask("a", friends.Applications{}), row(toB, "b", "9"), row(toC, "c", "0"), row(fromD, "a", "2"), row(fromE, "a", "1"))
	expectSet(t, w.Ask("e", friends.Applications{}), row(fromE, "a", "1"))
	expectSet(t, w.Ask("x", friends.Applications{}))
}

// expectSet compares lists of which several orders are right: those of events in
// different partitions that were recorded in the same millisecond.
func expectSet(t *testing.T, page projections.Page, want ...string) {
	t.Helper()
	got := map[string]bool{}
	list := page.List.([]friends.Application)
	for _, a := range list {
		b, _ := json.Marshal(a)
		got[string(b)] = true
	}
	for _, s := range want {
		if !got[s] {
			t.Errorf("missing %s in %v", s, got)
		}
	}
	if len(list) != len(want) {
		t.Errorf("%d applications, want %d", len(list), len(want))
	}
}

func TestImportedFriendshipHasNoApplication(t *testing.T) {
	w := projectiontest.New(t, friends.Projection{})
	w.Register("a", "b")
	e := w.Event("a", events.PairStream("a", "b"), events.FriendAgreed{})
	e.Imported = true
	w.Record(e)
	if l := w.Ask("b", friends.List{}).List.([]friends.Filled); len(l[0].FriendLists) != 1 {
		t.Errorf("friends: %+v", l)
	}
	if l := w.Ask("b", friends.Applications{}).List.([]friends.Application); len(l) != 0 {
		t.Errorf("applications: %+v", l)
	}
}
