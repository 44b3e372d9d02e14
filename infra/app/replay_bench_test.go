package app

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"lishi/events"
	"lishi/events/tail"
	"lishi/infra/config"
	"lishi/infra/telemetry"
	"lishi/projections"
)

// used is the processor time of this process so far.
func used() time.Duration {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// BenchmarkReplayAll rebuilds all read models on the embedded log and engine, and
// reads and decodes the same log alone in the same run. LISHI_BENCH_EVENTS is how
// many messages there are, in 1 000 conversations (default 300 000).
func BenchmarkReplayAll(b *testing.B) {
	n := 300_000
	if s := os.Getenv("LISHI_BENCH_EVENTS"); s != "" {
		n, _ = strconv.Atoi(s)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	cfg, _, err := config.Load("", nil, map[string]string{"data": b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	logger := telemetry.Logger(os.Stderr, "warn", "text")
	log, open, err := openLog(ctx, cfg, telemetry.NewMetrics(), logger)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { open.close() }()
	fillLog(b, log, n)
	end, err := log.End(ctx)
	if err != nil {
		b.Fatal(err)
	}
	total := 0.0
	for _, o := range end {
		total += float64(o + 1)
	}
	db, err := openDB(cfg, logger)
	if err != nil {
		b.Fatal(err)
	}
	open.add(db.Close)
	t := tail.New(log, tail.Options{})
	go t.Run(ctx)
	<-t.Ready()
	engine := projections.New(db, t, models(), projections.Options{Database: db.Database(), Log: logger})
	ended := make(chan error, 1)
	go func() { ended <- engine.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	began := time.Now()
	if err := engine.Opened(ctx); err != nil {
		b.Fatal(err)
	}
	for !engine.Covers(engine.Names(), end) {
		time.Sleep(10 * time.Millisecond)
	}
	b.Logf("built from nothing at %.0f events/s", total/time.Since(began).Seconds())

	var reading, replaying, readCPU, replayCPU time.Duration
	for b.Loop() {
		began, cpu := time.Now(), used()
		read(b, log, end)
		reading, readCPU = reading+time.Since(began), readCPU+used()-cpu
		began, cpu = time.Now(), used()
		if err := engine.Replay(ctx, engine.Names(), projections.Replaying{Throttle: 1}); err != nil {
			b.Fatal(err)
		}
		replaying, replayCPU = replaying+time.Since(began), replayCPU+used()-cpu
	}
	per := func(d time.Duration) float64 { return float64(d.Microseconds()) / total / float64(b.N) }
	b.ReportMetric(total*float64(b.N)/replaying.Seconds(), "events/s")
	b.ReportMetric(total*float64(b.N)/reading.Seconds(), "read-events/s")
	b.ReportMetric(reading.Seconds()/replaying.Seconds(), "of-reading")
	b.ReportMetric(per(replayCPU), "cpu-µs/event")
	b.ReportMetric(per(readCPU), "read-cpu-µs/event")
	for _, name := range engine.Names() {
		began, cpu := time.Now(), used()
		if err := engine.Replay(ctx, []string{name}, projections.Replaying{Throttle: 1}); err != nil {
			b.Fatal(err)
		}
		b.Logf("%-10s alone %8.0f events/s, %5.2f µs of processor an event", name, total/time.Since(began).Seconds(), float64((used()-cpu).Microseconds())/total)
	}
}

// read is reading and decoding alone.
func read(b *testing.B, log events.Log, end events.Cursor) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	from, over := events.Cursor{}, make(chan struct{}, len(end))
	for p := range end {
		from[p] = events.Start
	}
	go log.Read(ctx, from, func(p events.Partition, batch []events.Recorded) error {
		if batch[len(batch)-1].Position.Offset >= end[p] {
			over <- struct{}{}
		}
		return nil
	})
	for range end {
		<-over
	}
}

func fillLog(b *testing.B, log events.Log, n int) {
	var batch []events.Event
	flush := func() {
		if _, err := log.Append(context.Background(), batch...); err != nil {
			b.Fatal(err)
		}
		batch = batch[:0]
	}
	made := 0
	add := func(actor string, s events.Stream, revision uint64, basis int64, body events.Body) {
		made++
		id := events.NewID(s.Key(), actor, strconv.Itoa(made))
		batch = append(batch, events.Event{
			ID: id, Stream: s, Revision: revision, Basis: basis, Actor: actor, ActorName: "N" + actor, Request: strconv.Itoa(made),
			Fingerprint: events.Fingerprint(id), Time: time.UnixMilli(1763888400000 + int64(made)), Body: body,
		})
		if len(batch) == 5000 {
			flush()
		}
	}
	pairs := make([]events.Stream, 1000)
	for i := range pairs {
		x, y := fmt.Sprint("a", i), fmt.Sprint("b", i)
		add(x, events.UserStream(x), 1, 0, events.UserRegistered{NickName: "N" + x})
		add(y, events.UserStream(y), 1, 0, events.UserRegistered{NickName: "N" + y})
		pairs[i] = events.PairStream(x, y)
		add(x, pairs[i], 1, 0, events.FriendAgreed{})
	}
	offsets := map[events.Partition]int64{}
	for i := range n {
		k := i * 7919 % len(pairs)
		p := log.Layout().Partition(pairs[k])
		offsets[p]++
		add(fmt.Sprint("a", k), pairs[k], 0, offsets[p], events.MessageSent{Content: events.Content{Plain: "消息 message number " + strconv.Itoa(i)}})
	}
	flush()
}
