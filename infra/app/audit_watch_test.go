package app

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"lishi/events"
	"lishi/events/merkle"
	"lishi/infra/kafka"
	"lishi/infra/kafka/logtest"
	"lishi/infra/seals"
)

// sealer signs a log as a running lishi does.
func (o *original) sealer(t *testing.T, prefix, data string, key byte, witnesses ...string) (*kafka.Log, *seals.Sealer) {
	t.Helper()
	l, err := kafka.Open(t.Context(), kafka.Options{
		Brokers: o.cluster.ListenAddrs(), TopicPrefix: prefix, Layout: events.Layout{Conversations: 1, Users: 1}, Replication: 1, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	k, _ := merkle.NewKey(bytes.Repeat([]byte{key}, 32))
	s, err := seals.Open(l, seals.Options{
		Dir: data, Key: &k, Alone: true, Witnesses: witnesses, Interval: 10 * time.Millisecond, Look: 10 * time.Millisecond, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return l, s
}

func public(t *testing.T, b byte) string {
	t.Helper()
	return strings.TrimSpace(succeed(t, "audit", "key", "--audit-key", seed(b)))
}

// A witness that looks at lishi.seals, or at files, raises the alarm for
// everything that is not what it saw.
func TestAWitnessLooks(t *testing.T) {
	o := newOriginal(t)
	data := t.TempDir()
	l, s := o.sealer(t, "", data, 1)
	s.Last(t.Context())
	if _, err := l.Append(t.Context(), logtest.Message(events.GroupStream("g"), 99)); err != nil {
		t.Fatal(err)
	}
	s.Last(t.Context())

	altered := slices.Clone(o.records)
	altered[9] = altered[8]
	resign := func(prefix string, records []events.Record, key byte) func(t *testing.T) {
		return func(t *testing.T) {
			o.rewrite(t, prefix, records)
			l, s := o.sealer(t, prefix, t.TempDir(), key)
			for i := range 3 { // in as many rounds as the original, and longer
				if _, err := l.Append(t.Context(), logtest.Message(events.GroupStream("g"), 200+i)); err != nil {
					t.Fatal(err)
				}
				s.Last(t.Context())
			}
			if st := s.Status(); st.Error != "" || len(st.Wrong) > 0 {
				t.Fatalf("%+v", st)
			}
		}
	}
	dir := seals.Directory(data, logID(t, o))
	seen := filepath.Join(t.TempDir(), "files")
	if err := os.CopyFS(seen, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	watched := func(t *testing.T, state string, args ...string) (string, string, int) {
		return lishi(t, append([]string{"audit", "watch", "--once", "--key", public(t, 1), "--state", state}, args...)...)
	}
	for name, tc := range map[string]struct {
		before func(t *testing.T)
		args   []string // what is looked at the second time
		alarm  string
	}{
		"the same":              {nil, []string{"--kafka-brokers", o.brokers}, ""},
		"its files":             {nil, []string{dir}, ""},
		"one file":              {nil, []string{filepath.Join(dir, "c0.checkpoints")}, ""},
		"altered and re-signed": {resign("resigned.", altered, 1), []string{"--kafka-brokers", o.brokers, "--topic-prefix", "resigned."}, "fork"},
		"signed by another":     {resign("other.", altered, 2), []string{"--kafka-brokers", o.brokers, "--topic-prefix", "other."}, "key"},
		"rolled back": {func(t *testing.T) { o.rewrite(t, "back.", o.records[:20]); o.copySeals(t, "back.", nil) },
			[]string{"--kafka-brokers", o.brokers, "--topic-prefix", "back."}, "rollback"},
		"checkpoints rolled back": {func(t *testing.T) {
			o.rewrite(t, "sback.", o.records)
			o.copySeals(t, "sback.", func(rs []events.Record) []events.Record { return rs[:2] })
		}, []string{"--kafka-brokers", o.brokers, "--topic-prefix", "sback."}, "rollback"},
		"a file with less": {func(t *testing.T) {
			b, _ := os.ReadFile(filepath.Join(seen, "c0.checkpoints"))
			if err := os.WriteFile(filepath.Join(seen, "c0.checkpoints"), b[:bytes.Index(b, []byte("=\n\nlishi"))+3], 0o600); err != nil {
				t.Fatal(err)
			}
		}, []string{seen}, "rollback"},
	} {
		t.Run(name, func(t *testing.T) {
			state := filepath.Join(t.TempDir(), "state")
			if out, errs, status := watched(t, state, "--kafka-brokers", o.brokers); status != done || !strings.Contains(out, "/c0  32 records") {
				t.Fatalf("status %d: %s%s", status, out, errs)
			}
			if tc.before != nil {
				tc.before(t)
			}
			out, errs, status := watched(t, state, tc.args...)
			if tc.alarm == "" {
				if status != done {
					t.Errorf("status %d: %s%s", status, out, errs)
				}
				return
			}
			if status != finding || !strings.Contains(errs, "ALARM") {
				t.Fatalf("status %d: %s%s", status, out, errs)
			}
			if b, err := os.ReadFile(state + ".alarms"); err != nil || !strings.Contains(string(b), `"kind":"`+tc.alarm+`"`) {
				t.Errorf("%s %v", b, err)
			}
		})
	}
}

// What a server sends to a witness is signed by it; a fork is told to both.
func TestAWitnessIsSentCheckpoints(t *testing.T) {
	o := newOriginal(t)
	state := filepath.Join(t.TempDir(), "state")
	hooked := make(chan string, 10)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		hooked <- string(b)
	}))
	defer hook.Close()
	address, watching := o.watcher(t, "--state", state, "--key", public(t, 1), "--webhook", hook.URL)

	l, s := o.sealer(t, "", t.TempDir(), 1, address)
	running, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(running) }()
	if _, err := l.Append(t.Context(), logtest.Message(events.GroupStream("g"), 99)); err != nil {
		t.Fatal(err)
	}
	becomes(t, func() bool {
		st := s.Status().Witnesses[0]
		return st.Acks["c0"].Size == 32 && st.Lag == 0 && strings.HasPrefix(st.Acks["c0"].Cosignatures, "— lishi-witness ")
	})
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	// Another node, that reads another history of the same log.
	altered := slices.Clone(o.records)
	altered[9] = altered[8]
	o.rewrite(t, "forked.", append(altered, o.records[3], o.records[4]))
	_, forked := o.sealer(t, "forked.", t.TempDir(), 1, address)
	running, stop = context.WithCancel(t.Context())
	go func() { ended <- forked.Run(running) }()
	becomes(t, func() bool {
		st := forked.Status()
		return len(st.Wrong) > 0 && strings.Contains(st.Wrong[0].Problem, "another history")
	})
	stop()
	<-ended
	var alarm struct{ Kind, Before, Now string }
	if err := json.Unmarshal([]byte(<-hooked), &alarm); err != nil || alarm.Kind != "fork" || alarm.Before == "" || alarm.Now == "" {
		t.Errorf("%+v %v", alarm, err)
	}
	if errs, status := watching(); status != finding || !strings.Contains(errs, "ALARM") {
		t.Errorf("status %d: %s", status, errs)
	}
}

// watcher runs lishi audit watch --listen; the function ends it.
func (o *original) watcher(t *testing.T, args ...string) (address string, end func() (string, int)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	r, w := io.Pipe()
	var errs bytes.Buffer
	status := make(chan int, 1)
	p := &program{in: os.Stdin, out: w, err: &errs}
	go func() {
		root := p.root()
		root.SetArgs(append([]string{"audit", "watch", "--listen", "127.0.0.1:0", "--every", "50ms"}, args...))
		err := root.ExecuteContext(ctx)
		w.Close()
		if _, found := err.(*Finding); found {
			status <- finding
		} else {
			status <- failed
		}
	}()
	line := make([]byte, 400)
	n, err := r.Read(line)
	if err != nil {
		t.Fatalf("%v %s", err, errs.String())
	}
	_, rest, _ := strings.Cut(string(line[:n]), "http://")
	address, _, _ = strings.Cut(rest, "/")
	return "http://" + address, func() (string, int) {
		cancel()
		s := <-status
		return errs.String(), s
	}
}

func becomes(t *testing.T, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not come true")
		}
	}
}

func TestWatchRefusesWhatItCantDo(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state")
	for _, tc := range []struct {
		args   []string
		status int
		says   string
	}{
		{nil, misuse, "--state"},
		{[]string{"--state", state}, misuse, "name what to watch"},
		{[]string{"--state", state, "x"}, failed, "no key is given to trust"},
		{[]string{"--state", state, "x", "--key", "AAAA"}, misuse, "not a public key"},
		{[]string{"--state", state, "x", "--listen", "127.0.0.1:0"}, misuse, "nothing to look at"},
		{[]string{"--state", state, "--once", "x", "--key", public(t, 1)}, failed, "no such file"},
		{[]string{"--state", state, "--once", t.TempDir(), "--key", public(t, 1)}, failed, "no checkpoints"},
	} {
		_, errs, status := lishi(t, append([]string{"audit", "watch"}, tc.args...)...)
		if status != tc.status || !strings.Contains(errs, tc.says) {
			t.Errorf("%v: status %d: %s", tc.args, status, errs)
		}
	}
}
