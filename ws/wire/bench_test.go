//go:build unix

package wire

import (
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// cpu reports the processor time of this process for an operation: unlike the
// time on the clock it means something on a machine that does other work too.
func cpu(b *testing.B) (report func()) {
	spent := func() int64 {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return u.Utime.Nano() + u.Stime.Nano()
	}
	start := spent()
	return func() { b.ReportMetric(float64(spent()-start)/float64(b.N), "cpu-ns/op") }
}

// BenchmarkEcho is a round trip of a text of 200 bytes, client included.
func BenchmarkEcho(b *testing.B) {
	p := join(text(strings.Repeat("x", 200)))
	b.Run("1 connection", func(b *testing.B) {
		s := serveEcho(b, Options{})
		trip := s.dial(b).roundTrip(b, p, 204)
		b.ReportAllocs()
		b.ResetTimer()
		defer cpu(b)()
		for range b.N {
			trip()
		}
	})
	b.Run("64 connections", func(b *testing.B) {
		s := serveEcho(b, Options{})
		var trips []func()
		for range 64 {
			trips = append(trips, s.dial(b).roundTrip(b, p, 204))
		}
		b.ReportAllocs()
		b.ResetTimer()
		defer cpu(b)()
		var wg sync.WaitGroup
		for i, trip := range trips {
			wg.Go(func() {
				for range (b.N + i) / len(trips) {
					trip()
				}
			})
		}
		wg.Wait()
	})
	b.Run("16 deep", func(b *testing.B) {
		s := serveEcho(b, Options{})
		deep := []byte(strings.Repeat(string(p), 16))
		trip := s.dial(b).roundTrip(b, deep, 16*204)
		b.ReportAllocs()
		b.ResetTimer()
		defer cpu(b)()
		for i := 0; i < b.N; i += 16 {
			trip()
		}
	})
}

// BenchmarkFanOut sends a shared frame of 200 bytes to 1,000 connections of
// another process; an operation is one frame to one connection that reads,
// written to its socket. The floor is a bare write for each. With some that read
// nothing, and whose queues only grow, it must cost no more.
func BenchmarkFanOut(b *testing.B) {
	f := NewFrame([]byte(strings.Repeat("x", 200)))
	run := func(name string, stopped int, round func(conns []*Conn) int) {
		b.Run(name, func(b *testing.B) {
			s := serveEcho(b, Options{QueueLimit: 1 << 30})
			s.peers(b, 1000, stopped)
			var conns, read []*Conn
			s.each(func(c *Conn) { conns = append(conns, c) })
			for len(conns)-len(read) != stopped { // until it is known who doesn't read
				for _, c := range conns {
					for range 100 {
						c.Send(f)
					}
				}
				read = read[:0]
				time.Sleep(100 * time.Millisecond)
				for _, c := range conns {
					if c.Queued() == 0 {
						read = append(read, c)
					}
				}
			}
			b.ReportAllocs()
			b.SetBytes(200)
			b.ResetTimer()
			defer cpu(b)()
			for i := 0; i < b.N; {
				i += round(conns) * len(read) / len(conns)
				for _, c := range read {
					for c.Queued() > 0 {
						time.Sleep(20 * time.Microsecond) // spinning would be counted
					}
				}
			}
		})
	}
	run("floor", 0, func(conns []*Conn) int {
		for _, c := range conns {
			c.socket.write(f.b)
		}
		return len(conns)
	})
	send := func(row int) func(conns []*Conn) int {
		return func(conns []*Conn) int {
			for _, c := range conns {
				for range row {
					c.Send(f)
				}
			}
			return row * len(conns)
		}
	}
	for _, row := range []int{1, 8} {
		run(fmt.Sprintf("%d in a row", row), 0, send(row))
		run(fmt.Sprintf("%d in a row, 1 in 100 reads nothing", row), 10, send(row))
	}
}
