package exports

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"testing"
	"time"

	"lishi/events"
)

// endless is a log of as many short messages as are asked for, made as they are
// read.
type endless struct{ *world }

func (e endless) Records(ctx context.Context, p events.Partition, from, end int64, each func(int64, events.Record) error) error {
	own := int64(len(e.records[p]))
	if err := e.world.Records(ctx, p, from, min(end, own), each); err != nil {
		return err
	}
	at := events.Header{Key: events.HeaderRecordedTime, Value: []byte(strconv.FormatInt(e.clock.UnixMilli(), 10))}
	for o := max(from, own); o < end; o++ {
		r, err := events.Encode(events.Event{
			ID: events.NewID("m", "", strconv.FormatInt(o, 10)), Stream: group, Basis: o - 1, Actor: "alice", Time: e.clock.Add(time.Duration(o) * time.Millisecond),
			Body: sent(strconv.FormatInt(o, 10)),
		})
		if err != nil {
			return err
		}
		r.Headers = append(r.Headers, at)
		if err := each(o, r); err != nil {
			return err
		}
	}
	return nil
}

// The most memory that an export holds is the same at any number of records but
// for a bit a record: heap-MB.
func BenchmarkMemory(b *testing.B) {
	for _, n := range []int64{1_000_000, 10_000_000} {
		for name, q := range map[string]Query{"few": {Text: "77777"}, "all": {All: true}} {
			if name == "all" && n > 1_000_000 {
				continue // 10 GB of files
			}
			b.Run(fmt.Sprintf("%s-of-%d", name, n), func(b *testing.B) {
				for range b.N {
					w := chat(b)
					p := w.layout.Partition(group)
					s := w.source()
					s.Log, s.Ends[p] = endless{w}, n
					most, count := uint64(0), 0
					o := testOptions
					o.Progress = func(string, int64, int64) {
						if count++; count%50 != 0 {
							return
						}
						var m runtime.MemStats
						runtime.ReadMemStats(&m)
						most = max(most, m.HeapInuse)
					}
					m, err := Export(b.Context(), s, Request{Query: q, AskedBy: "a", Reason: "r"}, b.TempDir()+"/p", o)
					if err != nil {
						b.Fatal(err)
					}
					b.ReportMetric(float64(most)/(1<<20), "heap-MB")
					b.ReportMetric(float64(m.Rows["messages.csv"]), "messages")
				}
			})
		}
	}
}
