package app

import (
	"testing"

	"lishi/events"
	"lishi/infra/config"
)

// New topics are made as `lishi config` says of the settings.
func TestNewTopicsFollowTheSettings(t *testing.T) {
	for name, tc := range map[string]struct {
		cfg         config.Config
		layout      events.Layout
		replication int
	}{
		"embedded":          {config.Config{}, events.Layout{Conversations: 4, Users: 1}, 1},
		"kafka":             {config.Config{KafkaBrokers: "k:9092"}, events.Layout{Conversations: 16, Users: 4}, 3},
		"kafka, one broker": {config.Config{KafkaBrokers: "k:9092", Replicas: 1}, events.Layout{Conversations: 16, Users: 4}, 1},
		"own numbers":       {config.Config{ConversationPartitions: 8, UserPartitions: 2}, events.Layout{Conversations: 8, Users: 2}, 1},
	} {
		if l, n := newTopics(tc.cfg); l != tc.layout || n != tc.replication {
			t.Errorf("%s: %+v with %d replicas, want %+v with %d", name, l, n, tc.layout, tc.replication)
		}
	}
}
