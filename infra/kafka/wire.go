package kafka

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/segmentio/kafka-go/protocol"
)

// rawRequest is a request that is written, and whose answer is read, here; its
// routing, connection and deadline stay the client's. So it may speak of what the
// client hides (leader epochs), and leave as it is what the client would decode
// at a price (record batches).
type rawRequest struct {
	to    protocol.BrokerMessage // says which broker
	key   protocol.ApiKey
	b     []byte // size, header, body
	limit int    // an answer is at most so long
}

// rawResponse is the body of an answer, after its correlation id.
type rawResponse struct {
	key  protocol.ApiKey
	body []byte
}

// newRaw begins a request with a version 1 header, which every version before the
// flexible ones has: https://kafka.apache.org/protocol#protocol_messages.
func newRaw(to protocol.BrokerMessage, key protocol.ApiKey, version uint16, clientID string) *rawRequest {
	be := binary.BigEndian
	b := make([]byte, 4, 128)
	b = be.AppendUint16(b, uint16(key))
	b = be.AppendUint16(b, version)
	b = be.AppendUint32(b, 0) // correlation id: one request at a time on a connection
	return &rawRequest{to: to, key: key, b: appendString(b, clientID), limit: maxAnswer}
}

// maxAnswer is how long an answer may be, beside what was asked for.
const maxAnswer = 64 << 20

func (r *rawRequest) uint8(v uint8)   { r.b = append(r.b, v) }
func (r *rawRequest) uint32(v uint32) { r.b = binary.BigEndian.AppendUint32(r.b, v) }
func (r *rawRequest) uint64(v uint64) { r.b = binary.BigEndian.AppendUint64(r.b, v) }
func (r *rawRequest) string(s string) { r.b = appendString(r.b, s) }

func appendString(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

// ApiKey implements protocol.Message.
func (r *rawRequest) ApiKey() protocol.ApiKey { return r.key }

// ApiKey implements protocol.Message.
func (r *rawResponse) ApiKey() protocol.ApiKey { return r.key }

// Broker implements protocol.BrokerMessage.
func (r *rawRequest) Broker(c protocol.Cluster) (protocol.Broker, error) { return r.to.Broker(c) }

// Required implements protocol.RawExchanger.
func (*rawRequest) Required(map[protocol.ApiKey]int16) bool { return true }

// RawExchange implements protocol.RawExchanger.
func (r *rawRequest) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	binary.BigEndian.PutUint32(r.b, uint32(len(r.b)-4))
	if _, err := rw.Write(r.b); err != nil {
		return nil, err
	}
	var size [4]byte
	if _, err := io.ReadFull(rw, size[:]); err != nil {
		return nil, unexpected(err)
	}
	n := int(int32(binary.BigEndian.Uint32(size[:])))
	if n < 4 || n > r.limit {
		return nil, fmt.Errorf("%s: an answer of %d bytes", r.key, n)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(rw, body); err != nil {
		return nil, unexpected(err)
	}
	return &rawResponse{r.key, body[4:]}, nil
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// broker addresses a request to the broker of that id.
type broker int32

// Broker implements protocol.BrokerMessage.
func (id broker) Broker(protocol.Cluster) (protocol.Broker, error) {
	return protocol.Broker{ID: int32(id)}, nil
}

// ApiKey implements protocol.Message.
func (broker) ApiKey() protocol.ApiKey { return -1 }

// raw makes a round trip.
func (c *connection) raw(ctx context.Context, r *rawRequest) ([]byte, error) {
	m, err := c.transport.RoundTrip(ctx, c.addr, r)
	if err != nil {
		return nil, err
	}
	return m.(*rawResponse).body, nil
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

// string reads a string that may be null.
func (d *wire) string() string { return string(d.take(max(0, int(int16(d.uint16()))))) }

// each reads an array, of which every element takes a byte at least.
func (d *wire) each(element func()) {
	n := int(int32(d.uint32()))
	if n > len(d.b) {
		d.bad = true
	}
	for i := 0; i < n && !d.bad; i++ {
		element()
	}
}
