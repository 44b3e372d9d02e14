package kafka

import (
	"context"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/fetch"
)

// fetchVersion is the lowest of Kafka 4 and the first with batches of magic 2:
// https://kafka.apache.org/protocol#The_Messages_Fetch.
const fetchVersion = 4

// fetchResponse is what a broker says about one partition, with the batches as
// the broker wrote them: the client's own decoding costs more than everything
// else on the way of a read (see BenchmarkFetch).
type fetchResponse struct {
	err  error // a Kafka error code
	high int64 // the offset after the last record that readers may see
	raw  []byte
}

// fetch asks for records from offset on and waits for them up to maxWait.
func (c *connection) fetch(ctx context.Context, topic string, partition int32, offset int64, maxBytes int32, maxWait time.Duration) (*fetchResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, maxWait+c.silence)
	defer cancel()
	r := newRaw(&fetch.Request{Topics: []fetch.RequestTopic{{
		Topic: topic, Partitions: []fetch.RequestPartition{{Partition: partition}},
	}}}, protocol.Fetch, fetchVersion, clientID)
	r.limit += int(maxBytes) // brokers send the first batch whole, however long
	r.uint32(0xffffffff)     // not a replica
	r.uint32(uint32(maxWait.Milliseconds()))
	r.uint32(1) // answer as soon as there is a byte
	r.uint32(uint32(maxBytes))
	r.uint8(0) // read uncommitted: transactions are no business of this log
	r.uint32(1)
	r.string(topic)
	r.uint32(1)
	r.uint32(uint32(partition))
	r.uint64(uint64(offset))
	r.uint32(uint32(maxBytes))
	body, err := c.raw(ctx, r)
	if err != nil {
		return nil, err
	}
	return parseFetch(body, partition)
}

func parseFetch(body []byte, partition int32) (*fetchResponse, error) {
	d := wire{b: body}
	d.skip(4) // throttle time
	if d.uint32() != 1 {
		return nil, fmt.Errorf("fetch: not one topic in the answer")
	}
	d.string() // its name
	if d.uint32() != 1 || int32(d.uint32()) != partition {
		return nil, fmt.Errorf("fetch: not the partition that was asked for")
	}
	res := &fetchResponse{}
	if code := int16(d.uint16()); code != 0 {
		res.err = kafka.Error(code)
	}
	res.high = int64(d.uint64())
	d.skip(8) // last stable offset
	if aborted := int32(d.uint32()); aborted > 0 {
		d.skip(16 * int(aborted))
	}
	if n := int32(d.uint32()); n > 0 {
		res.raw = d.take(int(n))
	}
	if d.bad {
		return nil, fmt.Errorf("fetch: the answer is cut short")
	}
	return res, nil
}
