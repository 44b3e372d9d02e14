package system

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// kill -9 at any moment, many times, under load: every acknowledged message is in
// history exactly once and in order, reaches a receiver that resumes exactly
// once, and nothing refused appears.
func TestKillNineUnderLoad(t *testing.T) {
	const writers, kills = 4, 6
	s := serve(t, t.TempDir())
	for w := range writers {
		s.befriend(fmt.Sprintf("w%d", w), "reader")
	}
	reader := &resuming{got: map[string]int{}}
	reader.attach(s)
	acked := make([][]string, writers)
	var stop atomic.Bool
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			user := fmt.Sprintf("w%d", w)
			for n := 0; !stop.Load(); n++ {
				text := fmt.Sprintf("%s-%06d", user, n)
				for first := true; !stop.Load(); first = false {
					p := object{"uniqueNo": text, "receiveUserId": "reader", "messageContent": text}
					if !first {
						p["resend"] = true
					}
					a, err := s.try(user, "/chat/sendMessage", p)
					if err == nil && a.ok() {
						acked[w] = append(acked[w], text)
						break
					}
					if err == nil && a.reason() != "unavailable" && a.reason() != "unknown" {
						t.Errorf("%s: %s", text, a.Raw)
						return
					}
					time.Sleep(2 * time.Millisecond) // the server is being restarted
				}
			}
		})
	}

	for range kills {
		time.Sleep(time.Duration(300+rand.IntN(700)) * time.Millisecond) // how long the load runs, not a condition
		s.kill()
		reader.drain()
		s.start()
		reader.attach(s)
	}
	stop.Store(true)
	wg.Wait()

	for w := range writers {
		user := fmt.Sprintf("w%d", w)
		if len(acked[w]) == 0 {
			t.Fatalf("%s got nothing through", user)
		}
		rows := s.history("reader", user)
		i := 0
		for _, r := range rows {
			text := r["talkContent"].(string)
			if i < len(acked[w]) && text == acked[w][i] {
				i++
			} else if i < len(acked[w]) || text != fmt.Sprintf("%s-%06d", user, len(acked[w])) {
				t.Fatalf("%s: %s in history as number %d, acknowledged %v", user, text, i, acked[w][min(i, len(acked[w])-1)])
			}
		}
		if i != len(acked[w]) {
			t.Fatalf("%s: %d of %d acknowledged messages are in history", user, i, len(acked[w]))
		}
		for _, text := range acked[w] {
			wait(t, text+" at the reader", 20*time.Second, func() bool { reader.poll(); return reader.got[text] > 0 })
		}
	}
	for text, n := range reader.got {
		if n != 1 {
			t.Errorf("%s reached the reader %d times", text, n)
		}
	}
	t.Logf("%d messages acknowledged over %d kills", len(acked[0])+len(acked[1])+len(acked[2])+len(acked[3]), kills)
}

// resuming is a receiver that keeps its cursor as the protocol says.
type resuming struct {
	k      *socket
	cursor cursor
	got    map[string]int
}

func (r *resuming) attach(s *server) {
	params := object{}
	if r.cursor != nil {
		params["cursor"] = r.cursor.String()
	}
	k, login := s.login("reader", params)
	if login.Data["code"] != "200" {
		s.t.Fatalf("resume: %s", login.Raw)
	}
	r.k = k
	if r.cursor == nil {
		r.cursor = cursor{}
	}
	r.cursor.merge(s.t, login.Data["cursor"].(string))
}

func (r *resuming) take(a answer) {
	if p, ok := a.Data["position"].(string); ok {
		r.cursor.merge(r.k.t, p)
	}
	if a.MsgType == "1" {
		r.got[a.Data["messageContent"].(string)]++
	}
}

// drain takes what came before the socket broke.
func (r *resuming) drain() {
	for a := range r.k.frames {
		r.take(a)
	}
}

// poll takes what is there.
func (r *resuming) poll() {
	for {
		select {
		case a, ok := <-r.k.frames:
			if !ok {
				return
			}
			r.take(a)
		default:
			return
		}
	}
}
