package looks_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"lishi/events"
	"lishi/infra/kafka"
	"lishi/infra/looks"
)

func open(t *testing.T) (*kafka.Log, *kfake.Cluster) {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	l, err := kafka.Open(t.Context(), kafka.Options{
		Brokers: c.ListenAddrs(), Layout: events.Layout{Conversations: 1, Users: 1}, Replication: 1,
		Patience: 200 * time.Millisecond, RequestTimeout: 200 * time.Millisecond, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, c
}

func TestLooksAreInTheLogAndListed(t *testing.T) {
	l, _ := open(t)
	r := looks.Recorder{Log: l}
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	long := strings.Repeat("史", 40_000)
	for i := range 30 {
		look := looks.Look{Actor: fmt.Sprintf("aud|%d", i%3), ActorName: "王", Role: "auditor", Reason: "投诉", Way: looks.Console, What: fmt.Sprintf("GET /api/events/c0-%d", i), From: "10.0.0.7:1", Time: at}
		if i%5 == 0 {
			look.Role, look.Reason, look.Way, look.Text = "analyst", "", looks.SQL, "SELECT "+fmt.Sprint(i)+" -- "+long
		}
		p, err := r.Record(t.Context(), look)
		if want := (events.Position{Partition: looks.Partition, Offset: int64(i) + 1}); err != nil || p != want {
			t.Fatalf("%v %v, want %v", p, err, want)
		}
	}
	list := func(f looks.Filter, limit int) (all []looks.Entry) {
		t.Helper()
		for before, calls := int64(0), 0; ; calls++ {
			page, err := looks.List(t.Context(), l, f, before, limit)
			if err != nil || len(page.Looks) > limit || calls > 50 {
				t.Fatalf("%v %+v", err, page)
			}
			all = append(all, page.Looks...)
			if page.Next == nil {
				return all
			}
			before = page.Next.Offset
		}
	}
	for _, limit := range []int{1, 7, 1000} {
		all := list(looks.Filter{}, limit)
		if len(all) != 30 {
			t.Fatalf("%d", len(all))
		}
		for i, e := range all {
			if e.Position.Offset != int64(30-i) || e.Time != "2026-11-23T09:00:00.000Z" || e.Recorded == "" || e.Actor == "" || e.ActorName != "王" {
				t.Fatalf("%+v", e)
			}
		}
		if some := list(looks.Filter{Actor: "aud|1", Way: "console", Role: "auditor", Text: "投诉"}, limit); len(some) != 8 {
			t.Errorf("%d", len(some))
		}
	}
	sql := list(looks.Filter{Text: "select 25 "}, 10)
	if len(sql) != 1 || sql[0].Text[:9] != "SELECT 25" || len(sql[0].Text) > 64<<10 || len(sql[0].Text) < 64<<10-3 || len(sql[0].TextSHA256) != 64 {
		t.Errorf("%+v", sql)
	}
	if got := list(looks.Filter{From: time.Now().Add(time.Hour)}, 10); len(got) != 0 {
		t.Errorf("%v", got)
	}
	if got := list(looks.Filter{To: time.Now().Add(time.Hour), From: time.Now().Add(-time.Hour)}, 100); len(got) != 30 {
		t.Errorf("%d", len(got))
	}
	if _, err := looks.List(t.Context(), l, looks.Filter{}, 0, 1001); err == nil {
		t.Error("a page of 1001")
	}
}

func TestWhatIsNotRecordedIsNotGranted(t *testing.T) {
	l, c := open(t)
	r := looks.Recorder{Log: l}
	if _, err := r.Record(t.Context(), looks.Look{Actor: "a", Role: "auditor", Reason: " ", Way: looks.Console, What: "x"}); !errors.Is(err, looks.ErrNoReason) {
		t.Errorf("without a reason: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if at, err := r.Record(ended, looks.Look{Actor: "a", Role: "admin", Way: looks.Console, What: "x"}); err == nil {
		t.Errorf("of nobody who waits: %v", at)
	}
	c.Close() // the log is away
	at, err := r.Record(t.Context(), looks.Look{Actor: "a", Role: "auditor", Reason: "why", Way: looks.Console, What: "x"})
	if !errors.Is(err, events.ErrUnavailable) && !errors.Is(err, events.ErrUnknown) {
		t.Errorf("%v %v", at, err)
	}
}
