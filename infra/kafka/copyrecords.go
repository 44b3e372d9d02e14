package kafka

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"

	"lishi/events"
	"lishi/events/merkle"
)

// copiedRecord is a record with what is copied of it.
type copiedRecord struct {
	encoded // timestamp is the record's own here
	offset  int64
	last    bool // of what was asked for
}

// records hands on the records from offset next up to and without end, as they
// stand in the log. Brokers that are away are asked again for a minute. A record
// of a transaction is an error: at its offset no client can write the same.
func (l *Log) records(ctx context.Context, p events.Partition, next, end int64, each func(copiedRecord) error) error {
	failing := time.Time{}
	for attempt := 0; next < end; {
		// Few records are asked for in few bytes; a batch comes whole all the same.
		res, err := l.conn.fetch(ctx, l.topic(p.Topic), p.Number, next, int32(min(fetchBytes, (end-next)<<11)), fetchWait)
		if err == nil && errors.Is(res.err, kafka.OffsetOutOfRange) {
			return l.outOfRange(ctx, p, next)
		}
		if err == nil {
			err = res.err
		}
		if err == nil && len(res.raw) == 0 {
			err = fmt.Errorf("%s is not given out", events.Position{Partition: p, Offset: next})
		}
		if err == nil {
			attempt, failing = 0, time.Time{}
			if next, err = eachCopied(p, next, end, res.raw, each); err != nil {
				return err
			}
			continue
		}
		if failing.IsZero() {
			failing = time.Now()
		}
		l.observe.readFailed(p, attempt, err)
		if time.Since(failing) > time.Minute {
			return fmt.Errorf("%w: reading %s: %w", events.ErrUnavailable, p, err)
		}
		if err := sleep(ctx, backoff(attempt)); err != nil {
			return err
		}
		attempt++
	}
	return nil
}

// eachCopied hands on the records of one answer and gives the offset behind them.
func eachCopied(p events.Partition, next, end int64, raw []byte, each func(copiedRecord) error) (int64, error) {
	for begun := next; len(raw) > 0 && next < end; {
		b, body, rest, ok, err := nextBatch(raw)
		at := events.Position{Partition: p, Offset: next}
		switch {
		case err != nil:
			return next, fmt.Errorf("%w: %s: %w", events.ErrDamaged, at, err)
		case !ok && next == begun:
			return next, fmt.Errorf("%s: %w", at, errBatch)
		case !ok:
			return next, nil
		case b.base > next || b.lastDelta != b.records-1:
			return next, fmt.Errorf("%w: %s is missing", events.ErrDamaged, at)
		case b.attributes&(attrControl|attrTransactional) != 0:
			return next, fmt.Errorf("%s was written in a transaction, which lishi never does: it would mean something else at the same offset of another log, so the log can't be copied", at)
		}
		raw = rest
		if b.end() <= next {
			continue
		}
		if body, err = decompress(body, b.attributes); err != nil {
			return next, fmt.Errorf("%w: batch at %d of %s: %w", events.ErrDamaged, b.base, p, err)
		}
		err = eachEncoded(body, b.records, func(e encoded) error {
			r := copiedRecord{encoded: e, offset: b.base + e.delta}
			if r.offset < next || r.offset >= end {
				return nil
			}
			if r.offset != next {
				return fmt.Errorf("%w: %s: its place in the batch is wrong", events.ErrDamaged, events.Position{Partition: p, Offset: next})
			}
			r.timestamp += b.timestamp
			next++
			r.last = next == end
			return each(r)
		})
		if err != nil {
			return next, err
		}
	}
	return next, nil
}

// recordTree is the Merkle tree of a partition's records: its root says the same
// of them as a checkpoint of that size.
type recordTree struct {
	tree    merkle.Tree
	headers []events.Header
	buf     []events.Hash
}

func (t *recordTree) add(r copiedRecord) error {
	rec, headers, err := parsePayload(r.payload, t.headers[:0])
	if err != nil {
		return err
	}
	t.headers = headers
	t.buf = t.tree.Append(t.buf[:0], events.LeafHash(rec))
	return nil
}

func (t *recordTree) root() string {
	h := t.tree.Root()
	return hex.EncodeToString(h[:])
}

// copy appends what the target lacks of a partition. Records go into batches
// anew, as large as the target takes: what a batch was is no part of the log.
func (c *copier) copy(ctx context.Context, p *CopiedPartition, source *recordTree) error {
	w := &copyWriter{copier: c, p: p, place: c.to.place(p.Partition), limit: c.to.appender.batchBytes}
	err := c.from.records(ctx, p.Partition, p.next, p.Records, c.counting(func(r copiedRecord) error {
		if err := source.add(r); err != nil {
			return err
		}
		return w.add(ctx, r)
	}))
	if err == nil {
		err = w.flush(ctx)
	}
	if err == nil && c.to.embedded != nil {
		err = c.to.embedded.Sync(ctx, w.place.topic, w.place.partition, p.Records)
	}
	return err
}

// copyWriter gathers records of one partition for its next batch.
type copyWriter struct {
	*copier
	p     *CopiedPartition
	place topicPartition
	limit int

	batch       []byte // with the length before it, that the client wants
	n           int
	first, last int64 // timestamps
}

func (w *copyWriter) add(ctx context.Context, r copiedRecord) error {
	const overhead = 5 + 1 + 10 + 5 // length, attributes, timestamp, offset
	if w.n > 0 && len(w.batch)-4+overhead+len(r.payload) > w.limit {
		if err := w.flush(ctx); err != nil {
			return err
		}
	}
	if size := batchHeader + overhead + len(r.payload); size > w.limit {
		return &TopicError{w.place.topic, fmt.Sprintf("%s takes %d bytes, a batch of the target may have %d",
			events.Position{Partition: w.p.Partition, Offset: r.offset}, size, w.limit), fmt.Sprintf("set max.message.bytes to %d or more", size)}
	}
	if w.n == 0 {
		w.batch = append(w.batch[:0], make([]byte, 4+batchHeader)...)
		w.first, w.last = r.timestamp, r.timestamp
	}
	w.last = max(w.last, r.timestamp)
	lead := append(make([]byte, 0, 24), r.attributes)
	lead = binary.AppendVarint(lead, r.timestamp-w.first)
	lead = binary.AppendVarint(lead, int64(w.n))
	w.batch = binary.AppendVarint(w.batch, int64(len(lead)+len(r.payload)))
	w.batch = append(append(w.batch, lead...), r.payload...)
	w.n++
	return nil
}

// flush appends the batch at its own offset. An attempt whose fate is not known
// is looked up in the target before another is made.
func (w *copyWriter) flush(ctx context.Context) error {
	if w.n == 0 {
		return nil
	}
	sealBatch(w.batch[4:], w.n, w.first, w.last)
	binary.BigEndian.PutUint32(w.batch, uint32(len(w.batch)-4))
	begun := time.Now()
	for attempt := 0; ; attempt++ {
		base, err := w.to.appender.produce(w.place, w.batch)
		fate := fateOf(err)
		if fate == doubtful {
			w.batch = append([]byte(nil), w.batch...) // the attempt may still be reading the other
			var end int64
			if end, err = w.lookup(ctx, err); err == nil && end == w.p.next+int64(w.n) {
				base, fate = w.p.next, appended
			} else if err == nil && end != w.p.next {
				base, fate = end, appended
			}
		}
		switch {
		case fate == appended && base != w.p.next:
			return fmt.Errorf("something else writes to %s of the target: offset %d came where %d was due", w.p.Partition, base, w.p.next)
		case fate == appended:
			w.p.next += int64(w.n)
			w.n = 0
			return nil
		case fate == rejected || time.Since(begun) > max(w.patience, time.Minute):
			return fmt.Errorf("appending to %s of the target: %w", w.p.Partition, err)
		}
		w.to.observe.appendFailed(w.place, attempt, err)
		if err := sleep(ctx, backoff(attempt)); err != nil {
			return err
		}
	}
}

// lookup asks where the target's partition ends, until it is told.
func (w *copyWriter) lookup(ctx context.Context, doubt error) (int64, error) {
	for attempt := 0; attempt < 30; attempt++ {
		bounds, err := w.to.bounds(ctx, []string{w.place.topic})
		if err == nil {
			return bounds[w.p.Partition].end, nil
		}
		if err := sleep(ctx, backoff(attempt)); err != nil {
			return 0, err
		}
	}
	return 0, doubt
}

type bound struct{ first, end int64 }

// bounds asks for the first offset and the one behind the last of each partition
// of the topics.
func (l *Log) bounds(ctx context.Context, topics []string) (map[events.Partition]bound, error) {
	if len(topics) == 0 {
		return nil, nil
	}
	req := &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{}}
	asked := map[string]events.Topic{}
	for _, t := range allTopics {
		asked[l.topic(t)] = t
	}
	want := 0
	for _, name := range topics {
		for n := range int(l.count(asked[name])) {
			req.Topics[name] = append(req.Topics[name], kafka.FirstOffsetOf(n), kafka.LastOffsetOf(n))
			want++
		}
	}
	res, err := l.conn.client.ListOffsets(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("%w: asking for offsets: %w", events.ErrUnavailable, err)
	}
	bounds := map[events.Partition]bound{}
	for name, offsets := range res.Topics {
		for _, o := range offsets {
			if o.Error != nil {
				return nil, fmt.Errorf("%w: asking for offsets of %s: %w", events.ErrUnavailable, name, o.Error)
			}
			bounds[events.Partition{Topic: asked[name], Number: int32(o.Partition)}] = bound{o.FirstOffset, o.LastOffset}
		}
	}
	if len(bounds) != want {
		return nil, fmt.Errorf("%w: %d of %d partitions told their offsets", events.ErrUnavailable, len(bounds), want)
	}
	return bounds, nil
}
