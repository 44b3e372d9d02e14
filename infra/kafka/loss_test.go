//go:build kafka

package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"lishi/events"
	"lishi/infra/kafka"
	"lishi/infra/kafka/kafkatest"
	"lishi/infra/kafka/logtest"
)

// inSync waits until all replicas of all partitions are in sync.
func inSync(t *testing.T, c *kafkatest.Cluster) {
	t.Helper()
	admin := client(t, c.Brokers, nil)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		whole := true
		res, err := admin.Metadata(t.Context(), &kafkago.MetadataRequest{Topics: []string{"lishi.conversations", "lishi.users"}})
		if err != nil {
			whole = false
		} else {
			for _, topic := range res.Topics {
				for _, p := range topic.Partitions {
					whole = whole && len(p.Isr) == 3
				}
			}
		}
		if whole {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the replicas do not get in sync")
		}
	}
}

// leaders says who leads the partitions of conversations, by broker from 1 on.
func leaders(t *testing.T, c *kafkatest.Cluster) map[int][]int {
	t.Helper()
	res, err := client(t, c.Brokers, nil).Metadata(t.Context(), &kafkago.MetadataRequest{Topics: []string{"lishi.conversations"}})
	if err != nil {
		t.Fatal(err)
	}
	by := map[int][]int{}
	for _, p := range res.Topics[0].Partitions {
		by[p.Leader.ID] = append(by[p.Leader.ID], p.ID)
	}
	return by
}

// holds expects an event at a position, as soon as its leader can be asked.
func holds(t *testing.T, l *kafka.Log, at events.Position, id events.ID) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		r, err := l.At(t.Context(), at)
		if errors.Is(err, events.ErrUnavailable) && time.Now().Before(deadline) {
			continue
		}
		if err != nil || r.ID != id {
			t.Errorf("%s holds %s: %v", at, r.ID, err)
		}
		return
	}
}

// Each broker in turn is killed while events are appended.
func TestKafkaBrokerLoss(t *testing.T) {
	c := kafkatest.Start(t, 3)
	l := openLog(t, kafka.Options{Brokers: c.Brokers, Layout: events.Layout{Conversations: 6, Users: 1}, Replication: 3})
	o := startLoad(t, l)
	o.goesOn(30 * time.Second)
	var waits []time.Duration
	for n := range 3 {
		killed := time.Now()
		c.Kill(t, n+1)
		o.goesOn(60 * time.Second)
		waits = append(waits, o.longest(killed))
		c.Restart(t, n+1)
		inSync(t, c)
	}
	o.goesOn(30 * time.Second)
	o.check()
	t.Log(summary(waits))
}

// Below min.insync.replicas nothing is acknowledged, and it goes on by itself when
// the broker is back.
func TestKafkaTooFewReplicas(t *testing.T) {
	c := kafkatest.Start(t, 3)
	l := openLog(t, kafka.Options{Brokers: c.Brokers, Layout: events.Layout{Conversations: 6, Users: 1}, Replication: 3, Patience: 3 * time.Second})
	alter(t, c.Brokers, nil, "lishi.conversations", "min.insync.replicas", "3")
	o := startLoad(t, l)
	o.goesOn(30 * time.Second)
	c.Kill(t, 2)
	// Until the dead one is found out, those under way may be in the log.
	refused := func() int {
		o.mu.Lock()
		defer o.mu.Unlock()
		return len(o.unavailable)
	}
	for deadline := time.Now().Add(time.Minute); refused() < 50; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing is refused")
		}
	}
	before := o.count()
	for n := refused() + 50; refused() < n; {
		time.Sleep(50 * time.Millisecond)
	}
	if now := o.count(); now != before {
		t.Errorf("%d acknowledged with two of three replicas in sync", now-before)
	}
	c.Restart(t, 2)
	o.goesOn(60 * time.Second)
	reasons := map[string]int{}
	o.mu.Lock()
	for _, m := range []map[events.ID]error{o.unavailable, o.unknown} {
		for _, err := range m {
			var code kafkago.Error
			errors.As(err, &code)
			reasons[fmt.Sprintf("%v (%v)", errors.Is(err, events.ErrUnavailable), code.Title())]++
		}
	}
	o.mu.Unlock()
	for _, r := range slices.Sorted(maps.Keys(reasons)) {
		t.Log("unavailable: ", r, reasons[r])
	}
	o.check()
}

// With two of three brokers dead nothing is acknowledged and no end is named; when
// they are back it goes on.
func TestKafkaTwoBrokersDead(t *testing.T) {
	c := kafkatest.Start(t, 3)
	l := openLog(t, kafka.Options{Brokers: c.Brokers, Layout: small, Replication: 3, Patience: 3 * time.Second})
	o := startLoad(t, l)
	o.goesOn(30 * time.Second)
	c.Kill(t, 1)
	c.Kill(t, 2)
	began := time.Now()
	if _, err := l.End(t.Context()); !errors.Is(err, events.ErrUnavailable) {
		t.Errorf("the end after %s: %v", time.Since(began), err)
	}
	before := o.count()
	for n := range 5 {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		_, err := l.Append(ctx, said(pair(1000+n), 0))
		cancel()
		if !errors.Is(err, events.ErrUnavailable) && !errors.Is(err, events.ErrUnknown) {
			t.Errorf("append: %v", err)
		}
	}
	if now := o.count(); now != before {
		t.Errorf("%d acknowledged with one broker of three", now-before)
	}
	c.Restart(t, 1)
	c.Restart(t, 2)
	o.goesOn(60 * time.Second)
	inSync(t, c)
	if _, err := l.End(t.Context()); err != nil {
		t.Error(err)
	}
	o.check()
}

// A leader that stands still is replaced. When it goes on it neither acknowledges
// what it was sent, nor do readers and the barrier believe what it knows.
func TestKafkaPausedLeader(t *testing.T) {
	c := kafkatest.Start(t, 3)
	open := func(timeout time.Duration) *kafka.Log {
		return openLog(t, kafka.Options{Brokers: c.Brokers, Layout: events.Layout{Conversations: 6, Users: 1}, Replication: 3,
			RequestTimeout: timeout, Patience: time.Minute})
	}
	l := open(0)
	o := startLoad(t, l)
	o.goesOn(30 * time.Second)

	ctx, cancel := context.WithCancel(t.Context())
	var watchers sync.WaitGroup
	stop := func() { cancel(); watchers.Wait() }
	defer stop()
	// Whatever was acknowledged before the question is before the end. A log of its
	// own, so that questions reach the leader with fresh and with old metadata.
	asked := atomic.Int64{}
	for range 4 {
		watcher := open(0)
		watchers.Go(func() {
			for ctx.Err() == nil {
				o.mu.Lock()
				acked := map[events.Partition]int64{}
				for _, p := range o.at {
					acked[p.Partition] = max(acked[p.Partition], p.Offset)
				}
				o.mu.Unlock()
				end, err := watcher.End(ctx)
				if err != nil {
					continue
				}
				asked.Add(1)
				for p, offset := range acked {
					if end[p] < offset {
						t.Errorf("%s-%d was acknowledged, then the end was %d", p, offset, end[p])
					}
				}
			}
		})
	}
	// Who reads the tail gets every offset once.
	reader := open(0)
	watchers.Go(func() {
		at := logtest.Beginning(reader.Layout())
		var mu sync.Mutex
		err := reader.Read(ctx, at.Clone(), func(p events.Partition, rs []events.Recorded) error {
			mu.Lock()
			defer mu.Unlock()
			for _, r := range rs {
				if r.Position.Offset != at[p]+1 {
					t.Errorf("%s after %d", r.Position, at[p])
				}
				at[p] = r.Position.Offset
			}
			return nil
		})
		if !errors.Is(err, context.Canceled) {
			t.Error("reading ended:", err)
		}
	})

	patient := open(2 * time.Minute) // its attempt stays with the paused leader
	var waits []time.Duration
	for round := range 3 {
		inSync(t, c)
		n := 1 + round
		led := leaders(t, c)[n]
		if len(led) == 0 {
			t.Logf("broker %d leads nothing", n)
			continue
		}
		var sent []events.Event
		type answer struct {
			id  events.ID
			at  events.Position
			err error
		}
		answers := make(chan answer, 100)
		paused := time.Now()
		c.Pause(t, n)
		for i := range 40 {
			e := said(pair(2000+100*round+i), 0)
			if p := l.Layout().Partition(e.Stream); !slices.Contains(led, int(p.Number)) {
				continue
			}
			sent = append(sent, e)
			patient.AppendAsync(e, func(p events.Position, err error) { answers <- answer{e.ID, p, err} })
		}
		// One whose caller does not wait so long.
		hasty := said(sent[0].Stream, 1)
		deadline, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		_, err := patient.Append(deadline, hasty)
		cancel()
		if !errors.Is(err, events.ErrUnknown) && !errors.Is(err, events.ErrUnavailable) {
			t.Errorf("after its deadline: %v", err)
		}
		o.goesOn(90 * time.Second) // by others
		waits = append(waits, o.longest(paused))
		c.Resume(t, n)
		if ps, err := patient.Append(t.Context(), hasty); err != nil {
			t.Errorf("again: %v", err)
		} else {
			holds(t, l, ps[0], hasty.ID)
		}
		for range sent {
			if a := <-answers; a.err != nil {
				t.Error(a.err)
			} else {
				holds(t, l, a.at, a.id)
			}
		}
		o.goesOn(30 * time.Second)
	}
	stop()
	o.check()
	t.Logf("%d ends asked for; %s", asked.Load(), summary(waits))
}
