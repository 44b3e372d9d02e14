package chdb_test

import (
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"lishi/infra/chdb"
)

// The engine has threads of its own, which Go knows nothing of. Signals that
// reach them must reach Go, and end nothing.
func TestSignalsDuringStatements(t *testing.T) {
	caught := make(chan os.Signal, 1000)
	signal.Notify(caught, syscall.SIGUSR1)
	defer signal.Stop(caught)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 5 {
				if got, err := ask(t.Context(), chdb.Session{}, "SELECT uniqExact(number) FROM numbers(300000)"); got != "300000" || err != nil {
					t.Error(got, err)
				}
			}
		})
	}
	sent := 0
	for range 20 {
		threads, err := os.ReadDir("/proc/self/task")
		if err != nil {
			t.Fatal(err)
		}
		for _, thread := range threads {
			id, _ := strconv.Atoi(thread.Name())
			if syscall.Tgkill(os.Getpid(), id, syscall.SIGUSR1) == nil {
				sent++
			}
		}
	}
	all.Wait()
	if sent == 0 || len(caught) == 0 {
		t.Errorf("%d signals sent, %d arrived", sent, len(caught))
	}
}
