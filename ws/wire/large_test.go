package wire

import (
	"strings"
	"testing"
	"time"
)

// A large message may be larger than the queue's limit, and takes no room from
// others.
func TestSendLarge(t *testing.T) {
	s := serveEcho(t, Options{QueueLimit: 4 << 10})
	far := s.dial(t)
	c := <-s.conns
	large := strings.Repeat("x", 16<<20) // more than the network's buffers hold
	gone := c.SendLarge([]byte(large))
	if n := c.Queued(); gone == nil || n > 100 {
		t.Errorf("it counts %d bytes", n)
	}
	for range 3 {
		if !c.SendText([]byte(strings.Repeat("y", 1000))) {
			t.Fatal("no room for others")
		}
	}
	select {
	case <-gone:
		t.Fatal("written before anybody read")
	default:
	}
	far.SetReadDeadline(time.Now().Add(patience))
	if f, err := far.read(); err != nil || f.payload != large {
		t.Fatalf("%d bytes, %v", len(f.payload), err)
	}
	<-gone
	for range 3 {
		far.expect(t, textBack(strings.Repeat("y", 1000)))
	}
	eventually(t, "an empty account", func() bool { return c.Queued() == 0 })

	// One that is never read goes with the connection.
	first, second := c.SendLarge([]byte(large)), c.SendLarge([]byte(large))
	far.Close()
	<-first
	<-second
	<-s.reasons
	if c.SendLarge(nil) != nil {
		t.Error("taken after the end")
	}
}
