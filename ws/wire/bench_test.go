package wire

import (
	"runtime"
	"strings"
	"sync"
	"testing"
)

// BenchmarkEcho is a round trip of a text of 200 bytes, client included.
func BenchmarkEcho(b *testing.B) {
	p := join(text(strings.Repeat("x", 200)))
	b.Run("1 connection", func(b *testing.B) {
		s := serveEcho(b, Options{})
		trip := s.dial(b).roundTrip(b, p, 204)
		b.ReportAllocs()
		for b.Loop() {
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
		for i := 0; i < b.N; i += 16 {
			trip()
		}
	})
}

// BenchmarkFanOut sends a shared frame of 200 bytes to 1,000 connections of
// another process; an operation is one frame to one connection, written to
// its socket.
func BenchmarkFanOut(b *testing.B) {
	for _, bc := range []struct {
		name string
		run  int
	}{{"singly", 1}, {"8 in a row", 8}} {
		b.Run(bc.name, func(b *testing.B) {
			s := serveEcho(b, Options{})
			s.peers(b, 1000)
			var conns []*Conn
			s.each(func(c *Conn) { conns = append(conns, c) })
			f := NewFrame([]byte(strings.Repeat("x", 200)))
			b.ReportAllocs()
			b.SetBytes(200)
			b.ResetTimer()
			for i := 0; i < b.N; {
				for _, c := range conns {
					for range bc.run {
						if !c.Send(f) {
							b.Fatal("not taken")
						}
						i++
					}
				}
				for _, c := range conns {
					for c.Queued() > 0 {
						runtime.Gosched()
					}
				}
			}
		})
	}
}
