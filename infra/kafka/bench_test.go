package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lishi/events"
	"lishi/infra/kafka"
	"lishi/infra/kafka/logtest"
)

// BenchmarkAppend: callers that each wait until their event is durable.
func BenchmarkAppend(b *testing.B) {
	for _, callers := range []int{1, 50, 800} {
		b.Run(fmt.Sprint(callers), func(b *testing.B) {
			l := openLog(b, kafka.Options{Embedded: openBroker(b, b.TempDir())})
			var next atomic.Int64
			var wg sync.WaitGroup
			b.ReportAllocs()
			b.ResetTimer()
			for range callers {
				wg.Go(func() {
					for {
						i := int(next.Add(1))
						if i > b.N {
							return
						}
						if _, err := l.Append(context.Background(), logtest.Message(events.GroupStream(fmt.Sprint(i%1000)), i)); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// BenchmarkAppendAsync: as many callers, without a goroutine each: a done starts
// the next.
func BenchmarkAppendAsync(b *testing.B) {
	for _, callers := range []int{1, 50, 800} {
		b.Run(fmt.Sprint(callers), func(b *testing.B) {
			l := openLog(b, kafka.Options{Embedded: openBroker(b, b.TempDir())})
			tokens := make(chan struct{}, callers)
			for range callers {
				tokens <- struct{}{}
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				<-tokens
				l.AppendAsync(logtest.Message(events.GroupStream(fmt.Sprint(i%1000)), i), func(_ events.Position, err error) {
					if err != nil {
						b.Error(err)
					}
					tokens <- struct{}{}
				})
			}
			for range callers {
				<-tokens
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

func fill(b *testing.B, l *kafka.Log, n int) {
	var wg sync.WaitGroup
	wg.Add(n)
	for i := range n {
		for {
			refused := make(chan bool, 1)
			l.AppendAsync(logtest.Message(events.GroupStream(fmt.Sprint(i%1000)), i), func(_ events.Position, err error) {
				if errors.Is(err, events.ErrUnavailable) {
					refused <- true
					return
				}
				if err != nil {
					b.Error(err)
				}
				wg.Done()
			})
			if i%10000 != 0 {
				break
			}
			select {
			case <-refused:
				time.Sleep(time.Millisecond)
				continue
			case <-time.After(10 * time.Millisecond):
			}
			break
		}
	}
	wg.Wait()
}

// BenchmarkRead: fetch and decode, from the beginning.
func BenchmarkRead(b *testing.B) {
	l := openLog(b, kafka.Options{Embedded: openBroker(b, b.TempDir())})
	const n = 100_000
	fill(b, l, n)
	end, err := l.End(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	enough := errors.New("enough")
	b.ReportAllocs()
	b.ResetTimer()
	read := 0
	for range b.N {
		var mu sync.Mutex
		at := logtest.Beginning(l.Layout())
		err := l.Read(b.Context(), at.Clone(), func(_ events.Partition, rs []events.Recorded) error {
			mu.Lock()
			defer mu.Unlock()
			read += len(rs)
			if at.Advance(rs[len(rs)-1].Position); at.Covers(end) {
				return enough
			}
			return nil
		})
		if !errors.Is(err, enough) {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(read)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(read), "ns/event")
}
