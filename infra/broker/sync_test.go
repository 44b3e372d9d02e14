package broker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

func openWith(t *testing.T, dir string, fsync func(*os.File) error) *Broker {
	t.Helper()
	b, err := Open(t.Context(), Options{Dir: dir, Logger: quiet(), fsync: fsync})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func TestFailedSyncClosesThePartition(t *testing.T) {
	dir := t.TempDir()
	var failing atomic.Bool
	b := openWith(t, dir, func(f *os.File) error {
		if failing.Load() && strings.Contains(f.Name(), partitionName(topic, 0)) {
			return &os.PathError{Op: "fsync", Path: f.Name(), Err: syscall.EIO}
		}
		return f.Sync()
	})
	c := client(t, b)
	createTopic(t, c, 2)
	mustProduce(t, b, c, 0, "one")
	failing.Store(true)
	end, err := produce(t.Context(), c, 0, "two")
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Sync(t.Context(), topic, 0, end); !errors.Is(err, syscall.EIO) {
		t.Fatal(err)
	}
	failing.Store(false) // the kernel says yes next time; that proves nothing
	if err := b.Sync(t.Context(), topic, 0, end); !errors.Is(err, syscall.EIO) {
		t.Fatal(err)
	}
	if err := b.Writable(topic, 0); !errors.Is(err, syscall.EIO) || !strings.Contains(err.Error(), "restart") {
		t.Fatal(err)
	}
	if synced := b.Synced(topic, 0); synced != 1 {
		t.Error("synced", synced)
	}
	mustProduce(t, b, c, 1, "the other partition goes on")
	b.Close()

	b = openWith(t, dir, (*os.File).Sync)
	if err := b.Writable(topic, 0); err != nil {
		t.Error(err)
	}
	if synced := b.Synced(topic, 0); synced != 2 {
		t.Error("synced", synced, "after the restart")
	}
}

// One sync serves all who came before it began; who comes meanwhile waits for
// the next.
func TestSyncsAreShared(t *testing.T) {
	var syncs atomic.Int32
	hold := make(chan struct{})
	b := openWith(t, t.TempDir(), func(f *os.File) error {
		if filepath.Ext(f.Name()) == ".dat" {
			syncs.Add(1)
			<-hold
		}
		return nil
	})
	c := client(t, b)
	createTopic(t, c, 1)
	const n = 20
	var wg sync.WaitGroup
	for i := range n {
		end, err := produce(t.Context(), c, 0, fmt.Sprint(i))
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			if err := b.Sync(t.Context(), topic, 0, end); err != nil {
				t.Error(err)
			}
			if synced := b.Synced(topic, 0); synced < end {
				t.Errorf("synced %d, want %d", synced, end)
			}
		})
	}
	p := b.sync.partition(topic, 0)
	await(t, func() bool {
		p.gather.Lock()
		defer p.gather.Unlock()
		return syncs.Load() == 1 && len(p.waiting) > 0
	})
	close(hold)
	wg.Wait()
	if got := syncs.Load(); got < 1 || got > n/2 {
		t.Errorf("%d syncs for %d batches", got, n)
	}
}

func TestSyncEndsWithItsContext(t *testing.T) {
	hold := make(chan struct{})
	b := openWith(t, t.TempDir(), func(f *os.File) error {
		if filepath.Ext(f.Name()) == ".dat" {
			<-hold
		}
		return nil
	})
	defer close(hold)
	c := client(t, b)
	createTopic(t, c, 1)
	end, err := produce(t.Context(), c, 0, "one")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := b.Sync(ctx, topic, 0, end); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	if synced := b.Synced(topic, 0); synced != 0 {
		t.Error("synced", synced)
	}
}

// A broker that answers for what is not in its files is not believed.
func TestAnswerWithoutRecordsIsRefused(t *testing.T) {
	b := open(t, t.TempDir())
	c := client(t, b)
	createTopic(t, c, 1)
	end := mustProduce(t, b, c, 0, "one")
	if err := b.Sync(t.Context(), topic, 0, end+1); err == nil || !strings.Contains(err.Error(), "hold 1") {
		t.Fatal(err)
	}
	if err := b.Writable(topic, 0); err == nil {
		t.Error("still writable")
	}
}

func TestWritten(t *testing.T) {
	b := open(t, t.TempDir())
	c := client(t, b)
	createTopic(t, c, 1)
	for want := range int64(3) {
		if got, err := b.Written(topic, 0); err != nil || got != want {
			t.Fatalf("written %d, %v; want %d", got, err, want)
		}
		if _, err := produce(t.Context(), c, 0, "x"); err != nil {
			t.Fatal(err)
		}
	}
	if synced := b.Synced(topic, 0); synced != 0 {
		t.Error("synced", synced)
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

// Asking about partitions that are not there leaves nothing behind that would
// stop the next start.
func TestAskingLeavesNoTrace(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir)
	if n, err := b.Written("nothing", 3); n != 0 || err != nil || b.Synced("nothing", 3) != 0 || b.Writable("nothing", 3) != nil {
		t.Error(n, err)
	}
	b.Close()
	open(t, dir)
}

// A topic that kfake could not write down would be gone at the next start, so
// nothing in it is acknowledged.
func TestUnwrittenTopicIsRefused(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir)
	c := client(t, b)
	createTopic(t, c, 1)
	edit(t, filepath.Join(dir, "kafka", "topics.json"), func([]byte) []byte { return []byte(`{"version":1}`) })
	end, err := produce(t.Context(), c, 0, "one")
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Sync(t.Context(), topic, 0, end); err == nil || !strings.Contains(err.Error(), "did not write down") {
		t.Error(err)
	}
}
