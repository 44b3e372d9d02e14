//go:build !race

package ws

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

// From a received frame of sendMessage to the log, which takes it without one more
// (see infra/kafka, TestAppendAsyncAllocatesNothing): the frame's copy with the
// command in it, the command under way, and the event's body. What is used again
// is there once as many messages were under way before.
func TestAMessageOnItsWayToTheLogAllocates(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // a pool has a part for each
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	w := newWorld(t, settings{})
	w.befriend("alice", "bob")
	alice := w.as("alice")
	alice.do("/chat/sendMessage", "token", "alice", "uniqueNo", "0", "receiveUserId", "bob", "messageContent", "hi")
	c := w.server.hub.find("alice").connections()[0]
	const runs = 200
	send := func(round string) (allocations float64) {
		frames := make([][]byte, 0, runs+1)
		for i := range cap(frames) {
			frames = append(frames, []byte(fmt.Sprintf(
				`{"url":"/chat/sendMessage","params":{"token":"alice","uniqueNo":"%s-%03d","receiveUserId":"bob","messageContent":"%s"}}`,
				round, i, strings.Repeat("你好", 33))))
		}
		w.log.pause(true)
		next := 0
		allocations = testing.AllocsPerRun(runs, func() {
			if rest, err := c.Text(frames[next]); rest != nil || err != nil {
				t.Errorf("message %d waits: %v", next, err)
			}
			next++
		})
		if waiting := w.log.waiting(); waiting != runs+1 {
			t.Errorf("%d messages came to the log, not %d", waiting, runs+1)
		}
		w.log.pause(false)
		for i := range runs + 1 {
			if r := alice.next(); r["code"] != 200.0 {
				t.Fatalf("message %d: %v", i, r)
			}
		}
		return allocations
	}
	send("first")
	if n := send("again"); n > 3 {
		t.Errorf("%v allocations, not 3", n)
	}
}
