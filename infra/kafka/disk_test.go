package kafka_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"lishi/events"
	"lishi/infra/broker"
	"lishi/infra/kafka"
	"lishi/infra/kafka/logtest"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("LISHI_TEST_PRODUCER"); dir != "" {
		produceUntilKilled(dir)
		return
	}
	if dir := os.Getenv("LISHI_TEST_SMALL_FILES"); dir != "" {
		appendWithSmallFiles(dir)
		return
	}
	// Watermill's suite leaves one of its own behind.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/ThreeDotsLabs/watermill/pubsub/tests.TestReconnect.func2"))
}

// gate is the embedded broker, whose syncs can be held up or fail.
type gate struct {
	*broker.Broker
	mu     sync.Mutex
	hold   chan struct{}
	err    error // of the next sync
	failed error // as the broker, it takes no more after that
}

func (g *gate) setHold(c chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.hold = c
}

func (g *gate) Sync(ctx context.Context, topic string, partition int32, end int64) error {
	g.mu.Lock()
	hold, err := g.hold, g.err
	g.failed = err
	g.mu.Unlock()
	if err != nil {
		return err
	}
	if hold != nil {
		<-hold
	}
	return g.Broker.Sync(ctx, topic, partition, end)
}

func (g *gate) Writable(string, int32) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.failed
}

// A failed sync leaves the batch unknown, and later ones are not even tried.
func TestFailedSync(t *testing.T) {
	g := &gate{Broker: openBroker(t, t.TempDir())}
	l := openLog(t, kafka.Options{Embedded: g})
	p := l.Layout().Partition(stream)
	if _, err := l.Append(t.Context(), logtest.Message(stream, 1)); err != nil {
		t.Fatal(err)
	}
	g.err = syscall.EIO
	if _, err := l.Append(t.Context(), logtest.Message(stream, 2)); !errors.Is(err, events.ErrUnknown) || !errors.Is(err, syscall.EIO) {
		t.Error(err)
	}
	if _, err := l.Append(t.Context(), logtest.Message(stream, 3)); !errors.Is(err, events.ErrUnavailable) || !errors.Is(err, syscall.EIO) {
		t.Error(err)
	}
	if n, _ := g.Written("lishi.conversations", p.Number); n != 3 {
		t.Error("written", n)
	}
}

// On a full disk appends are refused, what was acknowledged stays, and when
// there is room again it goes on.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := mountMemory(dir, "size=2m"); err != nil {
		t.Logf("no file system of its own (%v): a limit on file sizes instead", err)
		smallFiles(t, dir)
		return
	}
	t.Cleanup(func() { unmount(dir) })
	b := openBroker(t, dir)
	l := openLog(t, kafka.Options{Embedded: b})
	logtest.FullDisk(t, l, func() events.AsyncLog {
		appendUntilRefused(t, l, 0) // here it is certain that nothing happened
		if err := remountMemory(dir, "size=8m", false); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Append(t.Context(), large(0)); err != nil {
			t.Errorf("with room again: %v", err)
		}
		l.Close()
		b.Close()
		b = openBroker(t, dir)
		return openLog(t, kafka.Options{Embedded: b})
	})
}

func large(n int) events.Event {
	e := logtest.Message(stream, n)
	e.ActorName = strings.Repeat("x", 3000)
	return e
}

// appendUntilRefused appends from, from+1, … and answers with the one that was
// refused.
func appendUntilRefused(t testing.TB, l *kafka.Log, from int) int {
	t.Helper()
	for n := from; n < from+20_000; n++ {
		_, err := l.Append(context.Background(), large(n))
		if errors.Is(err, events.ErrUnavailable) {
			return n
		}
		if err != nil {
			t.Fatal(n, err)
		}
	}
	t.Fatal("the disk is not full")
	return 0
}

// checkStream expects 0, 1, 2 … n-1 to be in the log, once and in order.
func checkStream(t testing.TB, l *kafka.Log, n int) {
	t.Helper()
	p := l.Layout().Partition(stream)
	end, err := l.End(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if end[p] != int64(n) {
		t.Fatalf("the log ends at %d, want %d", end[p], n)
	}
	got, err := logtest.Read(t.Context(), l, events.Cursor{p: 0}, events.Cursor{p: end[p]})
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range got[p] {
		if r.Request != fmt.Sprint(i) {
			t.Fatalf("%s stands at %s", r.Request, r.Position)
		}
	}
}

// smallFiles is TestFullDisk for those who may not mount: the kernel refuses to
// let files grow.
func smallFiles(t *testing.T, dir string) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "LISHI_TEST_SMALL_FILES="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var acked int
	if _, err := fmt.Sscanf(string(out), "acked %d", &acked); err != nil || acked == 0 {
		t.Fatalf("%s: %v", out, err)
	}
	checkStream(t, openLog(t, kafka.Options{Embedded: openBroker(t, dir)}), acked)
}

func appendWithSmallFiles(dir string) {
	b, err := broker.Open(context.Background(), broker.Options{Dir: dir, Logger: quiet()})
	if err != nil {
		panic(err)
	}
	l, err := kafka.Open(context.Background(), kafka.Options{Embedded: b, Logger: quiet()})
	if err != nil {
		panic(err)
	}
	signal.Ignore(syscall.SIGXFSZ) // so that writes beyond the limit fail rather than end the process
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 100_000, Max: 100_000}); err != nil {
		panic(err)
	}
	acked := 0
	for {
		if _, err := l.Append(context.Background(), logtest.Message(stream, acked)); err != nil {
			if !errors.Is(err, events.ErrUnavailable) {
				panic(err)
			}
			break
		}
		acked++
	}
	fmt.Println("acked", acked)
	os.Exit(0) // without closing, as after a crash
}

func TestReadOnlyDisk(t *testing.T) {
	dir := t.TempDir()
	if err := mountMemory(dir, "size=4m"); err != nil {
		b := openBroker(t, dir)
		openLog(t, kafka.Options{Embedded: b}).Close()
		b.Close()
		if err := os.Chmod(dir, 0o500); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(dir, "lock"), 0o400); err != nil {
			t.Fatal(err)
		}
		if _, err := broker.Open(t.Context(), broker.Options{Dir: dir, Logger: quiet()}); !errors.Is(err, os.ErrPermission) {
			t.Error(err)
		}
		return
	}
	t.Cleanup(func() { unmount(dir) })
	b := openBroker(t, dir)
	l := openLog(t, kafka.Options{Embedded: b})
	if _, err := l.Append(t.Context(), logtest.Message(stream, 0)); err != nil {
		t.Fatal(err)
	}
	l.Close()
	b.Close()
	if err := remountMemory(dir, "", true); err != nil {
		t.Fatal(err)
	}
	if _, err := broker.Open(t.Context(), broker.Options{Dir: dir, Logger: quiet()}); !errors.Is(err, syscall.EROFS) || !strings.Contains(err.Error(), dir) {
		t.Error(err)
	}
	if err := remountMemory(dir, "", false); err != nil {
		t.Fatal(err)
	}
	checkStream(t, openLog(t, kafka.Options{Embedded: openBroker(t, dir)}), 1)
}

// TestKill9: a process that appends is killed again and again. What it was told
// is in the log stands there, once and in order.
func TestKill9(t *testing.T) {
	dir := t.TempDir()
	acked := map[events.Position]string{}
	for range 12 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "LISHI_TEST_PRODUCER="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for kill := (*time.Timer)(nil); lines.Scan(); {
			if kill == nil { // it is at work
				kill = time.AfterFunc(time.Duration(rand.IntN(60))*time.Millisecond, func() { cmd.Process.Kill() })
			}
			at, request, ok := strings.Cut(lines.Text(), " ")
			p, err := events.ParsePosition(at)
			if !ok || err != nil {
				continue // the last line, cut short
			}
			acked[p] = request
		}
		cmd.Wait()
	}
	b := openBroker(t, dir)
	l := openLog(t, kafka.Options{Embedded: b})
	end, err := l.End(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, err := logtest.Read(t.Context(), l, logtest.Beginning(l.Layout()), end)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	last := map[string]int{}
	records := 0
	for _, rs := range got {
		for _, r := range rs[1:] {
			records++
			if want, ok := acked[r.Position]; ok {
				if r.Request != want {
					t.Errorf("%s holds %s, but %s was acknowledged", r.Position, r.Request, want)
				}
				delete(acked, r.Position)
			}
			if seen[r.Request] {
				t.Errorf("%s is there twice", r.Request)
			}
			seen[r.Request] = true
			var pid, n int
			fmt.Sscanf(r.Request, "%d-%d", &pid, &n)
			writer := fmt.Sprint(pid, r.Stream)
			if prev, ok := last[writer]; ok && n < prev {
				t.Errorf("%s: %s after %d", r.Position, r.Request, prev)
			}
			last[writer] = n
		}
	}
	for p, request := range acked {
		t.Errorf("%s was acknowledged at %s and is lost", request, p)
	}
	t.Logf("%d records", records)
	if records < 100 {
		t.Error("too few to tell anything")
	}
}

// produceUntilKilled is the process that TestKill9 kills.
func produceUntilKilled(dir string) {
	b, err := broker.Open(context.Background(), broker.Options{Dir: dir, SegmentBytes: 64 << 10})
	if err != nil {
		panic(err)
	}
	l, err := kafka.Open(context.Background(), kafka.Options{Embedded: b})
	if err != nil {
		panic(err)
	}
	var mu sync.Mutex // a line is written at once
	for i := 0; ; i++ {
		e := logtest.Message(events.GroupStream(fmt.Sprint(i%20)), i)
		e.Request = fmt.Sprintf("%d-%d", os.Getpid(), i)
		l.AppendAsync(e, func(p events.Position, err error) {
			if err == nil {
				mu.Lock()
				fmt.Println(p, e.Request)
				mu.Unlock()
			}
		})
		if i%100 == 0 {
			time.Sleep(time.Millisecond)
		}
	}
}
