package projections_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"lishi/commands"
	"lishi/events"
	"lishi/projections"
	"lishi/projections/projectiontest"
)

// asked is a query that tests can change.
type asked struct {
	needs []string
	run   func(ctx context.Context, r projections.Reader, caller string) (projections.Page, error)
}

func (a asked) Needs() []string { return a.needs }

func (a asked) Run(ctx context.Context, r projections.Reader, caller string) (projections.Page, error) {
	return a.run(ctx, r, caller)
}

func TestAnswer(t *testing.T) {
	w := projectiontest.New(t, newWords("words"))
	talk(w, 0, 1)
	w.Settle()
	words := []string{"words"}
	ctx := context.Background()
	answer := func(run func(context.Context, projections.Reader, string) (projections.Page, error)) error {
		_, err := w.Reader().Answer(ctx, asked{words, run}, "a", nil)
		return err
	}
	for name, c := range map[string]struct {
		err  error
		want error
	}{
		"a refusal stays":            {commands.ErrNotMember.With("x"), commands.ErrNotMember},
		"ClickHouse is away":         {projections.ErrUnavailable, commands.ErrUnavailable},
		"ClickHouse refuses the SQL": {errors.New("no such column"), commands.ErrUnavailable},
	} {
		err := answer(func(context.Context, projections.Reader, string) (projections.Page, error) {
			return projections.Page{List: 1}, c.err
		})
		var r *commands.Refusal
		if !errors.Is(err, c.want) || !errors.As(err, &r) {
			t.Errorf("%s: %v", name, err)
		}
	}
	short := answer(func(ctx context.Context, r projections.Reader, _ string) (projections.Page, error) {
		return projections.Page{}, r.Select(ctx, "SELECT length(groupArray(toString(number))) FROM numbers(10000000) SETTINGS max_memory_usage = 10000000", nil, nil)
	})
	if !errors.Is(short, commands.ErrUnavailable) || !strings.Contains(short.Error(), "memory") {
		t.Errorf("an answer that does not fit: %v", short)
	}
	page, err := w.Reader().Answer(ctx, asked{words, func(_ context.Context, r projections.Reader, caller string) (projections.Page, error) {
		states := r.FriendStates(ctx, []string{"online", "a"})
		return projections.Page{List: caller + " " + r.Table("words") + " " + states["online"] + states["a"], Next: "n"}, nil
	}}, "a", nil)
	if err != nil || page.List != "a `words_b1` 90" || page.Next != "n" {
		t.Errorf("%+v, %v", page, err)
	}
	if _, err := w.Reader().Answer(ctx, asked{needs: words}, "a", events.Cursor{{Topic: events.Conversations, Number: 99}: 1}); !errors.Is(err, commands.ErrBadRequest) {
		t.Errorf("seen of a partition that is not there: %v", err)
	}
	if err := answer(func(ctx context.Context, r projections.Reader, _ string) (projections.Page, error) {
		return projections.Page{}, r.Select(ctx, "SELECT nonsense", nil, nil)
	}); !errors.Is(err, commands.ErrUnavailable) {
		t.Errorf("nonsense: %v", err)
	}
	slow := w.Reader()
	slow.Timeout = 20 * time.Millisecond
	if _, err := slow.Answer(ctx, asked{words, func(ctx context.Context, _ projections.Reader, _ string) (projections.Page, error) {
		<-ctx.Done()
		return projections.Page{}, ctx.Err()
	}}, "a", nil); !errors.Is(err, commands.ErrUnavailable) {
		t.Errorf("too slow: %v", err)
	}
	defer func() {
		if recover() == nil {
			t.Error("a table of a projection that is not needed may be read")
		}
	}()
	_, _ = w.Reader().Answer(ctx, asked{nil, func(_ context.Context, r projections.Reader, _ string) (projections.Page, error) {
		r.Table("words")
		return projections.Page{}, nil
	}}, "a", nil)
}

func TestLimit(t *testing.T) {
	for n, want := range map[int64]int64{0: 50, 1: 1, 200: 200} {
		if got, err := projections.Limit("limit", n); got != want || err != nil {
			t.Errorf("%d becomes %d, %v", n, got, err)
		}
	}
	for _, n := range []int64{-1, 201, 1 << 62} {
		if _, err := projections.Limit("limit", n); !errors.Is(err, commands.ErrBadRequest) {
			t.Errorf("%d gives %v", n, err)
		}
	}
}

// Rows that somebody needs do not wait until a lane has rested. By this clock
// every round takes an hour, and so would every rest.
func TestWhoWaitsEndsTheRest(t *testing.T) {
	w := projectiontest.Still(t, projectiontest.DB(t), projectiontest.NewLog(projectiontest.Layout), newWords("words"))
	var hours atomic.Int64
	w.Options.Now = func() time.Time { return time.Unix(0, 0).Add(time.Duration(hours.Add(1)) * time.Hour) }
	w.Options.MaxRest, w.Options.Patience = 1000*time.Hour, 1_000_000*time.Hour
	w.Start()
	talk(w, 0, 1)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for range 5 {
		m := w.Say("a", "b", "x")
		if _, err := w.Engine.Wait(ctx, []string{"words"}, events.Cursor{m.Position.Partition: m.Position.Offset}); err != nil {
			t.Fatal(err)
		}
	}
}
