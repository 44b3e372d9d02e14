package kafka_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"lishi/events"
	"lishi/infra/kafka"
	"lishi/infra/kafka/logtest"
)

// cluster is a Kafka-protocol cluster in memory that can be told to fail.
func cluster(t *testing.T, brokers int) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(brokers))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func openCluster(t *testing.T, c *kfake.Cluster, o kafka.Options) *kafka.Log {
	t.Helper()
	o.Brokers = c.ListenAddrs()
	o.Layout = events.Layout{Conversations: 2, Users: 1}
	if o.Patience == 0 {
		o.Patience = 300 * time.Millisecond
	}
	return openLog(t, o)
}

// TestCluster runs the suite of every log over three brokers, by addresses.
func TestCluster(t *testing.T) {
	t.Parallel()
	c := cluster(t, 3)
	logtest.Run(t, clusterBackend(nil, kafka.Options{Brokers: c.ListenAddrs(), Layout: events.Layout{Conversations: 5, Users: 2}}))
}

var stream = events.GroupStream("g")

func produceFault(err *kerr.Error, count int) kfake.Fault {
	return kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: err, Count: count}
}

// readAll reads what stands in the stream's partition, without log.opened.
func readAll(t *testing.T, l *kafka.Log) []events.Recorded {
	t.Helper()
	p := l.Layout().Partition(stream)
	end, err := l.End(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, err := logtest.Read(t.Context(), l, events.Cursor{p: events.Start}, events.Cursor{p: end[p]})
	if err != nil {
		t.Fatal(err)
	}
	return got[p][1:]
}

// The outcome is never better than what is certain: unavailable means that
// nothing stands in the log, and nothing will.
func TestOutcomes(t *testing.T) {
	for name, tc := range map[string]struct {
		faults []kfake.Fault
		want   error
		copies func(int) bool
	}{
		"refused before appending":          {[]kfake.Fault{produceFault(kerr.NotEnoughReplicas, -1)}, events.ErrUnavailable, none},
		"refused, then accepted":            {[]kfake.Fault{produceFault(kerr.NotEnoughReplicas, 2)}, nil, once},
		"too large":                         {[]kfake.Fault{produceFault(kerr.MessageTooLarge, -1)}, events.ErrUnavailable, none},
		"not allowed":                       {[]kfake.Fault{produceFault(kerr.TopicAuthorizationFailed, -1)}, events.ErrUnavailable, none},
		"appended, answer says timeout":     {[]kfake.Fault{produceFault(kerr.RequestTimedOut, -1)}, events.ErrUnknown, some},
		"appended, too few replicas":        {[]kfake.Fault{produceFault(kerr.NotEnoughReplicasAfterAppend, -1)}, events.ErrUnknown, some},
		"timeout once, then accepted":       {[]kfake.Fault{produceFault(kerr.RequestTimedOut, 1)}, nil, twice},
		"unknown error":                     {[]kfake.Fault{produceFault(kerr.UnknownServerError, -1)}, events.ErrUnknown, none},
		"unknown error, then accepted":      {[]kfake.Fault{produceFault(kerr.UnknownServerError, 1)}, nil, once},
		"the leader moved":                  {[]kfake.Fault{produceFault(kerr.NotLeaderForPartition, 2)}, nil, once},
		"the leader moved for good":         {[]kfake.Fault{produceFault(kerr.NotLeaderForPartition, -1)}, events.ErrUnknown, none},
		"doubt stays, whatever comes after": {[]kfake.Fault{produceFault(kerr.RequestTimedOut, 1), produceFault(kerr.NotEnoughReplicas, -1)}, events.ErrUnknown, once},
		"doubt stays, though then rejected": {[]kfake.Fault{produceFault(kerr.RequestTimedOut, 1), produceFault(kerr.MessageTooLarge, -1)}, events.ErrUnknown, once},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := cluster(t, 1)
			l := openCluster(t, c, kafka.Options{})
			h := c.Fault(tc.faults...)
			ps, err := l.Append(t.Context(), logtest.Message(stream, 1))
			if !errors.Is(err, tc.want) || tc.want == nil && err != nil {
				t.Errorf("got %v, want %v", err, tc.want)
			}
			for _, other := range []error{events.ErrUnavailable, events.ErrUnknown} {
				if other != tc.want && errors.Is(err, other) {
					t.Errorf("%v is %v too", err, other)
				}
			}
			h.Remove()
			rs := readAll(t, l)
			if !tc.copies(len(rs)) {
				t.Errorf("%d copies", len(rs))
			}
			for _, r := range rs {
				if !r.At.Equal(rs[0].At) {
					t.Error("a copy has another recorded time")
				}
			}
			if err == nil && ps[0] != rs[len(rs)-1].Position {
				t.Errorf("said to stand at %s, stands at %s", ps[0], rs[len(rs)-1].Position)
			}
		})
	}
}

func none(n int) bool  { return n == 0 }
func once(n int) bool  { return n == 1 }
func twice(n int) bool { return n == 2 }
func some(n int) bool  { return n >= 1 }

// Nothing overtakes a batch in doubt.
func TestNothingOvertakesADoubtfulBatch(t *testing.T) {
	c := cluster(t, 1)
	l := openCluster(t, c, kafka.Options{Patience: 10 * time.Second})
	c.Fault(produceFault(kerr.UnknownServerError, 3))
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Add(1)
		l.AppendAsync(logtest.Message(stream, i), func(_ events.Position, err error) {
			defer wg.Done()
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i, r := range readAll(t, l) {
		if r.Request != fmt.Sprint(i) {
			t.Fatalf("%s stands at %d", r.Request, i)
		}
	}
}

// When brokers are away appends end soon, reading goes on when they are back.
func TestBrokersAway(t *testing.T) {
	dir := t.TempDir()
	start := func(ports ...int) *kfake.Cluster {
		c, err := kfake.NewCluster(kfake.Ports(ports...), kfake.DataDir(dir))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := start(0)
	var port int
	if _, err := fmt.Sscanf(c.ListenAddrs()[0], "127.0.0.1:%d", &port); err != nil {
		t.Fatal(err)
	}
	failed := make(chan error, 1000)
	l := openCluster(t, c, kafka.Options{Observer: kafka.Observer{ReadFailed: func(_ events.Partition, _ int, err error) {
		select {
		case failed <- err:
		default:
		}
	}}})
	got := make(chan string, 10)
	go l.Read(t.Context(), events.Cursor{l.Layout().Partition(stream): 0}, func(_ events.Partition, rs []events.Recorded) error {
		for _, r := range rs {
			got <- r.Request
		}
		return nil
	})
	if _, err := l.Append(t.Context(), logtest.Message(stream, 1)); err != nil {
		t.Fatal(err)
	}
	if r := <-got; r != "1" {
		t.Fatal(r)
	}
	c.Close()
	<-failed
	began := time.Now()
	_, err := l.Append(t.Context(), logtest.Message(stream, 2))
	if !errors.Is(err, events.ErrUnavailable) && !errors.Is(err, events.ErrUnknown) {
		t.Error(err)
	}
	if _, err := l.Append(t.Context(), logtest.Message(stream, 3)); !errors.Is(err, events.ErrUnavailable) {
		t.Error(err) // no connection, so nothing was sent
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Error("it took", took)
	}
	c = start(port)
	t.Cleanup(c.Close)
	if _, err := l.Append(t.Context(), logtest.Message(stream, 4)); err != nil {
		t.Fatal(err)
	}
	if r := <-got; r != "4" {
		t.Error(r)
	}
}

// What waits for room waits as long as its context, and an append without one is
// refused.
func TestQueueIsBounded(t *testing.T) {
	c := cluster(t, 1)
	l := openCluster(t, c, kafka.Options{QueueBytes: 2000, Patience: time.Minute})
	h := c.Fault(produceFault(kerr.NotEnoughReplicas, -1))
	const n = 20
	results := make(chan error, n)
	for i := range n {
		l.AppendAsync(logtest.Message(stream, i), func(_ events.Position, err error) { results <- err })
	}
	await(t, func() bool { return len(results) > n/2 }) // refused at once
	done := make(chan error, 1)
	go func() {
		_, err := l.Append(t.Context(), logtest.Message(stream, 100))
		done <- err
	}()
	select {
	case err := <-done:
		t.Fatal("there was room:", err)
	case <-time.After(20 * time.Millisecond):
	}
	h.Remove()
	if err := <-done; err != nil {
		t.Error(err)
	}
	refused := 0
	for range n {
		if err := <-results; errors.Is(err, events.ErrUnavailable) {
			refused++
		} else if err != nil {
			t.Error(err)
		}
	}
	if got := len(readAll(t, l)); got != n-refused+1 || refused == n {
		t.Errorf("%d records, %d were refused", got, refused)
	}
}

func await(t *testing.T, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it did not come about")
		}
	}
}
