package friends_test

import (
	"strings"
	"testing"

	"lishi/events"
	"lishi/projections/friends"
	"lishi/projections/projectiontest"
)

func TestBlockedPeopleAreListedForWhoBlockedThem(t *testing.T) {
	w := projectiontest.New(t, friends.Projection{})
	w.Register("a", "b", "c")
	w.Befriend("a", "b")
	blocked := func(caller string) string {
		var ids []string
		for _, p := range w.Ask(caller, friends.Blocks{}).List.([]friends.Person) {
			ids = append(ids, p.UserID+"="+p.NickName)
		}
		return strings.Join(ids, " ")
	}
	block := func(by, other string) {
		w.Do(by, events.PairStream(by, other), events.FriendBlocked{})
	}
	expect(t, "nobody", w.Ask("a", friends.Blocks{}), "[]")
	block("a", "b")
	block("a", "c")
	if got := blocked("a"); got != "b=Nb c=Nc" && got != "c=Nc b=Nb" { // c is a stranger; both perhaps within one millisecond
		t.Errorf("a has blocked %q", got)
	}
	if got := blocked("b"); got != "" {
		t.Errorf("b, who was blocked, has blocked %q", got)
	}
	block("b", "a")
	w.Do("a", events.PairStream("a", "b"), events.FriendUnblocked{})
	if got := blocked("a") + ", " + blocked("b"); got != "c=Nc, a=Na" {
		t.Errorf("after unblocking: %q", got)
	}
}
