package seals

import (
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"time"

	"lishi/events"
	"lishi/events/merkle"
	"lishi/infra/broker"
	"lishi/infra/kafka"
	"lishi/infra/kafka/logtest"
)

// A million events on the embedded log: the tree, the files, a restart, and a
// thousand random proofs. -benchtime 1x: one round takes half a minute.
func BenchmarkMillion(b *testing.B) {
	const records, proofs = 1_000_000, 1000
	for b.Loop() {
		b.StopTimer()
		dir := b.TempDir()
		br, err := broker.Open(b.Context(), broker.Options{Dir: dir + "/log", Logger: quiet})
		if err != nil {
			b.Fatal(err)
		}
		log, err := kafka.Open(b.Context(), kafka.Options{Embedded: br, Layout: events.Layout{Conversations: 1, Users: 1}, Logger: quiet})
		if err != nil {
			b.Fatal(err)
		}
		es := make([]events.Event, 1000)
		for said := 0; said < records; said += len(es) {
			for i := range es {
				es[i] = logtest.Message(events.GroupStream("g"), said+i)
			}
			if _, err := log.Append(b.Context(), es...); err != nil {
				b.Fatal(err)
			}
		}
		s, err := Open(log, Options{Dir: dir, Key: key(1), Alone: true, Logger: quiet})
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		took := func(f func()) float64 { begun := time.Now(); f(); return time.Since(begun).Seconds() }
		round := func() {
			s.Last(b.Context())
			if st := s.Status(); st.Error != "" || len(st.Wrong) > 0 || st.Partitions[0].Size < records {
				b.Fatalf("%+v", st)
			}
		}
		busy := processor(b)
		b.ReportMetric(took(round), "s/tree")
		b.ReportMetric(1e6*(processor(b)-busy)/records, "µs-processor/record")
		info, err := os.Stat(hashesFile(s.dir, c0))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(info.Size())/records, "B/record")
		bytes := 0
		texts := make([][]byte, proofs)
		b.ReportMetric(1e3*took(func() {
			for i := range texts {
				in, err := s.Prove(b.Context(), events.Position{Partition: c0, Offset: rand.Int64N(records)})
				if err != nil {
					b.Fatal(err)
				}
				if texts[i], err = in.MarshalText(); err != nil {
					b.Fatal(err)
				}
				bytes += len(texts[i])
			}
		})/proofs, "ms/proof-made")
		b.ReportMetric(float64(bytes)/proofs, "B/proof")
		keys := merkle.Trust(key(1).Public())
		b.ReportMetric(1e3*took(func() {
			for _, text := range texts {
				var in merkle.Inclusion
				if err := in.UnmarshalText(text); err != nil {
					b.Fatal(err)
				}
				c, err := keys.Open(in.Checkpoint)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := in.Verify(c); err != nil {
					b.Fatal(err)
				}
			}
		})/proofs, "ms/proof-verified")
		if _, err := log.Append(b.Context(), logtest.Message(events.GroupStream("g"), records)); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(1e3*took(round), "ms/checkpoint")
		s.Close()
		if s, err = Open(log, Options{Dir: dir, Key: key(1), Alone: true, Logger: quiet}); err != nil {
			b.Fatal(err)
		}
		round()
		b.ReportMetric(took(func() {
			var v Verified
			if err := s.verifyAll(b.Context(), &v); err != nil || len(v.Problems) > 0 {
				b.Fatal(err, v.Problems)
			}
		}), "s/verify")
		b.StopTimer()
		s.Close()
		log.Close()
		if err := br.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// processor is how many seconds of processor time this process has used: the
// broker's and the log's part of sealing is in it.
func processor(b *testing.B) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}
