package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl/plain"

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

// fill appends n messages, a thousand in a call.
func fill(b *testing.B, l *kafka.Log, n int) {
	for i := 0; i < n; {
		var es []events.Event
		for ; len(es) < 1000 && i < n; i++ {
			es = append(es, logtest.Message(events.GroupStream(fmt.Sprint(i%1000)), i))
		}
		if _, err := l.Append(b.Context(), es...); err != nil {
			b.Fatal(err)
		}
	}
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

// BenchmarkFetch: what reading costs before any event is decoded, by this
// package and by the client's own decoding of the same answer.
func BenchmarkFetch(b *testing.B) {
	br := openBroker(b, b.TempDir())
	l := openLog(b, kafka.Options{Embedded: br, Layout: events.Layout{Conversations: 1, Users: 1}})
	const n = 5000
	fill(b, l, n)
	b.Run("events", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			enough := errors.New("enough")
			read := 0
			err := l.Read(b.Context(), events.Cursor{{Topic: events.Conversations}: 0}, func(_ events.Partition, rs []events.Recorded) error {
				if read += len(rs); read == n {
					return enough
				}
				return nil
			})
			if !errors.Is(err, enough) {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n*b.N), "ns/event")
	})
	b.Run("client", func(b *testing.B) {
		user, password := br.Credentials()
		c := &kafkago.Client{Addr: kafkago.TCP(br.Addr()), Transport: &kafkago.Transport{SASL: plain.Mechanism{Username: user, Password: password}}}
		b.ReportAllocs()
		for range b.N {
			for next := int64(1); next <= n; {
				res, err := c.Fetch(b.Context(), &kafkago.FetchRequest{Topic: "lishi.conversations", Offset: next, MinBytes: 1, MaxBytes: 4 << 20})
				if err != nil || res.Error != nil {
					b.Fatal(err, res.Error)
				}
				for {
					r, err := res.Records.ReadRecord()
					if err != nil {
						break
					}
					kafkago.ReadAll(r.Key)
					kafkago.ReadAll(r.Value)
					next = r.Offset + 1
				}
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n*b.N), "ns/event")
	})
}
