package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/segmentio/kafka-go"

	"lishi/events"
)

// A node that died is missed after this long; brokers take no less by default
// (group.min.session.timeout.ms).
const sessionTimeout = 6 * time.Second

// Share joins a consumer group over the log's topics, only for what it is told
// of who reads which partition: nothing is read by the group, nor committed to
// it. assigned is called with this member's partitions at each rebalancing,
// until ctx ends; then the member leaves, and the others take over at once. In
// between, while Kafka is away or others join, what was assigned last stays.
func (l *Log) Share(ctx context.Context, name string, assigned func([]events.Partition)) error {
	topics := make([]string, 0, len(events.Topics))
	for _, t := range events.Topics {
		topics = append(topics, l.topic(t))
	}
	group, err := kafka.NewConsumerGroup(l.groupConfig(l.prefix+"lishi.projections."+name, topics...))
	if err != nil {
		return fmt.Errorf("consumer group: %w", err)
	}
	l.generations(ctx, group, func(gen *kafka.Generation) {
		var mine []events.Partition
		for _, t := range events.Topics {
			for _, a := range gen.Assignments[l.topic(t)] {
				mine = append(mine, events.Partition{Topic: t, Number: int32(a.ID)})
			}
		}
		l.log.Debug("partitions assigned", "generation", gen.ID, "member", gen.MemberID, "partitions", len(mine))
		gen.Start(func(ctx context.Context) { // the generation lasts as long as something runs in it
			assigned(mine)
			<-ctx.Done()
		})
	})
	return nil
}

// generations joins a group again and again, until ctx ends, and leaves it.
func (l *Log) generations(ctx context.Context, group *kafka.ConsumerGroup, each func(*kafka.Generation)) {
	defer group.Close()
	for failures := 0; ctx.Err() == nil; {
		gen, err := group.Next(ctx)
		if err == nil {
			failures = 0
			each(gen)
			continue
		}
		if ctx.Err() != nil || errors.Is(err, kafka.ErrGroupClosed) {
			return
		}
		if errors.Is(err, kafka.RebalanceInProgress) { // others came while it joined
			continue
		}
		level := slog.LevelWarn // once: it is tried again several times a second
		if failures > 0 {
			level = slog.LevelDebug
		}
		l.log.Log(ctx, level, "joining a consumer group", "error", err)
		if sleep(ctx, backoff(failures)) != nil {
			return
		}
		failures++
	}
}

func (l *Log) groupConfig(group string, topics ...string) kafka.ConsumerGroupConfig {
	c := l.conn
	return kafka.ConsumerGroupConfig{
		ID:      group,
		Topics:  topics,
		Brokers: c.brokers,
		Dialer:  &kafka.Dialer{ClientID: clientID, Timeout: c.timeout, DialFunc: c.dial, SASLMechanism: c.sasl},

		StartOffset:       kafka.FirstOffset,
		HeartbeatInterval: 200 * time.Millisecond, // a member that leaves is noticed within this
		SessionTimeout:    sessionTimeout,
		RebalanceTimeout:  sessionTimeout,
		JoinGroupBackoff:  100 * time.Millisecond,
	}
}
