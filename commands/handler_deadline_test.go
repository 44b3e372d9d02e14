package commands

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"lishi/events"
	"lishi/events/ledger"
)

// took checks how long an answer took, in the bubble's time.
func took(t *testing.T, since time.Time, want time.Duration) {
	t.Helper()
	if d := time.Since(since); d < want || d > want+300*time.Millisecond {
		t.Fatalf("took %s, want %s", d, want)
	}
}

func (l *faultyLog) size(s events.Stream) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.parts[l.layout.Partition(s)].records)
}

var ab = events.PairStream("a", "b")

func TestUnknownUntilItIsRead(t *testing.T) {
	for _, c := range []Command{hi("b"), DeleteFriend{FriendID: "b"}} {
		withNodes(t, Options{}, func(t *testing.T, log *faultyLog, one, two *node) {
			one.befriend("a", "b")
			before, start := log.size(ab), time.Now()
			resume := one.view.pause()
			wantReason(t, one.do("a", "1", c), Unknown)
			took(t, start, 10*time.Second)
			wantReason(t, one.do("a", "1", c), Unknown) // its first try is still not read
			resume()
			e := one.must("a", "1", c)
			if two.must("a", "1", c).Position != e.Position {
				t.Fatal("two answers")
			}
			one.catchUp()
			if n := len(one.events(e.Body.Type())); n != 1 || log.size(ab) > before+3 {
				t.Fatalf("%d events, %d records", n, log.size(ab)-before)
			}
		})
	}
}

func TestOutcomesOfTheLog(t *testing.T) {
	for _, c := range []Command{hi("b"), DeleteFriend{FriendID: "b"}, AddGroup{GroupName: "G"}} {
		for _, r := range []struct {
			fault   fault
			reason  string
			takes   time.Duration
			records int
		}{
			{fine, "", time.Millisecond, 1},
			{refuse, Unavailable, time.Millisecond, 0},
			{lose, Unknown, 10 * time.Second, 0},
			{hide, "", time.Millisecond, 1}, // it was read back, so it is known
			{twice, "", time.Millisecond, 2},
		} {
			t.Run(fmt.Sprintf("%s/%d", urlOf(c), r.fault), func(t *testing.T) {
				withNodes(t, Options{}, func(t *testing.T, log *faultyLog, one, two *node) {
					one.befriend("a", "b")
					log.always(r.fault)
					ended := 0
					for _, s := range []events.Stream{ab, events.GroupStream(events.NewID("u|a", "a", "1").String())} {
						ended += log.size(s)
					}
					start := time.Now()
					o := one.do("a", "1", c)
					wantReason(t, o, r.reason)
					took(t, start, r.takes)
					now := 0
					for _, s := range []events.Stream{ab, events.GroupStream(events.NewID("u|a", "a", "1").String())} {
						now += log.size(s)
					}
					if same := log.layout.Partition(ab) == log.layout.Partition(events.GroupStream(events.NewID("u|a", "a", "1").String())); same {
						ended, now = ended/2, now/2
					}
					if now-ended != r.records {
						t.Fatalf("%d records, want %d", now-ended, r.records)
					}
					log.always(fine)
					e := one.must("a", "1", c)
					one.catchUp()
					if len(one.events(e.Body.Type())) != 1 {
						t.Fatal("it happened twice")
					}
				})
			})
		}
	}
}

// A repeat whose first answer can't be read in time happened all the same.
func TestNeverUnavailableAfterSuccess(t *testing.T) {
	withNodes(t, Options{}, func(t *testing.T, log *faultyLog, one, two *node) {
		one.befriend("a", "b")
		e := one.must("a", "1", hi("b"))
		log.set(func(l *faultyLog) { l.stuck = true })
		for range 20 { // whichever notices the deadline first
			wantReason(t, one.do("a", "1", hi("b")), Unknown)
		}
		log.set(func(l *faultyLog) { l.stuck = false })
		if one.must("a", "1", hi("b")).Position != e.Position {
			t.Fatal("two answers")
		}
	})
}

// The same where the record that a command is about can't be read just then.
func TestNeverUnavailableAfterUnknownMark(t *testing.T) {
	withNodes(t, Options{}, func(t *testing.T, log *faultyLog, one, two *node) {
		one.befriend("a", "b")
		said := one.must("b", "1", hi("a"))
		mark := ReadMessage{UserID: "b", Position: said.Position.String()}
		resume := one.view.pause()
		wantReason(t, one.do("a", "2", mark), Unknown) // appended, not read back
		log.set(func(l *faultyLog) { l.down = true })
		wantReason(t, one.do("a", "2", mark), Unknown)
		wantReason(t, one.do("a", "3", mark), Unavailable) // this one came for the first time
		log.set(func(l *faultyLog) { l.down = false })
		resume()
		one.must("a", "2", mark)
	})
}

// Of a request that may have been appended before, nobody can say later that
// nothing happened.
func TestNeverUnavailableAfterUnknown(t *testing.T) {
	withNodes(t, Options{}, func(t *testing.T, log *faultyLog, one, two *node) {
		one.befriend("a", "b")
		log.always(lose)
		wantReason(t, one.do("a", "1", hi("b")), Unknown)
		log.always(refuse)
		wantReason(t, one.do("a", "1", hi("b")), Unknown)
		wantReason(t, one.do("a", "2", hi("b")), Unavailable)
		time.Sleep(2 * time.Minute) // whatever was under way then has ended
		wantReason(t, one.do("a", "1", hi("b")), Unavailable)
		log.always(fine)
		one.must("a", "1", hi("b"))

		// The deadline came first, and then the log said no after all.
		release := log.hold(ab)
		log.always(refuse)
		wantReason(t, one.do("a", "3", hi("b")), Unknown)
		release()
		synctest.Wait()
		time.Sleep(time.Second)
		start := time.Now()
		wantReason(t, one.do("a", "3", hi("b")), Unavailable)
		took(t, start, time.Millisecond)

		// What stands in the way now is something else.
		log.always(lose)
		wantReason(t, one.do("a", "4", hi("b")), Unknown)
		log.always(fine)
		two.must("b", "5", DeleteFriend{FriendID: "a"})
		one.catchUp()
		log.set(func(l *faultyLog) { l.down = true })
		wantReason(t, one.do("a", "6", hi("b")), Unavailable)
		wantReason(t, one.do("a", "4", hi("b")), Unknown)
		log.set(func(l *faultyLog) { l.down = false })
		wantReason(t, one.do("a", "4", hi("b")), NotFriend)
	})
}

func TestNothingSentInTime(t *testing.T) {
	withNodes(t, Options{Deadline: 3 * time.Second}, func(t *testing.T, log *faultyLog, one, two *node) {
		one.befriend("a", "b")
		release := log.hold(ab)
		start := time.Now()
		end, message := one.submit("a", "1", DeleteFriend{FriendID: "b"}), one.submit("a", "2", hi("b"))
		wantReason(t, <-end, Unknown)
		wantReason(t, <-message, Unavailable) // it waited behind, and was never sent
		took(t, start, 3*time.Second)
		release()
		time.Sleep(time.Second)
		one.must("a", "1", DeleteFriend{FriendID: "b"})
		wantReason(t, one.do("a", "2", hi("b")), NotFriend)

		// A refusal whose barrier is not reached.
		resume := one.view.pause()
		two.befriend("a", "c")
		start = time.Now()
		wantReason(t, one.do("a", "3", hi("c")), Unavailable)
		took(t, start, 3*time.Second)
		resume()
		one.must("a", "3", hi("c"))
	})
}

// hooked is a command during whose decision something happens.
type hooked struct {
	DeleteFriend
	hook func()
}

func (c hooked) Decide(s State, a Actor, now time.Time) (events.Body, error) {
	body, err := c.DeleteFriend.Decide(s, a, now)
	c.hook()
	return body, err
}

// What was answered with unavailable is not sent a moment later.
func TestNotSentAfterUnavailable(t *testing.T) {
	withNodes(t, Options{}, func(t *testing.T, log *faultyLog, one, two *node) {
		one.befriend("a", "b")
		before := log.size(ab)
		c := hooked{DeleteFriend{FriendID: "b"}, func() { time.Sleep(11 * time.Second) }}
		wantReason(t, one.do("a", "1", c), Unavailable)
		time.Sleep(5 * time.Second)
		if n := log.size(ab) - before; n != 0 {
			t.Fatalf("%d records", n)
		}
	})
}

// The same request is done by another node while this one decides, and the
// ledger here has folded that already, but the handler was not told yet: the
// event says what it was decided on, so only one of the two counts.
func TestOvertakenWhileDeciding(t *testing.T) {
	withNodes(t, Options{}, func(t *testing.T, log *faultyLog, one, two *node) {
		one.befriend("a", "b")
		two.catchUp()
		c := hooked{DeleteFriend: DeleteFriend{FriendID: "b"}}
		r := request("a", "1", c.DeleteFriend)
		tell := make(chan struct{})
		one.slow = func(r events.Recorded) {
			if _, ok := r.Body.(events.FriendRemoved); ok {
				<-tell
			}
		}
		c.hook = func() {
			done := two.must("a", "1", c.DeleteFriend)
			for one.tail.Book().Of(ab).Folded() < done.Position.Offset {
				time.Sleep(time.Millisecond)
			}
		}
		r.Command = c
		answer := one.send(r)
		time.Sleep(time.Second)
		close(tell)
		wantReason(t, <-answer, "")
		one.catchUp()
		two.catchUp()
		if n, m := len(one.events("friend.removed")), len(two.events("friend.removed")); n != 1 || m != 1 {
			t.Fatalf("removed %d and %d times", n, m)
		}
	})
}

// A repeat comes while the record, which another node appended, is folded here
// and not yet delivered: delivery answers it, so that nobody pushes the same
// record to the connection that gets it as a result.
func TestRepeatBetweenFoldingAndDelivery(t *testing.T) {
	for name, c := range map[string]Command{"a message": hi("b"), "a relation": DeleteFriend{FriendID: "b"}} {
		t.Run(name, func(t *testing.T) {
			withNodes(t, Options{}, func(t *testing.T, log *faultyLog, one, two *node) {
				one.befriend("a", "b")
				two.catchUp()
				deliver := make(chan struct{})
				one.slow = func(r events.Recorded) {
					if r.Request == "1" {
						<-deliver
					}
				}
				first := two.must("a", "1", c)
				synctest.Wait() // one has folded it, and is about to deliver
				if one.tail.Book().Of(ab).Folded() < first.Position.Offset {
					t.Fatal("not folded")
				}
				r := request("a", "1", c)
				r.Origin = "connection 7"
				answer := one.send(r)
				synctest.Wait()
				select {
				case <-answer:
					t.Error("answered before delivery: it is pushed as well")
				default:
				}
				close(deliver)
				o := <-answer
				wantReason(t, o, "")
				one.catchUp()
				if got := fmt.Sprint(one.originsOf(first.Position)); o.Event.Position != first.Position || got != "[connection 7]" {
					t.Fatalf("answered with %s, delivery knows of %s", o.Event.Position, got)
				}
				if len(answer) != 0 {
					t.Fatal("answered twice")
				}
			})
		})
	}
}

func TestOverload(t *testing.T) {
	withNodes(t, Options{UnderWay: 3}, func(t *testing.T, log *faultyLog, one, two *node) {
		one.befriend("a", "b")
		release := log.hold(ab)
		var answers []<-chan Outcome
		for i := range 3 {
			answers = append(answers, one.submit("a", fmt.Sprint(i), hi("b")))
		}
		start := time.Now()
		o := one.do("a", "3", hi("b"))
		wantReason(t, o, Unavailable)
		if !strings.Contains(o.Err.Error(), "too many") {
			t.Fatal(o.Err)
		}
		wantReason(t, one.do("a", "1", hi("b")), Unknown) // that one may well be appended
		took(t, start, 0)
		release()
		for _, a := range answers {
			wantReason(t, <-a, "")
		}
		synctest.Wait() // they are counted out after their answers
		one.must("a", "3", hi("b"))
	})
}

func TestClose(t *testing.T) {
	withNodes(t, Options{}, func(t *testing.T, log *faultyLog, one, two *node) {
		one.befriend("a", "b")
		release := log.hold(ab)
		message, behind := one.submit("a", "1", hi("b")), one.submit("a", "2", DeleteFriend{FriendID: "b"})
		synctest.Wait()
		closed := make(chan error)
		go func() { closed <- one.h.Close(context.Background()) }()
		synctest.Wait()
		wantReason(t, one.do("a", "3", hi("b")), Unavailable)
		if err := one.h.Register(context.Background(), Actor{ID: "new"}); !errors.Is(err, ErrUnavailable) {
			t.Fatal(err)
		}
		select {
		case err := <-closed:
			t.Fatalf("did not wait: %v", err)
		default:
		}
		release()
		wantReason(t, <-message, "")
		wantReason(t, <-behind, "")
		if err := <-closed; err != nil {
			t.Fatal(err)
		}
	})
}

func TestCloseDoesNotWaitForEver(t *testing.T) {
	withNodes(t, Options{}, func(t *testing.T, log *faultyLog, one, two *node) {
		one.befriend("a", "b")
		release := log.hold(ab)
		defer release()
		sent := one.submit("a", "1", hi("b"))
		resume := one.view.pause()
		defer resume()
		two.register("c")
		for no, made := 0, false; !made; no++ { // something unread in the partition that is not held
			group := events.GroupStream(events.NewID("u|c", "c", fmt.Sprint(no)).String())
			if made = small.Partition(group) != small.Partition(ab); made {
				two.must("c", fmt.Sprint(no), AddGroup{GroupName: "G"})
			}
		}
		start := time.Now()
		notSent := []<-chan Outcome{ // each waits for its barrier
			one.submit("c", "1", hi("b")),
			one.submit("a", "2", VerifyFriend{ApplyFriendID: events.NewID("no", "", "").String(), ApplyState: "9"}),
			one.submit("a", "3", ReadMessage{UserID: "b", Position: events.Position{Partition: small.Partition(ab), Offset: 99}.String()}),
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := one.h.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		took(t, start, time.Second)
		wantReason(t, <-sent, Unknown)
		wantReason(t, <-notSent[0], Unavailable)
		wantReason(t, <-notSent[1], Unavailable)
		wantReason(t, <-notSent[2], Unavailable)
	})
}

func TestEndedRequestIsNotSent(t *testing.T) {
	withNodes(t, Options{}, func(t *testing.T, log *faultyLog, one, two *node) {
		one.befriend("a", "b")
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		outcome := make(chan Outcome, 1)
		one.h.Submit(ctx, request("a", "1", hi("b")), func(o Outcome) { outcome <- o })
		wantReason(t, <-outcome, Unavailable)
		one.catchUp()
		if len(one.events("message.sent")) != 0 {
			t.Fatal("sent")
		}
	})
}

// foreign puts records into a partition that are nobody's, as other programs may.
func (l *faultyLog) foreign(p events.Partition, n int) {
	l.set(func(l *faultyLog) {
		part := l.parts[p]
		part.records = append(part.records, make([]events.Record, n)...)
		close(part.grown)
		part.grown = make(chan struct{})
	})
}

type requestsFunc func(events.Partition, events.ID, int64) (events.Position, bool, error)

func (f requestsFunc) Find(_ context.Context, p events.Partition, id events.ID, upTo int64) (events.Position, bool, error) {
	return f(p, id, upTo)
}

func TestBeyondTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newFaultyLog(events.Layout{Conversations: 1, Users: 1})
		defer log.lanes.Wait()
		p := events.Partition{Topic: events.Conversations}
		var first events.Recorded
		var lags bool
		asked := 0
		one := newNode(t, log, Options{Requests: requestsFunc(func(q events.Partition, id events.ID, upTo int64) (events.Position, bool, error) {
			asked++
			if q != p || upTo < first.Position.Offset || upTo > int64(log.size(ab))-ledger.W {
				t.Errorf("asked for %s up to %d", q, upTo)
			}
			if lags {
				return events.Position{}, false, events.ErrUnavailable
			}
			return first.Position, id == first.ID, nil
		})})
		defer one.stop()
		one.befriend("a", "b")
		first = one.must("a", "1", hi("b"))
		resend := func(no string, c Command) Request {
			r := request("a", no, c)
			r.Resend = true
			return r
		}
		if o := <-one.send(resend("1", hi("b"))); o.Err != nil || o.Event.Position != first.Position || asked != 0 {
			t.Fatalf("in the window: %+v, asked %d", o, asked)
		}

		// A message is under way while more than W others pass it.
		release := log.hold(ab)
		slow := one.submit("a", "slow", hi("b"))
		synctest.Wait()
		log.foreign(p, ledger.W+1)
		one.catchUp()
		release()
		o := <-slow
		wantReason(t, o, "")
		if late := o.Event.Position.Offset - o.Event.Basis; late > ledger.W || late < 1 {
			t.Fatalf("basis %d at %s", o.Event.Basis, o.Event.Position)
		}

		again := <-one.send(resend("1", hi("b")))
		if again.Err != nil || again.Event.Position != first.Position || asked != 1 {
			t.Fatalf("beyond: %+v, asked %d", again, asked)
		}
		wantReason(t, <-one.send(resend("1", SendMessage{ReceiveUserID: "b", Content: "ho"})), Conflict)
		wantReason(t, <-one.send(resend("new", hi("b"))), "")
		lags = true
		wantReason(t, <-one.send(resend("1", hi("b"))), Unavailable)
		one.h.options.Requests = nil
		wantReason(t, <-one.send(resend("1", hi("b"))), Unavailable)
		if e := one.must("a", "1", hi("b")); e.Position == first.Position {
			t.Fatal("remembered without resend: then the window is larger than said")
		}
	})
}
