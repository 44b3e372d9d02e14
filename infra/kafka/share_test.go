package kafka_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"lishi/events"
	"lishi/infra/kafka"
)

// shares is who has which partitions, as members were told.
type shares struct {
	mu   sync.Mutex
	of   map[string][]events.Partition
	told chan struct{}
}

func (s *shares) join(t *testing.T, l *kafka.Log, group, member string) (leave func()) {
	ctx, cancel := context.WithCancel(context.Background())
	left := make(chan struct{})
	go func() {
		defer close(left)
		err := l.Share(ctx, group, func(ps []events.Partition) {
			s.mu.Lock()
			s.of[group+member] = ps
			s.mu.Unlock()
			s.told <- struct{}{}
		})
		if err != nil {
			t.Error(err)
		}
	}()
	leave = sync.OnceFunc(func() {
		cancel()
		<-left
		s.mu.Lock()
		delete(s.of, group+member)
		s.mu.Unlock()
	})
	t.Cleanup(leave)
	return leave
}

// settle waits until the group's members have all partitions, each once and
// nobody none.
func (s *shares) settle(t *testing.T, layout events.Layout, group string, members ...string) {
	t.Helper()
	deadline := time.After(time.Minute)
	for {
		s.mu.Lock()
		times, idle := map[events.Partition]int{}, 0
		for _, m := range members {
			if len(s.of[group+m]) == 0 {
				idle++
			}
			for _, p := range s.of[group+m] {
				times[p]++
			}
		}
		shown := fmt.Sprint(s.of)
		s.mu.Unlock()
		once := len(times) == len(layout.Partitions()) && idle == 0
		for _, n := range times {
			once = once && n == 1
		}
		if once {
			return
		}
		select {
		case <-s.told:
		case <-time.After(20 * time.Millisecond): // a member that left tells nothing
		case <-deadline:
			t.Fatalf("the partitions are not shared out: %s", shown)
		}
	}
}

// Members of a group have all partitions among them, whoever comes and goes;
// another group has all for itself.
func TestShare(t *testing.T) {
	b := openBroker(t, t.TempDir())
	layout := events.Layout{Conversations: 5, Users: 2}
	var logs []*kafka.Log
	for range 3 {
		logs = append(logs, openLog(t, kafka.Options{Embedded: b, Layout: layout}))
	}
	s := &shares{of: map[string][]events.Partition{}, told: make(chan struct{}, 1000)}
	s.join(t, logs[0], "x", "a")
	s.settle(t, layout, "x", "a")
	leaveB := s.join(t, logs[1], "x", "b")
	s.settle(t, layout, "x", "a", "b")
	s.join(t, logs[2], "x", "c")
	s.join(t, logs[2], "y", "d")
	s.settle(t, layout, "x", "a", "b", "c")
	s.settle(t, layout, "y", "d")
	leaveB()
	s.settle(t, layout, "x", "a", "c")
}
