//go:build kafka

package system

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"lishi/infra/kafka/kafkatest"
)

// While brokers stand still a command is answered unknown at its deadline (or
// unavailable, if it was not sent); when they go on, the same uniqueNo settles
// it, and the message is in history once.
func TestKafkaDeadline(t *testing.T) {
	c := kafkatest.Start(t, 3)
	s := serve(t, t.TempDir(), "--kafka-brokers", strings.Join(c.Brokers, ","), "--deadline", "1s", "--conversation-partitions", "3", "--user-partitions", "1")
	s.befriend("ann", "bob")
	send := func(n int, again bool) answer {
		text := fmt.Sprint("text ", n)
		return s.post("ann", "/chat/sendMessage", object{"uniqueNo": text, "receiveUserId": "bob", "messageContent": text, "resend": again})
	}
	wait(t, "a first message", time.Minute, func() bool { return send(0, true).ok() })
	c.Pause(t, 2)
	c.Pause(t, 3)
	reasons := map[string]int{}
	for n := 1; n <= 5; n++ {
		began := time.Now()
		a := send(n, false)
		if reasons[a.reason()]++; a.ok() || a.reason() != "unknown" && a.reason() != "unavailable" {
			t.Errorf("message %d: %s", n, a.Raw)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("message %d was answered after %s", n, took)
		}
	}
	if reasons["unknown"] == 0 {
		t.Error("nothing was unknown:", reasons)
	}
	c.Resume(t, 2)
	c.Resume(t, 3)
	for n := 1; n <= 5; n++ {
		wait(t, fmt.Sprintf("message %d", n), time.Minute, func() bool { return send(n, true).ok() })
	}
	seen := map[any]int{}
	wait(t, "history", time.Minute, func() bool {
		a := s.post("bob", "/friend/loadMoreMessage", object{"userId": "ann", "limit": 100})
		clear(seen)
		for _, row := range a.list() {
			seen[row["talkContent"]]++
		}
		return a.ok() && len(seen) >= 6
	})
	for n := range 6 {
		if text := fmt.Sprint("text ", n); seen[text] != 1 {
			t.Errorf("%s is in history %d times", text, seen[text])
		}
	}
}
