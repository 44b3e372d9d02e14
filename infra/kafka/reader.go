package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
	"golang.org/x/sync/errgroup"

	"lishi/events"
)

const (
	fetchBytes = 4 << 20         // asked for at once
	fetchWait  = 1 * time.Second // a long poll; answers come at once when there is something
)

// Read implements events.Log. Each partition has a goroutine of its own. A
// record that isn't lishi's, and the control records of foreign transactions,
// are handed on with the body events.Foreign: every offset comes once.
//
// While brokers are away it tries again, for ever, and tells the observer. It
// ends with events.ErrDamaged if the log is shorter than the cursor, begins
// after it, has a gap, or holds a record of lishi that can't be decoded.
func (l *Log) Read(ctx context.Context, after events.Cursor, each func(events.Partition, []events.Recorded) error) error {
	group, ctx := errgroup.WithContext(ctx)
	for p, offset := range after {
		if p.Number < 0 || p.Number >= l.count(p.Topic) {
			return fmt.Errorf("read: there is no partition %s", p)
		}
		group.Go(func() error { return l.readPartition(ctx, p, offset+1, each) })
	}
	return group.Wait()
}

func (l *Log) readPartition(ctx context.Context, p events.Partition, next int64, each func(events.Partition, []events.Recorded) error) error {
	for failures := 0; ; {
		rs, err := l.readOnce(ctx, p, next, fetchBytes, fetchWait)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
			failures = 0
		case errors.Is(err, events.ErrDamaged):
			return err
		default:
			l.observe.readFailed(p, failures, err)
			if err := sleep(ctx, backoff(failures)); err != nil {
				return err
			}
			failures++
			continue
		}
		if len(rs) == 0 {
			continue
		}
		if err := each(p, rs); err != nil {
			return err
		}
		next = rs[len(rs)-1].Position.Offset + 1
	}
}

// readOnce fetches and decodes what follows from next on; nothing if nothing
// came in time. What is not durable is waited for.
func (l *Log) readOnce(ctx context.Context, p events.Partition, next int64, maxBytes int32, wait time.Duration) ([]events.Recorded, error) {
	topic := l.topic(p.Topic)
	res, err := l.conn.fetch(ctx, topic, p.Number, next, maxBytes, wait)
	if err != nil {
		return nil, err
	}
	if errors.Is(res.err, kafka.OffsetOutOfRange) {
		return nil, l.outOfRange(ctx, p, next)
	}
	if res.err != nil {
		return nil, res.err
	}
	rs, err := decode(p, next, res.raw)
	if len(rs) == 0 {
		return nil, err // what comes before damage is handed on first
	}
	if l.embedded != nil {
		if err := l.embedded.Sync(ctx, topic, p.Number, rs[len(rs)-1].Position.Offset+1); err != nil {
			return nil, err
		}
	}
	return rs, nil
}

// outOfRange says what is wrong with a log that does not have the offset wanted.
// It trusts only a confirmed end: a deposed leader may not have the offset yet.
func (l *Log) outOfRange(ctx context.Context, p events.Partition, next int64) error {
	topic := l.topic(p.Topic)
	res, err := l.conn.client.ListOffsets(ctx, &kafka.ListOffsetsRequest{
		Topics: map[string][]kafka.OffsetRequest{topic: {kafka.FirstOffsetOf(int(p.Number))}},
	})
	if err != nil {
		return err
	}
	at := events.Position{Partition: p, Offset: next}
	for _, o := range res.Topics[topic] {
		switch {
		case o.Error != nil:
			return o.Error
		case o.FirstOffset > next:
			return fmt.Errorf("%w: %s is gone; the partition begins at offset %d", events.ErrDamaged, at, o.FirstOffset)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, l.conn.timeout)
	defer cancel()
	ends, err := l.confirmedEnds(ctx, []events.Partition{p})
	if err != nil {
		return err
	}
	if end := ends[p] + 1; end < next {
		return fmt.Errorf("%w: %s was passed, but the partition ends at offset %d: records were lost", events.ErrDamaged,
			events.Position{Partition: p, Offset: next - 1}, end)
	}
	return fmt.Errorf("%s is out of range", at) // it was; it is not any more
}

// decode turns batches into records, from offset next on. Brokers answer from
// the start of a batch, and may cut the last one short. An error comes with the
// records before it.
func decode(p events.Partition, next int64, raw []byte) ([]events.Recorded, error) {
	rs := make([]events.Recorded, 0, countRecords(raw))
	for len(raw) > 0 {
		b, records, rest, ok, err := nextBatch(raw)
		at := events.Position{Partition: p, Offset: next}
		switch {
		case err != nil:
			return rs, fmt.Errorf("%w: %s: %w", events.ErrDamaged, at, err)
		case !ok && len(rs) == 0:
			return nil, fmt.Errorf("%s: %w", at, errBatch)
		case !ok:
			return rs, nil
		case b.base > next:
			return rs, fmt.Errorf("%w: %s is missing; offset %d follows", events.ErrDamaged, at, b.base)
		case b.lastDelta != b.records-1:
			return rs, fmt.Errorf("%w: records are missing in the batch at %d of %s", events.ErrDamaged, b.base, p)
		}
		raw = rest
		if b.end() <= next {
			continue
		}
		if rs, err = decodeBatch(rs, p, next, b, records); err != nil {
			return rs, err
		}
		next = b.end()
	}
	return rs, nil
}

func decodeBatch(rs []events.Recorded, p events.Partition, next int64, b batchInfo, records []byte) ([]events.Recorded, error) {
	foreign := ""
	switch {
	case b.attributes&attrControl != 0:
		foreign = "a control record"
	case b.attributes&attrTransactional != 0:
		foreign = "written in a transaction" // perhaps aborted; lishi uses none
	}
	records, err := decompress(records, b.attributes)
	if err != nil {
		return rs, fmt.Errorf("%w: batch at %d of %s: %w", events.ErrDamaged, b.base, p, err)
	}
	delta := int64(0)
	err = eachRecord(records, b.records, func(d int64, r events.Record) error {
		at := events.Position{Partition: p, Offset: b.base + delta}
		if d != delta {
			return fmt.Errorf("%w: %s: its place in the batch is wrong", events.ErrDamaged, at)
		}
		delta++
		if at.Offset < next {
			return nil
		}
		if foreign != "" {
			rs = append(rs, events.Recorded{Position: at, Event: events.Event{Body: events.Foreign{Reason: foreign}}})
			return nil
		}
		rec, err := events.Decode(at, r)
		if err == nil {
			rs = append(rs, rec)
		}
		return err
	})
	if errors.Is(err, errBatch) {
		err = fmt.Errorf("%w: batch at %d of %s: %w", events.ErrDamaged, b.base, p, err)
	}
	return rs, err
}

// At implements events.Log.
func (l *Log) At(ctx context.Context, p events.Position) (events.Recorded, error) {
	if p.Number < 0 || p.Number >= l.count(p.Topic) || p.Offset < 0 {
		return events.Recorded{}, fmt.Errorf("%s: %w", p, ErrNotThere)
	}
	if l.embedded != nil { // don't wait for what isn't there, nor show what isn't durable
		if p.Offset >= l.embedded.Synced(l.topic(p.Topic), p.Number) {
			return events.Recorded{}, fmt.Errorf("%s: %w", p, ErrNotThere)
		}
	}
	rs, err := l.readOnce(ctx, p.Partition, p.Offset, 1, time.Millisecond)
	if errors.Is(err, events.ErrDamaged) && len(rs) == 0 {
		return events.Recorded{}, err
	}
	if err != nil {
		return events.Recorded{}, fmt.Errorf("%w: %w", events.ErrUnavailable, err)
	}
	if len(rs) == 0 {
		return events.Recorded{}, fmt.Errorf("%s: %w", p, ErrNotThere)
	}
	return rs[0], nil
}

// ErrNotThere means that a position is not in the log.
var ErrNotThere = errors.New("no record there")
