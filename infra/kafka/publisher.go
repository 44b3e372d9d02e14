package kafka

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/ThreeDotsLabs/watermill/message"

	"lishi/events"
)

// delivery is the context of a message on its way to the log. It carries the
// record whole, because a message's metadata would lose the order of the
// headers, and takes back the outcome.
type delivery struct {
	context.Context
	partition events.Partition
	record    events.Record
	position  events.Position
	err       error
}

type deliveryKey struct{}

func (d *delivery) Value(key any) any {
	if key == (deliveryKey{}) {
		return d
	}
	return d.Context.Value(key)
}

// Outcome is where a message that Publish was given stands in the log, or why it
// does not: events.ErrUnavailable or events.ErrUnknown. It is to be asked after
// Publish returned, of a message made by NewMessage.
func Outcome(m *message.Message) (events.Position, error) {
	d, ok := m.Context().Value(deliveryKey{}).(*delivery)
	if !ok {
		return events.Position{}, fmt.Errorf("%w: not a message of NewMessage", events.ErrUnavailable)
	}
	return d.position, d.err
}

// NewMessage makes a ready message of an event. What publishers on the way add
// to its metadata becomes further headers.
func (l *Log) NewMessage(ctx context.Context, e events.Event) (*message.Message, error) {
	return newMessage(ctx, l.layout.Partition(e.Stream), e)
}

func newMessage(ctx context.Context, p events.Partition, e events.Event) (*message.Message, error) {
	r, err := events.Encode(e)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", events.ErrUnavailable, err)
	}
	d := &delivery{Context: ctx, partition: p, record: r}
	return message.NewMessageWithContext(d, e.ID.String(), r.Value), nil
}

// Append implements events.Log. Events of one partition are appended in the
// order given; a call is no transaction over several partitions or batches: if
// only some were appended the error is events.ErrUnknown and the positions of
// those are there, the others zero.
func (l *Log) Append(ctx context.Context, es ...events.Event) ([]events.Position, error) {
	ms := make([]*message.Message, len(es))
	for i, e := range es {
		m, err := l.NewMessage(ctx, e)
		if err != nil {
			return nil, err
		}
		ms[i] = m
	}
	return l.appendMessages(ms)
}

// appendTo appends an event to a partition that its stream does not name.
func (l *Log) appendTo(ctx context.Context, p events.Partition, e events.Event) ([]events.Position, error) {
	m, err := newMessage(ctx, p, e)
	if err != nil {
		return nil, err
	}
	return l.appendMessages([]*message.Message{m})
}

func (l *Log) appendMessages(ms []*message.Message) ([]events.Position, error) {
	err := l.publish(ms)
	ps := make([]events.Position, len(ms))
	some := false
	for i, m := range ms {
		if p, err := Outcome(m); err == nil {
			ps[i], some = p, true
		}
	}
	if err != nil && some {
		err = fmt.Errorf("%w: only some events were appended: %w", events.ErrUnknown, err)
	}
	return ps, err
}

// Publish implements Watermill's message.Publisher for this log's topics: the
// messages are those of NewMessage. It returns when all are durable, or with the
// first error; each message's Outcome tells its own.
func (l *Log) Publish(topic string, ms ...*message.Message) error {
	for _, m := range ms {
		d, ok := m.Context().Value(deliveryKey{}).(*delivery)
		if !ok {
			return fmt.Errorf("%w: message %s was not made by NewMessage", events.ErrUnavailable, m.UUID)
		}
		if own := l.topic(d.partition.Topic); own != topic {
			return fmt.Errorf("%w: message %s belongs to topic %s, not %s", events.ErrUnavailable, m.UUID, own, topic)
		}
	}
	return l.publish(ms)
}

func (l *Log) publish(ms []*message.Message) error {
	pending := make([]pendingAppend, len(ms))
	for i, m := range ms {
		d := m.Context().Value(deliveryKey{}).(*delivery)
		r := d.record
		for _, k := range slices.Sorted(maps.Keys(m.Metadata)) {
			r.Headers = append(r.Headers[:len(r.Headers):len(r.Headers)], events.Header{Key: k, Value: []byte(m.Metadata[k])})
		}
		r.Value = m.Payload
		pending[i].start(l.appender, m.Context(), l.place(d.partition), r)
	}
	var first error
	for i, m := range ms {
		d := m.Context().Value(deliveryKey{}).(*delivery)
		offset, err := pending[i].wait(m.Context())
		if d.err = err; err == nil {
			d.position = events.Position{Partition: d.partition, Offset: offset}
		} else if first == nil {
			first = err
		}
	}
	return first
}

// pendingAppend is an append that somebody waits for.
type pendingAppend struct {
	entry  entry
	done   chan struct{}
	offset int64
	err    error
}

func (p *pendingAppend) start(a *appender, ctx context.Context, tp topicPartition, r events.Record) {
	p.done = make(chan struct{})
	p.entry.payload = appendPayload(make([]byte, 0, payloadSize(r)), r)
	p.entry.done = func(offset int64, err error) {
		p.offset, p.err = offset, err
		close(p.done)
	}
	if err := a.append(ctx, tp, &p.entry); err != nil {
		p.entry.done(0, err)
	}
}

func (p *pendingAppend) wait(ctx context.Context) (int64, error) {
	select {
	case <-p.done:
		return p.offset, p.err
	case <-ctx.Done():
	}
	if p.entry.withdraw() {
		return 0, fmt.Errorf("%w: not sent: %w", events.ErrUnavailable, ctx.Err())
	}
	select { // it may have been answered meanwhile
	case <-p.done:
		return p.offset, p.err
	default:
		return 0, fmt.Errorf("%w: %w", events.ErrUnknown, ctx.Err())
	}
}
