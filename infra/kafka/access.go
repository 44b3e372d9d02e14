package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"

	"lishi/events"
)

// Credentials are a user and a password for brokers with SASL. They are asked for
// at each new connection, so a password in a file may change.
type Credentials struct {
	Mechanism    string // plain or scram-sha-512
	User         string
	Password     string
	PasswordFile string // instead of Password; a line feed at its end does not count
}

// Name implements sasl.Mechanism.
func (c Credentials) Name() string { return strings.ToUpper(c.Mechanism) }

// Start implements sasl.Mechanism.
func (c Credentials) Start(ctx context.Context) (sasl.StateMachine, []byte, error) {
	m, err := c.mechanism()
	if err != nil {
		return nil, nil, err
	}
	return m.Start(ctx)
}

// Check tells what is wrong with them before anybody is asked.
func (c Credentials) Check() error {
	_, err := c.mechanism()
	return err
}

func (c Credentials) mechanism() (sasl.Mechanism, error) {
	password := c.Password
	if c.PasswordFile != "" {
		raw, err := os.ReadFile(c.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("password: %w", err)
		}
		password = strings.TrimRight(string(raw), "\r\n")
	}
	switch c.Name() {
	case "PLAIN":
		return plain.Mechanism{Username: c.User, Password: password}, nil
	case "SCRAM-SHA-512":
		return scram.Mechanism(scram.SHA512, c.User, password)
	}
	return nil, fmt.Errorf("%q is not plain or scram-sha-512", c.Mechanism)
}

// AccessError means that brokers are there, but they and this client do not accept
// one another; waiting does not help. It never holds a password.
type AccessError struct {
	TLS bool // else it is user and password
	Err error
}

func (e *AccessError) Error() string {
	if e.TLS {
		return fmt.Sprintf("TLS fails (settings kafka-tls…): %v", e.Err)
	}
	return fmt.Sprintf("user and password are refused (settings kafka-sasl, kafka-user, kafka-password): %v", e.Err)
}

// Unwrap gives the cause.
func (e *AccessError) Unwrap() error { return e.Err }

// unreachable is why the cluster can't be asked: nobody is there, or an AccessError.
func (l *Log) unreachable(err error) error {
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var verification *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	where := fmt.Sprintf("Kafka at %s", strings.Join(l.conn.brokers, ","))
	switch {
	case errors.As(err, &authority), errors.As(err, &host), errors.As(err, &invalid), errors.As(err, &verification),
		errors.As(err, &record), errors.As(err, &alert):
		return fmt.Errorf("%s: %w", where, &AccessError{true, err})
	// Without the broker's own words it may only have gone away in the middle.
	case strings.Contains(err.Error(), kafka.SASLAuthenticationFailed.Error()+": "), errors.Is(err, kafka.UnsupportedSASLMechanism):
		return fmt.Errorf("%s: %w", where, &AccessError{false, err})
	}
	return fmt.Errorf("%w: %s: %w", events.ErrUnavailable, where, err)
}

// dial connects to a broker. Whatever fails here, nothing was sent.
func (c *connection) dial(ctx context.Context, network, address string) (net.Conn, error) {
	open := c.open
	if open == nil {
		open = (&net.Dialer{}).DialContext
	}
	ctx, cancel := context.WithTimeout(ctx, c.silence)
	defer cancel()
	conn, err := open(ctx, network, address)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) && op.Op == "dial" {
			return nil, err
		}
		return nil, &net.OpError{Op: "dial", Net: network, Err: fmt.Errorf("%s: %w", address, err)}
	}
	if c.sasl != nil {
		conn = &impatient{Conn: conn, silence: c.silence}
	}
	return conn, nil
}

// impatient is a connection on which the client asks for user and password. It
// does so without a deadline, after taking the one of its first question away: a
// broker that stands still then would hold it for ever.
type impatient struct {
	net.Conn
	silence time.Duration
	began   bool
}

// SetDeadline implements net.Conn. The client calls it from one goroutine at a time.
func (c *impatient) SetDeadline(t time.Time) error {
	if t.IsZero() && !c.began {
		c.began = true
		t = time.Now().Add(c.silence)
	}
	return c.Conn.SetDeadline(t)
}
