//go:build kafka

package kafka_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"lishi/events"
	"lishi/infra/certificates"
	"lishi/infra/certificates/certificatetest"
	"lishi/infra/kafka"
	"lishi/infra/kafka/kafkatest"
	"lishi/infra/kafka/logtest"
)

// A broker that wants SASL_SSL: who may come in, who may not and hears why, and
// certificates that change while the log is open.
func TestKafkaAccess(t *testing.T) {
	c := kafkatest.Start(t, 1, "--sasl-ssl")
	ca := filepath.Join(t.TempDir(), "ca.pem")
	copyFile(t, filepath.Join(c.Dir, "certificates", "ca.pem"), ca)
	options := func(mechanism, password, ca, name string) kafka.Options {
		o := kafka.Options{Brokers: c.Brokers, Layout: small, Replication: 1, Logger: quiet(),
			SASL: kafka.Credentials{Mechanism: mechanism, User: "lishi", Password: password}}
		client, err := certificates.NewClient(certificates.ClientFiles{
			CA: ca, Cert: filepath.Join(c.Dir, "certificates", "client.pem"), Key: filepath.Join(c.Dir, "certificates", "client-key.pem"),
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			config := client.Config()
			config.ServerName = name
			return (&tls.Dialer{Config: config}).DialContext(ctx, network, address)
		}
		return o
	}
	var logs []*kafka.Log
	for i, mechanism := range []string{"plain", "scram-sha-512"} {
		l := openLog(t, options(mechanism, "lishi-secret", ca, ""))
		logs = append(logs, l)
		appends(t, l, i)
	}
	t.Run("group", func(t *testing.T) {
		pub, sub := pubSub(t, logs[1], "g")
		if err := pub.Publish("secured", message.NewMessage("1", []byte("你好"))); err != nil {
			t.Fatal(err)
		}
		ms, err := sub.Subscribe(t.Context(), "secured")
		if err != nil {
			t.Fatal(err)
		}
		select {
		case m := <-ms:
			m.Ack()
		case <-time.After(30 * time.Second):
			t.Error("nothing came")
		}
	})
	refused := func(what string, isTLS bool, words string, o kafka.Options) {
		t.Helper()
		began := time.Now()
		l, err := kafka.Open(t.Context(), o)
		if err == nil {
			l.Close()
		}
		var access *kafka.AccessError
		if !errors.As(err, &access) || access.TLS != isTLS || !strings.Contains(err.Error(), words) || !strings.Contains(err.Error(), c.Brokers[0]) {
			t.Errorf("%s: %v", what, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the password is told: %v", what, err)
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("%s: told after %s", what, took)
		}
	}
	other := certificatetest.New(t)
	refused("wrong password, plain", false, "Authentication failed", options("plain", "not-the-secret", ca, ""))
	refused("wrong password, scram", false, "Authentication failed", options("scram-sha-512", "not-the-secret", ca, ""))
	refused("wrong authority", true, "unknown authority", options("plain", "lishi-secret", other.File, ""))
	refused("wrong name", true, "kafka.example", options("plain", "lishi-secret", ca, "kafka.example"))
	plain := options("plain", "lishi-secret", ca, "")
	plain.Dial, plain.RequestTimeout = nil, 2*time.Second
	if l, err := kafka.Open(t.Context(), plain); !errors.Is(err, events.ErrUnavailable) {
		t.Errorf("without TLS: %v, %v", l, err)
	}

	// The brokers' certificate comes from another authority, which the file of those
	// trusted names from now on; the open logs go on.
	broker := func(until time.Time) {
		t.Helper()
		cert, key := filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
		other.Issue(cert, key, "broker", until)
		raw, _ := os.ReadFile(key)
		more, _ := os.ReadFile(cert)
		if err := os.WriteFile(filepath.Join(c.Dir, "certificates", "broker.pem"), append(raw, more...), 0o600); err != nil {
			t.Fatal(err)
		}
		c.Restart(t, 1)
	}
	copyFile(t, other.File, ca)
	broker(time.Now().Add(time.Hour))
	for i, l := range logs {
		appends(t, l, 10+i)
	}
	broker(time.Now().Add(-time.Minute))
	refused("expired certificate", true, "expired", options("plain", "lishi-secret", ca, ""))
	broker(time.Now().Add(time.Hour))
	for i, l := range logs {
		appends(t, l, 20+i)
	}
}

// appends appends an event and reads it, within what a restart takes.
func appends(t *testing.T, l *kafka.Log, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		ps, err := l.Append(ctx, logtest.Message(stream, n))
		if err == nil {
			if r, err := l.At(ctx, ps[0]); err != nil || r.Position != ps[0] {
				t.Error(r, err)
			}
			return
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	raw, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, raw, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
