//go:build !race

package wire

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

// allocs is the mean of allocations of a run of f, in the whole process.
func allocs(runs int, f func()) float64 {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // a collection empties the pools
	for range runs / 10 {
		f()
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range runs {
		f()
	}
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / float64(runs)
}

// TestNoAllocations: what is done for each message takes no memory that is not
// pooled.
func TestNoAllocations(t *testing.T) {
	s := serveEcho(t, Options{})
	for _, tc := range []struct {
		name   string
		send   []byte
		answer int
	}{
		{"text of 200 bytes", join(text(strings.Repeat("x", 200))), 204},
		{"text of 60000 bytes", join(text(strings.Repeat("x", 60000))), 60004},
		{"text in fragments", join(fragments(1, strings.Repeat("x", 200), 20)...), 204},
		{"ping", join(ping("p")), 3},
		{"sixteen texts at once", []byte(strings.Repeat(string(join(text("hello"))), 16)), 16 * 7},
	} {
		if n := allocs(1000, s.dial(t).roundTrip(t, tc.send, tc.answer)); n > 0.05 {
			t.Errorf("%s: %v allocations", tc.name, n)
		}
	}
}

// TestNoAllocationsPerReceiver: a shared frame costs its receivers nothing,
// with a hole or without.
func TestNoAllocationsPerReceiver(t *testing.T) {
	s := serveEcho(t, Options{})
	s.peers(t, 50, 0)
	var conns []*Conn
	s.each(func(c *Conn) { conns = append(conns, c) })
	f := NewFrame([]byte(strings.Repeat("x", 200)))
	h := NewHoleFrame([]byte(`{"receiveUserId":"`), []byte(strings.Repeat("x", 200)))
	wait := func() {
		for _, c := range conns {
			for c.Queued() > 0 {
				runtime.Gosched()
			}
		}
	}
	for name, send := range map[string]func(c *Conn){
		"frame": func(c *Conn) { c.Send(f) },
		"hole":  func(c *Conn) { c.SendHole(h, "user") },
		"eight in a row": func(c *Conn) {
			for range 8 {
				c.Send(f)
			}
		},
		"mixed": func(c *Conn) { c.Send(f); c.SendHole(h, "user"); c.Send(pingFrame) },
	} {
		n := allocs(200, func() {
			for _, c := range conns {
				send(c)
			}
			wait()
		})
		if n > 0.05*float64(len(conns)) {
			t.Errorf("%s: %v allocations for %d receivers", name, n, len(conns))
		}
	}
}

// footprint is memory in use: Go's heap and stacks, and, on Linux, the pages
// that the process has.
func footprint() (inuse, resident int64) {
	for range 3 { // stacks shrink by half in each
		runtime.GC()
	}
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	inuse = int64(m.HeapInuse + m.StackInuse)
	if p, err := os.ReadFile("/proc/self/statm"); err == nil {
		var size, pages int64
		if n, _ := fmt.Sscan(string(p), &size, &pages); n == 2 {
			resident = pages * int64(os.Getpagesize())
		}
	}
	return inuse, resident
}

// TestIdleConnection measures what a connection holds that has sent a message
// and got one, and now waits.
func TestIdleConnection(t *testing.T) {
	const n = 2000
	s := serveEcho(t, Options{})
	s.peers(t, 10, 0) // what the first ones make is nobody's
	inuse, resident := footprint()
	s2 := serveEcho(t, Options{})
	s2.peers(t, n, 0)
	inuse2, resident2 := footprint()
	perConn := (inuse2 - inuse) / n
	t.Logf("an idle connection: %d bytes of heap and stack, %d resident", perConn, (resident2-resident)/n)
	if most := map[bool]int64{true: 5 << 10, false: 512}[onGoroutines || newLoops(0) == nil]; perConn > most {
		t.Errorf("an idle connection holds %d bytes", perConn)
	}
}
