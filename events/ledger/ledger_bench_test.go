package ledger

import (
	"fmt"
	"io"
	"runtime"
	"testing"
	"time"

	"lishi/events"
)

// town is a ledger with many friends and a group, and messages by them.
func town(b testing.TB, people int) (*Ledger, []events.Recorded) {
	s := newScript(b, W)
	s.do(club, "u0", events.GroupCreated{GroupName: "club"})
	messages := make([]events.Recorded, 0, 2*people)
	for i := range people {
		one, two := fmt.Sprint("u", i), fmt.Sprint("u", i+1)
		to := events.PairStream(one, two)
		s.do(to, one, events.FriendAgreed{})
		s.do(club, two, events.GroupJoined{})
		messages = append(messages, s.record(s.message(to, one, sent("hi"))), s.record(s.message(club, two, sent("hi"))))
	}
	return s.l, messages
}

func BenchmarkAdmitMessage(b *testing.B) {
	l, messages := town(b, 10_000)
	n := uint64(0)
	for l.Folded() < 2*W { // the window full, so that every record drives one out
		admitNext(b, l, &messages[n%uint64(len(messages))], n)
		n++
	}
	b.ReportAllocs()
	for b.Loop() {
		admitNext(b, l, &messages[n%uint64(len(messages))], n)
		n++
	}
}

func admitNext(b *testing.B, l *Ledger, m *events.Recorded, n uint64) {
	r := *m
	r.ID = numbered(n)
	r.Position.Offset = l.folded + 1
	r.Basis = l.folded
	if v, err := l.Admit(r); err != nil || v != Valid {
		b.Fatal(v, err)
	}
}

func BenchmarkMembers(b *testing.B) {
	l, _ := town(b, 100_000)
	r := l.Relations()
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		r.Members(club, events.Now, func(string, events.Role) bool { n++; return true })
		if n != 100_001 {
			b.Fatal(n)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100_001, "ns/member")
}

func BenchmarkMember(b *testing.B) {
	l, _ := town(b, 100_000)
	r := l.Relations()
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := r.Member(club, "u70000", events.Now); !ok {
			b.Fatal("no member")
		}
	}
}

func BenchmarkSnapshot(b *testing.B) {
	l, _ := town(b, 100_000)
	b.ReportAllocs()
	for b.Loop() {
		snapshot, err := l.snapshot()
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(snapshot)))
	}
}

func TestAdmittingAMessageAllocatesNothing(t *testing.T) {
	l, messages := town(t, 100)
	n := uint64(0)
	for range chunkSize { // beyond the growth of the window's first chunk and index
		r := messages[0]
		r.ID, r.Position.Offset, r.Basis = numbered(n), l.folded+1, l.folded
		n++
		if v, err := l.Admit(r); err != nil || v != Valid {
			t.Fatal(v, err)
		}
	}
	if a := testing.AllocsPerRun(100, func() {
		r := messages[n%100]
		r.ID, r.Position.Offset, r.Basis = numbered(n), l.folded+1, l.folded
		n++
		if v, err := l.Admit(r); err != nil || v != Valid {
			t.Fatal(v, err)
		}
	}); a != 0 {
		t.Errorf("%v allocations a message", a)
	}
}

func TestMembersAllocatesNothingPerMember(t *testing.T) {
	l, _ := town(t, 2000)
	n := 0
	if a := testing.AllocsPerRun(10, func() {
		l.Relations().Members(club, events.Now, func(string, events.Role) bool { n++; return true })
	}); a > 2 {
		t.Errorf("%v allocations for 2001 members", a)
	}
	runtime.KeepAlive(n)
}

// How long a record waits at worst while a snapshot is made, and without one.
func BenchmarkPauseOfASnapshot(b *testing.B) {
	for _, during := range []bool{true, false} {
		b.Run(map[bool]string{true: "during", false: "without"}[during], func(b *testing.B) {
			l, messages := town(b, 100_000)
			n := uint64(0)
			for l.Folded() < 2*W {
				admitNext(b, l, &messages[n%uint64(len(messages))], n)
				n++
			}
			var worst time.Duration
			for b.Loop() {
				made := make(chan error, 1)
				if during {
					go func() { _, err := l.Snapshot(io.Discard); made <- err }()
				} else {
					time.AfterFunc(50*time.Millisecond, func() { made <- nil })
				}
				for over := false; !over; n++ {
					began := time.Now()
					admitNext(b, l, &messages[n%uint64(len(messages))], n)
					worst = max(worst, time.Since(began))
					select {
					case err := <-made:
						if err != nil {
							b.Fatal(err)
						}
						over = true
					default:
					}
				}
			}
			b.ReportMetric(float64(worst.Microseconds())/1000, "worst-ms")
		})
	}
}
