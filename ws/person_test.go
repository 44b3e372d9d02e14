package ws

import (
	"fmt"
	"testing"
	"time"
)

// People who are connected are remembered; who left is forgotten a while later.
func TestPeopleAreForgotten(t *testing.T) {
	h := newHub(2, Options{})
	start := time.Date(2020, 7, 30, 4, 0, 0, 0, time.UTC)
	stays := h.enter("stays", start, true)
	left := h.enter("left", start, true)
	h.leave(left, start)
	left.saw(1, 7)
	if h.enter("left", start, false) != left || h.enter("left", start, false).seen[1].Load() != 7 {
		t.Error("forgotten at once")
	}
	late := start.Add(linger + time.Second)
	for i := range 1000 { // every shard is entered
		h.enter(fmt.Sprint("new", i), late, false)
	}
	if h.find("stays") != stays {
		t.Error("somebody who is connected was forgotten")
	}
	if h.find("left") != nil {
		t.Error("who left is still there")
	}
	if h.find("new7") == nil {
		t.Error("somebody new was forgotten")
	}
}

func TestSawNeverGoesBack(t *testing.T) {
	p := newHub(1, Options{}).enter("p", time.Now(), false)
	for _, o := range []int64{3, 9, 4} {
		p.saw(0, o)
	}
	if p.seen[0].Load() != 9 {
		t.Error(p.seen[0].Load())
	}
}

func TestTokenBucket(t *testing.T) {
	now := time.Date(2020, 7, 30, 4, 0, 0, 0, time.UTC)
	h := newHub(1, Options{Rate: 50, Burst: 200})
	p := h.enter("p", now, false)
	take := func(n int) (got int) {
		for range n {
			if h.take(p, now) == 0 {
				got++
			}
		}
		return got
	}
	if n := take(300); n != 200 {
		t.Errorf("a burst of %d", n)
	}
	if wait := h.take(p, now); wait != 20*time.Millisecond {
		t.Errorf("wait %s", wait)
	}
	now = now.Add(time.Second)
	if n := take(300); n != 50 {
		t.Errorf("%d in a second", n)
	}
	now = now.Add(-time.Hour) // a clock that goes back gives nothing
	if n := take(1); n != 0 {
		t.Error("tokens from the past")
	}
	now = now.Add(24 * time.Hour)
	if n := take(1000); n != 200 {
		t.Errorf("%d after a day", n)
	}
	if off := newHub(1, Options{}); off.take(p, now) != 0 {
		t.Error("no rate is no limit")
	}
}
