package logtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lishi/events"
)

func beginsWithLogOpened(t *testing.T, s suite) {
	id := ""
	got := s.read(t, Beginning(s.log.Layout()))
	for _, p := range s.log.Layout().Partitions() {
		rs := got[p]
		if len(rs) != 1 {
			t.Fatalf("%s has %d records", p, len(rs))
		}
		opened, ok := rs[0].Body.(events.LogOpened)
		if !ok || opened.Partitions != s.log.Layout().Count(p.Topic) || opened.LogID == "" || id != "" && opened.LogID != id {
			t.Errorf("%s begins with %#v", p, rs[0].Body)
		}
		id = opened.LogID
	}
}

func readsWhatWasAppended(t *testing.T, s suite) {
	before := time.Now().Truncate(time.Millisecond)
	var es []events.Event
	for i := range 40 {
		es = append(es, Message(group(i%7), i))
	}
	user := Message(events.UserStream("bob"), 1)
	user.Basis, user.Revision, user.Body = 0, 1, events.UserRegistered{NickName: "Bob"}
	es = append(es, user)
	ps := s.append(t, es...)
	got := s.read(t, Beginning(s.log.Layout()))
	for i, p := range ps {
		r := got[p.Partition][p.Offset]
		if want := s.log.Layout().Partition(es[i].Stream); p.Partition != want {
			t.Errorf("event %d stands in %s, want %s", i, p, want)
		}
		if diff := cmp.Diff(es[i], r.Event); diff != "" {
			t.Errorf("%s: %s", p, diff)
		}
		if r.At.Before(before) || r.At.After(time.Now()) {
			t.Errorf("%s: recorded at %v", p, r.At)
		}
	}
}

func keepsOrderPerPartition(t *testing.T, s suite) {
	const writers, each = 20, 30
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			last := int64(0)
			for i := 0; i < each; i += 3 {
				st := group(w)
				ps, err := s.log.Append(context1(t), Message(st, i), Message(st, i+1), Message(st, i+2))
				if err != nil {
					t.Error(err)
					return
				}
				for _, p := range ps {
					if p.Offset <= last {
						t.Errorf("%s after offset %d", p, last)
					}
					last = p.Offset
				}
			}
		})
	}
	wg.Wait()
	seen := map[events.Stream]int{}
	at := time.Time{}
	for _, rs := range s.read(t, Beginning(s.log.Layout())) {
		at = time.Time{}
		for _, r := range rs[1:] {
			if r.Request != fmt.Sprint(seen[r.Stream]) {
				t.Fatalf("%s: %s after %d of %s", r.Position, r.Request, seen[r.Stream]-1, r.Stream)
			}
			if r.At.Before(at) {
				t.Errorf("%s: recorded time runs backwards", r.Position)
			}
			at = r.At
			seen[r.Stream]++
		}
	}
	for w := range writers {
		if seen[group(w)] != each {
			t.Errorf("%d of writer %d's %d events", seen[group(w)], w, each)
		}
	}
}

func asyncKeepsOrderOfCalls(t *testing.T, s suite) {
	const n = 2000
	st := group(1)
	var wg sync.WaitGroup
	wg.Add(n)
	var mu sync.Mutex
	offsets := make([]int64, n)
	for i := range n {
		s.log.AppendAsync(Message(st, i), func(p events.Position, err error) {
			defer wg.Done()
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			offsets[i] = p.Offset
			mu.Unlock()
		})
	}
	wg.Wait()
	for i, o := range offsets {
		if o != int64(i)+1 {
			t.Fatalf("event %d stands at offset %d", i, o)
		}
	}
}

func readsFromAnyOffset(t *testing.T, s suite) {
	st := group(1)
	p := s.log.Layout().Partition(st)
	var all []events.Event
	for i := range 30 {
		all = append(all, Message(st, i))
	}
	s.append(t, all[:10]...) // three batches, so that reads begin in the middle of one
	s.append(t, all[10:11]...)
	s.append(t, all[11:]...)
	for after := range int64(30) {
		got := s.read(t, events.Cursor{p: after})
		if len(got) != 1 || len(got[p]) != 30-int(after) {
			t.Fatalf("after offset %d: %d records of %d partitions", after, len(got[p]), len(got))
		}
		if r := got[p][0]; r.Request != fmt.Sprint(after) {
			t.Fatalf("after offset %d: begins with %s", after, r.Request)
		}
	}
}

func followsTheTail(t *testing.T, s suite) {
	ctx, cancel := context.WithCancel(context1(t))
	defer cancel()
	end, err := s.log.End(ctx)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 100)
	ended := make(chan error, 1)
	go func() {
		ended <- s.log.Read(ctx, end, func(_ events.Partition, rs []events.Recorded) error {
			for _, r := range rs {
				got <- r.Request
			}
			return nil
		})
	}()
	for i := range 5 {
		s.append(t, Message(group(i), i))
		select {
		case r := <-got:
			if r != fmt.Sprint(i) {
				t.Fatalf("got %s, want %d", r, i)
			}
		case err := <-ended:
			t.Fatal(err)
		case <-ctx.Done():
			t.Fatal("nothing came")
		}
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func refusesOffsetBeyondEnd(t *testing.T, s suite) {
	p := s.log.Layout().Partition(group(1))
	began := time.Now()
	err := s.log.Read(context1(t), events.Cursor{p: 10}, func(events.Partition, []events.Recorded) error { return nil })
	if !errors.Is(err, events.ErrDamaged) || !strings.Contains(err.Error(), p.String()+"-10") {
		t.Errorf("got %v", err)
	}
	if time.Since(began) > 10*time.Second {
		t.Error("it took", time.Since(began))
	}
}

func refusesUnknownPartition(t *testing.T, s suite) {
	p := events.Partition{Topic: events.Conversations, Number: s.log.Layout().Conversations}
	if err := s.log.Read(context1(t), events.Cursor{p: 0}, nil); err == nil {
		t.Error("read")
	}
	if _, err := s.log.At(context1(t), events.Position{Partition: p}); err == nil {
		t.Error("read one")
	}
}

func endCoversWhatWasAppended(t *testing.T, s suite) {
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 10 {
				ps, err := s.log.Append(context1(t), Message(group(w), i))
				if err != nil {
					t.Error(err)
					return
				}
				end, err := s.log.End(context1(t))
				if err != nil || end[ps[0].Partition] < ps[0].Offset {
					t.Errorf("%s was appended, then the end was %s, %v", ps[0], end, err)
				}
			}
		})
	}
	wg.Wait()
	end, err := s.log.End(context1(t))
	if err != nil || len(end) != len(s.log.Layout().Partitions()) {
		t.Error(end, err)
	}
}

func atReadsOneRecord(t *testing.T, s suite) {
	st := group(3)
	es := []events.Event{Message(st, 0), Message(st, 1), Message(st, 2)}
	ps := s.append(t, es...)
	for i, p := range ps {
		r, err := s.log.At(context1(t), p)
		if err != nil || r.Position != p || r.ID != es[i].ID {
			t.Errorf("%s: %v, %v", p, r, err)
		}
	}
	last := ps[2]
	last.Offset++
	if r, err := s.log.At(context1(t), last); err == nil {
		t.Errorf("%s: %v", last, r)
	}
}

func refusesWhatIsTooLarge(t *testing.T, s suite) {
	e := Message(group(1), 1)
	e.Body = events.MessageSent{Content: events.Content{Plain: strings.Repeat("x", 4<<20)}}
	if _, err := s.log.Append(context1(t), e); !errors.Is(err, events.ErrUnavailable) {
		t.Error(err)
	}
	if ps := s.append(t, Message(group(1), 2)); ps[0].Offset != 1 {
		t.Error("something was appended:", ps)
	}
}

func endedContextAppendsNone(t *testing.T, s suite) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.log.Append(ctx, Message(group(1), 1))
	if !errors.Is(err, events.ErrUnavailable) && !errors.Is(err, events.ErrUnknown) {
		t.Fatal(err)
	}
	ps := s.append(t, Message(group(1), 2))
	if none := ps[0].Offset == 1; errors.Is(err, events.ErrUnavailable) && !none {
		t.Errorf("%v, but the next event stands at %s", err, ps[0])
	}
}

func eachEndsReading(t *testing.T, s suite) {
	mine := errors.New("mine")
	err := s.log.Read(context1(t), Beginning(s.log.Layout()), func(events.Partition, []events.Recorded) error { return mine })
	if !errors.Is(err, mine) {
		t.Error(err)
	}
}

// survivesRestart closes and opens the log, with a restart of the brokers where
// there is one; a log that stays open through a restart goes on by itself.
func survivesRestart(t *testing.T, s suite, restart func(*testing.T)) {
	for round := range 4 {
		for i := range 10 {
			s.append(t, Message(group(i), round))
		}
		stays := restart != nil && round == 3
		if !stays {
			s.Close(t, s.log)
		}
		if restart != nil && round%2 == 1 {
			restart(t)
		}
		if !stays {
			s.log = s.open(t)
		}
	}
	seen := map[events.ID]bool{} // what was doubtful may stand there twice
	last := map[events.Stream]string{}
	for _, rs := range s.read(t, Beginning(s.log.Layout())) {
		for _, r := range rs {
			if _, opened := r.Body.(events.LogOpened); opened || seen[r.ID] {
				continue
			}
			if seen[r.ID] = true; r.Request < last[r.Stream] {
				t.Errorf("%s: %s after %s of %s", r.Position, r.Request, last[r.Stream], r.Stream)
			}
			last[r.Stream] = r.Request
		}
	}
	if len(seen) != 40 {
		t.Errorf("%d of 40 events", len(seen))
	}
}

// largeAppends is one call of many batches, of events as long as may be.
func largeAppends(t *testing.T, s suite) {
	var es []events.Event
	for i := range 40 {
		e := Message(group(i%3), i)
		e.Body = events.MessageSent{Content: events.Content{Plain: strings.Repeat("长", 1+i*2000)}}
		es = append(es, e)
	}
	last := map[events.Partition]int64{}
	got := s.read(t, Beginning(s.log.Layout()))
	for p, rs := range got {
		last[p] = int64(len(rs)) - 1
	}
	for i, p := range s.append(t, es...) {
		if p.Offset != last[p.Partition]+1 {
			t.Errorf("event %d stands at %s, after %d", i, p, last[p.Partition])
		}
		last[p.Partition] = p.Offset
		r, err := s.log.At(context1(t), p)
		if err != nil || r.ID != es[i].ID || r.Body.(events.MessageSent).Content.Plain != es[i].Body.(events.MessageSent).Content.Plain {
			t.Errorf("%s: %v", p, err)
		}
	}
}

// refusesSettings: a log whose topics would forget is not opened; the error names
// the topic, the setting, and the command that repairs it.
func refusesSettings(t *testing.T, s suite) {
	ps := s.append(t, Message(group(1), 1))
	for _, wrong := range [][2]string{{"retention.ms", "604800000"}, {"retention.bytes", "1000000"}, {"cleanup.policy", "compact"}} {
		s.Alter(t, s.log, events.Users, wrong[0], wrong[1])
		s.Close(t, s.log)
		log, err := s.Open(t, s.name)
		if err == nil {
			t.Fatalf("opened with %s=%s", wrong[0], wrong[1])
		}
		right := "-1"
		if wrong[0] == "cleanup.policy" {
			right = "delete"
		}
		for _, part := range []string{events.Users.Name(), wrong[0] + "=" + wrong[1], "kafka-configs.sh", "--add-config " + wrong[0] + "=" + right} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%v\ndoes not say %s", err, part)
			}
		}
		s.Alter(t, log, events.Users, wrong[0], right)
		s.log = s.open(t)
	}
	if r, err := s.log.At(context1(t), ps[0]); err != nil || r.Position != ps[0] {
		t.Error(r, err)
	}
}

// FullDisk appends to a log until its disk is full. room makes more of it, with a
// restart where one is needed, and returns the log to go on with. What was
// acknowledged before and after is there, in order and once.
func FullDisk(t *testing.T, log events.AsyncLog, room func() events.AsyncLog) {
	t.Helper()
	stream := group(1)
	event := func(n int) events.Event {
		e := Message(stream, n)
		e.Body = events.MessageSent{Content: events.Content{Plain: strings.Repeat("x", 30_000)}}
		return e
	}
	var acked []events.Position
	for n := 0; ; n++ {
		p, err := log.Append(context1(t), event(n))
		if err != nil {
			if !errors.Is(err, events.ErrUnavailable) && !errors.Is(err, events.ErrUnknown) {
				t.Fatal(err)
			}
			t.Logf("full after %d events: %v", n, err)
			break
		}
		if acked = append(acked, p[0]); n > 10_000 {
			t.Fatal("the disk is not full")
		}
	}
	if _, err := log.Append(context1(t), event(len(acked))); !errors.Is(err, events.ErrUnavailable) && !errors.Is(err, events.ErrUnknown) {
		t.Errorf("on a full disk: %v", err)
	}
	log = room()
	for n := len(acked); n < len(acked)+20; n++ {
		p, err := log.Append(context1(t), event(n))
		if err != nil {
			t.Fatal(err)
		}
		if p[0].Offset <= acked[len(acked)-1].Offset {
			t.Errorf("%s after %s", p[0], acked[len(acked)-1])
		}
	}
	p := acked[0].Partition
	got, err := Read(context1(t), log, events.Cursor{p: 0}, events.Cursor{p: acked[len(acked)-1].Offset})
	if err != nil {
		t.Fatal(err)
	}
	for n, at := range acked {
		if r := got[p][at.Offset-1]; r.Request != fmt.Sprint(n) {
			t.Fatalf("%s holds %s, and %d was acknowledged", at, r.Request, n)
		}
	}
}

func closedLogRefuses(t *testing.T, s suite) {
	s.Close(t, s.log)
	if _, err := s.log.Append(context1(t), Message(group(1), 1)); !errors.Is(err, events.ErrUnavailable) {
		t.Error(err)
	}
	done := make(chan error, 1)
	s.log.AppendAsync(Message(group(1), 1), func(_ events.Position, err error) { done <- err })
	if err := <-done; !errors.Is(err, events.ErrUnavailable) {
		t.Error(err)
	}
}
