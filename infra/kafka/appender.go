package kafka

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"golang.org/x/sync/semaphore"

	"lishi/events"
)

// ErrTooLarge means that an event is larger than a batch may be. It comes along
// with events.ErrUnavailable: nothing was appended.
var ErrTooLarge = errors.New("the event is larger than the log takes")

// appender appends to any partition. Each partition has one batch under way;
// everything that gathers meanwhile goes with the next, so light load has the
// latency of one trip and heavy load the cost of a batch.
type appender struct {
	conn     *connection
	embedded Embedded
	observe  Observer

	batchBytes int
	patience   time.Duration
	room       *semaphore.Weighted // bytes that may be queued, of all partitions

	ctx    context.Context
	cancel context.CancelFunc
	lanes  sync.WaitGroup

	mu     sync.Mutex
	queues map[topicPartition]*queue
	closed bool
}

type topicPartition struct {
	topic     string
	partition int32
}

func (tp topicPartition) String() string { return fmt.Sprintf("%s/%d", tp.topic, tp.partition) }

// queue is what gathers for one partition.
type queue struct {
	tp   topicPartition
	wake chan struct{}

	mu      sync.Mutex
	waiting []*entry
	closed  bool

	at int64 // the last batch's recorded time; it does not run backwards
}

// entry is one record that waits for its batch.
type entry struct {
	payload []byte
	done    func(offset int64, err error)
	since   time.Time
	state   atomic.Int32
}

// An entry is either taken for a batch or withdrawn, never both.
const (
	queued = iota
	taken
	withdrawn
)

// withdraw takes the entry back. If it answers true, the record was not sent and
// won't be, and done is still called; else its fate is the batch's.
func (e *entry) withdraw() bool { return e.state.CompareAndSwap(queued, withdrawn) }

func newAppender(c *connection, o Options) *appender {
	a := &appender{
		conn: c, embedded: o.Embedded, observe: o.Observer,
		batchBytes: o.BatchBytes, patience: o.Patience,
		room:   semaphore.NewWeighted(o.QueueBytes),
		queues: map[topicPartition]*queue{},
	}
	a.ctx, a.cancel = context.WithCancel(context.Background())
	return a
}

// maxPayload is how long one record's payload may be.
func (a *appender) maxPayload() int { return a.batchBytes - batchHeader - recordOverhead }

func (a *appender) queue(tp topicPartition) *queue {
	a.mu.Lock()
	defer a.mu.Unlock()
	q := a.queues[tp]
	if q == nil && !a.closed {
		q = &queue{tp: tp, wake: make(chan struct{}, 1)}
		a.queues[tp] = q
		a.lanes.Go(func() { a.run(q) })
	}
	return q
}

var errClosed = fmt.Errorf("%w: the log is closed", events.ErrUnavailable)

// append queues a record; where there is no room it waits for it as long as ctx
// lasts. An error is returned if the record was not queued; else done is called
// once, from the appender's goroutine, and must not block.
func (a *appender) append(ctx context.Context, tp topicPartition, e *entry) error {
	if err := a.fits(e); err != nil {
		return err
	}
	if err := a.room.Acquire(ctx, int64(len(e.payload))); err != nil {
		return fmt.Errorf("%w: too much waits for the log: %w", events.ErrUnavailable, err)
	}
	return a.enqueue(tp, e)
}

// tryAppend is append that does not wait for room.
func (a *appender) tryAppend(tp topicPartition, e *entry) error {
	if err := a.fits(e); err != nil {
		return err
	}
	if !a.room.TryAcquire(int64(len(e.payload))) {
		return fmt.Errorf("%w: too much waits for the log", events.ErrUnavailable)
	}
	return a.enqueue(tp, e)
}

func (a *appender) fits(e *entry) error {
	if len(e.payload) > a.maxPayload() {
		return fmt.Errorf("%w: %w: %d bytes of at most %d", events.ErrUnavailable, ErrTooLarge, len(e.payload), a.maxPayload())
	}
	return nil
}

// enqueue hands on a record that has its room.
func (a *appender) enqueue(tp topicPartition, e *entry) error {
	q := a.queue(tp)
	if q == nil || !q.put(e) {
		a.room.Release(int64(len(e.payload)))
		return errClosed
	}
	return nil
}

func (q *queue) put(e *entry) bool {
	e.since = time.Now()
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return false
	}
	q.waiting = append(q.waiting, e)
	first := len(q.waiting) == 1
	q.mu.Unlock()
	if first {
		select {
		case q.wake <- struct{}{}:
		default:
		}
	}
	return true
}

// take moves to batch what fits into n bytes, and to left what was withdrawn or
// has waited since before the given time.
func (q *queue) take(n int, before time.Time, batch, left []*entry) (_, _ []*entry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n -= batchHeader
	i := 0
	for _, e := range q.waiting {
		if e.since.Before(before) && e.withdraw() || e.state.Load() == withdrawn {
			left = append(left, e)
		} else if n -= len(e.payload) + recordOverhead; n < 0 {
			break
		} else if e.state.CompareAndSwap(queued, taken) {
			batch = append(batch, e)
		} else {
			left = append(left, e)
		}
		i++
	}
	rest := copy(q.waiting, q.waiting[i:])
	clear(q.waiting[rest:])
	q.waiting = q.waiting[:rest]
	return batch, left
}

// run appends what gathers in a queue until the appender is closed and the queue
// is empty.
func (a *appender) run(q *queue) {
	var batch, left []*entry
	var buf []byte
	for {
		select {
		case <-q.wake:
		case <-a.ctx.Done():
			q.mu.Lock()
			q.closed = true
			q.mu.Unlock()
		}
		for {
			batch, left = q.take(a.batchBytes, time.Now().Add(-a.patience), batch[:0], left[:0])
			for _, e := range left {
				a.finish(e, 0, errNotSent)
			}
			if len(batch) == 0 && len(left) == 0 {
				break
			}
			if len(batch) > 0 {
				buf = a.appendBatch(q, batch, buf)
			}
			clear(batch)
			clear(left)
		}
		if a.ctx.Err() != nil {
			return
		}
	}
}

var errNotSent = fmt.Errorf("%w: it waited too long for the log", events.ErrUnavailable)

// appendBatch makes a batch in buf, appends it, and answers its callers. It
// returns a buffer for the next one.
func (a *appender) appendBatch(q *queue, batch []*entry, buf []byte) []byte {
	q.at = max(q.at, time.Now().UnixMilli())
	buf = append(buf[:0], 0, 0, 0, 0) // the client wants the length before the bytes
	buf = appendBatch(buf, q.at, func(yield func([]byte) bool) {
		for _, e := range batch {
			if !yield(e.payload) {
				return
			}
		}
	})
	binary.BigEndian.PutUint32(buf, uint32(len(buf)-4))
	base, clean, err := a.send(q.tp, buf, len(batch))
	for i, e := range batch {
		a.finish(e, base+int64(i), err)
	}
	if !clean {
		return nil // an attempt that was given up may still be reading it
	}
	return buf
}

func (a *appender) finish(e *entry, offset int64, err error) {
	a.room.Release(int64(len(e.payload)))
	e.done(offset, err)
}

// send appends one batch and waits until it is durable. A doubtful attempt is
// followed by another with the same bytes, so that nothing later can overtake
// it; if an attempt succeeds then, an earlier copy may stand in the log before
// it. clean tells that no attempt still holds the bytes.
func (a *appender) send(tp topicPartition, batch []byte, records int) (base int64, clean bool, err error) {
	start := time.Now()
	clean = true
	doubt := false
	for attempt := 0; ; attempt++ {
		if a.embedded != nil {
			if err := a.embedded.Writable(tp.topic, tp.partition); err != nil {
				return 0, clean, outcome(doubt, err)
			}
		}
		base, err = a.produce(tp, batch)
		fate := fateOf(err)
		if fate == doubtful && a.embedded != nil && a.nothingWritten(tp, err) {
			fate = rejected // a full disk, say: asking again at once helps nobody
		}
		switch fate {
		case appended:
			answered := time.Since(start)
			if a.embedded != nil {
				if err := a.embedded.Sync(context.Background(), tp.topic, tp.partition, base+int64(records)); err != nil {
					return 0, clean, outcome(true, err)
				}
			}
			a.observe.appended(tp, records, len(batch), answered, time.Since(start)-answered)
			return base, clean, nil
		case doubtful:
			doubt, clean = true, false
		}
		a.observe.appendFailed(tp, attempt, err)
		if fate == rejected || time.Since(start) > a.patience || a.ctx.Err() != nil {
			return 0, clean, outcome(doubt, err)
		}
		if sleep(a.ctx, backoff(attempt)) != nil {
			return 0, clean, outcome(doubt, err)
		}
	}
}

// outcome is what the callers of a batch that failed are told.
func outcome(doubt bool, err error) error {
	if doubt {
		return fmt.Errorf("%w: %w", events.ErrUnknown, err)
	}
	return fmt.Errorf("%w: %w", events.ErrUnavailable, err)
}

func (a *appender) produce(tp topicPartition, batch []byte) (int64, error) {
	res, err := a.conn.client.RawProduce(context.Background(), &kafka.RawProduceRequest{
		Topic: tp.topic, Partition: int(tp.partition), RequiredAcks: kafka.RequireAll,
		RawRecords: protocol.RawRecordSet{Reader: bytes.NewReader(batch)},
	})
	if err != nil {
		return 0, err
	}
	return res.BaseOffset, res.Error
}

// nothingWritten tells that the embedded broker answered an attempt with an
// error and left nothing of it, nor of an earlier one, in its files.
func (a *appender) nothingWritten(tp topicPartition, err error) bool {
	var code kafka.Error
	if !errors.As(err, &code) {
		return false // no answer: it may still be on its way
	}
	written, err := a.embedded.Written(tp.topic, tp.partition)
	return err == nil && written == a.embedded.Synced(tp.topic, tp.partition)
}

func backoff(attempt int) time.Duration {
	d := min(20*time.Millisecond<<min(attempt, 10), time.Second)
	return d/2 + rand.N(d)
}

// close ends the appender. What is queued is still sent, though not again.
func (a *appender) close() {
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	a.cancel()
	a.lanes.Wait()
}
