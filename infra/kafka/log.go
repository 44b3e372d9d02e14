// Package kafka is the log on Kafka: events.Log over any cluster, by addresses.
// The embedded broker is such an address too, and a few questions about
// durability that Kafka's protocol can't ask.
package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/segmentio/kafka-go/sasl"

	"lishi/events"
)

// Embedded is what the embedded broker tells beside the protocol. See
// broker.Broker for what each promises.
type Embedded interface {
	Addr() string
	Credentials() (username, password string)
	Dial(ctx context.Context, network, address string) (net.Conn, error)
	Sync(ctx context.Context, topic string, partition int32, end int64) error
	Synced(topic string, partition int32) int64
	Written(topic string, partition int32) (int64, error)
	Writable(topic string, partition int32) error
}

// Options says which cluster and how. The zero value of everything but Brokers
// or Embedded is a sensible default.
type Options struct {
	Brokers  []string // host:port; ignored with Embedded
	Embedded Embedded
	SASL     sasl.Mechanism
	Dial     func(ctx context.Context, network, address string) (net.Conn, error) // for TLS, say; TCP if nil

	TopicPrefix string        // before the names of the topics
	Layout      events.Layout // of a log that is made; one that is there keeps its own. Embedded 4 and 1, else 16 and 4
	Replication int           // of topics that are made, and at least of those that are there; the cluster's choice if 0
	EventBytes  int           // the longest event, encoded; a topic that does not take it is refused

	BatchBytes     int           // a batch is at most so long; 1 MB, or less if a topic takes less
	QueueBytes     int64         // may wait to be sent, in all; 64 MiB
	RequestTimeout time.Duration // of one request; 6 s
	Patience       time.Duration // how long an append is tried before it is given up; 15 s

	Observer Observer
	Logger   *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.Layout == (events.Layout{}) {
		o.Layout = events.Layout{Conversations: 16, Users: 4}
		if o.Embedded != nil {
			o.Layout = events.Layout{Conversations: 4, Users: 1}
		}
	}
	if o.BatchBytes == 0 {
		o.BatchBytes = 1_000_000
	}
	if o.QueueBytes == 0 {
		o.QueueBytes = 64 << 20
	}
	if o.RequestTimeout == 0 {
		o.RequestTimeout = 6 * time.Second
	}
	if o.Patience == 0 {
		o.Patience = 15 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

// Observer is told how the log is doing, for metrics and logs. Every function
// may be nil; none may block.
type Observer struct {
	// Appended: one batch is durable. answered is how long the broker took,
	// synced how long durability took after that (0 on a cluster).
	Appended func(topic string, partition int32, records, bytes int, answered, synced time.Duration)
	// AppendFailed: an attempt failed; it may be tried again.
	AppendFailed func(topic string, partition int32, attempt int, err error)
	// ReadFailed: a partition can't be read just now; it is tried again.
	ReadFailed func(p events.Partition, attempt int, err error)
}

func (o Observer) appended(tp topicPartition, records, bytes int, answered, synced time.Duration) {
	if o.Appended != nil {
		o.Appended(tp.topic, tp.partition, records, bytes, answered, synced)
	}
}

func (o Observer) appendFailed(tp topicPartition, attempt int, err error) {
	if o.AppendFailed != nil {
		o.AppendFailed(tp.topic, tp.partition, attempt, err)
	}
}

func (o Observer) readFailed(p events.Partition, attempt int, err error) {
	if o.ReadFailed != nil {
		o.ReadFailed(p, attempt, err)
	}
}

// Log is an events.AsyncLog, and Watermill's message.Publisher. All methods may
// be called concurrently.
type Log struct {
	conn       *connection
	appender   *appender
	embedded   Embedded
	observe    Observer
	log        *slog.Logger
	prefix     string
	layout     events.Layout
	beside     []events.Topic // those there
	id         string
	replicas   int            // that each topic has at least
	eventBytes int            // that each topic takes at least
	inSync     map[string]int // min.insync.replicas of each topic
	barrier    barrier
	foreign    sync.Map // partitions of other topics, by name
}

var _ events.AsyncLog = (*Log)(nil)

// Open connects, makes the topics if there are none, and checks them if there
// are: a topic that would forget, or that is not the one log.opened speaks of,
// is refused with the command that repairs it.
func Open(ctx context.Context, o Options) (*Log, error) {
	o = o.withDefaults()
	if len(o.Brokers) == 0 && o.Embedded == nil {
		return nil, errors.New("no Kafka brokers are named")
	}
	l := attach(o)
	limit, err := l.openTopics(ctx, o)
	if err != nil {
		l.conn.close()
		return nil, err
	}
	o.BatchBytes = min(o.BatchBytes, limit)
	l.appender = newAppender(l.conn, o)
	if l.id, err = l.openLog(ctx); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// attach makes a log of which nothing is known yet.
func attach(o Options) *Log {
	l := &Log{conn: newConnection(o), embedded: o.Embedded, observe: o.Observer, log: o.Logger, prefix: o.TopicPrefix, replicas: o.Replication, eventBytes: o.EventBytes}
	l.barrier.list = l.listEnds
	return l
}

// attachReader is attach for who only reads: however few replicas there are, they
// are read.
func attachReader(o Options) *Log {
	o.Replication = 0
	return attach(o.withDefaults())
}

// ID is the log's own id, from log.opened.
func (l *Log) ID() string { return l.id }

// Layout implements events.Log.
func (l *Log) Layout() events.Layout { return l.layout }

func (l *Log) topic(t events.Topic) string { return l.prefix + t.Name() }

func (l *Log) place(p events.Partition) topicPartition {
	return topicPartition{l.topic(p.Topic), p.Number}
}

// AppendAsync implements events.AsyncLog. Where too much waits already the event
// is refused rather than waited for.
func (l *Log) AppendAsync(e events.Event, done func(events.Position, error)) {
	w := appends.Get().(*asyncAppend)
	if w.entry.done == nil {
		w.entry.done = w.finished
	}
	w.partition, w.done = l.layout.Partition(e.Stream), done
	r, err := w.encoder.Encode(&e)
	if err == nil {
		w.entry.payload = appendPayload(w.entry.payload[:0], r)
		err = l.appender.tryAppend(l.place(w.partition), &w.entry)
	} else {
		err = fmt.Errorf("%w: %w", events.ErrUnavailable, err)
	}
	if err != nil {
		w.release()
		go done(events.Position{}, err) // never from within the call: the caller may hold what done needs
	}
}

// asyncAppend is one event on its way; it is used again when the log has told
// its fate.
type asyncAppend struct {
	entry     entry
	encoder   events.Encoder
	partition events.Partition
	done      func(events.Position, error)
}

var appends = sync.Pool{New: func() any { return new(asyncAppend) }}

// maxKept is how long a payload may be whose memory is used again.
const maxKept = 16 << 10

func (w *asyncAppend) release() {
	w.done = nil
	w.entry.state.Store(queued)
	if cap(w.entry.payload) <= maxKept {
		appends.Put(w)
	}
}

func (w *asyncAppend) finished(offset int64, err error) {
	done, p := w.done, events.Position{Partition: w.partition, Offset: offset}
	w.release()
	if err != nil {
		p = events.Position{}
	}
	done(p, err)
}

// Close sends what is queued, once, and closes the connections. Appends under
// way end with their outcome.
func (l *Log) Close() error {
	l.appender.close()
	l.conn.close()
	return nil
}
