package kafka

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/fetch"
)

// fetchRequest is a Fetch whose answer is left as the broker wrote it: the
// client's own decoding costs more than everything else on the way of a read
// (see BenchmarkFetch). Routing, connections and deadlines stay the client's.
//
// It speaks version 4, the lowest of Kafka 4 and the first with batches of magic
// 2: https://kafka.apache.org/protocol#The_Messages_Fetch.
type fetchRequest struct {
	fetch.Request // for routing only
	topic         string
	partition     int32
	offset        int64
	maxBytes      int32
	maxWait       time.Duration
	clientID      string
}

const fetchVersion = 4

// fetchResponse is what a broker says about one partition.
type fetchResponse struct {
	err  error // a Kafka error code
	high int64 // the offset after the last record that readers may see
	raw  []byte
}

func (*fetchResponse) ApiKey() protocol.ApiKey { return protocol.Fetch }

func (*fetchRequest) Required(map[protocol.ApiKey]int16) bool { return true }

func (r *fetchRequest) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	be := binary.BigEndian
	b := make([]byte, 4, 128)
	b = be.AppendUint16(b, uint16(protocol.Fetch))
	b = be.AppendUint16(b, fetchVersion)
	b = be.AppendUint32(b, 0) // correlation id: one request at a time on a connection
	b = appendString(b, r.clientID)
	b = be.AppendUint32(b, 0xffffffff) // not a replica
	b = be.AppendUint32(b, uint32(r.maxWait.Milliseconds()))
	b = be.AppendUint32(b, 1) // answer as soon as there is a byte
	b = be.AppendUint32(b, uint32(r.maxBytes))
	b = append(b, 0) // read uncommitted: transactions are no business of this log
	b = be.AppendUint32(b, 1)
	b = appendString(b, r.topic)
	b = be.AppendUint32(b, 1)
	b = be.AppendUint32(b, uint32(r.partition))
	b = be.AppendUint64(b, uint64(r.offset))
	b = be.AppendUint32(b, uint32(r.maxBytes))
	be.PutUint32(b, uint32(len(b)-4))
	if _, err := rw.Write(b); err != nil {
		return nil, err
	}
	var size [4]byte
	if _, err := io.ReadFull(rw, size[:]); err != nil {
		return nil, unexpected(err)
	}
	n := int(int32(be.Uint32(size[:])))
	if n < 4 || n > int(r.maxBytes)+maxAnswer {
		return nil, fmt.Errorf("fetch: an answer of %d bytes", n)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(rw, body); err != nil {
		return nil, unexpected(err)
	}
	return parseFetch(body, r.partition)
}

// maxAnswer is what an answer may be longer than asked for: brokers send the
// first batch whole, however long.
const maxAnswer = 64 << 20

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

func appendString(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

func parseFetch(body []byte, partition int32) (*fetchResponse, error) {
	d := wire{b: body}
	d.skip(4 + 4) // correlation id, throttle time
	if d.uint32() != 1 {
		return nil, fmt.Errorf("fetch: not one topic in the answer")
	}
	d.skip(int(d.uint16())) // its name
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

// wire reads Kafka's fixed-size fields; bad stays set after the first mistake.
type wire struct {
	b   []byte
	bad bool
}

func (d *wire) take(n int) []byte {
	if n < 0 || n > len(d.b) {
		d.bad = true
		d.b = nil
		return nil
	}
	v := d.b[:n:n]
	d.b = d.b[n:]
	return v
}
func (d *wire) skip(n int) { d.take(n) }
func (d *wire) uint16() uint16 {
	if v := d.take(2); v != nil {
		return binary.BigEndian.Uint16(v)
	}
	return 0
}
func (d *wire) uint32() uint32 {
	if v := d.take(4); v != nil {
		return binary.BigEndian.Uint32(v)
	}
	return 0
}
func (d *wire) uint64() uint64 {
	if v := d.take(8); v != nil {
		return binary.BigEndian.Uint64(v)
	}
	return 0
}

// fetch asks for records from offset on and waits for them up to maxWait.
func (c *connection) fetch(ctx context.Context, topic string, partition int32, offset int64, maxBytes int32, maxWait time.Duration) (*fetchResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, maxWait+c.timeout)
	defer cancel()
	m, err := c.transport.RoundTrip(ctx, c.addr, &fetchRequest{
		Request: fetch.Request{Topics: []fetch.RequestTopic{{
			Topic:      topic,
			Partitions: []fetch.RequestPartition{{Partition: partition}},
		}}},
		topic: topic, partition: partition, offset: offset,
		maxBytes: maxBytes, maxWait: maxWait, clientID: c.transport.ClientID,
	})
	if err != nil {
		return nil, err
	}
	return m.(*fetchResponse), nil
}
