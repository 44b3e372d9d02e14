package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/centrifugal/centrifuge"
)

// What centrifuge keeps of a channel, in memory or in Redis.
const (
	historySize = 1000
	historyTime = 5 * time.Minute
)

// serveCentrifuge serves a chat on the library centrifuge: whoever connects is
// who the token says, may subscribe to everything and write to everything. With
// redis, the address of a Redis server, a message is answered when Redis has it.
func serveCentrifuge(ctx context.Context, mux *http.ServeMux, redis string) error {
	node, err := centrifuge.New(centrifuge.Config{LogLevel: centrifuge.LogLevelNone, ClientQueueMaxSize: 16 << 20})
	if err != nil {
		return err
	}
	if redis != "" {
		shard, err := centrifuge.NewRedisShard(node, centrifuge.RedisShardConfig{Address: redis})
		if err != nil {
			return err
		}
		broker, err := centrifuge.NewRedisBroker(node, centrifuge.RedisBrokerConfig{Shards: []*centrifuge.RedisShard{shard}})
		if err != nil {
			return err
		}
		node.SetBroker(broker)
	}
	node.OnConnecting(func(_ context.Context, e centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		return centrifuge.ConnectReply{Credentials: &centrifuge.Credentials{UserID: e.Token}}, nil
	})
	node.OnConnect(func(c *centrifuge.Client) {
		c.OnSubscribe(func(_ centrifuge.SubscribeEvent, done centrifuge.SubscribeCallback) {
			done(centrifuge.SubscribeReply{}, nil)
		})
		c.OnPublish(func(e centrifuge.PublishEvent, done centrifuge.PublishCallback) {
			result, err := node.Publish(e.Channel, e.Data, centrifuge.WithHistory(historySize, historyTime))
			done(centrifuge.PublishReply{Result: &result}, err)
		})
	})
	if err := node.Run(); err != nil {
		return fmt.Errorf("centrifuge: %w", err)
	}
	context.AfterFunc(ctx, func() { node.Shutdown(context.Background()) })
	mux.Handle("/ws", centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{
		CheckOrigin:    func(*http.Request) bool { return true },
		PingPongConfig: centrifuge.PingPongConfig{PingInterval: -1, PongTimeout: -1},
	}))
	return nil
}
