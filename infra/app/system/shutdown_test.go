package system

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// SIGTERM under load: what was taken is answered, sockets are closed with 1001, the
// program ends well and in time; every success is in history once, and nothing that
// was refused.
func TestTerminateUnderLoad(t *testing.T) {
	const writers, underWay = 6, 64
	s := serve(t, t.TempDir())
	var socks []*socket
	for w := range writers {
		s.befriend(fmt.Sprint("w", w), "reader")
		k, _ := s.login(fmt.Sprint("w", w), nil)
		socks = append(socks, k)
	}
	var acked atomic.Int64
	answers := make([]map[string]answer, writers)
	var all sync.WaitGroup
	for w, k := range socks {
		tok := token(t, fmt.Sprint("w", w))
		places, gone := make(chan struct{}, underWay), make(chan struct{})
		all.Go(func() { // writes until the socket is gone
			for n := 0; ; n++ {
				select {
				case places <- struct{}{}:
				case <-gone:
					return
				}
				text := fmt.Sprintf("w%d-%d", w, n)
				frame := jsonOf(t, object{"url": "/chat/sendMessage", "params": object{"token": tok, "uniqueNo": text, "receiveUserId": "reader", "messageContent": text}})
				if k.conn.Write(t.Context(), websocket.MessageText, []byte(frame)) != nil {
					return
				}
			}
		})
		answers[w] = map[string]answer{}
		all.Go(func() {
			defer close(gone)
			for a := range k.frames {
				<-places
				if no, ok := a.Obj["uniqueNo"].(string); ok {
					answers[w][no] = a
					if a.ok() {
						acked.Add(1)
					}
				}
			}
		})
	}
	wait(t, "messages", 20*time.Second, func() bool { return acked.Load() > 500 })
	if code := s.terminate(); code != 0 {
		t.Errorf("exit status %d\n%s", code, s.log)
	}
	all.Wait()
	for _, k := range socks {
		if err := <-k.closed; websocket.CloseStatus(err) != websocket.StatusGoingAway {
			t.Errorf("closed with %v", err)
		}
	}
	s.start()
	refused := 0
	for w := range writers {
		user := fmt.Sprint("w", w)
		in := map[string]int{}
		for _, row := range s.history(user, "reader") {
			in[row["talkContent"].(string)]++
		}
		for no, a := range answers[w] {
			switch {
			case a.ok() && in[no] != 1:
				t.Errorf("%s was acknowledged and is %d times in history", no, in[no])
			case a.reason() == "unavailable" && in[no] != 0:
				t.Errorf("%s was refused and is in history: %s", no, a.Raw)
			case !a.ok() && a.reason() != "unavailable":
				t.Errorf("%s: %s", no, a.Raw)
			case !a.ok():
				refused++
			}
		}
		// What was appended was also answered: nothing stands between the two.
		for text, n := range in {
			if a := answers[w][text]; n != 1 || !a.ok() {
				t.Errorf("%s is %d times in history and was answered %q", text, n, a.Raw)
			}
		}
	}
	t.Logf("%d acknowledged, %d refused", acked.Load(), refused)
}
