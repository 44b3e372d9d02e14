package commands

import (
	"context"
	"fmt"
	"testing"
	"time"

	"lishi/events"
	"lishi/events/ledger"
)

// loopback is a log that shows each event to ledger and handler at once, so that
// what is measured is theirs.
type loopback struct {
	events.AsyncLog // none: only AppendAsync is called
	book            *ledger.Book
	settle          func(events.Recorded, ledger.Verdict) []any
}

func (l *loopback) Book() *ledger.Book { return l.book }

func (l *loopback) CatchUp(context.Context, events.Partition) error { return nil }

func (l *loopback) Wait(context.Context, events.Cursor) error { return nil }

func (l *loopback) AppendAsync(e events.Event, done func(events.Position, error)) {
	p := l.book.Layout().Partition(e.Stream)
	part := l.book.Ledger(p)
	r := events.Recorded{Event: e, Position: events.Position{Partition: p, Offset: part.Folded() + 1}, At: e.Time}
	v, err := part.Admit(r)
	if err != nil {
		panic(err)
	}
	done(r.Position, nil)
	l.settle(r, v)
}

func newLoopback() (*loopback, *Handler) {
	l := &loopback{book: ledger.NewBook(events.Layout{Conversations: 4, Users: 1})}
	h := NewHandler(l, l, Options{})
	l.settle = h.Settle
	for _, u := range []string{"a", "b"} {
		if err := h.Register(context.Background(), Actor{ID: u}); err != nil {
			panic(err)
		}
	}
	for i, c := range []Command{ApplyFriend{UserID: "b"}, ApplyFriend{UserID: "a"}} {
		done := make(chan Outcome, 1)
		h.Submit(context.Background(), request(string(rune('a'+i)), "f", c), func(o Outcome) { done <- o })
		if o := <-done; o.Err != nil {
			panic(o.Err)
		}
	}
	return l, h
}

// From the decoded request to the answer, with the ledger, without the log.
func BenchmarkSendMessage(b *testing.B) {
	_, h := newLoopback()
	defer h.Close(context.Background())
	ctx, answers := context.Background(), 0
	done := func(o Outcome) {
		if o.Err != nil {
			b.Fatal(o.Err)
		}
		answers++
	}
	c := SendMessage{ReceiveUserID: "b", Content: "hello"}
	r := Request{URL: "/chat/sendMessage", Command: c, Actor: Actor{ID: "a"}, Fingerprint: Fingerprint("/chat/sendMessage", c), Time: time.Now()}
	numbers := make([]string, b.N)
	for i := range numbers {
		numbers[i] = fmt.Sprint(i)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for _, no := range numbers {
		r.UniqueNo = no
		h.Submit(ctx, r, done)
	}
	if b.StopTimer(); answers != b.N {
		b.Fatalf("%d answers to %d messages", answers, b.N)
	}
}

// What a command costs in a group of so many members: none looks at all of them.
func BenchmarkLargeGroup(b *testing.B) {
	for _, members := range []int{100, 1_000, 10_000, 100_000} {
		l, h := newLoopback()
		ctx := context.Background()
		number := 0
		do := func(user, url string, c Command) Outcome {
			number++
			done := make(chan Outcome, 1)
			h.Submit(ctx, Request{
				URL: url, Command: c, Actor: Actor{ID: user}, UniqueNo: fmt.Sprint(number), Fingerprint: Fingerprint(url, c), Time: time.Now(),
			}, func(o Outcome) { done <- o })
			o := <-done
			if o.Err != nil {
				b.Fatal(o.Err)
			}
			return o
		}
		made := do("a", "/group/addGroup", AddGroup{GroupName: "G", JoinMode: events.JoinOpen})
		id := made.Event.Stream.ID
		joined := 0
		join := func() {
			joined++
			u := fmt.Sprint("u", joined)
			if err := h.Register(ctx, Actor{ID: u}); err != nil {
				b.Fatal(err)
			}
			do(u, urlApplyGroup, ApplyGroup{GroupID: id})
		}
		for range members {
			join()
		}
		b.Run(fmt.Sprintf("members=%d/send", members), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				do("a", "/group/sendGroupMessage", SendGroupMessage{GroupID: id, Content: "hello"})
			}
		})
		b.Run(fmt.Sprintf("members=%d/join", members), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				join()
			}
		})
		if n := l.book.Relations(made.Event.Stream).Count(made.Event.Stream, events.Now); n != joined+1 {
			b.Fatalf("%d members, %d have joined", n, joined)
		}
		_ = h.Close(ctx)
	}
}

// The ledger's share of the above.
func BenchmarkAdmitAlone(b *testing.B) {
	l, h := newLoopback()
	defer h.Close(context.Background())
	part := l.book.Of(ab)
	b.ReportAllocs()
	for i := range b.N {
		e := events.Event{
			ID: events.ID{1, byte(i), byte(i >> 8), byte(i >> 16), byte(i >> 24)}, Stream: ab, Actor: "a", Basis: part.Folded(),
			Body: events.MessageSent{Content: events.Content{Plain: "hello"}},
		}
		r := events.Recorded{Event: e, Position: events.Position{Partition: part.Partition(), Offset: part.Folded() + 1}}
		if v, err := part.Admit(r); err != nil || v.Void() {
			b.Fatal(v, err)
		}
	}
}

// What other nodes' records cost a handler, in the best and in the usual case.
func BenchmarkSettleOthers(b *testing.B) {
	_, h := newLoopback()
	defer h.Close(context.Background())
	r := events.Recorded{Event: events.Event{ID: events.NewID("x", "y", "z"), Stream: ab}}
	r.Position.Partition = h.book.Layout().Partition(ab)
	b.Run("nobody waits", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			h.Settle(r, ledger.Valid)
		}
	})
	b.Run("others wait", func(b *testing.B) {
		part := h.partOf(ab)
		p := h.newPending(Request{Command: hi("b")}, events.NewID("q", "", ""), func(Outcome) {})
		part.mu.Lock()
		part.enter(p)
		part.mu.Unlock()
		b.ReportAllocs()
		for range b.N {
			h.Settle(r, ledger.Valid)
		}
		part.mu.Lock()
		part.answer(p)
		part.mu.Unlock()
	})
}

func TestSettleCostsNothingWhenNobodyWaits(t *testing.T) {
	_, h := newLoopback()
	defer h.Close(context.Background())
	r := events.Recorded{Event: events.Event{ID: events.NewID("x", "y", "z"), Stream: ab}}
	r.Position.Partition = h.book.Layout().Partition(ab)
	if n := testing.AllocsPerRun(100, func() { h.Settle(r, ledger.Valid) }); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func BenchmarkFingerprint(b *testing.B) {
	var c Command = SendMessage{ReceiveUserID: "b", Content: "hello"}
	b.ReportAllocs()
	for range b.N {
		Fingerprint("/chat/sendMessage", c)
	}
}

func BenchmarkRegisterNothingToDo(b *testing.B) {
	_, h := newLoopback()
	defer h.Close(context.Background())
	b.ReportAllocs()
	for range b.N {
		if err := h.Register(context.Background(), Actor{ID: "a"}); err != nil {
			b.Fatal(err)
		}
	}
}
