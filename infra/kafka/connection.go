package kafka

import (
	"context"
	"errors"
	"net"
	"syscall"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/metadata"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
)

// connection is the client side of a cluster: a pool of connections and the
// knowledge of who leads what.
type connection struct {
	addr      net.Addr
	brokers   []string
	transport *kafka.Transport
	client    *kafka.Client
	timeout   time.Duration // of one request
	silence   time.Duration // of a broker that was asked for something it answers at once
	sasl      sasl.Mechanism
	open      func(ctx context.Context, network, address string) (net.Conn, error)
	cancel    context.CancelFunc
}

const clientID = "lishi"

// maxSilence bounds how long a broker that stands still (its connections stay
// open) keeps those waiting whom another could serve.
const maxSilence = 3 * time.Second

func newConnection(o Options) *connection {
	c := &connection{brokers: o.Brokers, timeout: o.RequestTimeout, silence: min(o.RequestTimeout, maxSilence), sasl: o.SASL, open: o.Dial}
	if o.Embedded != nil {
		c.brokers = []string{o.Embedded.Addr()}
		if c.open == nil {
			c.open = o.Embedded.Dial
		}
		user, password := o.Embedded.Credentials()
		c.sasl = plain.Mechanism{Username: user, Password: password}
	}
	c.addr = kafka.TCP(c.brokers...)
	// The client gives a broker no longer than this to answer, either.
	metadataTTL := time.Second
	if o.Embedded != nil { // nothing changes there
		metadataTTL = 5 * time.Second
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	c.transport = &kafka.Transport{
		Context:     ctx,
		ClientID:    clientID,
		DialTimeout: c.silence,
		// A leader that died is found out within this; the client asks in vain until then.
		MetadataTTL: metadataTTL,
		SASL:        c.sasl,
		Dial:        c.dial,
	}
	// The broker is told half of Timeout as its own limit for an append.
	c.client = &kafka.Client{Addr: c.addr, Transport: c.transport, Timeout: c.timeout}
	return c
}

func (c *connection) close() {
	c.transport.CloseIdleConnections()
	c.cancel() // for who still asks something: it would begin anew
}

// metadata is what the client knows of topics, not older than the transport's
// MetadataTTL. Unlike the client's own it keeps the ids of brokers that are away.
func (c *connection) metadata(ctx context.Context, topics []string) (*metadata.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	m, err := c.transport.RoundTrip(ctx, c.addr, &metadata.Request{TopicNames: topics})
	if err != nil {
		return nil, err
	}
	return m.(*metadata.Response), nil
}

// fate says what an attempt to append did.
type fate int

const (
	appended fate = iota
	refused       // certainly not appended; another attempt may do better
	rejected      // certainly not appended, nor will it ever be
	doubtful      // it may be appended now, or later
)

// fateOf judges an attempt by its error. What is not known for certain is
// doubtful.
func fateOf(err error) fate {
	var code kafka.Error
	var op *net.OpError
	switch {
	case err == nil:
		return appended
	case errors.As(err, &code):
		return fateOfCode(code)
	case errors.Is(err, protocol.ErrNoTopic), errors.Is(err, protocol.ErrNoPartition), errors.Is(err, protocol.ErrNoLeader):
		return refused // by the client's own metadata; nothing was sent
	case errors.As(err, &op) && op.Op == "dial", errors.Is(err, syscall.ECONNREFUSED):
		return refused
	}
	return doubtful
}

// fateOfCode sorts https://kafka.apache.org/protocol#protocol_error_codes. A
// leader that loses its place while it waits for acks=all answers [3], [6], [56]
// or [74] although it has appended, and its successor may have the records: so
// these are no refusals.
func fateOfCode(code kafka.Error) fate {
	switch code {
	case kafka.NotEnoughReplicas, // found out before appending
		kafka.BrokerNotAvailable: // by the client's own metadata
		return refused
	case kafka.MessageSizeTooLarge, kafka.RecordListTooLarge, kafka.InvalidMessage, kafka.InvalidRecord,
		kafka.InvalidTopic, kafka.InvalidRequiredAcks, kafka.TopicAuthorizationFailed,
		kafka.ClusterAuthorizationFailed, kafka.SASLAuthenticationFailed, kafka.InvalidTimestamp,
		kafka.UnsupportedForMessageFormat, kafka.PolicyViolation:
		return rejected
	}
	return doubtful // 7, 20, -1 and what else may come
}

// sleep waits for d or the end of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
