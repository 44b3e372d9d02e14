package ledger

import (
	"bytes"
	"sync"
	"testing"

	"lishi/events"
)

// Everything but Admit may be asked from any goroutine while records come in;
// the race detector looks on.
func TestReadersBesideTheWriter(t *testing.T) {
	s := full(t)
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				view(s.l, events.Now, true)
				view(s.l, s.l.Folded()/2, false)
				s.l.Find(events.NewID("a", "b", "c"))
				s.l.Void(3)
				s.l.Recalled(3)
				s.l.At()
				s.l.Relations().User("an")
				s.l.Relations().Mark("an", "g|club")
				if _, err := s.l.Snapshot(&bytes.Buffer{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 300 {
		s.say(Valid, club, "olga")
		s.do(club, "zoe", events.GroupJoined{})
		s.do(club, "adam", events.GroupMemberRemoved{UserID: "zoe"})
	}
	close(done)
	readers.Wait()
	if n := len(s.l.Relations().Intervals(club, "zoe")); n != 300 {
		t.Fatalf("zoe joined %d times", n)
	}
}
