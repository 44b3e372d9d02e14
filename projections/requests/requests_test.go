package requests_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"lishi/events"
	"lishi/projections"
	"lishi/projections/projectiontest"
	"lishi/projections/requests"
)

func TestMain(m *testing.M) { projectiontest.Main(m) }

func TestFind(t *testing.T) {
	w := projectiontest.New(t, requests.Projection{})
	w.Register("a", "b")
	w.Befriend("a", "b")
	m := w.Say("a", "b", "hello")
	w.Settle()
	memory := requests.Memory{Engine: w.Engine, DB: w.DB}
	ctx := context.Background()
	at, fp, ok, err := memory.Find(ctx, m.Position.Partition, m.Position.Offset, m.ID)
	if err != nil || !ok || at != m.Position || fp != m.Fingerprint || fp == (events.Fingerprint{}) {
		t.Errorf("%s, %x, %v, %v; want %s, %x", at, fp, ok, err, m.Position, m.Fingerprint)
	}
	other := events.Partition{Topic: events.Conversations, Number: (m.Position.Number + 1) % 3}
	if _, _, ok, err := memory.Find(ctx, other, 0, m.ID); ok || err != nil {
		t.Errorf("in another partition: %v, %v", ok, err)
	}
	if _, _, ok, err := memory.Find(ctx, m.Position.Partition, 0, events.NewID("x", "y", "z")); ok || err != nil {
		t.Errorf("of another id: %v, %v", ok, err)
	}
}

func TestFindSaysWhenItCannotKnow(t *testing.T) {
	faulty := &projectiontest.Faulty{DB: projectiontest.DB(t)}
	w := projectiontest.Still(t, faulty, projectiontest.NewLog(projectiontest.Layout), requests.Projection{})
	w.Options.Patience = 100 * time.Millisecond
	w.Start()
	w.Register("a")
	w.Options.Patience = time.Second
	p := events.Partition{Topic: events.Users}
	memory := requests.Memory{Engine: w.Engine, DB: w.DB}
	if _, _, _, err := memory.Find(context.Background(), p, 1000, events.ID{1}); !errors.Is(err, projections.ErrUnavailable) {
		t.Errorf("beyond what is shown: %v", err)
	}
	w.Settle()
	faulty.Set(func(projectiontest.Call) error { return projections.ErrUnavailable }, nil)
	if _, _, _, err := memory.Find(context.Background(), p, 1, events.ID{1}); !errors.Is(err, projections.ErrUnavailable) {
		t.Errorf("while ClickHouse is away: %v", err)
	}
}
