package kafka

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"

	"lishi/events"
)

// logFormat is the version of the rules by which a log is read.
const logFormat = 1

// openTopics finds or makes the topics, sets the layout, and answers with the
// longest batch they take.
func (l *Log) openTopics(ctx context.Context, o Options) (limit int, err error) {
	names := l.topics()
	var found map[string]int
	err = l.patiently(ctx, func() error { found, err = l.findTopics(ctx); return err })
	if err != nil {
		return 0, err
	}
	if len(found) < len(names) {
		if err := l.createTopics(ctx, o, found); err != nil {
			return 0, err
		}
		if found, err = l.awaitTopics(ctx, names); err != nil {
			return 0, err
		}
	}
	l.learn(found)
	err = l.patiently(ctx, func() error { limit, err = l.checkTopics(ctx, names); return err })
	return limit, err
}

// patiently asks again while brokers learn of new topics and leaders.
func (l *Log) patiently(ctx context.Context, ask func() error) error {
	ctx, cancel := context.WithTimeout(ctx, 3*l.conn.timeout)
	defer cancel()
	for attempt := 0; ; attempt++ {
		err := ask()
		var code kafka.Error
		temporary := errors.Is(err, context.DeadlineExceeded) || errors.As(err, &code) && code.Temporary()
		if !temporary || sleep(ctx, backoff(attempt)) != nil {
			return err
		}
	}
}

// allTopics are those of the chat and those beside it.
var allTopics = slices.Concat(events.Topics, events.Beside)

func (l *Log) topics() []string {
	names := make([]string, 0, len(allTopics))
	for _, t := range allTopics {
		names = append(names, l.topic(t))
	}
	return names
}

// learn takes the layout from the partitions found, and which topics beside the
// chat are there: a log of an earlier release that is only read has none.
func (l *Log) learn(found map[string]int) {
	l.layout = events.Layout{Conversations: int32(found[l.topic(events.Conversations)]), Users: int32(found[l.topic(events.Users)])}
	l.beside = nil
	for _, t := range events.Beside {
		if found[l.topic(t)] > 0 {
			l.beside = append(l.beside, t)
		}
	}
}

// there are the names of the topics that are there.
func (l *Log) there() []string {
	var names []string
	for _, t := range slices.Concat(events.Topics, l.beside) {
		names = append(names, l.topic(t))
	}
	return names
}

// partitions are those of the topics that are there.
func (l *Log) partitions() []events.Partition {
	ps := l.layout.Partitions()
	for _, t := range l.beside {
		ps = append(ps, events.Partition{Topic: t})
	}
	return ps
}

// count is how many partitions a topic has.
func (l *Log) count(t events.Topic) int32 { return partitionCount(l.layout, t) }

func partitionCount(l events.Layout, t events.Topic) int32 {
	if slices.Contains(events.Beside, t) {
		return 1
	}
	return l.Count(t)
}

// findTopics counts the partitions of the topics that are there, and refuses
// those of a copy that was not finished.
func (l *Log) findTopics(ctx context.Context) (map[string]int, error) {
	found, err := l.countPartitions(ctx, append(l.topics(), l.copying()))
	if err != nil {
		return nil, l.unreachable(err)
	}
	if _, copying := found[l.copying()]; copying {
		return nil, &TopicError{l.copying(), "it says that a log was to be copied here, and that copy was not finished",
			"run the same `lishi log copy` again, which goes on with it; or delete the topics " + strings.Join(append(l.topics(), l.copying()), ", ")}
	}
	return found, nil
}

// countPartitions answers with the topics that are there and have leaders for
// all partitions.
func (l *Log) countPartitions(ctx context.Context, names []string) (map[string]int, error) {
	res, err := l.conn.client.Metadata(ctx, &kafka.MetadataRequest{Topics: names})
	if err != nil {
		return nil, err
	}
	found := map[string]int{}
	for _, t := range res.Topics {
		switch {
		case errors.Is(t.Error, kafka.UnknownTopicOrPartition):
			continue
		case t.Error != nil:
			return nil, fmt.Errorf("topic %s: %w", t.Name, t.Error)
		}
		found[t.Name] = len(t.Partitions)
		for _, p := range t.Partitions {
			if p.Error != nil {
				return nil, fmt.Errorf("topic %s, partition %d: %w", t.Name, p.ID, p.Error)
			}
		}
	}
	return found, nil
}

func (l *Log) createTopics(ctx context.Context, o Options, found map[string]int) error {
	var topics []kafka.TopicConfig
	for _, t := range allTopics {
		if _, there := found[l.topic(t)]; there {
			continue
		}
		if err := l.checkBrokers(ctx, l.topic(t), o.Replication); err != nil {
			return err
		}
		topics = append(topics, l.topicConfig(l.topic(t), int(partitionCount(o.Layout, t)), o.Replication))
	}
	return l.create(ctx, topics)
}

func (l *Log) create(ctx context.Context, topics []kafka.TopicConfig) error {
	res, err := l.conn.client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: topics})
	if err != nil {
		return fmt.Errorf("%w: making topics: %w", events.ErrUnavailable, err)
	}
	for name, err := range res.Errors {
		if err != nil && !errors.Is(err, kafka.TopicAlreadyExists) { // another node was quicker
			return fmt.Errorf("making topic %s: %w", name, err)
		}
	}
	return nil
}

// awaitTopics waits until all partitions of new topics have leaders.
func (l *Log) awaitTopics(ctx context.Context, names []string) (map[string]int, error) {
	ctx, cancel := context.WithTimeout(ctx, l.conn.timeout*3)
	defer cancel()
	for {
		found, err := l.countPartitions(ctx, names)
		if err == nil && len(found) == len(names) {
			return found, nil
		}
		if sleep(ctx, 50*time.Millisecond) != nil {
			return nil, fmt.Errorf("%w: the topics %s have no leaders: %v", events.ErrUnavailable, strings.Join(names, ", "), err)
		}
	}
}

// openLog makes sure that every partition begins with the same log.opened. The
// first partition decides which, so that two nodes that start at once agree.
func (l *Log) openLog(ctx context.Context) (id string, err error) {
	fresh := rand.Text()
	for i, p := range l.partitions() {
		if i > 0 {
			fresh = id
		}
		opened, err := l.openPartition(ctx, p, fresh)
		if err != nil {
			return "", err
		}
		if i == 0 {
			id = opened.LogID
		}
		if err := l.checkOpened(p, id, opened); err != nil {
			return "", err
		}
	}
	return id, nil
}

func (l *Log) checkOpened(p events.Partition, id string, opened events.LogOpened) error {
	switch count := l.count(p.Topic); {
	case opened.Format > logFormat:
		return &TopicError{l.topic(p.Topic), fmt.Sprintf("its format is %d, this lishi reads up to %d", opened.Format, logFormat), "use the newer lishi"}
	case opened.LogID != id:
		return &TopicError{l.topic(p.Topic), fmt.Sprintf("%s belongs to log %s, the others to %s", p, opened.LogID, id),
			"give each log a topic prefix of its own"}
	case opened.Partitions != count:
		return &TopicError{l.topic(p.Topic), fmt.Sprintf("it has %d partitions but was made with %d, so streams would be looked for in the wrong ones", count, opened.Partitions),
			fmt.Sprintf("copy the log to topics with %d partitions under another prefix", opened.Partitions)}
	}
	return nil
}

// openPartition reads the first record, and writes it if there is none.
func (l *Log) openPartition(ctx context.Context, p events.Partition, id string) (events.LogOpened, error) {
	patient, cancel := context.WithTimeout(ctx, 3*l.conn.timeout) // brokers may be slow to learn of new topics
	defer cancel()
	written := false
	for attempt := 0; ; attempt++ {
		rs, err := l.readOnce(patient, p, 0, 1, 10*time.Millisecond)
		switch {
		case len(rs) > 0:
			opened, ok := rs[0].Body.(events.LogOpened)
			if !ok {
				return opened, &TopicError{l.topic(p.Topic), fmt.Sprintf("%s does not begin with log.opened: something else uses the topic", p),
					"give the log a topic prefix of its own"}
			}
			return opened, nil
		case errors.Is(err, events.ErrDamaged):
			return events.LogOpened{}, err
		case err == nil && !written:
			if err = l.appendOpened(patient, p, id); err == nil {
				written = true
				continue
			}
		}
		if sleep(patient, backoff(attempt)) != nil {
			return events.LogOpened{}, fmt.Errorf("%w: opening %s: %w", events.ErrUnavailable, p, errors.Join(err, ctx.Err()))
		}
	}
}

func (l *Log) appendOpened(ctx context.Context, p events.Partition, id string) error {
	_, err := l.appendTo(ctx, p, events.Event{
		ID:     events.NewID(id, "", p.String()),
		Stream: events.SystemStream(),
		Time:   time.Now().UTC(),
		Body:   events.LogOpened{LogID: id, Partitions: l.count(p.Topic), Format: logFormat},
	})
	return err
}
