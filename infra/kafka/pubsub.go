package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/segmentio/kafka-go"

	"lishi/events"
)

// Publisher is Watermill's message.Publisher to any topic of the log's cluster
// but the log's own. With Subscriber it serves reactions, which run on
// Watermill's Router; what must be quick reads the log itself.
//
// A message's metadata are the record's headers, its payload the value.
type Publisher struct {
	log    *Log
	key    func(topic string, m *message.Message) string
	closed atomic.Bool
}

// Subscriber is Watermill's message.Subscriber to any topic of the log's
// cluster. Each Subscribe has one message unacknowledged at a time; a Nack
// delivers it again. Delivery is at least once, in order within a partition.
type Subscriber struct {
	log    *Log
	group  string
	ctx    context.Context
	cancel context.CancelFunc

	mu     sync.Mutex // Subscribe and Close exclude each other
	closed bool
	subs   sync.WaitGroup
}

var (
	_ message.Publisher            = (*Publisher)(nil)
	_ message.Subscriber           = (*Subscriber)(nil)
	_ message.SubscribeInitializer = (*Subscriber)(nil)
)

// uuidHeader carries a message's UUID, under the name Watermill's own Kafka
// adapter uses. Events have their id in ce_id.
const uuidHeader = "_watermill_message_uuid"

// foreignPartitions is how many partitions a topic gets that is made on demand.
const foreignPartitions = 4

// NewPublisher makes a publisher. key picks a message's partition, so that
// messages of one key keep their order; it is the message's UUID if nil.
func (l *Log) NewPublisher(key func(topic string, m *message.Message) string) *Publisher {
	if key == nil {
		key = func(_ string, m *message.Message) string { return m.UUID }
	}
	return &Publisher{log: l, key: key}
}

// NewSubscriber makes a member of a consumer group, whose members share the
// partitions out and go on where it stopped. A new group begins with the oldest
// message. Without a group each Subscribe gets all messages, from the oldest on.
// A subscriber is to be closed before the log.
func (l *Log) NewSubscriber(group string) *Subscriber {
	s := &Subscriber{log: l, group: group}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// ErrPubSubClosed is what a closed Publisher or Subscriber answers.
var ErrPubSubClosed = errors.New("the publisher or subscriber is closed")

// Close implements message.Publisher. The log stays open.
func (p *Publisher) Close() error {
	p.closed.Store(true)
	return nil
}

// Publish returns when all messages are durable. The log's own topics take
// nothing by this way: what stands in them comes from Append.
func (p *Publisher) Publish(topic string, ms ...*message.Message) error {
	if p.closed.Load() {
		return ErrPubSubClosed
	}
	for _, t := range allTopics {
		if topic == p.log.topic(t) {
			return fmt.Errorf("%w: topic %s takes events by Append only", events.ErrUnavailable, topic)
		}
	}
	count, err := p.log.ensureTopic(context.Background(), topic)
	if err != nil {
		return err
	}
	pending := make([]pendingAppend, len(ms))
	for i, m := range ms {
		key := p.key(topic, m)
		r := events.Record{Key: []byte(key), Value: m.Payload}
		r.Headers = append(r.Headers, events.Header{Key: uuidHeader, Value: []byte(m.UUID)})
		for _, k := range slices.Sorted(maps.Keys(m.Metadata)) {
			r.Headers = append(r.Headers, events.Header{Key: k, Value: []byte(m.Metadata[k])})
		}
		tp := topicPartition{topic, partitionOf(key, count)}
		pending[i].start(p.log.appender, m.Context(), tp, r)
	}
	for i, m := range ms {
		if _, e := pending[i].wait(m.Context()); e != nil && err == nil {
			err = e
		}
	}
	return err
}

// partitionOf chooses as Kafka's Java client does.
func partitionOf(key string, count int32) int32 {
	all := make([]int, count)
	for i := range all {
		all[i] = i
	}
	return int32(kafka.Murmur2Balancer{Consistent: true}.Balance(kafka.Message{Key: []byte(key)}, all...))
}

// ensureTopic makes a topic that is not there, and waits for its leaders.
func (l *Log) ensureTopic(ctx context.Context, topic string) (partitions int32, err error) {
	if n, ok := l.foreign.Load(topic); ok {
		return n.(int32), nil
	}
	found, err := l.countPartitions(ctx, []string{topic})
	if err != nil {
		return 0, err
	}
	if found[topic] == 0 {
		if err := l.create(ctx, []kafka.TopicConfig{l.topicConfig(topic, foreignPartitions, 0)}); err != nil {
			return 0, err
		}
		if found, err = l.awaitTopics(ctx, []string{topic}); err != nil {
			return 0, err
		}
	}
	partitions = int32(found[topic])
	l.foreign.Store(topic, partitions)
	return partitions, nil
}

// SubscribeInitialize implements message.SubscribeInitializer.
func (s *Subscriber) SubscribeInitialize(topic string) error {
	_, err := s.log.ensureTopic(s.ctx, topic)
	return err
}

// Subscribe joins the consumer group. The channel is closed when ctx ends or the
// subscriber is closed.
func (s *Subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	partitions, err := s.log.ensureTopic(ctx, topic)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrPubSubClosed
	}
	sub := &subscription{log: s.log, topic: topic, out: make(chan *message.Message)}
	run := func(ctx context.Context) { sub.readAll(ctx, partitions) }
	if s.group != "" {
		group, err := kafka.NewConsumerGroup(s.log.groupConfig(s.group, topic))
		if err != nil {
			return nil, fmt.Errorf("subscribing to %s: %w", topic, err)
		}
		run = func(ctx context.Context) { sub.readGroup(ctx, group) }
	}
	s.subs.Go(func() {
		defer close(sub.out)
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(s.ctx, cancel)()
		run(ctx)
	})
	return sub.out, nil
}

// Close ends all subscriptions and waits for them; the log stays open.
func (s *Subscriber) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.subs.Wait()
	return nil
}
