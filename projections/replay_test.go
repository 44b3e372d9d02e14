package projections_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"lishi/events"
	"lishi/projections"
	"lishi/projections/projectiontest"
)

// While a build is remade, people go on talking and asking; nothing is missing
// at any moment.
func TestReplayBesideTheLiveBuild(t *testing.T) {
	w := projectiontest.New(t, newWords("words"))
	all := talk(w, 0, 200)
	w.Settle()

	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	asked := 0
	wg.Go(func() {
		for ctx.Err() == nil {
			tables, err := w.Engine.Wait(context.Background(), []string{"words"}, nil)
			if err != nil {
				t.Errorf("while replaying: %v", err)
				return
			}
			if got := said(t, w.DB, tables["words"]+" FINAL"); len(got) < 200 {
				t.Errorf("while replaying, %d rows are to be seen", len(got))
			}
			if got := said(t, w.DB, "words"); len(got) < 200 {
				t.Errorf("while replaying, the view has %d rows", len(got))
			}
			asked++
		}
	})
	var phases []string
	var last projections.Progress
	done := make(chan error, 1)
	go func() {
		done <- w.Engine.Replay(context.Background(), []string{"words"}, projections.Replaying{Progress: func(p projections.Progress) {
			if last = p; !slices.Contains(phases, p.Phase) {
				phases = append(phases, p.Phase)
			}
		}})
	}()
	for over := false; !over; {
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
			over = true
		default:
			all = append(all, talk(w, len(all), 1)...)
		}
	}
	cancel()
	wg.Wait()
	w.Settle()
	same(t, "after the replay", said(t, w.DB, "words"), all)
	if w.Engine.Live("words") != 2 || asked == 0 {
		t.Errorf("build %d is live, %d questions were asked", w.Engine.Live("words"), asked)
	}
	if last.Phase != "live" || last.Events < 200 || last.Total < last.Events || last.Rate <= 0 || !slices.Contains(phases, "comparing") {
		t.Errorf("progress through %v to %+v", phases, last)
	}
	builds(t, w.DB, "words_b1", "words_b2")

	// The build before it can be brought back, and has caught up then.
	all = append(all, talk(w, len(all), 3)...)
	if err := w.Engine.Rollback(context.Background(), "words", nil); err != nil {
		t.Fatal(err)
	}
	w.Settle()
	if w.Engine.Live("words") != 1 {
		t.Errorf("build %d is live", w.Engine.Live("words"))
	}
	same(t, "after the rollback", said(t, w.DB, "words"), all)

	// The next replay lets go of the oldest.
	if err := w.Engine.Replay(context.Background(), []string{"words"}, projections.Replaying{}); err != nil {
		t.Fatal(err)
	}
	builds(t, w.DB, "words_b1", "words_b3")
	w.Stop()
	w.Start()
	w.Settle()
	if w.Engine.Live("words") != 3 {
		t.Errorf("after a restart build %d is live", w.Engine.Live("words"))
	}
	same(t, "after a restart", said(t, w.DB, "words"), all)
}

// What is wrong with the live rows is found, and right afterwards.
func TestReplayFindsFaults(t *testing.T) {
	for name, c := range map[string]struct {
		spoil     string
		live, new uint64
	}{
		"a row is missing": {"ALTER TABLE words_b1 DELETE WHERE word = 'w7' SETTINGS mutations_sync = 2", 19, 20},
		"a row is changed": {"ALTER TABLE words_b1 UPDATE word = 'W7' WHERE word = 'w7' SETTINGS mutations_sync = 2", 20, 20},
		"two are swapped": {`ALTER TABLE words_b1 UPDATE word = if(word = 'w7', 'w8', 'w7') WHERE word IN ('w7', 'w8')
			SETTINGS mutations_sync = 2`, 20, 20},
		"there is one more": {"INSERT INTO words_b1 SELECT partition, offset - 1, conversation, word FROM words_b1 WHERE word = 'w0'", 21, 20},
		"written twice":     {"INSERT INTO words_b1 SELECT * FROM words_b1", 20, 20}, // and that is no fault
	} {
		t.Run(name, func(t *testing.T) {
			w := projectiontest.New(t, newWords("words"))
			all := talk(w, 0, 20)
			w.Settle()
			projectiontest.Exec(t, w.DB, c.spoil)
			err := w.Engine.Replay(context.Background(), []string{"words"}, projections.Replaying{})
			var d *projections.DiffersError
			switch {
			case name == "written twice":
				if err != nil {
					t.Error(err)
				}
			case !errors.As(err, &d) || len(d.Differences) != 1 || d.Differences[0].Table != "words" ||
				d.Differences[0].Live.Rows != c.live || d.Differences[0].New.Rows != c.new:
				t.Errorf("the finding is %v: %+v", err, d)
			case !strings.Contains(d.Error(), fmt.Sprintf("words has %d rows, the log makes %d", c.live, c.new)):
				t.Errorf("it says %v", d)
			}
			same(t, "after the replay", said(t, w.DB, "words"), all)
			if w.Engine.Live("words") != 2 {
				t.Errorf("build %d is live", w.Engine.Live("words"))
			}
		})
	}
}

// What was interrupted goes on from its checkpoint, after a kill as well; what
// failed leaves nothing behind.
func TestInterruptedReplay(t *testing.T) {
	faulty := &projectiontest.Faulty{DB: projectiontest.DB(t)}
	w := projectiontest.Still(t, faulty, projectiontest.NewLog(projectiontest.Layout), newWords("words"))
	w.Options.ReplayRows = 10
	w.Start()
	all := talk(w, 0, 60)
	w.Settle()
	replay := func(ctx context.Context) (first projections.Progress, err error) {
		return first, w.Engine.Replay(ctx, []string{"words"}, projections.Replaying{Progress: func(p projections.Progress) {
			if first.Build == 0 {
				first = p
			}
		}})
	}
	ctx, cancel := context.WithCancel(context.Background())
	inserts := 0
	faulty.Set(nil, func(c projectiontest.Call) error {
		if c.Table == "words_b2" {
			inserts++
		}
		if inserts == 3 && c.Table == "lishi_checkpoints" {
			cancel()
		}
		return nil
	})
	if _, err := replay(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("it ends with %v", err)
	}
	builds(t, w.DB, "words_b1", "words_b2")
	if w.Engine.Live("words") != 1 {
		t.Error("an unfinished build is live")
	}

	// Killed in the middle: nothing more is written, not even that it ended.
	dead := false
	inserts = 0
	faulty.Set(func(c projectiontest.Call) error {
		if dead {
			return projections.ErrUnavailable
		}
		return nil
	}, func(c projectiontest.Call) error {
		if c.Table == "words_b2" {
			inserts++
		}
		if inserts == 2 {
			dead = true
			cancel()
		}
		return nil
	})
	ctx, cancel = context.WithCancel(context.Background())
	defer cancel()
	if p, err := replay(ctx); !errors.Is(err, context.Canceled) || p.Build != 2 || p.From < 20 {
		t.Errorf("it goes on with %+v and ends with %v", p, err)
	}
	w.Stop()
	faulty.Set(nil, nil)
	all = append(all, talk(w, len(all), 5)...)
	w.Start()
	w.Settle()
	builds(t, w.DB, "words_b1", "words_b2")
	p, err := replay(context.Background())
	if err != nil || p.Build != 2 || p.From < 30 {
		t.Errorf("it goes on with %+v and ends with %v", p, err)
	}
	if w.Engine.Live("words") != 2 {
		t.Errorf("build %d is live", w.Engine.Live("words"))
	}
	same(t, "after the replay", said(t, w.DB, "words"), all)

	faulty.Set(func(c projectiontest.Call) error {
		if c.Table == "words_b3" {
			return errors.New("no such column")
		}
		return nil
	}, nil)
	if _, err := replay(context.Background()); err == nil || !strings.Contains(err.Error(), "no such column") {
		t.Errorf("it ends with %v", err)
	}
	builds(t, w.DB, "words_b1", "words_b2")
	if p := w.Engine.Problems(); len(p) != 0 {
		t.Errorf("the live build has problems: %v", p)
	}
	faulty.Set(nil, nil)

	// The one before goes when somebody says so; the live one never.
	if err := w.Engine.Discard(context.Background(), "words", 2); err == nil || !strings.Contains(err.Error(), "is live") {
		t.Errorf("discarding the live build: %v", err)
	}
	if err := w.Engine.Discard(context.Background(), "words", 1); err != nil {
		t.Fatal(err)
	}
	builds(t, w.DB, "words_b2")
	if err := w.Engine.Rollback(context.Background(), "words", nil); err == nil || !strings.Contains(err.Error(), "no earlier build") {
		t.Errorf("a rollback to nothing gives %v", err)
	}
	if err := w.Engine.Replay(context.Background(), []string{"sentences"}, projections.Replaying{}); err == nil {
		t.Error("an unknown projection is replayed")
	}
}

// A named build shows the rows as of a cursor, is never live, and stays until it
// is discarded.
func TestNamedBuild(t *testing.T) {
	w := projectiontest.New(t, newWords("words"))
	all := talk(w, 0, 30)
	end, _ := w.Log.End(context.Background())
	all = append(all, talk(w, 30, 20)...)
	w.Settle()
	var last projections.Progress
	named := projections.Replaying{Into: "before", To: end, Progress: func(p projections.Progress) { last = p }}
	if err := w.Engine.Replay(context.Background(), []string{"words"}, named); err != nil {
		t.Fatal(err)
	}
	if last.Phase != "complete" || last.Into != "before" || last.Events != last.Total {
		t.Errorf("at the end it says %+v", last)
	}
	tables, at, err := w.Engine.Named(context.Background(), "words", "before")
	if err != nil || !at.Covers(end) || !end.Covers(at) {
		t.Fatalf("named: %v as of %s, want %s: %v", tables, at, end, err)
	}
	same(t, "its rows", said(t, w.DB, tables["words"]+" FINAL"), all[:30])
	same(t, "its view", said(t, w.DB, "words__before"), all[:30])
	same(t, "the live rows", said(t, w.DB, "words"), all)
	if err := w.Engine.Replay(context.Background(), []string{"words"}, named); err == nil || !strings.Contains(err.Error(), "named before already") {
		t.Errorf("the same name again: %v", err)
	}
	for _, bad := range []projections.Replaying{{To: end}, {Into: "1x"}, {Into: "X"}, {Into: "a`b"}, {Into: strings.Repeat("x", 41)},
		{Into: "later", To: events.Cursor{events.Partition{Topic: events.Conversations}: 1 << 40}}} {
		if err := w.Engine.Replay(context.Background(), []string{"words"}, bad); err == nil {
			t.Errorf("%+v is allowed", bad)
		}
	}
	w.Stop()
	w.Start()
	w.Settle()
	if err := w.Engine.Replay(context.Background(), []string{"words"}, projections.Replaying{}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.Engine.Named(context.Background(), "words", "before"); err != nil {
		t.Error(err)
	}
	if err := w.Engine.Discard(context.Background(), "words", last.Build); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.Engine.Named(context.Background(), "words", "before"); err == nil {
		t.Error("a discarded build is still there")
	}
	if left := projectiontest.Strings(t, w.DB, "SELECT name FROM system.tables WHERE database = currentDatabase() AND name LIKE 'words!_!_%' ESCAPE '!'"); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
}

// A new version fills a new build, over restarts if need be, while the old rows
// are still to be seen.
func TestNewVersion(t *testing.T) {
	faulty := &projectiontest.Faulty{DB: projectiontest.DB(t)}
	one := newWords("words")
	w := projectiontest.Still(t, faulty, projectiontest.NewLog(projectiontest.Layout), one)
	w.Start()
	all := talk(w, 0, 300)
	w.Settle()
	w.Stop()

	two := newWords("words")
	two.version = 2
	two.field.Type = "LowCardinality(String)"
	w.Projections = []projections.Projection{two}
	inserted := make(chan struct{}, 100)
	faulty.Set(func(c projectiontest.Call) error {
		if c.Table == "words_b2" {
			select {
			case inserted <- struct{}{}:
			default:
			}
			return projections.ErrUnavailable // the new build does not get on
		}
		return nil
	}, nil)
	w.Start()
	<-inserted
	if n := w.Engine.Live("words"); n != 1 {
		t.Fatalf("build %d is live", n)
	}
	same(t, "the old rows, meanwhile", said(t, w.DB, "words"), all)
	if got := w.Engine.Covers([]string{"words"}, nil); !got {
		t.Error("the old build does not answer, though nothing happened since")
	}
	all = append(all, talk(w, len(all), 1)...)
	if got := w.Engine.Covers([]string{"words"}, nil); got {
		t.Error("the old build answers, though it misses something")
	}
	w.Stop()
	faulty.Set(nil, nil)
	w.Start()
	w.Settle()
	if n := w.Engine.Live("words"); n != 2 {
		t.Errorf("build %d is live", n)
	}
	same(t, "the new rows", said(t, w.DB, "words"), all)
	builds(t, w.DB, "words_b1", "words_b2")
	w.Stop()

	// Back to the release before: its build is still there, and catches up.
	all = append(all, talk(w, len(all), 2)...)
	w.Projections = []projections.Projection{one}
	w.Start()
	w.Settle()
	if n := w.Engine.Live("words"); n != 1 {
		t.Errorf("after going back, build %d is live", n)
	}
	same(t, "after going back", said(t, w.DB, "words"), all)
	w.Stop()

	three := newWords("words")
	three.version = 3
	w.Projections = []projections.Projection{three}
	w.Start()
	w.Settle()
	builds(t, w.DB, "words_b1", "words_b3")
	same(t, "the third version", said(t, w.DB, "words"), all)
}
