package kafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/segmentio/kafka-go"

	"lishi/events"
)

// openTarget looks at what the target has, and changes nothing.
func (c *copier) openTarget(ctx context.Context, o Options) error {
	l := c.to
	l.layout, l.beside = c.from.layout, c.from.beside
	o.Layout = l.layout
	names := l.there()
	found, err := l.countPartitions(ctx, append(names, l.copying()))
	if err != nil {
		return l.unreachable(err)
	}
	c.marked = found[l.copying()] > 0
	delete(found, l.copying())
	if err := c.sameLog(ctx); err != nil {
		return err
	}
	c.ready = map[string]bool{}
	var there []string
	for _, t := range slices.Concat(events.Topics, l.beside) {
		n, ok := found[l.topic(t)]
		if !ok {
			continue
		}
		c.ready[l.topic(t)] = true
		there = append(there, l.topic(t))
		if want := int(l.count(t)); n != want {
			return &TopicError{l.topic(t), fmt.Sprintf("it has %d partitions, the source has %d, so streams would be looked for in the wrong ones", n, want),
				"delete the topic, and the copy makes it; or copy under another topic prefix"}
		}
	}
	limit := o.BatchBytes
	if len(there) > 0 {
		n, err := l.checkTopics(ctx, there)
		if err != nil {
			return err
		}
		limit = min(limit, n)
	}
	o.BatchBytes = limit
	l.appender = newAppender(l.conn, o)
	bounds, err := l.bounds(ctx, there)
	if err != nil {
		return err
	}
	for _, p := range c.ps {
		b := bounds[p.Partition]
		if b.first > 0 {
			return &TopicError{l.topic(p.Partition.Topic), fmt.Sprintf("%s begins at offset %d: records were deleted, so no record can stand at its own offset", p.Partition, b.first), l.deleteTopics()}
		}
		p.There, p.next = b.end, b.end
	}
	return nil
}

// sameLog refuses to copy a log onto itself.
func (c *copier) sameLog(ctx context.Context) error {
	if c.from.embedded != nil || c.to.embedded != nil || c.from.prefix != c.to.prefix {
		return nil // an embedded log is locked, so it is opened once
	}
	brokers := map[string]bool{}
	for _, l := range []*Log{c.from, c.to} {
		m, err := l.conn.client.Metadata(ctx, &kafka.MetadataRequest{Topics: l.topics()[:1]})
		if err != nil {
			return err
		}
		for _, b := range m.Brokers {
			name := fmt.Sprintf("%s of cluster %s", net.JoinHostPort(b.Host, strconv.Itoa(b.Port)), m.ClusterID)
			if l == c.to && brokers[name] {
				return &TopicError{c.to.topic(events.Conversations), "it is the source itself", "name another cluster or another topic prefix"}
			}
			brokers[name] = true
		}
	}
	return nil
}

// deleteTopics says how to be rid of a target that can't be continued.
func (l *Log) deleteTopics() string {
	if l.embedded != nil {
		return "Remove the target's log directory and copy again"
	}
	return "Delete the topics " + strings.Join(append(l.topics(), l.copying()), ", ") + " and copy again"
}

// copying is the topic that stands beside an unfinished copy.
func (l *Log) copying() string { return l.prefix + "lishi.copying" }

// makeTopics makes what the target lacks, after the topic that says that it is
// not whole. A target that is whole already is left as it is.
func (c *copier) makeTopics(ctx context.Context) error {
	if !slices.ContainsFunc(c.ps, func(p *CopiedPartition) bool { return p.There < p.Records }) {
		return nil
	}
	l := c.to
	if err := l.checkBrokers(ctx, l.topic(events.Conversations), c.replication); err != nil {
		return err
	}
	if !c.marked {
		if err := l.create(ctx, []kafka.TopicConfig{l.topicConfig(l.copying(), 1, c.replication)}); err != nil {
			return err
		}
		if _, err := l.awaitTopics(ctx, []string{l.copying()}); err != nil {
			return err
		}
		c.marked = true
	}
	var missing []kafka.TopicConfig
	for _, t := range slices.Concat(events.Topics, l.beside) {
		if !c.ready[l.topic(t)] {
			missing = append(missing, l.topicConfig(l.topic(t), int(l.count(t)), c.replication))
		}
	}
	if len(missing) == 0 {
		return nil
	}
	if err := l.create(ctx, missing); err != nil {
		return err
	}
	if _, err := l.awaitTopics(ctx, l.there()); err != nil {
		return err
	}
	limit, err := l.checkTopics(ctx, l.there())
	l.appender.batchBytes = min(l.appender.batchBytes, limit)
	return err
}

func (c *copier) unmark(ctx context.Context) error {
	if !c.marked {
		return nil
	}
	name := c.to.copying()
	res, err := c.to.conn.client.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{name}})
	if err == nil {
		err = res.Errors[name]
	}
	if err != nil && !errors.Is(err, kafka.UnknownTopicOrPartition) {
		return fmt.Errorf("the copy is whole and verified, but topic %s, which says that it is not, could not be deleted: %w. Delete it", name, err)
	}
	return nil
}
