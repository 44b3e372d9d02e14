package kafka

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/segmentio/kafka-go"

	"lishi/events"
)

// subscription is one member of a consumer group and what it delivers.
type subscription struct {
	log   *Log
	topic string
	out   chan *message.Message

	one sync.Mutex // held while a message is unacknowledged
}

// commitInterval is how much is done again at most after a crash.
const commitInterval = 50 * time.Millisecond

// readAll delivers all partitions, for itself alone.
func (s *subscription) readAll(ctx context.Context, partitions int32) {
	var readers sync.WaitGroup
	for n := range partitions {
		readers.Go(func() { s.read(ctx, n, 0, &progress{next: map[int]int64{}}) })
	}
	readers.Wait()
}

// readGroup delivers what the group assigns, generation after generation.
func (s *subscription) readGroup(ctx context.Context, group *kafka.ConsumerGroup) {
	s.log.generations(ctx, group, func(gen *kafka.Generation) { s.readGeneration(ctx, gen) })
}

// readGeneration begins to deliver the partitions of one generation. Delivery
// ends with the generation or with ctx, but what is started here ends with the
// generation only: if it ended before, the client would join the next one, and
// leave without saying so while it does.
func (s *subscription) readGeneration(ctx context.Context, gen *kafka.Generation) {
	p := &progress{gen: gen, topic: s.topic, next: map[int]int64{}}
	var readers sync.WaitGroup
	for _, a := range gen.Assignments[s.topic] {
		readers.Add(1)
		gen.Start(func(genCtx context.Context) {
			either, cancel := context.WithCancel(genCtx)
			stop := context.AfterFunc(ctx, cancel)
			s.read(either, int32(a.ID), a.Offset, p)
			stop()
			cancel()
			readers.Done()
			<-genCtx.Done()
		})
	}
	gen.Start(func(genCtx context.Context) {
		ticker := time.NewTicker(commitInterval)
		defer ticker.Stop()
		for genCtx.Err() == nil {
			select {
			case <-ticker.C:
				p.commit()
			case <-genCtx.Done():
			}
		}
		readers.Wait()
		p.commit()
	})
}

// progress is what a generation has had acknowledged and not yet committed.
type progress struct {
	gen   *kafka.Generation
	topic string

	mu   sync.Mutex
	next map[int]int64
}

func (p *progress) acked(partition int32, offset int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next[int(partition)] = offset + 1
}

func (p *progress) commit() {
	p.mu.Lock()
	next := p.next
	p.next = map[int]int64{}
	p.mu.Unlock()
	if len(next) == 0 {
		return
	}
	if err := p.gen.CommitOffsets(map[string]map[int]int64{p.topic: next}); err == nil {
		return
	}
	p.mu.Lock() // next time, unless there is something newer by then
	defer p.mu.Unlock()
	for partition, offset := range next {
		p.next[partition] = max(p.next[partition], offset)
	}
}

// read delivers a partition from offset next on, until ctx ends.
func (s *subscription) read(ctx context.Context, partition int32, next int64, progress *progress) {
	if next < 0 { // the group is new
		next = 0
	}
	for failures := 0; ctx.Err() == nil; {
		res, err := s.log.conn.fetch(ctx, s.topic, partition, next, fetchBytes, fetchWait)
		if err == nil {
			err = res.err
		}
		if err == nil && len(res.raw) > 0 {
			next, err = s.deliver(ctx, partition, next, res.raw, progress)
		}
		if err == nil {
			failures = 0
			continue
		}
		if ctx.Err() != nil {
			return
		}
		s.log.log.Warn("reading a subscription", "topic", s.topic, "partition", partition, "offset", next, "error", err)
		if sleep(ctx, backoff(failures)) != nil {
			return
		}
		failures++
	}
}

func (s *subscription) deliver(ctx context.Context, partition int32, next int64, raw []byte, progress *progress) (int64, error) {
	for len(raw) > 0 {
		b, records, rest, ok, err := nextBatch(raw)
		if err != nil || !ok {
			return next, err
		}
		raw = rest
		if b.attributes&attrControl != 0 || b.end() <= next {
			next = max(next, b.end())
			continue
		}
		if records, err = decompress(records, b.attributes); err != nil {
			return next, err
		}
		if e := s.log.embedded; e != nil {
			if err := e.Sync(ctx, s.topic, partition, b.end()); err != nil {
				return next, err
			}
		}
		err = eachRecord(records, b.records, func(delta int64, r events.Record) error {
			if b.base+delta < next {
				return nil
			}
			if !s.handOn(ctx, r) {
				return ctx.Err()
			}
			progress.acked(partition, b.base+delta)
			next = b.base + delta + 1
			return nil
		})
		if err != nil {
			return next, fmt.Errorf("offset %d: %w", next, err)
		}
	}
	return next, nil
}

// handOn delivers a message until it is acknowledged; false if ctx ended before.
func (s *subscription) handOn(ctx context.Context, r events.Record) bool {
	s.one.Lock()
	defer s.one.Unlock()
	for {
		m := toMessage(r)
		mctx, cancel := context.WithCancel(ctx)
		m.SetContext(mctx)
		select {
		case s.out <- m:
		case <-ctx.Done():
			cancel()
			return false
		}
		select {
		case <-m.Acked():
			cancel()
			return true
		case <-m.Nacked():
			cancel()
		case <-ctx.Done():
			cancel()
			return false
		}
	}
}

func toMessage(r events.Record) *message.Message {
	m := message.NewMessage("", append([]byte(nil), r.Value...))
	for _, h := range r.Headers {
		switch h.Key {
		case uuidHeader:
			m.UUID = string(h.Value)
			continue
		case "ce_id":
			m.UUID = string(h.Value)
		}
		m.Metadata[h.Key] = string(h.Value)
	}
	return m
}
