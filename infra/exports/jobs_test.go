package exports

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lishi/events"
)

func openJobs(t *testing.T, dir string, source func(context.Context) (Source, error)) *Jobs {
	t.Helper()
	j, err := OpenJobs(dir, source, testOptions, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

func (j *Jobs) await(t *testing.T, id, state string) Job {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		job, err := j.Job(id)
		if err != nil {
			t.Fatal(err)
		}
		if job.State == state {
			return job
		}
		if time.Now().After(deadline) {
			t.Fatalf("%+v", job)
		}
	}
}

// stuck is a log that gives nothing until it is let.
type stuck struct {
	*world
	let chan struct{}
}

func (s stuck) Records(ctx context.Context, p events.Partition, from, end int64, each func(int64, events.Record) error) error {
	select {
	case <-s.let:
	case <-ctx.Done():
		return ctx.Err()
	}
	return s.world.Records(ctx, p, from, end, each)
}

// Jobs are made one after the other, survive the process, and can be ended.
func TestJobs(t *testing.T) {
	w, dir := chat(t), t.TempDir()
	let := make(chan struct{})
	source := func(context.Context) (Source, error) {
		s := w.source()
		s.Log = stuck{w, let}
		return s, nil
	}
	j := openJobs(t, dir, source)
	ask := func(q Query) Job {
		t.Helper()
		job, err := j.Start(t.Context(), Request{Query: q, AskedBy: "eve", Reason: "r"}, "auditor")
		if err != nil {
			t.Fatal(err)
		}
		return job
	}
	first, second, third := ask(Query{All: true}), ask(Query{Text: "secret"}), ask(Query{Users: []string{"bob"}})
	j.await(t, first.ID, Running)
	if again := ask(Query{Text: "secret"}); again.ID != second.ID {
		t.Errorf("what waits is begun again: %+v", again)
	}
	if err := j.Zip(t.Context(), first.ID, &bytes.Buffer{}); !errors.Is(err, ErrNotDone) {
		t.Errorf("a package of a running job: %v", err)
	}
	if job, _ := j.Job(second.ID); job.State != Waiting {
		t.Errorf("%+v", job)
	}
	if err := j.Remove(third.ID); err != nil {
		t.Error(err)
	}
	if _, err := j.Job(third.ID); !errors.Is(err, ErrNoJob) {
		t.Errorf("%v", err)
	}

	if err := j.Close(); err != nil { // the process ends
		t.Fatal(err)
	}
	w.say(pair, "alice", sent("a secret after it was asked for"))
	j = openJobs(t, dir, source)
	if again := ask(Query{All: true}); again.ID != first.ID { // by one who saw the process end
		t.Errorf("what was begun before the restart is begun again: %+v", again)
	}
	close(let)
	done := j.await(t, first.ID, Done)
	if done.Bytes == 0 || done.Rows["messages.csv"] != 15 || done.Ended == "" || done.Role != "auditor" {
		t.Errorf("%+v", done)
	}
	if job := j.await(t, second.ID, Done); job.Rows["messages.csv"] != 5 {
		t.Errorf("up to when it was asked for there are 5: %+v", job)
	}
	if all := j.List(); len(all) != 2 || all[0].Asked < all[1].Asked {
		t.Errorf("%+v", all)
	}
	if later := ask(Query{All: true}); later.ID == first.ID {
		t.Error("what is done is not what is asked for later")
	} else if j.await(t, later.ID, Done); j.Remove(later.ID) != nil {
		t.Error("it can't be removed")
	}
	var b bytes.Buffer
	if err := j.Zip(t.Context(), first.ID, &b); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "p.zip")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if code := codeOf(t, path, testKey(7).Public()); code != "" {
		t.Error(code)
	}
	if _, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len())); err != nil {
		t.Error(err)
	}
	if err := j.Remove(first.ID); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, first.ID)); err == nil {
		t.Error("what was removed is there")
	}
}

// A job that can't be made says why, and does not hinder the next.
func TestAJobThatFails(t *testing.T) {
	w := chat(t)
	broken := true
	j := openJobs(t, t.TempDir(), func(context.Context) (Source, error) {
		s := w.source()
		if broken {
			left := 3
			s.Log = cut{w, &left}
		}
		return s, nil
	})
	job, err := j.Start(t.Context(), Request{Query: Query{All: true}, AskedBy: "eve", Reason: "r"}, "admin")
	if err != nil {
		t.Fatal(err)
	}
	if job = j.await(t, job.ID, Failed); job.Problem != errKilled.Error() {
		t.Errorf("%+v", job)
	}
	broken = false
	if job, err = j.Start(t.Context(), Request{Query: Query{All: true}, AskedBy: "eve", Reason: "r"}, "admin"); err != nil {
		t.Fatal(err)
	}
	j.await(t, job.ID, Done)
}

// Two can't write the same package at once.
func TestOneWriterAPackage(t *testing.T) {
	w, dir := chat(t), filepath.Join(t.TempDir(), "p")
	let := make(chan struct{})
	s := w.source()
	s.Log = stuck{w, let}
	r := Request{Query: Query{All: true}, AskedBy: "a", Reason: "r"}
	ended := make(chan error)
	go func() {
		_, err := Export(t.Context(), s, r, dir, testOptions)
		ended <- err
	}()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, err := os.Stat(filepath.Join(dir, "access.csv")); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("it does not begin")
		}
	}
	if _, err := Export(t.Context(), w.source(), r, dir, testOptions); err == nil || !strings.Contains(err.Error(), "another export is being written") {
		t.Errorf("%v", err)
	}
	close(let)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
