package ws

import (
	"bufio"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	gobwas "github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// 100 pairs, 8 messages under way each, over real sockets and a log in memory: what
// sessions, the handler, the ledger and delivery cost a message, client included.
func BenchmarkSendMessages(b *testing.B) {
	w := openWorld(b, settings{realNow: true})
	defer w.close()
	const pairs, flying = 100, 8
	var senders []func(n int)
	for i := range pairs {
		from, to := fmt.Sprint("a", i), fmt.Sprint("b", i)
		w.befriend(from, to)
		w.drained(to)
		senders = append(senders, w.sender(from, to, flying))
	}
	b.ReportAllocs()
	b.ResetTimer()
	var sending sync.WaitGroup
	for _, send := range senders {
		sending.Go(func() { send(b.N/pairs + 1) })
	}
	sending.Wait()
	b.StopTimer()
	b.ReportMetric(float64((b.N/pairs+1)*pairs)/b.Elapsed().Seconds(), "messages/s")
}

// sender gives a function that sends n messages and waits for their successes.
func (w *world) sender(from, to string, flying int) func(n int) {
	conn, rest, _, err := gobwas.Dial(context.Background(), "ws"+strings.TrimPrefix(w.http.URL, "http")+"/ws")
	if err != nil {
		w.t.Fatal(err)
	}
	if rest != nil {
		gobwas.PutReader(rest)
	}
	w.raw = append(w.raw, conn)
	no := 0
	return func(n int) {
		slots := make(chan struct{}, flying)
		read := make(chan struct{})
		go func() {
			defer close(read)
			in := bufio.NewReader(conn)
			for range n {
				h, err := gobwas.ReadHeader(in)
				if err != nil {
					w.t.Error(err)
					return
				}
				if _, err := in.Discard(int(h.Length)); err != nil {
					w.t.Error(err)
					return
				}
				<-slots
			}
		}()
		for range n {
			slots <- struct{}{}
			no++
			text := requestText("/chat/sendMessage", "token", from, "uniqueNo", fmt.Sprint(no), "receiveUserId", to, "messageContent", "a message of usual length, some fifty bytes long")
			if err := wsutil.WriteClientText(conn, []byte(text)); err != nil {
				w.t.Error(err)
				return
			}
		}
		<-read
	}
}
